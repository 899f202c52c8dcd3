//! Reads a golden: a safetensors file of named f32 and i64 arrays.

use std::path::{Path, PathBuf};

use crate::{Tensors, paths};

/// Values with their shape, row-major (last axis fastest).
#[derive(Debug, Clone, PartialEq)]
pub struct Array<T> {
    /// Lengths of the axes, outermost first.
    pub shape: Vec<usize>,
    /// The values; as many as the product of `shape`.
    pub data: Vec<T>,
}

impl<T> Array<T> {
    /// Rows along the last axis.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, T> {
        self.data
            .chunks_exact(self.shape.last().copied().unwrap_or(1).max(1))
    }
}

/// What the reference computed for one prompt on one checkpoint.
///
/// Keys of a prompt of `t` ids with `n` images (`golden/README.md` has the whole list):
/// `input_ids` `[t]`, `pixel_values` `[n, 3, h, w]`, `vision.embeddings`, `vision.layer.<i>`,
/// `vision.post_layernorm` `[n, patches, dv]`, `pooled`, `pooled_norm` `[n, k, dv]`,
/// `soft_tokens` `[n, k, d]`, `embeddings`, `hidden.<i>`, `final_norm` `[t, d]`,
/// `logits` `[t, v]`, `generated_ids` `[steps]`, `generated_logprobs` `[steps]`.
#[derive(Debug, Clone)]
pub struct Golden {
    path: PathBuf,
    tensors: Tensors,
}

impl Golden {
    /// Opens a golden by its name, such as `mm-2025.two-images`.
    ///
    /// # Panics
    /// If there is no such golden.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::open(&paths::golden_path(name))
    }

    /// Opens a golden file.
    ///
    /// # Panics
    /// If the file is missing or no safetensors file.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            tensors: Tensors::read_file(path),
        }
    }

    /// Keys, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys()
    }

    /// Whether the golden holds this key.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.tensors.get(name).is_some()
    }

    /// A stored f32 array.
    ///
    /// # Panics
    /// If the key is absent or of another type.
    #[must_use]
    pub fn f32(&self, name: &str) -> Array<f32> {
        let stored = self.stored(name);
        let context = || format!("{}: {name}", self.path.display());
        Array {
            shape: stored.shape.clone(),
            data: stored.f32_exact(&context()),
        }
    }

    /// A stored i64 array.
    ///
    /// # Panics
    /// If the key is absent or of another type.
    #[must_use]
    pub fn i64(&self, name: &str) -> Array<i64> {
        let stored = self.stored(name);
        let context = || format!("{}: {name}", self.path.display());
        Array {
            shape: stored.shape.clone(),
            data: stored.i64_exact(&context()),
        }
    }

    /// A stored i64 array as token ids.
    ///
    /// # Panics
    /// If the key is absent, of another type, or a value is no id.
    #[must_use]
    pub fn ids(&self, name: &str) -> Vec<u32> {
        let ids = self.i64(name).data;
        ids.iter()
            .map(|&id| u32::try_from(id).expect("token ids are not negative and small"))
            .collect()
    }

    fn stored(&self, name: &str) -> &crate::Stored {
        self.tensors.get(name).unwrap_or_else(|| {
            panic!(
                "{} has no {name:?}; it has {:?}",
                self.path.display(),
                self.names().collect::<Vec<_>>()
            )
        })
    }
}
