//! The operations, weights, devices and checkpoints that the MedGemma models are written in; the
//! only crate of the workspace that names a burn backend.
//!
//! A model is a plain struct of [`Weight`]s and tensors over a [`Device`]. It is written in the
//! functions of [`ops`], and never asks which backend it runs on.
//!
//! ```
//! # #[cfg(feature = "cpu")] {
//! use medgemma_tensor::{Device, FloatFormat, Weight, ops, tensor_from, vec_from};
//!
//! let device = Device::cpu()?;
//! let weight = Weight::new(tensor_from(vec![1.0, 2.0, 3.0, 4.0], [2, 2], &device), FloatFormat::F32);
//! let y = ops::linear(tensor_from(vec![1.0, 1.0], [1, 2], &device), &weight, None);
//! assert_eq!(vec_from(y, "y")?, [3.0, 7.0]);
//! # }
//! # Ok::<(), medgemma_tensor::Error>(())
//! ```

pub mod checkpoint;
pub mod cpu;
mod device;
mod error;
#[cfg(feature = "cpu")]
mod extension;
mod kv;
pub mod ops;
mod quantized;
mod transfer;
mod weight;

// The public interface is:
pub use burn::tensor::{DType, Tensor};
pub use device::{Backend, Device};
pub use error::{Error, Result};
pub use kv::{KvPrecision, KvRows};
pub use medgemma_kernels::Format;
pub use transfer::{check_f32, tensor_from, vec_from};
pub use weight::{Arithmetic, FloatFormat, Weight};
