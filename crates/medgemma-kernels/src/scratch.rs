//! Memory that a thread keeps between calls: pieces of work need some hundred kilobytes of it each
//! time, which the system would hand out page by page, zeroed.

use std::cell::Cell;

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
