//! Named arrays into one safetensors file.

use std::path::Path;

use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};

/// Arrays by name, as little-endian bytes.
#[derive(Default)]
pub(crate) struct Output(Vec<(String, Dtype, Vec<usize>, Vec<u8>)>);

impl Output {
    /// Adds ids `[t]` as i64, the type that the reference uses.
    pub(crate) fn ids(&mut self, name: &str, ids: &[u32]) {
        let bytes = ids
            .iter()
            .flat_map(|&id| i64::from(id).to_le_bytes())
            .collect();
        self.0
            .push((name.to_owned(), Dtype::I64, vec![ids.len()], bytes));
    }

    /// Adds f32 values of a shape, row-major.
    pub(crate) fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.0
            .push((name.to_owned(), Dtype::F32, shape.to_vec(), bytes));
    }

    /// Writes the file.
    pub(crate) fn write(&self, path: &Path) -> Result<(), SafeTensorError> {
        let views = self
            .0
            .iter()
            .map(|(name, dtype, shape, bytes)| {
                Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, SafeTensorError>>()?;
        serialize_to_file(views, None, path)
    }
}
