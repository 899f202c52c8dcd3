//! Cache lines, in memory that is kept for the next call: packed activations are megabytes each
//! time, which the system would hand out page by page, zeroed.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// 64 bytes where a cache line is.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [u8; 64]);

/// The bytes of lines.
#[cfg_attr(
    not(any(test, all(target_arch = "x86_64", target_os = "linux"))),
    expect(dead_code, reason = "only the tile unit's tokens are turned")
)]
pub(crate) fn bytes(lines: &[Line]) -> &[u8] {
    // SAFETY: the same memory; bytes have no alignment and any value.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), size_of_val(lines)) }
}

/// Fewer lines than this, 128 kB, an allocator keeps by itself.
const LEAST: usize = 1 << 11;

/// Lines that are kept at most, in all: 64 MB.
const MOST: usize = 1 << 20;

static SPARE: Mutex<Spare> = Mutex::new(Spare(Vec::new()));

/// What was given back, the longest unused first.
struct Spare(Vec<Vec<Line>>);

impl Spare {
    /// The smallest that has `count` lines.
    fn take(&mut self, count: usize) -> Option<Vec<Line>> {
        let fitting = self.0.iter().enumerate();
        let fitting = fitting.filter(|(_, lines)| lines.len() >= count);
        let (index, _) = fitting.min_by_key(|(_, lines)| lines.len())?;
        Some(self.0.remove(index))
    }

    /// Keeps lines, and frees those that are then too many.
    fn put(&mut self, lines: Vec<Line>) {
        self.0.push(lines);
        while self.0.iter().map(Vec::len).sum::<usize>() > MOST {
            self.0.remove(0);
        }
    }
}

/// Lines, given back when dropped.
pub(crate) struct Lines {
    /// At least as many as are wanted: to shorten it would mean to fill it again.
    lines: Vec<Line>,
    count: usize,
}

impl Lines {
    /// `count` lines of any content.
    pub(crate) fn any(count: usize) -> Self {
        let mut lines = if count < LEAST {
            Vec::new()
        } else {
            let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
            spare.take(count).unwrap_or_default()
        };
        if lines.len() < count {
            lines = vec![Line([0; 64]); count];
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

    /// The lines as two halves of 16 numbers of 2 bytes each.
    #[cfg_attr(
        not(any(test, all(target_arch = "x86_64", target_os = "linux"))),
        expect(
            dead_code,
            reason = "only the tile unit's tokens are written in halves"
        )
    )]
    pub(crate) fn halves_mut(&mut self) -> &mut [[u16; 16]] {
        // SAFETY: the same memory; numbers need less alignment and have any value.
        unsafe { std::slice::from_raw_parts_mut(self.as_mut_ptr().cast(), self.count * 2) }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if (LEAST..=MOST).contains(&self.lines.len()) {
            let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
            spare.put(std::mem::take(&mut self.lines));
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
    use super::{LEAST, Line, Lines, MOST, Spare};

    #[test]
    fn the_smallest_that_fits_is_taken_and_the_longest_unused_freed() {
        let mut spare = Spare(Vec::new());
        let lengths = |spare: &Spare| spare.0.iter().map(Vec::len).collect::<Vec<_>>();
        for count in [5, 2, 3] {
            spare.put(vec![Line([0; 64]); count]);
        }
        assert_eq!(spare.take(3).map(|lines| lines.len()), Some(3));
        assert!(spare.take(6).is_none());
        assert_eq!(lengths(&spare), [5, 2]);
        spare.put(vec![Line([0; 64]); MOST - 4]);
        assert_eq!(lengths(&spare), [2, MOST - 4]);
        spare.put(vec![Line([0; 64]); MOST]);
        assert_eq!(lengths(&spare), [MOST]);
    }

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
