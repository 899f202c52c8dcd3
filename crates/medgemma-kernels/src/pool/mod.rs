//! A pool of threads that cut one operation into pieces, each beginning with a run of its own.
//!
//! A decoder's token is some hundreds of short operations, so handing work over must cost
//! microseconds; and a thread that the system has paused must not hold up the others for longer
//! than the one piece it had taken. Hence: many small pieces, a short spin while the next
//! operation may be coming, sleep after it, and a caller that works too and takes over everything
//! that nobody has begun.
//!
//! Each thread works along a run of neighbouring pieces: see [`runs`].

mod runs;

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

pub(crate) use runs::Runs;

/// Turns of the spin before a thread sleeps: 20–60 µs on the processors seen, about the gap
/// between two operations of a token.
const SPINS: u32 = 1 << 10;

/// A fixed number of threads, the caller's own among them.
///
/// Operations of different callers run one at a time; a caller who finds the pool taken does the
/// work alone instead of waiting, and so does an operation that is started inside of another.
pub struct Pool {
    shared: Arc<Shared>,
    taken: Mutex<()>,
    workers: Vec<JoinHandle<()>>,
}

type Task = dyn Fn(usize) + Sync;

struct Shared {
    /// Odd while an operation is open to helpers, even between operations.
    epoch: AtomicUsize,
    /// The open operation; written by the caller alone, while the epoch is even and nobody is
    /// inside.
    task: UnsafeCell<Option<*const Task>>,
    /// What is left of the open operation: a run for each thread, the caller's first.
    runs: Runs,
    /// Helpers that may be looking at `task`.
    inside: AtomicUsize,
    sleepers: AtomicUsize,
    stop: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
    panicked: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `task` is the only field that is not `Sync` by itself. It is written only by the holder
// of `Pool::taken` while the epoch is even and `inside` is zero, and read only by threads that have
// counted themselves into `inside` and then seen the epoch odd (see `Shared::help`).
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer itself is only ever used while the closure behind it is borrowed.
unsafe impl Send for Shared {}

impl Pool {
    /// A pool of `threads` threads, of which one is whoever calls [`Pool::run`]. Zero counts as
    /// one. Where the system refuses a thread, the pool has fewer.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            epoch: AtomicUsize::new(0),
            task: UnsafeCell::new(None),
            runs: Runs::new(threads),
            inside: AtomicUsize::new(0),
            sleepers: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            lock: Mutex::new(()),
            wake: Condvar::new(),
            panicked: Mutex::new(None),
        });
        let workers = (1..threads)
            .map_while(|index| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new()
                    .name(format!("medgemma-{index}"))
                    .spawn(move || shared.serve(index))
                    .ok()
            })
            .collect();
        Self {
            shared,
            taken: Mutex::new(()),
            workers,
        }
    }

    /// Threads that work on an operation, the caller's included.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `task` once for each of `0..pieces`, in any order, on several threads, and returns
    /// when all calls have.
    ///
    /// # Panics
    /// With the panic of a piece, once no thread works on the operation any more.
    pub fn run(&self, pieces: usize, task: &(dyn Fn(usize) + Sync)) {
        let alone = self.workers.is_empty() || pieces < 2;
        match (self.taken.try_lock(), u32::try_from(pieces)) {
            (Ok(_guard), Ok(pieces)) if !alone => self.run_shared(pieces, task),
            _ => (0..pieces).for_each(task),
        }
    }

    fn run_shared(&self, pieces: u32, task: &(dyn Fn(usize) + Sync)) {
        let shared = &*self.shared;
        // SAFETY: this only forgets the borrow's lifetime. The pointer is cleared, and every helper
        // is known to have left, before this function returns (`Closing::drop`).
        let erased =
            unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const Task>(task) };
        // SAFETY: `taken` is held, the epoch is even and nobody is inside: the last operation's
        // `Closing` saw to both.
        unsafe { *shared.task.get() = Some(erased) };
        shared.runs.deal(pieces, self.threads());
        shared.epoch.fetch_add(1, Ordering::SeqCst);
        if shared.sleepers.load(Ordering::SeqCst) > 0 {
            drop(shared.lock.lock().unwrap_or_else(PoisonError::into_inner));
            shared.wake.notify_all();
        }
        {
            let mut closing = Closing {
                shared,
                give_up: true,
            };
            shared.work(0, task);
            closing.give_up = false;
        }
        let panicked = shared
            .panicked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(payload) = panicked {
            resume_unwind(payload);
        }
    }
}

/// Ends an operation, also when the caller's own piece panics: nobody may hold the closure after.
struct Closing<'a> {
    shared: &'a Shared,
    /// Whether pieces that nobody has begun are dropped. Not otherwise: a helper may just now be
    /// putting what it took from another's run into its own.
    give_up: bool,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let shared = self.shared;
        if self.give_up {
            shared.runs.deal(0, 1);
        }
        shared.epoch.fetch_add(1, Ordering::SeqCst);
        let mut spins = 0;
        while shared.inside.load(Ordering::SeqCst) > 0 {
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                // A helper has been paused inside of its piece; its processor may be this one.
                std::thread::yield_now();
            }
        }
        // SAFETY: the epoch is even and nobody is inside.
        unsafe { *shared.task.get() = None };
    }
}

impl Shared {
    /// Takes pieces until none is left: those of `thread`, then others'.
    fn work(&self, thread: usize, task: &(dyn Fn(usize) + Sync)) {
        while let Some(piece) = self.runs.next(thread) {
            task(piece);
        }
    }

    /// A helper's life.
    fn serve(&self, thread: usize) {
        let mut seen = 0;
        while let Some(epoch) = self.await_operation(seen) {
            seen = epoch;
            self.help(epoch, thread);
        }
    }

