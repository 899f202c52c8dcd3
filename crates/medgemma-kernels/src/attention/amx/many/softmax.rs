//! The online softmax of a row of a block's scores, into the left operand that weighs the values.
//!
//! A row's numerators are powers of 2 above a score that was the largest when it was taken; another is
//! taken only when numerators grow beyond a limit. So in all but a few blocks nothing is looked for
//! and no sum is faded. bf16 and f32 are as exact there as around 1.

use core::arch::x86_64::*;
use std::ops::Range;

use super::pack::DEPTH;
use super::tiles::TILE;
use crate::attention::avx512::exp2_rough;

/// What a lane's sum of a block's numerators may be: far from both ends of f32.
const LIMIT: f32 = 65536.0;

/// A row of a block of keys.
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
    /// The numerators above `top`, and the sums of them by lane: as they are rounded, so that what
    /// weighs all has no error.
    ///
    /// # Safety
    /// The scores can be read, the numerators written.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
    #[inline]
    unsafe fn all(&self, top: f32) -> __m512 {
        let factor = _mm512_set1_ps(self.factor);
        let minus_top = _mm512_set1_ps(-top);
        let mut sums = _mm512_setzero_ps();
        for step in 0..self.steps {
            // SAFETY: the caller's promise.
            let scores = unsafe { self.scores(step) };
            let numerators =
                scores.map(|scores| exp2_rough(_mm512_fmadd_ps(scores, factor, minus_top)));
            // SAFETY: the caller's promise.
            sums = unsafe { self.store(step, numerators, sums) };
        }
        sums
    }

    /// As [`Self::all`], with numerators of 0 for keys that are not `seen`.
    ///
    /// # Safety
    /// As for [`Self::all`].
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
    #[inline]
    unsafe fn some(&self, top: f32, seen: &Range<usize>) -> __m512 {
        let factor = _mm512_set1_ps(self.factor);
        let minus_top = _mm512_set1_ps(-top);
        let mut sums = _mm512_setzero_ps();
        for step in 0..self.steps {
            // SAFETY: the caller's promise.
            let scores = unsafe { self.scores(step) };
            let seen = masks(step, seen);
            let numerators = [0, 1].map(|half| {
                let power = exp2_rough(_mm512_fmadd_ps(scores[half], factor, minus_top));
                _mm512_maskz_mov_ps(seen[half], power)
            });
            // SAFETY: the caller's promise.
            sums = unsafe { self.store(step, numerators, sums) };
        }
        sums
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

    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn scores(&self, step: usize) -> [__m512; 2] {
        // SAFETY: the promise of the callers.
        [0, 1].map(|half| unsafe { _mm512_loadu_ps(self.scores.add((2 * step + half) * TILE)) })
    }

    /// Rounds and writes the numerators of a step, and adds them to `sums`.
    #[target_feature(enable = "avx512f,avx512bf16")]
    #[inline]
    unsafe fn store(&self, step: usize, [low, high]: [__m512; 2], sums: __m512) -> __m512 {
        /// The bits of two bf16, each 1.
        const ONES: i32 = 0x3f80_3f80;
        let pairs = _mm512_cvtne2ps_pbh(high, low);
        // SAFETY: plain bits on both sides; the promise of the callers.
        unsafe {
            let bits: __m512i = core::mem::transmute(pairs);
            _mm512_storeu_si512(self.numerators.add(step * TILE).cast(), bits);
            let ones = core::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(ONES));
            _mm512_dpbf16_ps(sums, pairs, ones)
        }
    }
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
    /// The sums of its numerators by lane, a vector.
    pub(super) sums: *mut f32,
    /// Its first weighted values; the next ones are a tile further.
    pub(super) values: *mut f32,
    pub(super) tiles: usize,
}

/// Takes a row's scores; of its keys the row sees `seen`. `settle` is called before what has been
/// gathered of the values is changed.
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
        let weigh = || {
            let top = *gathered.top;
            if all { row.all(top) } else { row.some(top, seen) }
        };
        let mut sums = weigh();
        let limit = _mm512_set1_ps(LIMIT);
        if _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(sums, limit) != 0 {
            settle();
            rise(row, seen, gathered);
            sums = weigh();
        }
        let sums = _mm512_add_ps(_mm512_loadu_ps(gathered.sums), sums);
        _mm512_storeu_ps(gathered.sums, sums);
    }
}

/// Takes the largest score for the new top, and fades what has been gathered.
///
/// # Safety
/// As for [`take`].
#[cold]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
unsafe fn rise(row: &Row, seen: &Range<usize>, gathered: &Gathered) {
    // SAFETY: the caller's promise.
    unsafe {
        let before = *gathered.top;
        let top = before.max(row.largest(seen));
        *gathered.top = top;
        let fade = _mm512_set1_ps((before - top).exp2());
        let values = (0..gathered.tiles).map(|tile| gathered.values.add(tile * TILE));
        for numbers in values.chain([gathered.sums]) {
            _mm512_storeu_ps(numbers, _mm512_mul_ps(_mm512_loadu_ps(numbers), fade));
        }
    }
}
