//! Weights in blocks of small integers with scales, GGUF's formats: products with a few rows of
//! activations straight from the blocks, rows as floats, and floats to blocks.

mod activations;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod cells;
mod decode;
mod few;
#[cfg(target_arch = "x86_64")]
mod few_avx2;
#[cfg(target_arch = "x86_64")]
mod few_avx512;
#[cfg(target_arch = "aarch64")]
mod few_neon;
#[cfg(target_arch = "x86_64")]
mod many;
#[cfg(target_arch = "x86_64")]
mod many_avx512;
#[cfg(target_arch = "x86_64")]
mod pack_avx2;
#[cfg(target_arch = "x86_64")]
mod pack_avx512;
mod packed;
mod quantize;
mod quantize_q4;
mod quantize_q6k;
mod quantize_q8;
mod unpack;
#[cfg(target_arch = "x86_64")]
mod unpack_avx2;
#[cfg(target_arch = "x86_64")]
mod unpack_avx512;

use crate::cpu::{Cpu, Path};
use crate::matrix::Matrix;

pub(crate) use few::{MOST, linear_few};
pub use quantize::{Quantizer, quantize, quantize_matrix};
pub use unpack::dequantize;
pub(crate) use unpack::{unpack_bf16, unpack_f32};

/// Whether [`linear_many`] has a kernel of its own for `path`. Not for AMX, whose tiles are faster
/// in bf16 than vectors in integers.
pub(crate) fn has_many(path: Path) -> bool {
    cfg!(target_arch = "x86_64") && path == Path::Avx512
}

/// Rows of activations from which on the kernel for many is the faster one: it computes 16 at once.
#[cfg(target_arch = "x86_64")]
const LEAST: usize = 13;

/// [`linear_few`] for any number of rows of activations, with the same results but for the order of
/// sums: in 8-bit integers where [`has_many`] says so, else a few rows at a time.
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
    let m = out.len().checked_div(rows).unwrap_or(0);
    assert!(
        m * rows == out.len() && (m * cols == x.len() || rows == 0),
        "{} inputs of {cols} columns give no {} outputs of {rows} rows",
        x.len(),
        out.len()
    );
    if m == 0 {
        return;
    }
    #[cfg(target_arch = "x86_64")]
    if has_many(cpu.path()) && cols > 0 && m >= LEAST {
        return many::linear(cpu, x, weight, bias, out);
    }
    let slice = m.div_ceil(m.div_ceil(MOST));
    for (index, out) in out.chunks_mut(slice * rows).enumerate() {
        let x = &x[index * slice * cols..][..out.len() / rows * cols];
        linear_few(cpu, x, weight, bias, out);
    }
}

#[cfg(test)]
mod tests;
