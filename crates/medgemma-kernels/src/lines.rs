//! Cache lines, in memory that is kept for the next call: packed activations are megabytes each
//! time, which the system would hand out page by page, zeroed.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// 64 bytes where a cache line is.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [u8; 64]);

/// Fewer lines than this, 128 kB, an allocator keeps by itself.
const LEAST: usize = 1 << 11;

/// Lines that are kept at most: 64 MB.
const MOST: usize = 1 << 20;

/// The largest that was given back: calls with many rows come one at a time.
static SPARE: Mutex<Vec<Line>> = Mutex::new(Vec::new());

/// Lines, given back when dropped.
pub(crate) struct Lines {
    /// At least `count`: those beyond stay, or they would be zeroed again where more are asked for.
    lines: Vec<Line>,
    count: usize,
}

impl Lines {
    /// `count` lines of any content.
    pub(crate) fn any(count: usize) -> Self {
        let mut lines = Vec::new();
        if count >= LEAST {
            let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
            if spare.capacity() >= count {
                lines = std::mem::take(&mut *spare);
            }
        }
        if lines.len() < count {
            lines.resize(count, Line([0; 64]));
        }
        // No numbers, as floats: so that nobody comes to rely on zeros.
        #[cfg(test)]
        lines.fill(Line([0xff; 64]));
        Self { lines, count }
    }

    /// The lines as words of 4 bytes.
    pub(crate) fn words(&self) -> &[u32] {
        // SAFETY: the same memory; words need less alignment and have any value.
        unsafe { std::slice::from_raw_parts(self.as_ptr().cast(), self.count * 16) }
    }

    /// The lines as words of 4 bytes.
    pub(crate) fn words_mut(&mut self) -> &mut [u32] {
        // SAFETY: as for `words`.
        unsafe { std::slice::from_raw_parts_mut(self.as_mut_ptr().cast(), self.count * 16) }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if (LEAST..=MOST).contains(&self.lines.capacity()) {
            let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
            if spare.capacity() < self.lines.capacity() {
                *spare = std::mem::take(&mut self.lines);
            }
        }
    }
}

impl Deref for Lines {
    type Target = [Line];

    fn deref(&self) -> &[Line] {
        &self.lines[..self.count]
    }
}

impl DerefMut for Lines {
    fn deref_mut(&mut self) -> &mut [Line] {
        &mut self.lines[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::{LEAST, Lines};

    #[test]
    fn words_are_the_lines_and_begin_at_one() {
        for count in [1, 3, LEAST + 5, LEAST, LEAST + 9] {
            let mut lines = Lines::any(count);
            assert_eq!(lines.len(), count);
            assert_eq!(lines.words().len(), 16 * count);
            assert!(lines.words().as_ptr().addr().is_multiple_of(64));
            lines.words_mut()[16 * count - 1] = 0x0403_0201;
            assert_eq!(lines[count - 1].0[60..], 0x0403_0201_u32.to_ne_bytes());
        }
    }
}
