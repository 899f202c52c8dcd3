//! A slice whose parts are written by several threads at once.

use std::marker::PhantomData;
use std::ops::Range;

/// A borrowed slice to hand parts of to different threads.
pub(super) struct Shared<'a> {
    start: *mut f32,
    len: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: it stands for `&mut [f32]`; `part` asks its callers that parts do not overlap.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(super) fn new(slice: &'a mut [f32]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            len: slice.len(),
            borrow: PhantomData,
        }
    }

    /// The numbers of `range`.
    ///
    /// # Panics
    /// When they are not within the slice.
    ///
    /// # Safety
    /// Parts that are in use at the same time do not overlap.
    #[expect(
        clippy::mut_from_ref,
        reason = "that is the point; callers promise that parts do not overlap"
    )]
    pub(super) unsafe fn part(&self, range: Range<usize>) -> &mut [f32] {
        assert!(
            range.start <= range.end && range.end <= self.len,
            "a part of the slice"
        );
        // SAFETY: within the slice that `start` came from, by the assertion; not aliased, by the
        // caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}
