//! Linear layers in plain Rust: the specification of the others. Sums are f64 and rounded once.

use std::hint::black_box;

use half::bf16;

use crate::blocks::dequantize;
use crate::pool::Pool;

use super::output::Output;
use super::panel::Weights;

/// Weight rows of a piece of work.
const PIECE: usize = 16;

/// `out = x · weightsᵀ + bias`, each row of the weights unpacked once.
pub(super) fn linear(pool: &Pool, x: &[f32], weights: Weights<'_>, out: &Output<'_>) {
    let cols = weights.cols();
    let rounded: Vec<f32>;
    let x = if weights.rounds() {
        rounded = x.iter().map(|&value| round_to_bf16(value)).collect();
        &rounded[..]
    } else {
        x
    };
    pool.run(weights.rows().div_ceil(PIECE), &|piece| {
        let mut unpacked = vec![0.0; cols];
        for row in piece * PIECE..weights.rows().min((piece + 1) * PIECE) {
            unpack(weights, row, &mut unpacked);
            for token in 0..out.m() {
                let sum = dot(&x[token * cols..][..cols], &unpacked);
                // SAFETY: this piece alone writes the outputs of its rows.
                unsafe { out.put(token, row, &[sum]) };
            }
        }
    });
}

/// The nearest bf16, ties to even.
fn round_to_bf16(value: f32) -> f32 {
    bf16::from_f32(value).to_f32()
}

/// The weights of output `row` as f32.
fn unpack(weights: Weights<'_>, row: usize, out: &mut [f32]) {
    let format = weights.format();
    match weights {
        Weights::Rows(matrix) => dequantize(format, matrix.row(row), out),
        Weights::Columns(matrix) => {
            let size = format.block_bytes();
            for (input, out) in out.iter_mut().enumerate() {
                let bytes = &matrix.row(input)[row * size..][..size];
                dequantize(format, bytes, std::slice::from_mut(out));
            }
        }
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

/// See [`super::spin`].
pub(super) fn spin(turns: usize) -> usize {
    const SUMS: usize = 32;
    let mut sums = [0.0_f32; SUMS];
    for _ in 0..turns {
        let (a, b) = black_box((1.0, 0.5));
        sums.iter_mut().for_each(|sum| *sum += a * b);
    }
    black_box(sums);
    2 * SUMS
}

/// bf16 to the bits of f32. Inlined into what is compiled for a path, or it would not be in its instructions.
#[inline(always)]
pub(super) fn widen_bf16(halves: &[[u8; 2]], place: &mut [u32]) {
    for (place, half) in place.iter_mut().zip(halves) {
        *place = u32::from(u16::from_le_bytes(*half)) << 16;
    }
}
