//! The online softmax of a block of rows of a chunk's scores, into the left operand that weighs the
//! values.
//!
//! A row's numerators are powers of 2 relative to a score that was the largest when it was taken; another
//! is taken only when a numerator grows beyond 1, which that one's is far below. So in all but a few
//! chunks nothing is looked for and no sum is faded. bf16 and f32 are as exact there as around 1.

use core::arch::x86_64::*;
use std::ops::Range;

use super::pack::DEPTH;
use super::space::{CHUNK, ROWS};
use super::tiles::{SIDE, TILE};
use crate::attention::avx512::exp2_rough;
use crate::attention::powers::{fade, is_ordinary};

/// How far, in powers of 2, a score may rise above its row's top.
const HEADROOM: f32 = 16.0;

/// What a numerator may be, in the bits of a bf16: 1. NaN is beyond it.
const LIMIT: i16 = 0x3f80;

/// A power of 2 in fixed point, 9 bits of it below the point and 127 as much more as in a float, is four
/// times the bits of the bf16 whose mantissa is its chord, 1 + f for 2^f.
const FIXED: f32 = 512.0;

/// What is added in fixed point: 1 is subtracted again, such that what was too small to be packed comes
/// to lie beyond all else; of what is left, the two bits that are cut off take 3/2 on average.
const OFFSET: f32 = 2.5;

/// The largest in fixed point that may be used as it is: 1, as [`LIMIT`].
const FIXED_LIMIT: u16 = 127 * 512 + 1;

/// How far 2^f lies below its chord 1 + f, in fixed point: a mean for each 64th of f.
const BELOW_CHORD: [u8; 64] = [
    1, 3, 5, 8, 10, 12, 14, 16, 18, 20, 22, 24, 25, 27, 29, 30, 31, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 42, 43, 43, 44, 44, 44, 44, 44, 44, 44, 44, 43, 43, 42, 42, 41, 40, 39, 38, 37, 36, 35,
    33, 32, 30, 28, 27, 25, 23, 20, 18, 16, 13, 11, 8, 5, 2,
];

/// Two tiles of rows against a chunk of keys.
pub(super) struct Block {
    /// `[2][2 · CHUNK]` tiles.
    pub(super) scores: *const f32,
    /// `[2][CHUNK]` tiles of pairs of bf16.
    pub(super) numerators: *mut f32,
    /// Steps of [`DEPTH`] keys.
    pub(super) steps: usize,
    /// What the scores are to be multiplied by.
    pub(super) factor: f32,
    /// `[ROWS]`: the score that a row's numerators are relative to.
    pub(super) tops: *mut f32,
    /// `[2][tiles]` tiles: what the rows have gathered.
    pub(super) sums: *mut f32,
    pub(super) tiles: usize,
}

/// A row of a block.
struct Row {
    /// Its first scores, numerators and sums; the next ones are a tile further.
    scores: *const f32,
    numerators: *mut f32,
    sums: *mut f32,
    top: *mut f32,
}

impl Block {
    /// Keys of the chunk, those that are not there included.
    pub(super) fn keys(&self) -> usize {
        self.steps * DEPTH
    }

    fn row(&self, index: usize) -> Row {
        let (tile, row) = (index / SIDE, index % SIDE * SIDE);
        let of = |tiles: usize| tile * tiles * TILE + row;
        Row {
            scores: self.scores.wrapping_add(of(2 * CHUNK)),
            numerators: self.numerators.wrapping_add(of(CHUNK)),
            sums: self.sums.wrapping_add(of(self.tiles)),
            top: self.tops.wrapping_add(index),
        }
    }

