//! Attention over cached keys, read where they lie.

use std::ops::Range;

use burn::tensor::{DType, Tensor, bf16};
use burn_flex::FlexTensor;
use medgemma_kernels::{Numbers, Rows};

use super::{Operand, primitive, tensor};
use crate::cpu;

/// See [`crate::ops::attention`].
#[allow(
    clippy::cast_possible_truncation,
    reason = "a scale multiplies f32 numbers"
)]
pub(crate) fn attention(
    q: &Tensor<3>,
    keys: &Tensor<3>,
    values: &Tensor<3>,
    scale: f64,
    visible: Option<&[Range<usize>]>,
) -> Option<Tensor<2>> {
    let [t, n, h] = q.dims();
    let q = Operand::new(q)?;
    let (keys, values) = (dense_lanes(keys)?, dense_lanes(values)?);
    let mut y = vec![0.0; t * n * h];
    medgemma_kernels::attention(
        &cpu::current(),
        q.numbers(),
        n,
        rows(&keys)?,
        rows(&values)?,
        scale as f32,
        visible,
        &mut y,
    );
    Some(tensor(y, [t, n * h]))
}

/// The primitive of `[k, s, h]`, copied only if the numbers of one key do not lie together.
fn dense_lanes(x: &Tensor<3>) -> Option<FlexTensor> {
    let x = primitive(x)?;
    let strides = x.layout().strides();
    let fit = strides[2] == 1 && strides.iter().all(|&stride| stride >= 0);
    Some(if fit { x } else { x.to_contiguous() })
}

/// The kernel's view of `[k, s, h]`; `None` for a number format that it has not.
fn rows(x: &FlexTensor) -> Option<Rows<'_>> {
    let layout = x.layout();
    let [heads, len, head_dim] = layout.shape().dims::<3>();
    let stride = |axis: usize| layout.strides()[axis].unsigned_abs();
    let start = layout.start_offset();
    let numbers = match x.dtype() {
        DType::F32 => Numbers::F32(&x.storage::<f32>()[start..]),
        DType::BF16 => Numbers::Bf16(&x.storage::<bf16>()[start..]),
        _ => return None,
    };
    Some(Rows {
        numbers,
        heads,
        len,
        head_dim,
        head_stride: stride(0),
        row_stride: stride(1),
    })
}
