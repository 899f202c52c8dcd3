//! Cutting an output into blocks of whole rows for the thread pool.

use crate::cells::Cells;
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
        let rows = unsafe { cells.part(first * cols, (last - first) * cols) };
        task(first, rows);
    });
}

/// [`for_rows`] where a row is one number: `task` gets the index of the first.
pub(crate) fn for_numbers(cpu: &Cpu, out: &mut [f32], task: &(dyn Fn(usize, &mut [f32]) + Sync)) {
    for_rows(cpu, out, 1, task);
}

/// [`for_rows`] of two outputs: `task` gets the same rows of both.
pub(crate) fn for_rows_of_both(
    cpu: &Cpu,
    [one, two]: [&mut [f32]; 2],
    cols: usize,
    task: &(dyn Fn(&mut [f32], &mut [f32]) + Sync),
) {
    assert_eq!(one.len(), two.len(), "two outputs of one shape");
    let two = Cells::new(two);
    for_rows(cpu, one, cols, &|first, one| {
        // SAFETY: `for_rows` gives each row once.
        task(one, unsafe { two.part(first * cols, one.len()) });
    });
}
