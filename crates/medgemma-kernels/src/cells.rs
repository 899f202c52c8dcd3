//! A borrowed slice whose parts are handed to several threads.

use std::marker::PhantomData;

/// Stands for `&mut [T]` among threads that each take parts of their own.
pub(crate) struct Cells<'a, T> {
    start: *mut T,
    len: usize,
    borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: it stands for `&mut [T]`, which may be sent where `T` may; `part` asks its caller that
// parts do not overlap.
unsafe impl<T: Send> Sync for Cells<'_, T> {}

impl<'a, T> Cells<'a, T> {
    pub(crate) fn new(cells: &'a mut [T]) -> Self {
        Self {
            start: cells.as_mut_ptr(),
            len: cells.len(),
            borrow: PhantomData,
        }
    }

    /// The cells `first..first + len`.
    ///
    /// # Panics
    /// When they are not all within the slice.
    ///
    /// # Safety
    /// No two parts that live at the same time have a cell in common.
    #[expect(
        clippy::mut_from_ref,
        reason = "that parts are disjoint is the safety condition"
    )]
    pub(crate) unsafe fn part(&self, first: usize, len: usize) -> &mut [T] {
        assert!(
            first <= self.len && len <= self.len - first,
            "a part of the slice"
        );
        // SAFETY: in bounds as just checked, borrowed for `'a`, and disjoint by the caller's word.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(first), len) }
    }
}