    /// Works on the operation of `epoch` if it is still open.
    fn help(&self, epoch: usize, thread: usize) {
        self.inside.fetch_add(1, Ordering::SeqCst);
        // Sequential consistency: either this sees the epoch closed, or the closing thread sees
        // this one inside and waits.
        if self.epoch.load(Ordering::SeqCst) == epoch {
            // SAFETY: the operation is open and this thread is counted inside, so the caller keeps
            // the closure alive and the cell unwritten until it has left.
            let task = unsafe { (*self.task.get()).map(|task| &*task) };
            if let Some(task) = task {
                let result = catch_unwind(AssertUnwindSafe(|| self.work(thread, task)));
                if let Err(payload) = result {
                    self.panicked
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .get_or_insert(payload);
                }
            }
        }
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    /// Waits for an open operation other than `seen`: its epoch, or `None` when the pool ends.
    fn await_operation(&self, seen: usize) -> Option<usize> {
        let open = || {
            let epoch = self.epoch.load(Ordering::SeqCst);
            (epoch % 2 == 1 && epoch != seen).then_some(epoch)
        };
        for _ in 0..SPINS {
            if let Some(epoch) = open() {
                return Some(epoch);
            }
            std::hint::spin_loop();
        }
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let found = loop {
            if self.stop.load(Ordering::SeqCst) {
                break None;
            }
            if let Some(epoch) = open() {
                break Some(epoch);
            }
            guard = self
                .wake
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        };
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        found
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        drop(
            self.shared
                .lock
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches the panics of its pieces, so it ends in order.
            let _ = worker.join();
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("threads", &self.threads())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use super::Pool;

    /// Returns once two threads are in here at the same time.
    fn meet(begun: &AtomicUsize) {
        begun.fetch_add(1, Ordering::SeqCst);
        let start = Instant::now();
        while begun.load(Ordering::SeqCst) < 2 {
            let late = start.elapsed() > Duration::from_secs(20);
            assert!(!late, "the other thread has not come");
            std::thread::yield_now();
        }
    }

    #[test]
    fn every_piece_runs_once_whatever_the_threads() {
        for threads in [0, 1, 2, 3, 8] {
            let pool = Pool::new(threads);
            assert_eq!(pool.threads(), threads.max(1));
            for pieces in [0, 1, 2, 7, 100, 1000] {
                let counts: Vec<AtomicUsize> = (0..pieces).map(|_| AtomicUsize::new(0)).collect();
                pool.run(pieces, &|piece| {
                    counts[piece].fetch_add(1, Ordering::Relaxed);
                });
                assert!(
                    counts
                        .iter()
                        .all(|count| count.load(Ordering::Relaxed) == 1)
                );
            }
        }
    }

    #[test]
    fn threads_begin_apart_and_a_held_up_ones_run_is_taken_over() {
        let pool = Pool::new(2);
        let caller = std::thread::current().id();
        let begun = AtomicUsize::new(0);
        let others = std::sync::Mutex::new(Vec::new());
        pool.run(11, &|piece| {
            if std::thread::current().id() == caller {
                // Holds on to its first piece until all the rest is done.
                assert_eq!(piece, 0, "the caller's run begins in front");
                meet(&begun);
                let start = Instant::now();
                while others.lock().expect("others").len() < 10 {
                    assert!(start.elapsed() < Duration::from_secs(20), "not taken over");
                    std::thread::yield_now();
                }
            } else {
                if others.lock().expect("others").is_empty() {
                    meet(&begun);
                }
                others.lock().expect("others").push(piece);
            }
        });
        // Its own run, then the farther half of what is left of the other, and so on.
        let others = others.into_inner().expect("others");
        assert_eq!(others, [5, 6, 7, 8, 9, 10, 3, 4, 2, 1]);
    }

    #[test]
    fn a_pool_that_sleeps_wakes_up() {
        let pool = Pool::new(3);
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(20));
            let sum = AtomicUsize::new(0);
            pool.run(100, &|piece| {
                sum.fetch_add(piece, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 4950);
        }
    }

    #[test]
    fn a_helper_works_too_and_is_waited_for() {
        let pool = Pool::new(2);
        let caller = std::thread::current().id();
        for pause in [0, 0, 30, 0, 30] {
            // After the longer one the helper sleeps.
            std::thread::sleep(Duration::from_millis(pause));
            let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
            pool.run(2, &|_| {
                meet(&begun);
                if std::thread::current().id() != caller {
                    std::thread::sleep(Duration::from_millis(20));
                }
                ended.fetch_add(1, Ordering::SeqCst);
            });
            assert_eq!(ended.into_inner(), 2);
        }
    }

    #[test]
    fn a_helpers_panic_reaches_the_caller() {
        let pool = Pool::new(2);
        let caller = std::thread::current().id();
        let begun = AtomicUsize::new(0);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            pool.run(2, &|_| {
                meet(&begun);
                assert_eq!(std::thread::current().id(), caller, "the helper's piece");
            });
        }));
        assert!(caught.is_err());
    }

    #[test]
    fn callers_share_a_pool_and_operations_nest() {
        let pool = Pool::new(2);
        let sum = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        pool.run(8, &|_| {
                            pool.run(4, &|piece| {
                                sum.fetch_add(piece, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 4 * 200 * 8 * 6);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let pool = Pool::new(3);
        for bad in [0, 17, 99] {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                pool.run(100, &|piece| assert_ne!(piece, bad, "the bad piece"));
            }));
            assert!(caught.is_err());
            let sum = AtomicUsize::new(0);
            pool.run(10, &|piece| {
                sum.fetch_add(piece, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 45);
        }
    }
}
