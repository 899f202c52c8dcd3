//! The steps of attention of few queries, a block of keys at a time, vectors along the head's lanes.

use super::{Few, ROWS};
use crate::attention::lanes::{Lanes, Storage};

/// Keys between two looks at the running maximum.
const BLOCK: usize = 64;

/// Keys from the one that is being read to the one that is asked for from memory.
const AHEAD: usize = 16;

/// Numbers of two of the longest vectors.
const PAIR: usize = 32;

/// Scores, then numerators, of a block.
type Scores = [[f32; BLOCK]; ROWS];

/// # Safety
/// `keys` and `values` can be read for `h` numbers at each of `count` rows.
#[inline(always)]
pub(in crate::attention) unsafe fn few<L: Lanes, T: Storage<L>>(lanes: L, task: &mut Few<'_, T>) {
    assert!(task.rows <= ROWS && task.seen.len() == task.rows && task.state.len() == task.rows);
    assert!(task.width.is_multiple_of(2 * L::LANES) && task.h <= task.width);
    assert!(task.q.len() == task.rows * task.width && task.out.len() == task.q.len());
    task.out.fill(0.0);
    task.state.fill([f32::MIN, 0.0]);
    let mut scores = [[0.0; BLOCK]; ROWS];
    let mut first = 0;
    while first < task.count {
        let count = BLOCK.min(task.count - first);
        // SAFETY: the keys from `first` on are `count` at least; shapes as asserted.
        unsafe {
            score(lanes, task, first, count, &mut scores);
            for row in 0..task.rows {
                hide(&mut scores[row], task.seen[row], first, count);
                numerators(lanes, task, row, &mut scores[row]);
            }
            gather(lanes, task, first, count, &scores);
        }
        first += count;
    }
}

/// Scores of a block. Eight sums at once hide the latency of a sum.
///
/// # Safety
/// As for [`few`]; the keys are there.
#[inline(always)]
unsafe fn score<L: Lanes, T: Storage<L>>(
    lanes: L,
    task: &Few<'_, T>,
    first: usize,
    count: usize,
    scores: &mut Scores,
) {
    let mut row = 0;
    while row < task.rows {
        let left = task.rows - row;
        // SAFETY: the caller's promise, and there are that many rows.
        unsafe {
            row += match left {
                4.. => dots::<L, T, 4, 2>(lanes, task, row, first, count, scores),
                2.. => dots::<L, T, 2, 4>(lanes, task, row, first, count, scores),
                _ => dots::<L, T, 1, 8>(lanes, task, row, first, count, scores),
            };
        }
    }
}

/// Scores of `R` rows from `row` on, `K` keys at once, R · K = 8. Gives R.
///
/// # Safety
/// As for [`score`]; the rows are there.
#[inline(always)]
unsafe fn dots<L: Lanes, T: Storage<L>, const R: usize, const K: usize>(
    lanes: L,
    task: &Few<'_, T>,
    row: usize,
    first: usize,
    count: usize,
    scores: &mut Scores,
) -> usize {
    let pair = 2 * L::LANES;
    let whole = task.h / pair * pair;
    let q = task.q.as_ptr().wrapping_add(row * task.width);
    let mut key = 0;
    while key < count {
        // The last group repeats the last key; what comes of it is overwritten.
        let mut rows = [task.keys.0; K];
        for (next, row) in rows.iter_mut().enumerate() {
            let key = first + (key + next).min(count - 1);
            *row = task.keys.0.wrapping_add(key * task.keys.1);
        }
        let mut acc = [lanes.splat(0.0); 8];
        let mut lane = 0;
        while lane < task.width {
            for (next, row) in rows.iter().enumerate() {
                // SAFETY: `lane` to `lane + pair` are within the row, or the rest is copied; `q`
                // has `width` numbers a row.
                unsafe {
                    lanes.prefetch(row.wrapping_add(lane + AHEAD * task.keys.1).cast());
                    let numbers = load(lanes, row.wrapping_add(lane), lane < whole, task.h - lane);
                    for query in 0..R {
                        let q = q.add(query * task.width + lane);
                        let sum = &mut acc[query * K + next];
                        *sum = lanes.mul_add(numbers[0], lanes.load(q), *sum);
                        *sum = lanes.mul_add(numbers[1], lanes.load(q.add(L::LANES)), *sum);
                    }
                }
            }
            lane += pair;
        }
        let sums = lanes.sums(acc);
        for query in 0..R {
            scores[row + query][key..key + K].copy_from_slice(&sums[query * K..][..K]);
        }
        key += K;
    }
    R
}

