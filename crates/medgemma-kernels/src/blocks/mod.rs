//! Weights in blocks of small integers with scales, GGUF's formats: products with a few rows of
//! activations straight from the blocks, rows as floats, and floats to blocks.

mod activations;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod crossed_avx2;
#[cfg(target_arch = "x86_64")]
mod crossed_avx512;
mod decode;
mod few;
#[cfg(target_arch = "x86_64")]
mod few_avx2;
#[cfg(target_arch = "x86_64")]
mod few_avx512;
#[cfg(target_arch = "aarch64")]
mod few_neon;
#[cfg(target_arch = "x86_64")]
mod lanes_avx2;
#[cfg(target_arch = "x86_64")]
mod many;
#[cfg(target_arch = "x86_64")]
mod many_avx2;
#[cfg(target_arch = "x86_64")]
mod many_avx512;
#[cfg(target_arch = "x86_64")]
mod pack_avx2;
#[cfg(target_arch = "x86_64")]
mod pack_avx512;
#[cfg(target_arch = "x86_64")]
mod packed;
mod quantize;
mod quantize_q4;
mod quantize_q6k;
mod quantize_q8;
mod spin;
#[cfg(target_arch = "x86_64")]
mod stretches;
#[cfg(target_arch = "x86_64")]
mod tiles_avx512;
mod unpack;
#[cfg(target_arch = "x86_64")]
mod unpack_avx2;
#[cfg(target_arch = "x86_64")]
mod unpack_avx512;
#[cfg(target_arch = "x86_64")]
mod wide_avx2;

use crate::cpu::Cpu;
use crate::linear::checked_tokens;
use crate::matrix::Matrix;

pub(crate) use few::MOST;
pub use quantize::{Quantizer, quantize, quantize_matrix};
pub(crate) use spin::spin;
pub use unpack::dequantize;
pub(crate) use unpack::unpack_bf16;

/// `out = x · weightᵀ + bias`: `x` is `[m, cols]`, `weight` `[rows, cols]` in blocks, `bias`
/// `[rows]`, `out` `[m, rows]`, all row-major. The arithmetic is said in [`few`].
///
/// A group of 32 activations in which one is infinite or no number makes all outputs of its row NaN.
///
/// # Panics
/// When the lengths do not fit each other, or the weights are no blocks.
pub(crate) fn linear_many(
    cpu: &Cpu,
    x: &[f32],
    weight: Matrix<'_>,
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    let (rows, cols) = (weight.rows(), weight.cols());
    assert!(weight.format().is_blocks(), "weights in blocks");
    assert!(
        bias.is_none_or(|bias| bias.len() == rows),
        "one bias for each of {rows} rows"
    );
    let m = checked_tokens(x, rows, cols, out);
    if m == 0 {
        return;
    }
    #[cfg(target_arch = "x86_64")]
    if cols > 0 && many::least(cpu.path()).is_some_and(|least| m >= least) {
        return many::linear(cpu, x, weight, bias, out);
    }
    few::linear(cpu, x, weight, bias, out);
}

#[cfg(test)]
mod tests;
