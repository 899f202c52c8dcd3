//! The matrix product of a tile: out = fade · out + A · B, with one or two vectors of columns.
//!
//! Both products of attention are this one. Scores: A the keys as they lie, B the queries, a
//! column each. Values: A the values, read lane by lane, B the numerators of the softmax. An
//! element is an f32, or a pair of bf16 along the summed axis.

use crate::attention::lanes::Lanes;

/// Bytes of an element, f32 or a pair of bf16.
pub(in crate::attention) const ELEMENT: usize = 4;

/// Operands. B is `[depth][width]` elements, out `[rows][width]` f32. One of A's steps is [`ELEMENT`].
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

/// Steps along the depth that share the addresses they are read from. To compute one for each element took a
/// seventh of the time with AVX2, where a neighbour shared the core.
const UNROLL: usize = 4;

/// # Safety
/// The operands have the extents and strides that `task` says; `out` overlaps none.
#[inline(always)]
pub(in crate::attention) unsafe fn product<L: Lanes, M: Multiply<L>>(lanes: L, task: &Product) {
    // The step that is known is told to the compiler as a number, which instructions then hold as an offset.
    let transposed = task.row_step == ELEMENT;
    assert!(
        transposed || task.depth_step == ELEMENT,
        "elements side by side"
    );
    // SAFETY: the caller's promise, and what was seen here.
    unsafe {
        match (task.width == L::LANES, transposed) {
            (true, true) => all_rows::<L, M, 1, true>(lanes, task),
            (true, false) => all_rows::<L, M, 1, false>(lanes, task),
            (false, true) => all_rows::<L, M, 2, true>(lanes, task),
            (false, false) => all_rows::<L, M, 2, false>(lanes, task),
        }
    }
}

/// # Safety
/// As for [`product`], with `V` vectors of columns; elements that follow each other are those of the same
/// depth if A lies `TRANSPOSED`, else those of a row.
#[inline(always)]
unsafe fn all_rows<L: Lanes, M: Multiply<L>, const V: usize, const TRANSPOSED: bool>(
    lanes: L,
    task: &Product,
) {
    let mut row = 0;
    // As many rows at once as the registers hold sums of; what is left in smaller steps.
    // SAFETY: in each step the rows are within A and `out`; the rest is the caller's promise.
    unsafe {
        if L::MANY {
            while row + 12 <= task.rows {
                rows::<L, M, V, TRANSPOSED, 12>(lanes, task, row);
                row += 12;
            }
            if row + 8 <= task.rows {
                rows::<L, M, V, TRANSPOSED, 8>(lanes, task, row);
                row += 8;
            }
        } else {
            while row + 6 <= task.rows {
                rows::<L, M, V, TRANSPOSED, 6>(lanes, task, row);
                row += 6;
            }
        }
        if row + 4 <= task.rows {
            rows::<L, M, V, TRANSPOSED, 4>(lanes, task, row);
            row += 4;
        }
        while row < task.rows {
            rows::<L, M, V, TRANSPOSED, 1>(lanes, task, row);
            row += 1;
        }
    }
}

/// # Safety
/// As for [`all_rows`]; rows `first` to `first + ROWS` exist.
#[inline(always)]
unsafe fn rows<
    L: Lanes,
    M: Multiply<L>,
    const V: usize,
    const TRANSPOSED: bool,
    const ROWS: usize,
>(
    lanes: L,
    task: &Product,
    first: usize,
) {
    let width = V * L::LANES;
    let (row_step, depth_step) = if TRANSPOSED {
        (ELEMENT, task.depth_step)
    } else {
        (task.row_step, ELEMENT)
    };
    let mut acc = [[lanes.splat(0.0); V]; ROWS];
    // SAFETY: within A, B and `out`, by the caller's promise.
    unsafe {
        let a = task.a.add(first * row_step);
        let mut at = 0;
        while at < task.depth {
            let place = (a.add(at * depth_step), task.b.add(at * width));
            if at + UNROLL <= task.depth {
                elements::<L, M, V, ROWS, UNROLL>(lanes, place, (row_step, depth_step), &mut acc);
                at += UNROLL;
            } else {
                elements::<L, M, V, ROWS, 1>(lanes, place, (row_step, depth_step), &mut acc);
                at += 1;
            }
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

/// Adds the products of the next `COUNT` elements along the depth, from `a` and `b` on.
///
/// # Safety
/// `ROWS` rows of A, and B, have `COUNT` more.
#[inline(always)]
unsafe fn elements<
    L: Lanes,
    M: Multiply<L>,
    const V: usize,
    const ROWS: usize,
    const COUNT: usize,
>(
    lanes: L,
    (a, b): (*const u8, *const f32),
    (row_step, depth_step): (usize, usize),
    acc: &mut [[L::V; V]; ROWS],
) {
    for at in 0..COUNT {
        let mut columns = [lanes.splat(0.0); V];
        for (vector, column) in columns.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *column = unsafe { lanes.load(b.add((at * V + vector) * L::LANES)) };
        }
        for (row, acc) in acc.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            let element = unsafe {
                let place = a.add(row * row_step + at * depth_step);
                place.cast::<f32>().read_unaligned()
            };
            let element = lanes.splat(element);
            for (acc, column) in acc.iter_mut().zip(&columns) {
                *acc = M::multiply_add(lanes, *acc, element, *column);
            }
        }
    }
}
