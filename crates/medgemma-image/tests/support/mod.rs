//! Reads what `tests/golden/generate.py` wrote.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses a part of this module, and a golden that cannot be read is a failed test"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};

/// The folder of golden files.
pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// The folder of encoded pictures.
pub fn file(name: &str) -> PathBuf {
    golden("files").join(name)
}

/// Shape and samples of every 8-bit tensor in a golden file, by name.
pub fn bytes(name: &str) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
    let data = std::fs::read(golden(name)).unwrap();
    let tensors = SafeTensors::deserialize(&data).unwrap();
    let read = |(key, view): (String, safetensors::tensor::TensorView<'_>)| {
        assert_eq!(view.dtype(), Dtype::U8, "{key}");
        (key, (view.shape().to_vec(), view.data().to_vec()))
    };
    tensors.tensors().into_iter().map(read).collect()
}

/// Shape and values of every `f32` tensor in a golden file, by name.
pub fn floats(name: &str) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let data = std::fs::read(golden(name)).unwrap();
    let tensors = SafeTensors::deserialize(&data).unwrap();
    let read = |(key, view): (String, safetensors::tensor::TensorView<'_>)| {
        assert_eq!(view.dtype(), Dtype::F32, "{key}");
        let values = view.data().chunks_exact(4);
        let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        (key, (view.shape().to_vec(), values.collect()))
    };
    tensors.tensors().into_iter().map(read).collect()
}

/// A golden JSON file.
pub fn json(name: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(golden(name)).unwrap()).unwrap()
}

/// FNV-1a, 64 bits, as `generate.py` computes it.
pub fn fnv(data: impl IntoIterator<Item = u8>) -> String {
    let hash = data.into_iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, b| {
        (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}
