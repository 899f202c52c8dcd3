//! The online softmax of a row of a chunk's scores, into the left operand that weighs the values.
//!
//! A row's numerators are powers of 2 above a score that was the largest when it was taken; another is
//! taken only when a numerator grows beyond a limit. So in all but a few chunks nothing is looked for
//! and no sum is faded. bf16 and f32 are as exact there as around 1.

use core::arch::x86_64::*;
use std::ops::Range;

use super::pack::DEPTH;
use super::tiles::TILE;
use crate::attention::avx512::exp2_rough;

/// What a numerator may be, in the bits of a bf16: 65536, far from both ends of f32. NaN is beyond it.
const LIMIT: i16 = 0x4780;

/// A row of a chunk of keys.
pub(super) struct Row {
    /// Its first scores; the next ones are a tile further.
    pub(super) scores: *const f32,
    /// Its first numerators, pairs of bf16; the next ones are a tile further.
    pub(super) numerators: *mut f32,
    /// Steps of [`DEPTH`] keys.
    pub(super) steps: usize,
    /// What the scores are to be multiplied by.
    pub(super) factor: f32,
}

impl Row {
    /// Writes the numerators above `top`; says whether one is beyond the limit.
    ///
    /// # Safety
    /// The scores can be read, the numerators written.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
    #[inline]
    unsafe fn all(&self, top: f32) -> bool {
        let factor = _mm512_set1_ps(self.factor);
        let minus_top = _mm512_set1_ps(-top);
        let mut largest = _mm512_setzero_si512();
        for step in 0..self.steps {
            // SAFETY: the caller's promise.
            unsafe {
                let scores = self.scores(step);
                let numerators =
                    scores.map(|scores| exp2_rough(_mm512_fmadd_ps(scores, factor, minus_top)));
                largest = _mm512_max_epu16(largest, self.store(step, numerators));
            }
        }
        is_beyond(largest)
    }

    /// As [`Self::all`], with numerators of 0 for keys that are not `seen`.
    ///
    /// # Safety
    /// As for [`Self::all`].
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
    unsafe fn some(&self, top: f32, seen: &Range<usize>) -> bool {
        let factor = _mm512_set1_ps(self.factor);
        let minus_top = _mm512_set1_ps(-top);
        let mut largest = _mm512_setzero_si512();
        for step in 0..self.steps {
            let seen = masks(step, seen);
            // SAFETY: the caller's promise.
            unsafe {
                let scores = self.scores(step);
                let numerators = [0, 1].map(|half| {
                    let power = exp2_rough(_mm512_fmadd_ps(scores[half], factor, minus_top));
                    _mm512_maskz_mov_ps(seen[half], power)
                });
                largest = _mm512_max_epu16(largest, self.store(step, numerators));
            }
        }
        is_beyond(largest)
    }

    /// The largest of the scores that are seen, times the factor; −∞ if none is.
    ///
    /// # Safety
    /// As for [`Self::all`].
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
    unsafe fn largest(&self, seen: &Range<usize>) -> f32 {
        let mut largest = _mm512_set1_ps(f32::NEG_INFINITY);
        for step in 0..self.steps {
            // SAFETY: the caller's promise.
            let scores = unsafe { self.scores(step) };
            for (scores, seen) in scores.into_iter().zip(masks(step, seen)) {
                // NaN is left out.
                largest = _mm512_mask_max_ps(largest, seen, scores, largest);
            }
        }
        _mm512_reduce_max_ps(largest) * self.factor
    }

    /// # Safety
    /// The scores can be read.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn scores(&self, step: usize) -> [__m512; 2] {
        // SAFETY: the caller's promise.
        [0, 1].map(|half| unsafe { _mm512_loadu_ps(self.scores.add((2 * step + half) * TILE)) })
    }

    /// Rounds and writes the numerators of a step; returns their bits.
    ///
    /// # Safety
    /// The numerators can be written.
    #[target_feature(enable = "avx512f,avx512bf16")]
    #[inline]
    unsafe fn store(&self, step: usize, [low, high]: [__m512; 2]) -> __m512i {
        // SAFETY: plain bits on both sides; the caller's promise.
        unsafe {
            let bits: __m512i = core::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
            _mm512_storeu_si512(self.numerators.add(step * TILE).cast(), bits);
            bits
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn is_beyond(numerators: __m512i) -> bool {
    _mm512_cmpgt_epu16_mask(numerators, _mm512_set1_epi16(LIMIT)) != 0
}

/// Which of the keys of a step are seen.
fn masks(step: usize, seen: &Range<usize>) -> [__mmask16; 2] {
    let below = |key: usize| (1_u64 << key.saturating_sub(step * DEPTH).min(DEPTH)) - 1;
    let [a, b, c, d, ..] = (below(seen.end) & !below(seen.start)).to_le_bytes();
    [u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])]
}

/// What a row of queries has gathered.
pub(super) struct Gathered {
    /// What its numerators are powers of 2 above.
    pub(super) top: *mut f32,
    /// Its first sums; the next ones are a tile further.
    pub(super) sums: *mut f32,
    pub(super) tiles: usize,
}

/// Takes a row's scores; of its keys the row sees `seen`. `settle` is called before what has been
/// gathered is changed.
///
/// # Safety
/// The processor has [`crate::Path::Amx`]; the row and what it has gathered are as long as they say,
/// and nothing else uses them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
#[inline]
pub(super) unsafe fn take(
    row: &Row,
    seen: &Range<usize>,
    gathered: &Gathered,
    settle: impl FnOnce(),
) {
    let all = seen.start == 0 && seen.end >= row.steps * DEPTH;
    // SAFETY: the caller's promise.
    unsafe {
        let top = *gathered.top;
        let beyond = if all {
            row.all(top)
        } else {
            row.some(top, seen)
        };
        if beyond {
            settle();
            rise(row, seen, gathered);
        }
    }
}

/// Takes the largest score for the new top, fades what has been gathered, and writes the numerators
/// once more.
///
/// # Safety
/// As for [`take`].
#[cold]
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
unsafe fn rise(row: &Row, seen: &Range<usize>, gathered: &Gathered) {
    // SAFETY: the caller's promise.
    unsafe {
        let before = *gathered.top;
        let top = before.max(row.largest(seen));
        *gathered.top = top;
        let fade = _mm512_set1_ps((before - top).exp2());
        for tile in 0..gathered.tiles {
            let sums = gathered.sums.add(tile * TILE);
            _mm512_storeu_ps(sums, _mm512_mul_ps(_mm512_loadu_ps(sums), fade));
        }
        row.some(top, seen);
    }
}