/// A vector pair of a row of storage of which `left` numbers are left; past them are zeros.
///
/// # Safety
/// `from` can be read for `left` numbers; for a whole pair if `whole`.
#[inline(always)]
unsafe fn load<L: Lanes, T: Storage<L>>(
    lanes: L,
    from: *const T,
    whole: bool,
    left: usize,
) -> [L::V; 2] {
    // SAFETY: the caller's promise, and the copy is no longer than the longest pair.
    unsafe {
        if whole {
            T::load(lanes, from)
        } else {
            let mut rest = [T::default(); PAIR];
            from.copy_to_nonoverlapping(rest.as_mut_ptr(), left.min(PAIR));
            T::load(lanes, rest.as_ptr())
        }
    }
}

/// Sets the scores of keys that a row does not see, and those past the block, to −∞.
#[inline(always)]
fn hide(scores: &mut [f32; BLOCK], seen: [usize; 2], first: usize, count: usize) {
    let low = seen[0].clamp(first, first + count) - first;
    let high = seen[1].clamp(first, first + count) - first;
    scores[..low].fill(f32::NEG_INFINITY);
    scores[high.max(low)..].fill(f32::NEG_INFINITY);
}

/// From a row's scores to its numerators, and what was gathered before scaled down to them.
///
/// # Safety
/// The row is there, shapes are as [`few`] asserts.
#[inline(always)]
unsafe fn numerators<L: Lanes, T: Storage<L>>(
    lanes: L,
    task: &mut Few<'_, T>,
    row: usize,
    scores: &mut [f32; BLOCK],
) {
    let scores = scores.as_mut_ptr();
    let steps = || (0..BLOCK).step_by(L::LANES);
    let [top, sum] = task.state[row];
    // SAFETY: steps are within the scores.
    unsafe {
        let mut largest = lanes.splat(top);
        for key in steps() {
            largest = lanes.max(largest, lanes.load(scores.add(key)));
        }
        let now = lanes.largest(largest);
        let minus_top = lanes.splat(-now);
        let mut sums = lanes.splat(0.0);
        for key in steps() {
            let score = lanes.add(lanes.load(scores.add(key)), minus_top);
            let numerator = lanes.exp2(score);
            sums = lanes.add(sums, numerator);
            lanes.store(scores.add(key), numerator);
        }
        let fade = (top - now).exp2();
        task.state[row] = [now, sum.mul_add(fade, lanes.sum(sums))];
        if now > top && sum > 0.0 {
            let out = &mut task.out[row * task.width..][..task.width];
            out.iter_mut().for_each(|out| *out *= fade);
        }
    }
}

/// Adds the block's values, each times its numerators.
///
/// # Safety
/// As for [`few`]; the values are there.
#[inline(always)]
unsafe fn gather<L: Lanes, T: Storage<L>>(
    lanes: L,
    task: &mut Few<'_, T>,
    first: usize,
    count: usize,
    scores: &Scores,
) {
    let pair = 2 * L::LANES;
    let whole = task.h / pair * pair;
    let out = task.out.as_mut_ptr();
    let mut key = 0;
    while key < count {
        // The last group repeats the last value; its numerators are 0 there.
        let mut rows = [task.values.0; 4];
        for (next, row) in rows.iter_mut().enumerate() {
            let key = first + (key + next).min(count - 1);
            *row = task.values.0.wrapping_add(key * task.values.1);
        }
        let mut lane = 0;
        while lane < task.width {
            // SAFETY: `lane` to `lane + pair` are within the row, or the rest is copied; `out` has
            // `width` numbers a row.
            unsafe {
                let mut numbers = [[lanes.splat(0.0); 2]; 4];
                for (numbers, row) in numbers.iter_mut().zip(&rows) {
                    lanes.prefetch(row.wrapping_add(lane + AHEAD * task.values.1).cast());
                    *numbers = load(lanes, row.wrapping_add(lane), lane < whole, task.h - lane);
                }
                for row in 0..task.rows {
                    let out = out.add(row * task.width + lane);
                    let mut sums = [lanes.load(out), lanes.load(out.add(L::LANES))];
                    for (next, numbers) in numbers.iter().enumerate() {
                        let p = lanes.splat(scores[row][key + next]);
                        sums[0] = lanes.mul_add(p, numbers[0], sums[0]);
                        sums[1] = lanes.mul_add(p, numbers[1], sums[1]);
                    }
                    lanes.store(out, sums[0]);
                    lanes.store(out.add(L::LANES), sums[1]);
                }
            }
            lane += pair;
        }
        key += 4;
    }
}
