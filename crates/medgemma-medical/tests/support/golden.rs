//! Reads what the programs in `tests/golden` wrote.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses a part of this module, and a golden that cannot be read is a failed test"
)]

use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};

/// A file of the folder of goldens.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// A slide of the fixtures.
pub fn slide(name: &str) -> PathBuf {
    path("slides").join(name)
}

/// A file of goldens.
pub struct Golden(Vec<u8>);

impl Golden {
    pub fn open(name: &str) -> Self {
        Self(std::fs::read(path(name)).unwrap())
    }

    fn view(&self, key: &str, kind: Dtype) -> (Vec<usize>, Vec<u8>) {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let view = tensors
            .tensor(key)
            .unwrap_or_else(|_| panic!("no golden {key}"));
        assert_eq!(view.dtype(), kind, "{key}");
        (view.shape().to_vec(), view.data().to_vec())
    }

    pub fn bytes(&self, key: &str) -> (Vec<usize>, Vec<u8>) {
        self.view(key, Dtype::U8)
    }

    pub fn floats(&self, key: &str) -> (Vec<usize>, Vec<f32>) {
        let (shape, data) = self.view(key, Dtype::F32);
        let values = data.as_chunks::<4>().0.iter();
        (shape, values.map(|b| f32::from_le_bytes(*b)).collect())
    }

    pub fn integers(&self, key: &str) -> (Vec<usize>, Vec<i32>) {
        let (shape, data) = self.view(key, Dtype::I32);
        let values = data.as_chunks::<4>().0.iter();
        (shape, values.map(|b| i32::from_le_bytes(*b)).collect())
    }

    pub fn names(&self) -> Vec<String> {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        tensors.names().into_iter().map(str::to_owned).collect()
    }
}
