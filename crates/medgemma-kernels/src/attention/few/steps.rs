//! The steps of attention of few queries, a block of keys at a time, vectors along the head's lanes.

use super::reading::Reading;
use super::{Few, ROWS};
use crate::attention::lanes::Lanes;

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
pub(in crate::attention) unsafe fn few<L: Lanes, R: Reading<L>>(
    lanes: L,
    task: &mut Few<'_, R::Number>,
) {
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
            score::<L, R>(lanes, task, first, count, &mut scores);
            for row in 0..task.rows {
                hide(&mut scores[row], task.seen[row], first, count);
                numerators::<L, R>(lanes, task, row, &mut scores[row]);
            }
            gather::<L, R>(lanes, task, first, count, &scores);
        }
        first += count;
    }
}

/// Scores of a block. Eight sums at once hide the latency of a sum.
///
/// # Safety
/// As for [`few`]; the keys are there.
#[inline(always)]
unsafe fn score<L: Lanes, R: Reading<L>>(
    lanes: L,
    task: &Few<'_, R::Number>,
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
                4.. => dots::<L, R, 4, 2>(lanes, task, row, first, count, scores),
                2.. => dots::<L, R, 2, 4>(lanes, task, row, first, count, scores),
                _ => dots::<L, R, 1, 8>(lanes, task, row, first, count, scores),
            };
        }
    }
}

/// Scores of `Q` queries from row `row` on, `K` keys at once, Q · K = 8. Gives Q.
///
/// # Safety
/// As for [`score`]; the rows are there.
#[inline(always)]
unsafe fn dots<L: Lanes, R: Reading<L>, const Q: usize, const K: usize>(
    lanes: L,
    task: &Few<'_, R::Number>,
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
                    let from = row.wrapping_add(lane);
                    let elements = if lane < whole {
                        R::key(lanes, from)
                    } else {
                        R::key(lanes, rest(from, task.h - lane).as_ptr())
                    };
                    for query in 0..Q {
                        let sum = &mut acc[query * K + next];
                        let q = q.add(query * task.width + lane / 2 * R::PARTS);
                        for (part, element) in elements[..R::PARTS].iter().enumerate() {
                            let q = lanes.load(q.add(part * L::LANES));
                            *sum = R::multiply_add(lanes, *sum, *element, q);
                        }
                    }
                }
            }
            lane += pair;
        }
        let sums = lanes.sums(acc);
        for query in 0..Q {
            scores[row + query][key..key + K].copy_from_slice(&sums[query * K..][..K]);
        }
        key += K;
    }
    Q
}

/// The last numbers of a row, with zeros after them.
///
/// # Safety
/// `from` can be read for `left` numbers.
#[inline(always)]
unsafe fn rest<T: Copy + Default>(from: *const T, left: usize) -> [T; PAIR] {
    let mut rest = [T::default(); PAIR];
    // SAFETY: the caller's promise, and no more than there is room for.
    unsafe { from.copy_to_nonoverlapping(rest.as_mut_ptr(), left.min(PAIR)) };
    rest
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
unsafe fn numerators<L: Lanes, R: Reading<L>>(
    lanes: L,
    task: &mut Few<'_, R::Number>,
    row: usize,
    scores: &mut [f32; BLOCK],
) {
    let scores = scores.as_mut_ptr();
    let steps = || (0..BLOCK).step_by(L::LANES);
    let [top, sum] = task.state[row];
    // SAFETY: steps are within the scores.
    unsafe {
        // Not −∞: a row that has seen no key yet must not meet −∞ − −∞.
        let mut largest = lanes.splat(f32::MIN);
        for key in steps() {
            largest = lanes.max(largest, lanes.load(scores.add(key)));
        }
        let now = (lanes.largest(largest) * task.factor).max(top);
        let (factor, minus_top) = (lanes.splat(task.factor), lanes.splat(-now));
        let mut sums = lanes.splat(0.0);
        for key in steps() {
            let score = lanes.load(scores.add(key));
            let numerator = lanes.exp2(lanes.mul_add(score, factor, minus_top));
            sums = lanes.add(sums, numerator);
            R::store(lanes, scores.add(key / R::KEYS), numerator);
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
unsafe fn gather<L: Lanes, R: Reading<L>>(
    lanes: L,
    task: &mut Few<'_, R::Number>,
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
                let mut elements = [[lanes.splat(0.0); 2]; 4];
                for (elements, rows) in elements.iter_mut().zip(rows.chunks_exact(R::KEYS)) {
                    let from = [rows[0], rows[R::KEYS - 1]].map(|row| row.wrapping_add(lane));
                    lanes.prefetch(from[0].wrapping_add(AHEAD * task.values.1).cast());
                    lanes.prefetch(from[1].wrapping_add(AHEAD * task.values.1).cast());
                    *elements = if lane < whole {
                        R::values(lanes, from)
                    } else {
                        let from = from.map(|from| rest(from, task.h - lane));
                        R::values(lanes, [from[0].as_ptr(), from[1].as_ptr()])
                    };
                }
                for row in 0..task.rows {
                    let out = out.add(row * task.width + lane);
                    let mut sums = [lanes.load(out), lanes.load(out.add(L::LANES))];
                    for (next, elements) in elements[..4 / R::KEYS].iter().enumerate() {
                        let p = lanes.splat(scores[row][key / R::KEYS + next]);
                        sums[0] = R::multiply_add(lanes, sums[0], p, elements[0]);
                        sums[1] = R::multiply_add(lanes, sums[1], p, elements[1]);
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
