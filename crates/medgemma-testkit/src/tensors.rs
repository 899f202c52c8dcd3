//! All tensors of a checkpoint in memory, to be renamed, changed and written again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, View};

/// One tensor as it lies in a file: little-endian bytes, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Element type.
    pub dtype: Dtype,
    /// Lengths of the axes, outermost first.
    pub shape: Vec<usize>,
    /// The elements' bytes.
    pub bytes: Vec<u8>,
}

/// Key → tensor of a whole checkpoint, whatever the number of files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tensors(pub(crate) BTreeMap<String, Stored>);

impl Tensors {
    /// Every tensor of one safetensors file.
    ///
    /// # Panics
    /// If the file cannot be read.
    #[must_use]
    pub fn read_file(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file =
            SafeTensors::deserialize(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let stored = file.iter().map(|(key, view)| {
            let (dtype, shape) = (view.dtype(), view.shape().to_vec());
            (
                key.to_owned(),
                Stored {
                    dtype,
                    shape,
                    bytes: view.data().to_vec(),
                },
            )
        });
        Self(stored.collect())
    }

    /// Every tensor of the safetensors files in a directory.
    ///
    /// # Panics
    /// If a file cannot be read.
    #[must_use]
    pub fn read_dir(directory: &Path) -> Self {
        let entries =
            std::fs::read_dir(directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let weights = paths.filter(|path| path.extension().is_some_and(|e| e == "safetensors"));
        Self(weights.flat_map(|path| Self::read_file(&path).0).collect())
    }

    /// Writes all tensors as one file.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn write_file(&self, path: &Path) {
        let metadata = [("format".to_owned(), "pt".to_owned())].into();
        safetensors::serialize_to_file(self.0.iter(), Some(metadata), path)
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// Keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A tensor, if there is one of this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Stored> {
        self.0.get(key)
    }

    /// Adds or replaces a tensor; returns what was there.
    pub fn insert(&mut self, key: &str, tensor: Stored) -> Option<Stored> {
        self.0.insert(key.to_owned(), tensor)
    }

    /// Takes a tensor out.
    ///
    /// # Panics
    /// If there is none of this key.
    pub fn remove(&mut self, key: &str) -> Stored {
        self.0
            .remove(key)
            .unwrap_or_else(|| panic!("the checkpoint has no tensor {key:?}"))
    }

    /// The same tensors under other keys; `rename` returns `None` to leave a tensor out.
    ///
    /// # Panics
    /// If two tensors get the same key.
    #[must_use]
    pub fn renamed(self, rename: impl Fn(&str) -> Option<String>) -> Self {
        let mut out = Self::default();
        for (key, tensor) in self.0 {
            if let Some(new) = rename(&key) {
                assert!(
                    out.insert(&new, tensor).is_none(),
                    "two tensors become {new:?}"
                );
            }
        }
        out
    }
}

impl Stored {
    /// An f32 tensor.
    ///
    /// # Panics
    /// If the values do not fill the shape.
    #[must_use]
    pub fn from_f32(shape: &[usize], values: &[f32]) -> Self {
        assert_eq!(
            values.len(),
            shape.iter().product::<usize>(),
            "values and shape disagree"
        );
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        Self {
            dtype: Dtype::F32,
            shape: shape.to_vec(),
            bytes,
        }
    }

    /// The values widened to f32 (from f32, bf16 or f16).
    ///
    /// # Panics
    /// On any other element type.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        match self.dtype {
            Dtype::F32 => self
                .bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
            Dtype::BF16 => self
                .bytes
                .chunks_exact(2)
                .map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32())
                .collect(),
            Dtype::F16 => self
                .bytes
                .chunks_exact(2)
                .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                .collect(),
            other => panic!("{other:?} is no floating-point type of a checkpoint"),
        }
    }

    /// The same tensor with other values, rounded to the stored type.
    ///
    /// # Panics
    /// If the number of values differs, or on a type that is not f32, bf16 or f16.
    #[must_use]
    pub fn with_f32(&self, values: &[f32]) -> Self {
        let mut out = Self::from_f32(&self.shape, values);
        out.bytes = match self.dtype {
            Dtype::F32 => out.bytes,
            Dtype::BF16 => values
                .iter()
                .flat_map(|&x| bf16::from_f32(x).to_le_bytes())
                .collect(),
            Dtype::F16 => values
                .iter()
                .flat_map(|&x| f16::from_f32(x).to_le_bytes())
                .collect(),
            other => panic!("{other:?} is no floating-point type of a checkpoint"),
        };
        out.dtype = self.dtype;
        out
    }

    pub(crate) fn f32_exact(&self, context: &str) -> Vec<f32> {
        assert_eq!(self.dtype, Dtype::F32, "{context} is not stored as f32");
        self.to_f32()
    }

    pub(crate) fn i64_exact(&self, context: &str) -> Vec<i64> {
        assert_eq!(self.dtype, Dtype::I64, "{context} is not stored as i64");
        let eight = |b: &[u8]| i64::from_le_bytes(b.try_into().expect("chunks of eight bytes"));
        self.bytes.chunks_exact(8).map(eight).collect()
    }
}

impl View for &Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}
