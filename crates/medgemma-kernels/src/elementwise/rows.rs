//! Cutting an output into blocks of whole rows for the thread pool.

use std::marker::PhantomData;

use crate::cpu::Cpu;

/// Numbers of one piece: some microseconds of work, which is what handing it over costs. An output
/// of no more is done by the caller alone, and wakes nobody.
const PIECE: usize = 16 << 10;

/// Calls `task` with every block of whole rows of `out` and the index of its first row, in any
/// order, on several threads.
pub(crate) fn for_rows(
    cpu: &Cpu,
    out: &mut [f32],
    cols: usize,
    task: &(dyn Fn(usize, &mut [f32]) + Sync),
) {
    if out.is_empty() {
        return;
    }
    let rows = out.len() / cols;
    let block = (PIECE / cols).max(1);
    if rows <= block {
        return task(0, out);
    }
    let cells = Cells::new(out);
    cpu.pool().run(rows.div_ceil(block), &|piece| {
        let first = piece * block;
        let last = (first + block).min(rows);
        // SAFETY: the pool runs each piece once, and pieces have no row in common.
        let rows = unsafe { cells.slice(first * cols, last * cols) };
        task(first, rows);
    });
}

/// [`for_rows`] where a row is one number: `task` gets the index of the first.
pub(crate) fn for_numbers(cpu: &Cpu, out: &mut [f32], task: &(dyn Fn(usize, &mut [f32]) + Sync)) {
    for_rows(cpu, out, 1, task);
}

/// A borrowed slice whose parts are handed to several threads.
struct Cells<'a> {
    start: *mut f32,
    len: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: it stands for `&mut [f32]`; `slice` asks its caller that parts do not overlap.
unsafe impl Sync for Cells<'_> {}

impl<'a> Cells<'a> {
    fn new(cells: &'a mut [f32]) -> Self {
        Self {
            start: cells.as_mut_ptr(),
            len: cells.len(),
            borrow: PhantomData,
        }
    }

    /// The numbers `first..last`.
    ///
    /// # Safety
    /// No two slices that live at the same time have a number in common.
    #[expect(
        clippy::mut_from_ref,
        reason = "that parts are disjoint is the safety condition"
    )]
    unsafe fn slice(&self, first: usize, last: usize) -> &mut [f32] {
        assert!(first <= last && last <= self.len, "a part of the output");
        // SAFETY: in bounds as just checked, borrowed for `'a`, and disjoint by the caller's word.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(first), last - first) }
    }
}
