//! Queries, keys and values as dense tiles of pairs of bf16, what is missing of a tile being 0.
//!
//! Queries are left operands: a row each, pairs of lanes along it. Keys are right ones of the same
//! depth: a row for each pair of lanes, a column for each key. Values are right ones summed along the
//! keys: a row for each pair of keys, in the order of [`key_at`], a column for each lane.

use core::arch::x86_64::*;
use std::ops::Range;

use half::bf16;

use super::tiles::{SIDE, TILE};
use crate::attention::Rows;
use crate::attention::avx512::PAIRS;
use crate::attention::tile::operand::narrow;
use crate::linear::turn_sums;

/// bf16 of a row of a left operand, keys of a tile of values.
pub(super) const DEPTH: usize = 2 * SIDE;

/// A pair of bf16 of 1.
const ONES: i32 = 0x3f80_3f80;

/// Tiles of columns of values of `h` lanes.
pub(super) fn columns(h: usize) -> usize {
    (h + 1).div_ceil(SIDE)
}

/// Which of a step's keys number `at` of its numerators is of: the scores of either tile of keys, in two
/// vectors, are packed into one in quarters.
pub(super) fn key_at(at: usize) -> usize {
    at / 8 * 4 + at % 4 + at / 4 % 2 * SIDE
}

/// The lanes of a vector of `of`, from `first` on.
fn lanes(first: usize, of: usize, most: usize) -> u32 {
    let count = of.saturating_sub(first).min(most);
    u32::MAX
        .checked_shr(32 - u32::try_from(count).unwrap_or(0))
        .unwrap_or(0)
}

/// Queries that are read ahead: they lie further from each other than the processor looks by itself.
pub(super) const AHEAD: usize = 12;

/// Brings a query into the first-level cache.
pub(super) fn prefetch(query: &[f32]) {
    for line in query.chunks(SIDE) {
        // SAFETY: a hint, which reads nothing and cannot fault.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
}

/// A query as row `row` of tiles that follow each other.
///
/// # Panics
/// When `to` is too short.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn query(from: &[f32], row: usize, to: &mut [f32]) {
    let depth = from.len().div_ceil(DEPTH);
    assert!(
        row < SIDE && to.len() >= depth * TILE,
        "tiles of the whole depth"
    );
    for step in 0..depth {
        let first = step * DEPTH;
        let (low, high) = (
            lanes(first, from.len(), SIDE),
            lanes(first + SIDE, from.len(), SIDE),
        );
        // SAFETY: lanes that the masks name are within `from`, the row is within `to`.
        unsafe {
            let at = from.as_ptr().wrapping_add(first);
            let low = _mm512_maskz_loadu_ps(mask(low), at);
            let high = _mm512_maskz_loadu_ps(mask(high), at.wrapping_add(SIDE));
            let pairs: __m512i = core::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
            let to = to.as_mut_ptr().add(step * TILE + row * SIDE);
            _mm512_storeu_si512(to.cast(), pairs);
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "at most 16 bits are set")]
fn mask(lanes: u32) -> __mmask16 {
    lanes as __mmask16
}

/// Keys of a head from `keys` on, 16 to a group of tiles of the whole depth.
///
/// # Panics
/// When `to` is too short.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
pub(super) fn keys(rows: &Rows<'_>, head: usize, keys: Range<usize>, to: &mut [f32]) {
    let h = rows.head_dim;
    let depth = h.div_ceil(DEPTH);
    let mut room = vec![bf16::ZERO; h];
    let mut lines = vec![[0.0; SIDE]; depth * SIDE];
    for (group, to) in to.chunks_exact_mut(depth * TILE).enumerate() {
        let first = keys.start + group * SIDE;
        let keys = first..keys.end.min(first + SIDE);
        for (line, key) in keys.clone().enumerate() {
            // SAFETY: AVX-512 is all that is needed.
            let key = unsafe { narrow(rows, &PAIRS, head, key, &mut room) };
            for step in 0..depth {
                let lanes = lanes(step * DEPTH, h, DEPTH);
                // SAFETY: lanes that the mask names are within the key; a line is a vector.
                unsafe {
                    let from = key.as_ptr().wrapping_add(step * DEPTH);
                    let pairs = _mm512_maskz_loadu_epi16(lanes, from.cast());
                    let line: *mut [f32; SIDE] = &raw mut lines[step * SIDE + line];
                    _mm512_storeu_si512(line.cast(), pairs);
                }
            }
        }
        let tiles = lines.chunks_exact(SIDE).zip(to.chunks_exact_mut(TILE));
        for (lines, tile) in tiles {
            turn_sums(lines[..keys.len()].iter(), tile, SIDE);
        }
    }
}

/// Values of a head from `keys` on, 32 to a group of tiles of all lanes and one more, which is 1: the
/// sums of that are those of the numerators, rounded as they are, so that what weighs all has no error.
///
/// # Panics
/// When `to` is too short.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
pub(super) fn values(rows: &Rows<'_>, head: usize, keys: Range<usize>, to: &mut [f32]) {
    let h = rows.head_dim;
    let columns = columns(h);
    let one = _mm512_maskz_set1_epi32(1 << (h % SIDE), ONES);
    let mut rooms = [vec![bf16::ZERO; h], vec![bf16::ZERO; h]];
    let zeros = vec![bf16::ZERO; h];
    for (group, to) in to.chunks_exact_mut(columns * TILE).enumerate() {
        let first = keys.start + group * DEPTH;
        for pair in 0..SIDE {
            let [even, odd] = &mut rooms;
            let value = |key: usize, room| {
                if key < keys.end {
                    // SAFETY: AVX-512 is all that is needed.
                    unsafe { narrow(rows, &PAIRS, head, key, room) }
                } else {
                    &zeros
                }
            };
            let key = first + key_at(2 * pair);
            let even = value(key, even);
            let odd = value(key + 1, odd);
            for column in 0..columns {
                let lanes = mask(lanes(column * SIDE, h, SIDE));
                // SAFETY: lanes that the mask names are within the values, the row within `to`.
                unsafe {
                    let load = |from: &[bf16]| {
                        let from = from.as_ptr().wrapping_add(column * SIDE);
                        _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, from.cast()))
                    };
                    let odd = _mm512_slli_epi32::<16>(load(odd));
                    let mut pairs = _mm512_or_si512(load(even), odd);
                    if column == h / SIDE {
                        pairs = _mm512_or_si512(pairs, one);
                    }
                    let to = to.as_mut_ptr().add(column * TILE + pair * SIDE);
                    _mm512_storeu_si512(to.cast(), pairs);
                }
            }
        }
    }
}
