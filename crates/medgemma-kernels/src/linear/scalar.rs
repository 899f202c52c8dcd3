//! Linear layers in plain Rust: the specification of the others. Sums are f64 and rounded once.

use half::{bf16, f16};

use crate::matrix::{Format, Matrix};
use crate::pool::Pool;

use super::output::Output;

/// Weight rows of a piece of work.
const PIECE: usize = 16;

/// `out = x · weightᵀ + bias`, each row of the weights unpacked once.
pub(super) fn linear(pool: &Pool, x: &[f32], weight: Matrix<'_>, out: &Output<'_>) {
    let cols = weight.cols();
    let rounded: Vec<f32>;
    let x = if weight.format() == Format::Bf16 {
        rounded = x.iter().map(|&value| round_to_bf16(value)).collect();
        &rounded[..]
    } else {
        x
    };
    pool.run(weight.rows().div_ceil(PIECE), &|piece| {
        let mut unpacked = vec![0.0; cols];
        for row in piece * PIECE..weight.rows().min((piece + 1) * PIECE) {
            unpack(weight, row, &mut unpacked);
            for token in 0..out.m() {
                let sum = dot(&x[token * cols..][..cols], &unpacked);
                // SAFETY: this piece alone writes the outputs of its rows.
                unsafe { out.put(token, row, &[sum]) };
            }
        }
    });
}

/// The nearest bf16, ties to even.
pub(super) fn round_to_bf16(value: f32) -> f32 {
    bf16::from_f32(value).to_f32()
}

/// Row `row` of the weights as f32, which holds every number of the formats exactly.
pub(super) fn unpack(weight: Matrix<'_>, row: usize, out: &mut [f32]) {
    let bytes = weight.row(row);
    match weight.format() {
        Format::F32 => {
            for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
                *out = f32::from_le_bytes(*bytes);
            }
        }
        Format::F16 => {
            for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
                *out = f16::from_le_bytes(*bytes).to_f32();
            }
        }
        Format::Bf16 => {
            for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
                *out = bf16::from_le_bytes(*bytes).to_f32();
            }
        }
        format => panic!("rows of {format} are unpacked elsewhere"),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the rounding that is wanted"
)]
fn dot(x: &[f32], weights: &[f32]) -> f32 {
    let products = x.iter().zip(weights);
    products
        .map(|(&x, &w)| f64::from(x) * f64::from(w))
        .sum::<f64>() as f32
}
