//! The steps of attention of few queries, a block of keys at a time, vectors along the head's lanes.

use super::reading::Reading;
use super::{Few, ROWS};
use crate::attention::lanes::Lanes;
use crate::attention::powers::{fade, is_ordinary};

/// Keys between two looks at the running maximum.
const BLOCK: usize = 64;

/// Keys from the one that is being read to the one that is asked for from memory.
const AHEAD: usize = 16;

/// Elements of values that are added at once, so that sums are seldom loaded and stored.
const GATHERED: usize = 4;

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
    let scaled = |scales: &[f32]| scales.is_empty() || (scales.len() >= task.count && R::KEYS == 1);
    assert!(task.scales.iter().all(|scales| scaled(scales)));
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
            for (row, scores) in scores.iter_mut().enumerate().take(task.rows) {
                scale(scores, task.scales[0], first, count);
                hide(scores, task.seen[row], first, count);
                numerators::<L, R>(lanes, task, row, scores);
                scale(scores, task.scales[1], first, count);
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
        // SAFETY: the caller's promise, and there are that many rows.
        unsafe {
            row += match task.rows - row {
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
    for key in (0..count).step_by(K) {
        let rows: [_; K] = neighbours(task.keys, first + key, first + count);
        let mut acc = [lanes.splat(0.0); 8];
        // SAFETY: whole steps are within the row, the rest is copied; `q` has `width` numbers a
        // row.
        unsafe {
            for lane in (0..whole).step_by(pair) {
                for (next, row) in rows.iter().enumerate() {
                    let row = row.wrapping_add(lane);
                    lanes.prefetch(row.wrapping_add(task.keys.1.wrapping_mul(AHEAD)).cast());
                    let elements = R::key(lanes, row);
                    add::<L, R, Q, K>(lanes, &mut acc, next, elements, (q, task.width, lane));
                }
            }
            if whole < task.h {
                for (next, row) in rows.iter().enumerate() {
                    let row = rest(row.wrapping_add(whole), task.h - whole);
                    let elements = R::key(lanes, row.as_ptr());
                    add::<L, R, Q, K>(lanes, &mut acc, next, elements, (q, task.width, whole));
                }
            }
        }
        let sums = lanes.sums(acc);
        for query in 0..Q {
            scores[row + query][key..key + K].copy_from_slice(&sums[query * K..][..K]);
        }
    }
    Q
}

/// Adds a key's products with `Q` queries, which are `width` numbers apart, at `lane`.
///
/// # Safety
/// `q` can be read for a step at `lane` of each of the rows.
#[inline(always)]
unsafe fn add<L: Lanes, R: Reading<L>, const Q: usize, const K: usize>(
    lanes: L,
    acc: &mut [L::V; 8],
    key: usize,
    elements: [L::V; 2],
    (q, width, lane): (*const f32, usize, usize),
) {
    for query in 0..Q {
        let q = q.wrapping_add(query * width + lane / 2 * R::PARTS);
        let sum = &mut acc[query * K + key];
        for (part, element) in elements[..R::PARTS].iter().enumerate() {
            // SAFETY: the caller's promise.
            let q = unsafe { lanes.load(q.add(part * L::LANES)) };
            *sum = R::multiply_add(lanes, *sum, *element, q);
        }
    }
}

/// The rows of `K` keys from `key` on; the last before `end` stands in for those past it, whose
/// scores and numerators are overwritten and zero.
#[inline(always)]
fn neighbours<T, const K: usize>(
    (start, step): (*const T, usize),
    key: usize,
    end: usize,
) -> [*const T; K] {
    let mut rows = [start; K];
    for (next, row) in rows.iter_mut().enumerate() {
        *row = start.wrapping_add((key + next).min(end - 1) * step);
    }
    rows
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

/// Multiplies what belongs to the block's keys by their scales, if they have any.
#[inline(always)]
fn scale(scores: &mut [f32; BLOCK], scales: &[f32], first: usize, count: usize) {
    if !scales.is_empty() {
        for (score, scale) in scores[..count].iter_mut().zip(&scales[first..]) {
            *score *= scale;
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
        let now = lanes.largest(largest).max(top);
        let product = now * task.factor;
        // (score − base) · factor + zero, of which one is 0.
        let [minus_base, zero] = if is_ordinary(product) {
            [0.0, -product]
        } else {
            [-now, 0.0]
        };
        let (minus_base, zero) = (lanes.splat(minus_base), lanes.splat(zero));
        let factor = lanes.splat(task.factor);
        let mut sums = lanes.splat(0.0);
        for key in steps() {
            let score = lanes.add(lanes.load(scores.add(key)), minus_base);
            let numerator = lanes.exp2(lanes.mul_add(score, factor, zero));
            sums = lanes.add(sums, numerator);
            R::store(lanes, scores.add(key / R::KEYS), numerator);
        }
        let fade = fade(top, now, task.factor);
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
    for key in (0..count).step_by(GATHERED * R::KEYS) {
        let rows: [_; 2 * GATHERED] = neighbours(task.values, first + key, first + count);
        // SAFETY: whole steps are within the row, the rest is copied; `out` has `width` numbers a
        // row.
        unsafe {
            let mut elements = [[lanes.splat(0.0); 2]; GATHERED];
            for lane in (0..whole).step_by(pair) {
                for (next, elements) in elements.iter_mut().enumerate() {
                    let first = rows[next * R::KEYS].wrapping_add(lane);
                    let last = rows[next * R::KEYS + R::KEYS - 1].wrapping_add(lane);
                    lanes.prefetch(first.wrapping_add(task.values.1.wrapping_mul(AHEAD)).cast());
                    if R::KEYS == 2 {
                        lanes.prefetch(last.wrapping_add(task.values.1.wrapping_mul(AHEAD)).cast());
                    }
                    *elements = R::values(lanes, [first, last]);
                }
                weigh::<L, R>(lanes, task, (key, lane), &elements, scores);
            }
            if whole < task.h {
                for (next, elements) in elements.iter_mut().enumerate() {
                    let last = next * R::KEYS + R::KEYS - 1;
                    let rows = [rows[next * R::KEYS], rows[last]];
                    let rows = rows.map(|row| rest(row.wrapping_add(whole), task.h - whole));
                    *elements = R::values(lanes, [rows[0].as_ptr(), rows[1].as_ptr()]);
                }
                weigh::<L, R>(lanes, task, (key, whole), &elements, scores);
            }
        }
    }
}

/// Adds a step of the values from `key` on to the sums of all rows.
///
/// # Safety
/// The step is within `out`.
#[inline(always)]
unsafe fn weigh<L: Lanes, R: Reading<L>>(
    lanes: L,
    task: &mut Few<'_, R::Number>,
    (key, lane): (usize, usize),
    elements: &[[L::V; 2]; GATHERED],
    scores: &Scores,
) {
    let out = task.out.as_mut_ptr();
    for (row, scores) in scores.iter().enumerate().take(task.rows) {
        let out = out.wrapping_add(row * task.width + lane);
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [lanes.load(out), lanes.load(out.add(L::LANES))];
            for (next, elements) in elements.iter().enumerate() {
                let p = lanes.splat(scores[key / R::KEYS + next]);
                sums[0] = R::multiply_add(lanes, sums[0], p, elements[0]);
                sums[1] = R::multiply_add(lanes, sums[1], p, elements[1]);
            }
            lanes.store(out, sums[0]);
            lanes.store(out.add(L::LANES), sums[1]);
        }
    }
}
