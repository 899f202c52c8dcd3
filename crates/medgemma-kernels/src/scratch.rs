//! Memory that is kept between calls: pieces of work need some hundred kilobytes of it each time, whole
//! operations up to 64 MiB, which the system would hand out page by page, zeroed.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

use crate::lines::Line;

thread_local! {
    /// Free buffers of this thread, last used last: calls nest.
    static FREE: Cell<Vec<Vec<Line>>> = const { Cell::new(Vec::new()) };
}

/// Numbers from which on a buffer is of the process, not of the thread: a server's many threads, each
/// of which once read a long prompt, would keep as many of them.
const LARGE: usize = if cfg!(test) { 1 << 14 } else { 1 << 20 };

/// Free buffers of [`LARGE`] numbers and more, at most [`KEPT`].
static FREE_LARGE: Mutex<Vec<Vec<Line>>> = Mutex::new(Vec::new());

/// Large buffers that are kept: an operation has one, and seldom run more than two at a time.
const KEPT: usize = 2;

/// Calls `task` with `len` numbers of any content, beginning at a cache line.
pub(crate) fn with<R>(len: usize, task: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = taken(len);
    if buffer.len() < len.div_ceil(16) {
        buffer.resize(len.div_ceil(16), Line([0; 64]));
    }
    // SAFETY: a line is the bytes of 16 numbers, which have any value, and there are at least `len` numbers.
    let numbers = unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast(), len) };
    // So that nobody comes to rely on zeros.
    #[cfg(test)]
    numbers.fill(f32::NAN);
    let result = task(numbers);
    give_back(buffer, len);
    result
}

/// A buffer for `len` numbers, which may have to grow.
fn taken(len: usize) -> Vec<Line> {
    if len >= LARGE {
        let mut free = FREE_LARGE.lock().unwrap_or_else(PoisonError::into_inner);
        return free.pop().unwrap_or_default();
    }
    let mut free = FREE.take();
    let buffer = free.pop().unwrap_or_default();
    FREE.set(free);
    buffer
}

fn give_back(buffer: Vec<Line>, len: usize) {
    if len >= LARGE {
        let mut free = FREE_LARGE.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT {
            free.push(buffer);
        }
        return;
    }
    let mut free = FREE.take();
    free.push(buffer);
    FREE.set(free);
}

/// Calls `task` with `count` lines of any content.
#[cfg_attr(
    not(any(test, all(target_arch = "x86_64", target_os = "linux"))),
    expect(dead_code, reason = "only the tile unit's weights are kept in lines")
)]
pub(crate) fn with_lines<R>(count: usize, task: impl FnOnce(&mut [Line]) -> R) -> R {
    with(count * 16, |numbers| {
        // SAFETY: the same memory, which begins at a cache line; bytes have any value.
        task(unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), count) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(buffers: &[Vec<Line>]) -> usize {
        buffers.iter().map(|buffer| size_of_val(&buffer[..])).sum()
    }

    #[test]
    fn threads_keep_little_and_the_process_two_large_buffers() {
        let all_hold_one = std::sync::Barrier::new(5);
        std::thread::scope(|threads| {
            for _ in 0..5 {
                threads.spawn(|| {
                    with(LARGE, |numbers| {
                        assert_eq!(numbers.len(), LARGE);
                        all_hold_one.wait();
                    });
                    with(LARGE - 1, |outer| {
                        with(100, |inner| inner.copy_from_slice(&outer[..100]))
                    });
                    let free = FREE.take();
                    assert_eq!(free.len(), 2);
                    assert!(bytes(&free) < 4 * LARGE + 4 * 200, "{} bytes", bytes(&free));
                });
            }
        });
        let free = FREE_LARGE.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(free.len() <= KEPT, "{}", free.len());
    }
}
