//! Memory that a thread keeps between calls: pieces of work need some hundred kilobytes of it each
//! time, which the system would hand out page by page, zeroed.

use std::cell::Cell;

use crate::lines;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

thread_local! {
    /// Free buffers of this thread, last used last: calls nest.
    static FREE: Cell<Vec<Vec<Line>>> = const { Cell::new(Vec::new()) };
}

/// Calls `task` with `len` numbers of any content, beginning at a cache line.
pub(crate) fn with<R>(len: usize, task: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut free = FREE.take();
    let mut buffer = free.pop().unwrap_or_default();
    FREE.set(free);
    if buffer.len() < len.div_ceil(16) {
        buffer.resize(len.div_ceil(16), Line([0.0; 16]));
    }
    // SAFETY: lines are arrays of numbers without gaps, and there are at least `len` numbers.
    let numbers = unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast(), len) };
    // So that nobody comes to rely on zeros.
    #[cfg(test)]
    numbers.fill(f32::NAN);
    let result = task(numbers);
    let mut free = FREE.take();
    free.push(buffer);
    FREE.set(free);
    result
}

/// Calls `task` with `count` lines of any content.
#[cfg_attr(
    not(any(test, all(target_arch = "x86_64", target_os = "linux"))),
    expect(dead_code, reason = "only the tile unit's weights are kept in lines")
)]
pub(crate) fn with_lines<R>(count: usize, task: impl FnOnce(&mut [lines::Line]) -> R) -> R {
    with(count * 16, |numbers| {
        // SAFETY: the same memory, which begins at a cache line; bytes have any value.
        task(unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), count) })
    })
}
