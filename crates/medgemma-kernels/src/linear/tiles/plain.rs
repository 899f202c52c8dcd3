//! The specification of the products and of the vectors' work around them.

use half::bf16;

use super::{BLOCK, Crossed, LANES, ROWS, Sums, TOKENS};
use crate::linear::output::Output;
use crate::lines::Line;

use super::Halves;

/// See [`super::unit::Unit::multiply_into`].
///
/// # Safety
/// As there.
pub(super) unsafe fn multiply(
    tokens: &[Line],
    weights: &[Line],
    bias: &[Line; 3],
    sums: *mut f32,
    pitch: usize,
) {
    for token in 0..TOKENS {
        // SAFETY: the caller's promise.
        let sums = unsafe { std::slice::from_raw_parts_mut(sums.add(token * pitch), ROWS) };
        let bias = bias.iter().flat_map(|line| line.0.as_chunks().0);
        for (sum, bias) in sums.iter_mut().zip(bias) {
            *sum = f32::from_ne_bytes(*bias);
        }
        let tokens = tokens.iter().skip(token).step_by(TOKENS);
        for (token, weights) in tokens.zip(weights.chunks_exact(ROWS)) {
            for (row, sum) in sums.iter_mut().enumerate() {
                for (pair, x) in token.0.as_chunks::<4>().0.iter().enumerate() {
                    let weights = &weights[row / LANES * LANES + pair].0;
                    let w = &weights[row % LANES * 4..][..4];
                    *sum += number(x[0], x[1]) * number(w[0], w[1]);
                    *sum += number(x[2], x[3]) * number(w[2], w[3]);
                }
            }
        }
    }
}

/// See [`super::unit::Unit::multiply_rows`].
pub(super) fn multiply_rows(bytes: &[u8], stride: usize, tokens: &[Line], sums: &mut Crossed) {
    for (tile, sums) in sums.0.iter_mut().enumerate() {
        multiply_half(&bytes[tile * LANES * stride..], stride, tokens, sums);
    }
}

/// See [`super::unit::Unit::multiply_half`]; of one half of the tokens.
pub(super) fn multiply_half(bytes: &[u8], stride: usize, tokens: &[Line], sums: &mut [Sums; 2]) {
    for (row, token) in (0..LANES).flat_map(|row| (0..TOKENS).map(move |token| (row, token))) {
        let sum = &mut sums[token / LANES][row * LANES + token % LANES];
        let row = &bytes[row * stride..];
        for (step, tokens) in tokens.chunks_exact(TOKENS).enumerate() {
            for pair in 0..LANES {
                let w = &row[step * 64 + pair * 4..][..4];
                let x = &tokens[token / LANES * LANES + pair].0[token % LANES * 4..][..4];
                *sum += number(x[0], x[1]) * number(w[0], w[1]);
                *sum += number(x[2], x[3]) * number(w[2], w[3]);
            }
        }
    }
}

fn number(low: u8, high: u8) -> f32 {
    bf16::from_le_bytes([low, high]).to_f32()
}

/// See [`super::vectors::pack`].
pub(super) fn pack(x: &[f32], cols: usize, lines: &mut [Line]) {
    for (token, x) in x.chunks_exact(cols).enumerate() {
        let places = lines.iter_mut().skip(token).step_by(TOKENS);
        let mut numbers = x.iter();
        for place in places {
            for place in place.0.as_chunks_mut().0 {
                let number = numbers.next().map_or(bf16::ZERO, |&x| bf16::from_f32(x));
                *place = number.to_le_bytes();
            }
        }
    }
}

/// See [`super::vectors::turn`].
pub(super) fn turn(bytes: &[u8], stride: usize, steps: usize, place: &mut [Line]) {
    for step in 0..steps {
        for (pair, line) in place[step * ROWS..][..LANES].iter_mut().enumerate() {
            for (row, place) in line.0.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                let from = row * stride + step * 64 + pair * 4;
                place.copy_from_slice(&bytes[from..from + 4]);
            }
        }
    }
}

/// See [`super::vectors::turned`].
pub(super) fn turned(sums: &Crossed) -> [[f32; TOKENS]; TOKENS] {
    std::array::from_fn(|token| {
        let place = token % LANES;
        std::array::from_fn(|row| sums.0[row / LANES][token / LANES][row % LANES * LANES + place])
    })
}

/// See [`super::vectors::put`].
///
/// # Safety
/// No other thread writes these outputs.
pub(super) unsafe fn put(
    sums: &[f32; BLOCK],
    token: usize,
    row: usize,
    out: &Output<'_>,
    added: bool,
) {
    let rows = ROWS.min(out.rows() - row);
    for (token, sums) in (token..out.m()).zip(sums.chunks_exact(ROWS)) {
        // SAFETY: the caller's promise.
        unsafe { out.add(token, row, &sums[..rows], added) };
    }
}

/// See [`super::vectors::round`].
///
/// # Safety
/// No other thread writes these halves.
pub(super) unsafe fn round(
    sums: &[f32; BLOCK],
    token: usize,
    pieces: std::ops::Range<usize>,
    rows: usize,
    into: &Halves<'_>,
) {
    for (index, sums) in sums.chunks_exact(ROWS).enumerate() {
        for (from, piece) in pieces.clone().enumerate() {
            let valid = rows.saturating_sub(piece * LANES);
            // SAFETY: the caller's promise.
            let place = unsafe { into.cells.part(into.place(token + index, piece), 1) };
            for (lane, place) in place[0].iter_mut().enumerate() {
                let number = if lane < valid {
                    sums[from * LANES + lane]
                } else {
                    0.0
                };
                *place = bf16::from_f32(number).to_bits();
            }
        }
    }
}
