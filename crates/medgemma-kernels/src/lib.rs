//! CPU kernels on slices: products with weights as they lie in the file, attention, norms, and the
//! threads to run them on. No burn, no allocation behind the caller's back but scratch.
//!
//! Most kernels take a [`Cpu`], which says how many threads and which instructions. Those that run on
//! the caller's thread take a [`Path`] ([`resize_rows`], [`resize_columns`], [`dot_i8`], [`dot_u4`]) or nothing
//! ([`dequantize`], [`quantize_rows`]). Every kernel exists as plain Rust, its specification
//! ([`Path::Scalar`]), and is tested on every path that the processor has against that specification.
//!
//! All `unsafe` of the workspace is here.

mod activation;
mod amx;
mod attention;
mod blocks;
mod cells;
mod cpu;
mod dot;
mod elementwise;
mod exp;
mod halves;
mod heads;
mod linear;
mod lines;
mod map;
mod matrix;
mod norm;
mod pool;
pub mod probe;
mod resize;
mod rope;
mod scratch;
mod softmax;

// The public interface is:
pub use activation::{geglu, gelu_tanh};
pub use attention::{Numbers, Rows, attention, quantize_rows};
pub use blocks::{Quantizer, dequantize, quantize, quantize_matrix};
pub use cpu::{Cpu, Path, UnknownPath};
pub use dot::{DOT_I8_MAX_COLS, dot_i8, dot_u4};
pub use elementwise::add;
pub use halves::{f16_as_bf16, rounded_to_bf16};
pub use heads::{copy_heads, move_to_front, round_heads};
pub use linear::{gated_mlp, has_mlp, linear, linear_each, mlp, project};
pub use map::{Map, map_file};
pub use matrix::{Format, Matrix};
pub use norm::{add_layer_norm, add_rms_norm, add_rms_norms, layer_norm, rms_norm};
pub use pool::Pool;
pub use resize::{ResizeTable, resize_columns, resize_rows};
pub use rope::qk_norm_rope;
pub use softmax::softmax;
