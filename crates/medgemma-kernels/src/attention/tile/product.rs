//! The matrix product of a tile: out = fade · out + A · B, with one or two vectors of columns.
//!
//! Both products of attention are this one. Scores: A the keys as they lie, B the queries, a
//! column each. Values: A the values, read lane by lane, B the numerators of the softmax. An
//! element is an f32, or a pair of bf16 along the summed axis.

use crate::attention::lanes::Lanes;

/// Operands. B is `[depth][width]` elements, out `[rows][width]` f32.
pub(in crate::attention) struct Product {
    /// Element (0, 0) of A, at any alignment.
    pub(in crate::attention) a: *const u8,
    /// Bytes from a row of A to the next.
    pub(in crate::attention) row_step: usize,
    /// Bytes from an element of a row to the next.
    pub(in crate::attention) depth_step: usize,
    /// One or two vectors' numbers.
    pub(in crate::attention) width: usize,
    pub(in crate::attention) rows: usize,
    pub(in crate::attention) depth: usize,
    pub(in crate::attention) b: *const f32,
    pub(in crate::attention) out: *mut f32,
    /// A factor for each column of what is in `out`; null to take it as zero without reading it.
    pub(in crate::attention) fade: *const f32,
}

/// How elements are multiplied.
pub(in crate::attention) trait Multiply<L: Lanes> {
    /// `acc` + a · b in each lane; the bits of the vectors are elements.
    fn multiply_add(lanes: L, acc: L::V, a: L::V, b: L::V) -> L::V;
}

/// Elements are f32.
pub(in crate::attention) struct Singles;

impl<L: Lanes> Multiply<L> for Singles {
    #[inline(always)]
    fn multiply_add(lanes: L, acc: L::V, a: L::V, b: L::V) -> L::V {
        lanes.mul_add(a, b, acc)
    }
}

/// # Safety
/// The operands have the extents and strides that `task` says; `out` overlaps none.
#[inline(always)]
pub(in crate::attention) unsafe fn product<L: Lanes, M: Multiply<L>>(lanes: L, task: &Product) {
    // SAFETY: the caller's promise.
    unsafe {
        if task.width == L::LANES {
            all_rows::<L, M, 1>(lanes, task);
        } else {
            all_rows::<L, M, 2>(lanes, task);
        }
    }
}

/// # Safety
/// As for [`product`], with `V` vectors of columns.
#[inline(always)]
unsafe fn all_rows<L: Lanes, M: Multiply<L>, const V: usize>(lanes: L, task: &Product) {
    let mut row = 0;
    // As many rows at once as the registers hold sums of; what is left in smaller steps.
    // SAFETY: in each step the rows are within A and `out`; the rest is the caller's promise.
    unsafe {
        if L::MANY {
            while row + 12 <= task.rows {
                rows::<L, M, V, 12>(lanes, task, row);
                row += 12;
            }
            if row + 8 <= task.rows {
                rows::<L, M, V, 8>(lanes, task, row);
                row += 8;
            }
        } else {
            while row + 6 <= task.rows {
                rows::<L, M, V, 6>(lanes, task, row);
                row += 6;
            }
        }
        if row + 4 <= task.rows {
            rows::<L, M, V, 4>(lanes, task, row);
            row += 4;
        }
        while row < task.rows {
            rows::<L, M, V, 1>(lanes, task, row);
            row += 1;
        }
    }
}

/// # Safety
/// As for [`all_rows`]; rows `first` to `first + ROWS` exist.
#[inline(always)]
unsafe fn rows<L: Lanes, M: Multiply<L>, const V: usize, const ROWS: usize>(
    lanes: L,
    task: &Product,
    first: usize,
) {
    let width = V * L::LANES;
    let mut acc = [[lanes.splat(0.0); V]; ROWS];
    // SAFETY: within A, B and `out`, by the caller's promise.
    unsafe {
        let mut a = task.a.add(first * task.row_step);
        let mut b = task.b;
        for _ in 0..task.depth {
            let mut columns = [lanes.splat(0.0); V];
            for (vector, column) in columns.iter_mut().enumerate() {
                *column = lanes.load(b.add(vector * L::LANES));
            }
            for (row, acc) in acc.iter_mut().enumerate() {
                let element = a.add(row * task.row_step).cast::<f32>().read_unaligned();
                let element = lanes.splat(element);
                for (acc, column) in acc.iter_mut().zip(&columns) {
                    *acc = M::multiply_add(lanes, *acc, element, *column);
                }
            }
            // After the last step this may be beyond the storage: a step of values is a row's stride.
            a = a.wrapping_add(task.depth_step);
            b = b.add(width);
        }
        for (row, acc) in acc.iter().enumerate() {
            for (vector, acc) in acc.iter().enumerate() {
                let out = task.out.add((first + row) * width + vector * L::LANES);
                let sum = if task.fade.is_null() {
                    *acc
                } else {
                    let fade = lanes.load(task.fade.add(vector * L::LANES));
                    lanes.mul_add(lanes.load(out), fade, *acc)
                };
                lanes.store(out, sum);
            }
        }
    }
}
