//! Products with weights: bytes of a mapped file in, activations out.

use burn::tensor::{DType, Tensor};
use burn_flex::FlexTensor;
use medgemma_kernels::{Format, Matrix};

use super::{Operand, primitive, tensor};
use crate::cpu;
use crate::weight::{Storage, Weight};

/// `x · Wᵀ + bias`; see [`crate::ops::linear`].
pub(crate) fn linear(
    x: &Tensor<2>,
    weight: &Weight,
    bias: Option<&Tensor<1>>,
) -> Option<Tensor<2>> {
    let x = Operand::new(x)?;
    let bias = match bias {
        Some(bias) => Some(Operand::new(bias)?),
        None => None,
    };
    let bias = bias.as_ref().map(Operand::numbers);
    match &weight.storage {
        Storage::Float(weight) => {
            let weight = primitive(weight)?;
            Some(product(&x, matrix(&weight)?, bias))
        }
        Storage::Blocks(blocks) => Some(product(&x, blocks.matrix(), bias)),
        Storage::Quantized(_) => None,
    }
}

fn product(x: &Operand, weight: Matrix<'_>, bias: Option<&[f32]>) -> Tensor<2> {
    let x = x.numbers();
    let t = x.len() / weight.cols();
    let mut y = vec![0.0; t * weight.rows()];
    medgemma_kernels::linear(&cpu::current(), x, weight, bias, &mut y);
    tensor(y, [t, weight.rows()])
}

/// The bytes of a float weight; `None` when they do not lie row after row.
fn matrix(weight: &FlexTensor) -> Option<Matrix<'_>> {
    let format = match weight.dtype() {
        DType::F32 => Format::F32,
        DType::F16 => Format::F16,
        DType::BF16 => Format::Bf16,
        _ => return None,
    };
    let (start, end) = weight.layout().contiguous_offsets()?;
    let size = format.block_bytes();
    let dims = weight.layout().shape().dims::<2>();
    let bytes = &weight.bytes()[start * size..end * size];
    Some(Matrix::new(format, dims[0], dims[1], bytes))
}
