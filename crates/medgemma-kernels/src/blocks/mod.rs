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

pub(crate) use few::{MOST, linear_few};
pub use quantize::{Quantizer, quantize, quantize_matrix};
pub use unpack::dequantize;
pub(crate) use unpack::{unpack_bf16, unpack_f32};

#[cfg(test)]
mod tests;
