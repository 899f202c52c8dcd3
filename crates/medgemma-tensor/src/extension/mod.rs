//! The CPU's kernels as an extension of burn's CPU backends.
//!
//! Each function here is tried first by the operation of the same name in [`crate::ops`]. It answers
//! `None` for tensors that are not plain burn-flex tensors: those of another backend, and those
//! that autodiff follows, for which burn's own differentiable operations are the path. Burn's
//! `backend_extension` macro would route the same way, but wants every portable body written a
//! second time in backend primitives; a downcast leaves the bodies in the language of tensors.

mod attention;
mod buffers;
mod linear;
mod pointwise;
mod residual;
mod slots;

use std::sync::Arc;

use burn::backend::Flex;
use burn::tensor::{Bytes, DType, Int, Shape, Tensor, bf16};
use burn_flex::{FlexTensor, Layout};

pub(crate) use attention::{attention, rounded};
pub(crate) use buffers::{recycle, recycle_rows};
pub(crate) use linear::{gated_mlp, linear, linear_each, mlp, project};
pub(crate) use pointwise::{geglu, gelu_tanh, layer_norm, qk_norm_rope, rms_norm};
pub(crate) use residual::{add, add_layer_norm, add_rms_norm, add_rms_norms};
pub(crate) use slots::{move_to_front, write, zeros};

/// Whether `x` is a plain burn-flex tensor, which the functions that take operands by value ask for.
pub(crate) fn is_plain<const D: usize>(x: &Tensor<D>) -> bool {
    primitive(x).is_some()
}

/// The primitive of a plain burn-flex tensor.
fn primitive<const D: usize>(x: &Tensor<D>) -> Option<FlexTensor> {
    x.clone().try_into_primitive::<Flex>().ok()
}

/// Bytes of the memory that `x` lies in, room behind its numbers included; `None` when it is no plain
/// burn-flex tensor.
pub(crate) fn held_bytes<const D: usize>(x: &Tensor<D>) -> Option<usize> {
    Some(primitive(x)?.data_arc().capacity())
}

/// An f32 tensor whose numbers lie one after the other.
struct Operand(FlexTensor);

impl Operand {
    /// `None` when `x` is no plain burn-flex tensor.
    ///
    /// # Panics
    /// When `x` is not f32: activations are.
    fn new<const D: usize>(x: &Tensor<D>) -> Option<Self> {
        Some(Self::of(primitive(x)?))
    }

    /// # Panics
    /// When `x` is not f32.
    fn of(x: FlexTensor) -> Self {
        assert_eq!(x.dtype(), DType::F32, "activations are f32");
        Self(if x.is_contiguous() {
            x
        } else {
            x.to_contiguous()
        })
    }

    /// Their memory, if nobody else reads it and there is no more to it.
    fn into_memory(self) -> Result<Vec<f32>, Self> {
        let (data, layout) = (self.0.data_arc(), self.0.layout().clone());
        drop(self);
        let whole = data.len() == layout.num_elements() * size_of::<f32>();
        let shared = |data| Self(FlexTensor::from_arc(data, layout.clone(), DType::F32));
        if !whole {
            return Err(shared(data));
        }
        let bytes = Arc::try_unwrap(data).map_err(shared)?;
        bytes
            .try_into_vec()
            .map_err(|bytes| shared(Arc::new(bytes)))
    }

    fn numbers(&self) -> &[f32] {
        self.0
            .as_slice::<f32>()
            .expect("new() made it f32 and contiguous")
    }
}

/// A number of a configuration as the kernels take it.
#[allow(
    clippy::cast_possible_truncation,
    reason = "it is added to f32 numbers, or multiplies them"
)]
fn narrow(number: f64) -> f32 {
    number as f32
}

/// A plain burn-flex tensor of these numbers.
fn tensor<const D: usize>(numbers: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(flex(Bytes::from_elems(numbers), shape, DType::F32))
}

/// A plain burn-flex tensor of these numbers.
fn bf16_tensor<const D: usize>(numbers: Vec<bf16>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(flex(Bytes::from_elems(numbers), shape, DType::BF16))
}

/// A plain burn-flex tensor of these whole numbers.
fn int8_tensor<const D: usize>(numbers: Vec<i8>, shape: [usize; D]) -> Tensor<D, Int> {
    Tensor::from_primitive::<Flex>(flex(Bytes::from_elems(numbers), shape, DType::I8))
}

fn flex<const D: usize>(bytes: Bytes, shape: [usize; D], dtype: DType) -> FlexTensor {
    FlexTensor::new(bytes, Layout::contiguous(Shape::from(shape)), dtype)
}
