//! Plain vectors to f32 tensors and back.

use burn::tensor::{DType, Tensor, TensorData};

use crate::device::Device;
use crate::error::{Error, Result};

/// An f32 tensor on `device` from row-major `data`.
///
/// # Panics
/// When `data` does not have as many elements as `shape` says.
#[must_use]
pub fn tensor_from<const D: usize>(
    data: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(data, shape), (device.as_burn(), DType::F32))
}

/// The elements of a float tensor as f32, row-major. Waits for the device.
///
/// # Errors
/// [`Error::ReadBack`], naming `what`, when the device fails.
pub fn vec_from<const D: usize>(tensor: Tensor<D>, what: &'static str) -> Result<Vec<f32>> {
    tensor
        .cast(DType::F32)
        .try_into_vec_as::<f32>()
        .map_err(|error| Error::ReadBack {
            what,
            source: error.to_string().into(),
        })
}

/// Refuses a tensor that is not of f32: what the operations compute with, and the only format that all
/// devices have.
///
/// # Errors
/// [`Error::NotF32`], naming `what`.
pub fn check_f32<const D: usize>(what: &'static str, tensor: &Tensor<D>) -> Result<()> {
    match tensor.dtype() {
        DType::F32 => Ok(()),
        found => Err(Error::NotF32 {
            what,
            found: format!("{found:?}"),
        }),
    }
}
