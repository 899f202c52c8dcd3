//! The online softmax of a tile: from a block's scores to the numerators that weigh its values.

use crate::attention::lanes::Lanes;
use crate::attention::powers::{is_ordinary, relative};

/// Operands. Powers are of 2: `factor` contains log₂ e.
pub(in crate::attention) struct Online {
    /// `[keys][width]`: in, the products of keys and queries; out, the numerators, as f32 in the
    /// same places or as `[keys / 2 (rounded up)][width]` pairs of bf16.
    pub(in crate::attention) scores: *mut f32,
    pub(in crate::attention) keys: usize,
    /// Queries: one or two vectors' numbers.
    pub(in crate::attention) width: usize,
    /// What the products are to be multiplied by.
    pub(in crate::attention) factor: f32,
    /// `[2][width]`: of each query the first key that it sees, and the one after the last, counted
    /// from the block's first; null if all queries see all keys.
    pub(in crate::attention) seen: *const f32,
    /// `[2][width]`: of each query the largest product so far, and the sum of the numerators so far.
    pub(in crate::attention) state: *mut f32,
    /// Out: what the sums before this block are to be multiplied by.
    pub(in crate::attention) fade: *mut f32,
}

/// How numerators are computed and stored.
pub(in crate::attention) trait Numerators<L: Lanes> {
    /// Keys whose numerators are stored together.
    const KEYS: usize;

    /// 2^x, as good as the storage.
    fn exp2(lanes: L, x: L::V) -> L::V;

    /// Stores the numerators of [`Self::KEYS`] keys.
    ///
    /// # Safety
    /// `to` can be written for [`Lanes::LANES`] numbers.
    unsafe fn store(lanes: L, to: *mut f32, numerators: [L::V; 2]);
}

/// Numerators are f32.
pub(in crate::attention) struct Singles;

impl<L: Lanes> Numerators<L> for Singles {
    const KEYS: usize = 1;

    #[inline(always)]
    fn exp2(lanes: L, x: L::V) -> L::V {
        lanes.exp2(x)
    }

    #[inline(always)]
    unsafe fn store(lanes: L, to: *mut f32, numerators: [L::V; 2]) {
        // SAFETY: the caller's promise.
        unsafe { lanes.store(to, numerators[0]) }
    }
}

/// # Safety
/// The operands have the extents that `task` says and do not overlap.
#[inline(always)]
pub(in crate::attention) unsafe fn online<L: Lanes, N: Numerators<L>>(lanes: L, task: &Online) {
    // SAFETY: the caller's promise.
    unsafe {
        if !task.seen.is_null() {
            hide(lanes, task);
        }
        for column in (0..task.width).step_by(L::LANES) {
            one_vector::<L, N>(lanes, task, column);
        }
    }
}

/// Sets the scores of keys that a query does not see to −∞.
///
/// # Safety
/// As for [`online`]; `seen` is not null.
#[inline(always)]
unsafe fn hide<L: Lanes>(lanes: L, task: &Online) {
    let width = task.width;
    // SAFETY: within the scores and the intervals, by the caller's promise.
    unsafe {
        for column in (0..task.width).step_by(L::LANES) {
            let low = lanes.load(task.seen.add(column));
            let high = lanes.load(task.seen.add(width + column));
            let one = lanes.splat(1.0);
            let mut at = lanes.splat(0.0);
            for key in 0..task.keys {
                let score = task.scores.add(key * width + column);
                lanes.store(score, lanes.within(lanes.load(score), at, low, high));
                at = lanes.add(at, one);
            }
        }
    }
}

/// The queries from `column` on.
///
/// # Safety
/// As for [`online`].
#[inline(always)]
unsafe fn one_vector<L: Lanes, N: Numerators<L>>(lanes: L, task: &Online, column: usize) {
    let width = task.width;
    // SAFETY: within the scores, the state and `fade`, by the caller's promise.
    unsafe {
        let scores = task.scores.add(column);
        let factor = lanes.splat(task.factor);
        let (top, sum) = (task.state.add(column), task.state.add(width + column));
        let before = lanes.load(top);
        let now = lanes.max(before, largest(lanes, scores, (task.keys, width)));
        lanes.store(top, now);
        let minus_one = lanes.splat(-1.0);
        let product = lanes.mul(now, factor);
        let minus = lanes.mul(product, minus_one);
        // Where one query's is large, all go the way that is right for any.
        let (fade, sums) = if is_ordinary(lanes.largest(lanes.max(product, minus))) {
            let fade = lanes.exp2(lanes.add(lanes.mul(before, factor), minus));
            (fade, numerators::<L, N, false>(lanes, task, column, minus))
        } else {
            let minus = lanes.mul(now, minus_one);
            let fade = lanes.exp2(relative::<L, true>(lanes, before, factor, minus));
            (fade, numerators::<L, N, true>(lanes, task, column, minus))
        };
        lanes.store(task.fade.add(column), fade);
        lanes.store(sum, lanes.mul_add(lanes.load(sum), fade, sums));
    }
}

/// From the scores of the queries from `column` on to numerators, with what [`relative`] wants; their sums.
///
/// # Safety
/// As for [`online`].
#[inline(always)]
unsafe fn numerators<L: Lanes, N: Numerators<L>, const LARGE: bool>(
    lanes: L,
    task: &Online,
    column: usize,
    minus: L::V,
) -> L::V {
    let width = task.width;
    let factor = lanes.splat(task.factor);
    let mut sums = [lanes.splat(0.0); 2];
    // SAFETY: within the scores, by the caller's promise. Numerators lie no later than the scores that
    // they are made of, which have been read by then.
    unsafe {
        let scores = task.scores.add(column);
        let whole = task.keys / N::KEYS;
        for group in 0..whole {
            let mut numerators = [lanes.splat(0.0); 2];
            for next in 0..N::KEYS {
                let score = lanes.load(scores.add((group * N::KEYS + next) * width));
                let power = relative::<L, LARGE>(lanes, score, factor, minus);
                numerators[next] = N::exp2(lanes, power);
                sums[next] = lanes.add(sums[next], numerators[next]);
            }
            N::store(lanes, scores.add(group * width), numerators);
        }
        if whole * N::KEYS < task.keys {
            let score = lanes.load(scores.add((task.keys - 1) * width));
            let last = N::exp2(lanes, relative::<L, LARGE>(lanes, score, factor, minus));
            sums[0] = lanes.add(sums[0], last);
            N::store(lanes, scores.add(whole * width), [last, lanes.splat(0.0)]);
        }
    }
    lanes.add(sums[0], sums[1])
}

/// The largest score of each query. Not below the smallest f32, so that a query that has seen no
/// key yet never meets −∞ − −∞.
///
/// # Safety
/// `scores` can be read for a vector at each of `keys` rows of `width` numbers.
#[inline(always)]
unsafe fn largest<L: Lanes>(lanes: L, scores: *const f32, (keys, width): (usize, usize)) -> L::V {
    let mut largest = [lanes.splat(f32::MIN); 2];
    for pair in 0..keys / 2 {
        for (next, largest) in largest.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            let score = unsafe { lanes.load(scores.add((2 * pair + next) * width)) };
            *largest = lanes.max(*largest, score);
        }
    }
    if keys % 2 == 1 {
        // SAFETY: the caller's promise.
        let score = unsafe { lanes.load(scores.add((keys - 1) * width)) };
        largest[0] = lanes.max(largest[0], score);
    }
    lanes.max(largest[0], largest[1])
}
