//! The work around the products in AVX-512.

use std::arch::x86_64::*;
use std::ops::Range;

use super::{BLOCK, COLS, Crossed, Halves, LANES, ROWS, TOKENS};
use crate::linear::avx512_turn::{pairs, turn as turn_words, turn_sums};
use crate::linear::output::Output;
use crate::lines::Line;

/// See [`super::vectors::pack`].
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn pack(x: &[f32], cols: usize, lines: &mut [Line]) {
    for (token, x) in x.chunks_exact(cols).enumerate() {
        let places = lines.iter_mut().skip(token).step_by(TOKENS);
        for (place, x) in places.zip(x.chunks(COLS)) {
            let (low, high) = x.split_at(x.len().min(LANES));
            let words = pairs(load(low), load(high));
            // SAFETY: a line is 64 bytes.
            unsafe { _mm512_store_si512(place.0.as_mut_ptr().cast(), words) };
        }
    }
}

/// Up to 16 numbers, and zeros.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(x: &[f32]) -> __m512 {
    // SAFETY: reads as many numbers as the mask has.
    unsafe { _mm512_maskz_loadu_ps(mask(x.len()), x.as_ptr()) }
}

/// The first lanes, `count` of them.
#[inline]
fn mask(count: usize) -> u16 {
    if count >= LANES {
        u16::MAX
    } else {
        (1 << count) - 1
    }
}

/// See [`super::vectors::turn`].
#[target_feature(enable = "avx512f")]
pub(super) fn turn(bytes: &[u8], stride: usize, steps: usize, place: &mut [Line]) {
    assert!(
        bytes.len() >= (LANES - 1) * stride + steps * 64
            && place.len() >= steps.saturating_sub(1) * ROWS + LANES,
        "16 rows of all steps"
    );
    for step in 0..steps {
        let mut rows = [_mm512_setzero_si512(); LANES];
        for (row, words) in rows.iter_mut().enumerate() {
            // SAFETY: the assertion above.
            *words =
                unsafe { _mm512_loadu_si512(bytes.as_ptr().add(row * stride + step * 64).cast()) };
        }
        for (line, words) in place[step * ROWS..].iter_mut().zip(turn_words(rows)) {
            // SAFETY: a line is 64 bytes.
            unsafe { _mm512_store_si512(line.0.as_mut_ptr().cast(), words) };
        }
    }
}

/// See [`super::vectors::turned`].
#[target_feature(enable = "avx512f")]
pub(super) fn turned(sums: &Crossed) -> [[f32; TOKENS]; TOKENS] {
    let mut out = [[0.0; TOKENS]; TOKENS];
    for (row, tiles) in sums.0.iter().enumerate() {
        for (tile, out) in tiles.iter().zip(out.chunks_exact_mut(LANES)) {
            let out = &mut out.as_flattened_mut()[row * LANES..];
            turn_sums(tile.as_chunks().0.iter(), out, TOKENS);
        }
    }
    out
}

/// See [`super::vectors::put`].
///
/// # Safety
/// No other thread writes these outputs.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn put(
    sums: &[f32; BLOCK],
    token: usize,
    row: usize,
    out: &Output<'_>,
    added: bool,
) {
    let (rows, tokens) = (ROWS.min(out.rows() - row), TOKENS.min(out.m() - token));
    let place = out.place(token, row, tokens, rows);
    for (index, sums) in sums.chunks_exact(ROWS).take(tokens).enumerate() {
        for start in (0..rows).step_by(LANES) {
            let lanes = mask(rows - start);
            // SAFETY: `place` has seen that these are outputs; the caller promises that nobody else
            // writes them.
            unsafe {
                let place = place.add(index * out.rows() + start);
                let mut numbers = _mm512_loadu_ps(sums[start..].as_ptr());
                if added {
                    numbers = _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, place), numbers);
                }
                _mm512_mask_storeu_ps(place, lanes, numbers);
            }
        }
    }
}

/// See [`super::vectors::round`].
///
/// # Safety
/// No other thread writes these columns.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn round(
    sums: &[f32; BLOCK],
    token: usize,
    pieces: Range<usize>,
    rows: usize,
    into: &Halves<'_>,
) {
    for (from, piece) in pieces.enumerate() {
        let valid = mask(rows.saturating_sub(piece * LANES));
        for (index, sums) in sums.chunks_exact(ROWS).enumerate() {
            // Behind the last group there are zeros only.
            let sums = sums.get(from * LANES..).unwrap_or_default();
            // SAFETY: as many numbers are read as there are; the caller's promise.
            let (numbers, place) = unsafe {
                (
                    _mm512_maskz_loadu_ps(valid & mask(sums.len()), sums.as_ptr()),
                    into.cells.part(into.place(token + index, piece), 1),
                )
            };
            // SAFETY: 16 halves; both types are 256 bits of plain data.
            unsafe {
                let rounded = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(numbers));
                _mm256_storeu_si256(place.as_mut_ptr().cast(), rounded);
            }
        }
    }
}
