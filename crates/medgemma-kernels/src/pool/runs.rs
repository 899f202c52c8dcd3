//! Pieces of work in runs, one for each thread.
//!
//! Neighbouring pieces are neighbours in memory, and a processor fetches ahead of a thread that reads
//! on without a gap; where pieces write, neighbours have lines of memory in common at their border,
//! which two threads would take from each other. So each thread works along a run of pieces, and one
//! that is done takes the farther half of another's run. Against pieces handed out in turn, two
//! threads that did nothing but read went from 35 to 50 GB/s where nobody else used the memory; where
//! others did, whole products became some 8 % faster.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is left of some pieces: a run for each thread.
pub(crate) struct Runs(Box<[Run]>);

impl Runs {
    /// Empty runs for `threads` threads. Zero counts as one.
    pub(super) fn new(threads: usize) -> Self {
        Self((0..threads.max(1)).map(|_| Run::default()).collect())
    }

    /// Equal runs of `0..pieces` for `threads` threads.
    ///
    /// # Panics
    /// When the pieces cannot be counted in 32 bits.
    #[cfg_attr(
        not(any(test, all(target_arch = "x86_64", target_os = "linux"))),
        expect(dead_code, reason = "only the tile unit hands out pieces by itself")
    )]
    pub(crate) fn of(pieces: usize, threads: usize) -> Self {
        let runs = Self::new(threads);
        let pieces = u32::try_from(pieces).expect("pieces in 32 bits");
        runs.deal(0..pieces, threads.max(1));
        runs
    }

    /// Gives each of the first `threads` threads an equal run of `pieces`, and none to the others.
    pub(super) fn deal(&self, pieces: Range<u32>, threads: usize) {
        let len = u64::from(pieces.end - pieces.start);
        let share = |thread: usize| {
            let before = len * thread.min(threads) as u64 / threads as u64;
            u32::try_from(before).map_or(pieces.end, |before| pieces.start + before)
        };
        for (thread, run) in self.0.iter().enumerate() {
            run.put(share(thread)..share(thread + 1));
        }
    }

    /// The next piece for `thread`: of its own run, then of others'. Each thread asks for itself alone.
    pub(crate) fn next(&self, thread: usize) -> Option<usize> {
        let own = &self.0[thread];
        loop {
            if let Some(piece) = own.first() {
                return Some(piece as usize);
            }
            // The next thread's first, so that not all rob the same.
            let (before, after) = self.0.split_at(thread);
            let mut others = after.iter().chain(before).skip(1);
            own.put(others.find_map(Run::farther_half)?);
        }
    }
}

/// Pieces that a thread has not begun, `begin << 32 | end`. On a cache line of its own: its thread
/// writes it at every piece.
#[derive(Default)]
#[repr(align(64))]
struct Run(AtomicU64);

impl Run {
    /// Only its thread puts pieces into a run, when it is empty; or who deals, when nobody else has
    /// the runs. What is done with the pieces is handed over by the operation's end, so nothing here
    /// orders it.
    fn put(&self, pieces: Range<u32>) {
        let both = u64::from(pieces.start) << 32 | u64::from(pieces.end);
        self.0.store(both, Ordering::Relaxed);
    }

    /// Takes its first piece.
    fn first(&self) -> Option<u32> {
        let taken = self.take(|begin, end| (begin + 1, end))?;
        Some(taken.start)
    }

    /// Takes the farther half, the only piece included.
    fn farther_half(&self) -> Option<Range<u32>> {
        let middle = |begin: u32, end: u32| begin + (end - begin) / 2;
        let taken = self.take(|begin, end| (begin, middle(begin, end)))?;
        Some(middle(taken.start, taken.end)..taken.end)
    }

    /// Leaves what `rest` says of the pieces, if there are any: what there was.
    fn take(&self, rest: impl Fn(u32, u32) -> (u32, u32)) -> Option<Range<u32>> {
        #[expect(clippy::cast_possible_truncation, reason = "two halves of 32 bits")]
        let parts = |both: u64| ((both >> 32) as u32, both as u32);
        let left = |both| {
            let (begin, end) = parts(both);
            (begin < end).then(|| {
                let (begin, end) = rest(begin, end);
                u64::from(begin) << 32 | u64::from(end)
            })
        };
        let there = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left)
            .ok()?;
        let (begin, end) = parts(there);
        Some(begin..end)
    }
}

#[cfg(test)]
mod tests {
    use super::Runs;

    #[test]
    fn each_thread_goes_along_its_run_and_then_takes_the_farther_half_of_anothers() {
        let runs = Runs::of(10, 2);
        let next = |thread| runs.next(thread);
        assert_eq!([0, 1, 0].map(next), [Some(0), Some(5), Some(1)]);
        // The second is done with its own: 2, 3 and 4 are left of the first, of which it takes two.
        assert_eq!([1; 5].map(next), [6, 7, 8, 9, 3].map(Some));
        assert_eq!([0, 0].map(next), [Some(2), Some(4)]);
        assert_eq!([0, 1].map(next), [None, None]);
    }

    #[test]
    fn one_thread_alone_takes_all_pieces() {
        for (pieces, threads) in [(0, 1), (1, 3), (2, 3), (100, 7)] {
            let runs = Runs::of(pieces, threads);
            let mut taken: Vec<_> = std::iter::from_fn(|| runs.next(0)).collect();
            taken.sort_unstable();
            assert!(taken.into_iter().eq(0..pieces), "{pieces} for {threads}");
        }
    }
}
