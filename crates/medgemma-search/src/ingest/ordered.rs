//! Work on several threads whose results come in order, while no thread runs far ahead.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// The next piece of work that nobody has begun.
    next: usize,
    /// The next result that is wanted.
    wanted: usize,
    results: BTreeMap<usize, T>,
    stop: bool,
}

impl<T> Shared<T> {
    /// Nothing is begun, and the first result is wanted.
    fn new() -> Self {
        Self {
            state: Mutex::new(State {
                next: 0,
                wanted: 0,
                results: BTreeMap::new(),
                stop: false,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State<T>>,
        until: impl Fn(&State<T>) -> bool,
    ) -> MutexGuard<'a, State<T>> {
        let waited = self.changed.wait_while(state, |state| !until(state));
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// The next of `count` pieces of work, as soon as it is less than `width` ahead of what is wanted; `None`
    /// when there is no more to begin.
    fn begin(&self, count: usize, width: usize) -> Option<usize> {
        let may_begin = |state: &State<T>| {
            state.stop || state.next >= count || state.next < state.wanted.saturating_add(width)
        };
        let mut state = self.wait(self.lock(), may_begin);
        if state.stop || state.next >= count {
            return None;
        }
        let index = state.next;
        state.next += 1;
        Some(index)
    }

    /// Hands in a result, and wakes whoever waits for it.
    fn put(&self, index: usize, result: T) {
        self.lock().results.insert(index, result);
        self.changed.notify_all();
    }

    /// The result of this piece of work, which is waited for; the next one is wanted from then on. `None` when
    /// the work was stopped before.
    fn take(&self, index: usize) -> Option<T> {
        let is_there = |state: &State<T>| state.stop || state.results.contains_key(&index);
        let mut state = self.wait(self.lock(), is_there);
        let result = state.results.remove(&index)?;
        state.wanted = index + 1;
        drop(state);
        self.changed.notify_all();
        Some(result)
    }
}

/// Ends the others' work when its thread ends, by a panic too: nobody may wait for ever.
struct Stop<'a, T>(&'a Shared<T>);

impl<T> Drop for Stop<'_, T> {
    fn drop(&mut self) {
        self.0.lock().stop = true;
        self.0.changed.notify_all();
    }
}

/// Calls `work` with each of `0..count` on `threads` threads and `each` with the results, in order,
/// on the calling thread, until that says no. Work begins less than `width` ahead of `each`.
pub(super) fn run<T: Send>(
    threads: usize,
    count: usize,
    width: usize,
    work: impl Fn(usize) -> T + Sync,
    mut each: impl FnMut(usize, T) -> bool,
) -> Result<()> {
    let shared = Shared::new();
    let worker = || {
        let panicked = Stop(&shared);
        while let Some(index) = shared.begin(count, width) {
            shared.put(index, work(index));
        }
        // The others go on with what they have begun.
        std::mem::forget(panicked);
    };
    std::thread::scope(|scope| {
        let _stop = Stop(&shared);
        for started in 0..threads {
            let thread = std::thread::Builder::new().name(format!("medgemma-ingest-{started}"));
            match thread.spawn_scoped(scope, worker) {
                Ok(_) => {}
                // Fewer do as well.
                Err(_) if started > 0 => break,
                Err(source) => return Err(Error::Thread { source }),
            }
        }
        for index in 0..count {
            // Nobody else stops the work but a worker's panic, which the scope passes on.
            let Some(result) = shared.take(index) else {
                break;
            };
            if !each(index, result) {
                break;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::run;

    #[test]
    fn results_come_in_order_and_work_is_not_far_ahead() {
        for threads in [1, 2, 5] {
            for width in [1, 2, 7, 100] {
                let (wanted, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
                let most_ahead = AtomicUsize::new(0);
                let mut seen = Vec::new();
                let work = |index: usize| {
                    let ahead = index.saturating_sub(wanted.load(Ordering::SeqCst));
                    most_ahead.fetch_max(ahead, Ordering::SeqCst);
                    // Some take long, so that a later one overtakes them where one can.
                    let slow = index.is_multiple_of(5) && threads.min(width) > 1;
                    while slow && done.load(Ordering::SeqCst) <= index {
                        std::thread::yield_now();
                    }
                    done.fetch_max(index, Ordering::SeqCst);
                    index * 3
                };
                // Nothing here panics: whoever waits above would wait for ever.
                run(threads, 60, width, work, |index, result| {
                    seen.push((index, result));
                    wanted.store(index + 1, Ordering::SeqCst);
                    true
                })
                .expect("threads");
                let expected: Vec<_> = (0..60).map(|index| (index, index * 3)).collect();
                assert_eq!(seen, expected);
                // One more than the width, since `each` counts after it was called.
                let ahead = most_ahead.into_inner();
                assert!(ahead <= width, "{ahead} ahead");
            }
        }
    }

    #[test]
    fn no_width_is_too_large() {
        let taken = AtomicUsize::new(0);
        // Each piece waits for the result before it to be taken, so that work begins after that too.
        let work = |index: usize| {
            while taken.load(Ordering::SeqCst) < index {
                std::thread::yield_now();
            }
            index
        };
        run(1, 20, usize::MAX, work, |index, result| {
            assert_eq!(index, result);
            taken.store(index + 1, Ordering::SeqCst);
            true
        })
        .expect("threads");
        assert_eq!(taken.into_inner(), 20);
    }

    #[test]
    fn it_ends_when_told_and_when_something_panics() {
        let mut calls = 0;
        run(
            3,
            1_000_000,
            4,
            |index| index,
            |index, _| {
                calls += 1;
                index < 10
            },
        )
        .expect("threads");
        assert_eq!(calls, 11);
        let of_work = || run(3, 100, 4, |index| assert_ne!(index, 20), |_, ()| true);
        assert!(catch_unwind(AssertUnwindSafe(of_work)).is_err());
        let of_each = || {
            run(
                3,
                100,
                4,
                |index| index,
                |index, _| index / (20 - index) < 99,
            )
        };
        assert!(catch_unwind(AssertUnwindSafe(of_each)).is_err());
        run(2, 0, 4, |_| (), |_, ()| unreachable!("nothing to do")).expect("threads");
    }
}
