//! A matrix of trained weights, in the storage that it was published in.
//!
//! Model code hands a [`Weight`] to the operations of [`crate::ops`] and never looks inside, so
//! that block-quantised storage can join the float storage without a change in any model.

use std::ops::Range;

use burn::tensor::{DType, Tensor};

/// The float format that a tensor has in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FloatFormat {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16. Stored only: nothing is ever computed in it, Gemma 3 overflows it.
    F16,
    /// bfloat16, the format that Gemma 3 was published in.
    Bf16,
}

impl FloatFormat {
    /// Rounds a number to this format, as `torch.tensor(x).to(dtype)` does.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "rounding to f32 is what is asked for"
    )]
    pub fn round(self, value: f64) -> f32 {
        let value = value as f32;
        match self {
            Self::F32 => value,
            Self::F16 => half::f16::from_f32(value).to_f32(),
            Self::Bf16 => half::bf16::from_f32(value).to_f32(),
        }
    }
}

/// A weight matrix `[out, in]`, as published: never transposed, and widened only where the device
/// cannot hold its format.
#[derive(Debug, Clone)]
pub struct Weight {
    tensor: Tensor<2>,
    published: FloatFormat,
}

impl Weight {
    /// Wraps a float tensor `[out, in]` whose published format is `published`; the tensor itself
    /// may be wider.
    #[must_use]
    pub fn new(tensor: Tensor<2>, published: FloatFormat) -> Self {
        Self { tensor, published }
    }

    /// `[out, in]`.
    #[must_use]
    pub fn dims(&self) -> [usize; 2] {
        self.tensor.dims()
    }

    /// The format in the checkpoint, whatever the device holds.
    #[must_use]
    pub fn published(&self) -> FloatFormat {
        self.published
    }

    /// The rows `range` as f32, `[range.len(), in]`.
    pub(crate) fn rows(&self, range: Range<usize>) -> Tensor<2> {
        let [out, _] = self.dims();
        let rows = if range == (0..out) {
            self.tensor.clone()
        } else {
            self.tensor.clone().slice(range)
        };
        widen(rows)
    }

    /// The rows with these indices as f32, `[indices.len(), in]`.
    pub(crate) fn gather(&self, indices: Tensor<1, burn::tensor::Int>) -> Tensor<2> {
        widen(self.tensor.clone().select(0, indices))
    }
}

/// Arithmetic is f32 on every backend: half-precision sums lose what the reference keeps.
fn widen(tensor: Tensor<2>) -> Tensor<2> {
    if tensor.dtype() == DType::F32 {
        tensor
    } else {
        tensor.cast(DType::F32)
    }
}