    /// Takes all rows as if they saw all keys; says which [`Self::take`] is to take once more, since a
    /// numerator is beyond the limit, not a number, or too small for this way, or the scores are too large.
    ///
    /// The numerators are right to 0.6 %, and to 0.18 % in quadratic mean, where rounding alone has 0.4
    /// and 0.17; so is the sum that they are divided by.
    ///
    /// # Safety
    /// The processor has [`crate::Path::Amx`]; the block is as its fields say, and nothing else uses it.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub(super) unsafe fn take_all(&self) -> u32 {
        let mut left = 0;
        for index in 0..ROWS {
            // SAFETY: the caller's promise.
            let usable = unsafe { self.all(&self.row(index)) };
            left |= u32::from(!usable) << index;
        }
        left
    }

    /// Takes a row, which sees `seen` of the chunk's keys: with its largest score for the new top where a
    /// numerator would be beyond the limit.
    ///
    /// # Safety
    /// As for [`Self::take_all`].
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
    pub(super) unsafe fn take(&self, index: usize, seen: &Range<usize>) {
        let row = self.row(index);
        // SAFETY: the caller's promise.
        unsafe {
            if !self.some(&row, seen) {
                let before = *row.top;
                let top = before.max(self.largest(&row, seen));
                *row.top = top;
                let fade = _mm512_set1_ps(fade(before, top, self.factor));
                for tile in 0..self.tiles {
                    let sums = row.sums.add(tile * TILE);
                    _mm512_storeu_ps(sums, _mm512_mul_ps(_mm512_loadu_ps(sums), fade));
                }
                self.some(&row, seen);
            }
        }
    }

    /// Writes a row's numerators; says whether all can be used.
    ///
    /// # Safety
    /// As for [`Self::take_all`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    #[inline]
    unsafe fn all(&self, row: &Row) -> bool {
        /// The low bytes.
        const LOW: u64 = 0x5555_5555_5555_5555;
        // SAFETY: the caller's promise.
        let top = unsafe { *row.top } * self.factor;
        if !is_ordinary(top) {
            return false;
        }
        let factor = _mm512_set1_ps(self.factor * FIXED);
        let one = _mm512_set1_epi16(1);
        let mut largest = _mm512_setzero_si512();
        // SAFETY: the caller's promise; the table is a vector.
        unsafe {
            let zero = _mm512_set1_ps((127.0 - HEADROOM - top) * FIXED + OFFSET);
            let below_chord = _mm512_loadu_si512(BELOW_CHORD.as_ptr().cast());
            for step in 0..self.steps {
                let [low, high] = (row.scores(step))
                    .map(|scores| _mm512_cvtps_epi32(_mm512_fmadd_ps(scores, factor, zero)));
                // NaN and what is beyond an i32 become 0 here, too.
                let fixed = _mm512_sub_epi16(_mm512_packus_epi32(low, high), one);
                largest = _mm512_max_epu16(largest, fixed);
                let part = _mm512_srli_epi16::<3>(fixed);
                let below = _mm512_maskz_permutexvar_epi8(LOW, part, below_chord);
                row.store(
                    step,
                    _mm512_srli_epi16::<2>(_mm512_subs_epu16(fixed, below)),
                );
            }
        }
        is_within(largest, FIXED_LIMIT.cast_signed())
    }

    /// Writes a row's numerators, 0 for keys that are not `seen`; says whether all are within the limit.
    ///
    /// # Safety
    /// As for [`Self::take_all`].
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
    unsafe fn some(&self, row: &Row, seen: &Range<usize>) -> bool {
        // SAFETY: the caller's promise.
        unsafe {
            let top = *row.top;
            let product = top * self.factor;
            if is_ordinary(product) {
                self.some_of::<false>(row, seen, [0.0, -HEADROOM - product])
            } else {
                self.some_of::<true>(row, seen, [top, -HEADROOM])
            }
        }
    }

    /// As [`Self::some`]: `zero` is what the power of a score of 0 is, or of `base` where scores are large.
    ///
    /// # Safety
    /// As for [`Self::take_all`].
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
    unsafe fn some_of<const LARGE: bool>(
        &self,
        row: &Row,
        seen: &Range<usize>,
        [base, zero]: [f32; 2],
    ) -> bool {
        let (base, zero) = (_mm512_set1_ps(base), _mm512_set1_ps(zero));
        let factor = _mm512_set1_ps(self.factor);
        let mut largest = _mm512_setzero_si512();
        for step in 0..self.steps {
            let seen = masks(step, seen);
            // SAFETY: the caller's promise.
            unsafe {
                let scores = row.scores(step);
                let numerators = [0, 1].map(|half| {
                    let scores = if LARGE {
                        _mm512_sub_ps(scores[half], base)
                    } else {
                        scores[half]
                    };
                    let power = exp2_rough(_mm512_fmadd_ps(scores, factor, zero));
                    _mm512_maskz_mov_ps(seen[half], power)
                });
                let numerators = rounded(numerators);
                row.store(step, numerators);
                largest = _mm512_max_epu16(largest, numerators);
            }
        }
        is_within(largest, LIMIT)
    }

    /// The largest of the scores that are seen; −∞ if none is.
    ///
    /// # Safety
    /// As for [`Self::take_all`].
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
    unsafe fn largest(&self, row: &Row, seen: &Range<usize>) -> f32 {
        let mut largest = _mm512_set1_ps(f32::NEG_INFINITY);
        for step in 0..self.steps {
            // SAFETY: the caller's promise.
            let scores = unsafe { row.scores(step) };
            for (scores, seen) in scores.into_iter().zip(masks(step, seen)) {
                // NaN is left out.
                largest = _mm512_mask_max_ps(largest, seen, scores, largest);
            }
        }
        _mm512_reduce_max_ps(largest)
    }
}

impl Row {
    /// # Safety
    /// The scores can be read.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn scores(&self, step: usize) -> [__m512; 2] {
        // SAFETY: the caller's promise.
        [0, 1].map(|half| unsafe { _mm512_loadu_ps(self.scores.add((2 * step + half) * TILE)) })
    }

    /// # Safety
    /// The numerators can be written.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn store(&self, step: usize, numerators: __m512i) {
        // SAFETY: the caller's promise.
        unsafe { _mm512_storeu_si512(self.numerators.add(step * TILE).cast(), numerators) }
    }
}

/// The bf16 next to the numerators of a step, in the order of [`super::pack::key_at`].
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
fn rounded([low, high]: [__m512; 2]) -> __m512i {
    // SAFETY: plain bits on both sides.
    let bits: __m512i = unsafe { core::mem::transmute(_mm512_cvtne2ps_pbh(high, low)) };
    _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7), bits)
}

/// Whether no number is above `limit`, all without signs.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn is_within(numbers: __m512i, limit: i16) -> bool {
    _mm512_cmpgt_epu16_mask(numbers, _mm512_set1_epi16(limit)) == 0
}

/// Which of the keys of a step are seen.
fn masks(step: usize, seen: &Range<usize>) -> [__mmask16; 2] {
    let below = |key: usize| (1_u64 << key.saturating_sub(step * DEPTH).min(DEPTH)) - 1;
    let [a, b, c, d, ..] = (below(seen.end) & !below(seen.start)).to_le_bytes();
    [u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])]
}
