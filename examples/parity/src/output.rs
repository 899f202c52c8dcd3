//! Named arrays into one safetensors file.

use std::error::Error;
use std::path::Path;

use medgemma::Pixels;
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};

/// Arrays by name, as little-endian bytes.
#[derive(Default)]
pub(crate) struct Output(Vec<(String, Dtype, Vec<usize>, Vec<u8>)>);

impl Output {
    /// Adds ids as i64, the type that the reference uses, row-major.
    pub(crate) fn ids(&mut self, name: &str, shape: &[usize], ids: &[u32]) {
        let bytes = ids
            .iter()
            .flat_map(|&id| i64::from(id).to_le_bytes())
            .collect();
        self.0
            .push((name.to_owned(), Dtype::I64, shape.to_vec(), bytes));
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

    /// Adds pictures of one size as `pixel_values` `[n, 3, H, W]`; at least one.
    pub(crate) fn pixels(&mut self, pixels: &[Pixels]) -> Result<(), Box<dyn Error>> {
        let shape = pixels[0].shape;
        if let Some(other) = pixels.iter().find(|pixels| pixels.shape != shape) {
            let found = other.shape;
            return Err(format!(
                "pixels of {found:?} beside pixels of {shape:?}: the directory says not to resize, so give images of one size"
            )
            .into());
        }
        let all: Vec<f32> = pixels.iter().flat_map(|p| &p.data).copied().collect();
        let shape = [&[pixels.len()], shape.as_slice()].concat();
        self.floats("pixel_values", &shape, &all);
        Ok(())
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
