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
#[cfg(test)]
mod tests;
mod turns;

use std::any::Any;
use std::cell::UnsafeCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;

pub(crate) use runs::Runs;
use turns::{Turns, Waiting};

/// Turns of the spin before a thread sleeps: 20–60 µs on the processors seen, about the gap
/// between two operations of a token.
const SPINS: u32 = 1 << 10;

/// Threads of a pool at most: more than the 768 that the largest two processors of one machine run, and
/// so few that a number without sense costs megabytes.
const MOST: usize = 1 << 10;

/// Threads from which on callers take turns. With two, turns lost: two callers together came to 0.80 of what one does alone, without
/// turns to 0.89, since there is one thread more than processors, and who is paused holds the others up. With eight simulated, by
/// pieces that sleep, the second caller had 0.13 of what it does alone until the first had ended, and 0.5 by turns. Between these
/// nothing was measured.
const TURNS: usize = 4;

/// The threads of a pool that is asked for `threads`.
const fn cut(threads: usize) -> usize {
    if threads < MOST { threads } else { MOST }
}

/// A fixed number of threads, the caller's own among them.
///
/// One caller has the threads at a time; an operation of one piece wants none of them. A caller that finds them taken works alone
/// instead of waiting. In a pool of four threads or more, if its operation has more pieces than the pool has threads, it gets the
/// threads for what is left as soon as they are free, before callers of as many pieces that came later. An operation of no more pieces
/// never queues: its first piece may hand out all the work. Work started from within an operation that has the threads runs alone.
pub struct Pool {
    shared: Arc<Shared>,
    taken: Mutex<()>,
    turns: Turns,
    workers: Vec<JoinHandle<()>>,
}

type Task = dyn Fn(usize) + Sync;

type Payload = Box<dyn Any + Send>;

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
    /// What a helper's piece of the open operation panicked with first.
    panicked: Mutex<Option<Payload>>,
}

// SAFETY: `task` is the only field that is not `Sync` by itself. It is written only by the holder
// of `Pool::taken` while the epoch is even and `inside` is zero, and read only by threads that have
// counted themselves into `inside` and then seen the epoch odd (see `Shared::help`).
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer itself is only ever used while the closure behind it is borrowed.
unsafe impl Send for Shared {}

impl Pool {
    /// A pool of `threads` threads, of which one is whoever calls [`Pool::run`]. Zero counts as
    /// one, more than 1024 as 1024. Where the system refuses a thread, the pool has fewer.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let threads = cut(threads);
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
            turns: Turns::default(),
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
    /// With the panic of a piece, the caller's own if it has one, once no thread works on the operation any
    /// more. The pool is as before then.
    pub fn run(&self, pieces: usize, task: &(dyn Fn(usize) + Sync)) {
        // One piece leaves the other threads to what it may start itself.
        let alone = self.workers.is_empty() || pieces < 2;
        match u32::try_from(pieces) {
            Ok(pieces) if !alone => self.run_in_turn(pieces, task),
            _ => (0..pieces).for_each(task),
        }
    }

    /// Works alone until the threads are free and it is this caller's turn.
    fn run_in_turn(&self, pieces: u32, task: &(dyn Fn(usize) + Sync)) {
        let turns = self.threads() >= TURNS && pieces as usize > self.threads();
        let mut waiting = None;
        for piece in 0..pieces {
            let last = piece + 1 == pieces;
            let may_take = match &waiting {
                None => piece == 0 && !(turns && self.turns.is_somebody_waiting()),
                Some(waiting) => !last && Waiting::is_next(waiting),
            };
            if may_take && let Some(_guard) = self.take() {
                drop(waiting);
                return self.run_shared(piece..pieces, task);
            }
            if last {
                // Others would wait for nobody.
                waiting = None;
            } else if turns && piece == 0 {
                waiting = Some(self.turns.wait());
            }
            task(piece as usize);
        }
    }

    /// Takes the pool, if nobody has it.
    fn take(&self) -> Option<MutexGuard<'_, ()>> {
        match self.taken.try_lock() {
            Ok(guard) => Some(guard),
            // An operation has panicked, and left the pool in order: see `Closing`.
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn run_shared(&self, pieces: Range<u32>, task: &(dyn Fn(usize) + Sync)) {
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
        let panicked = shared.panicked().take();
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
            shared.runs.deal(0..0, 1);
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
        if self.give_up {
            // The caller's own panic goes on; a helper's is not to be raised by the next operation.
            let panicked = shared.panicked().take();
            if let Some(payload) = panicked {
                forget(payload);
            }
        }
    }
}

/// Lets a panic's payload be: dropping it may panic again, which would end the process while another
/// panic goes on, or a helper that is waited for.
fn forget(payload: Payload) {
    std::mem::forget(payload);
}

impl Shared {
    fn panicked(&self) -> MutexGuard<'_, Option<Payload>> {
        let panicked = self.panicked.lock();
        panicked.unwrap_or_else(PoisonError::into_inner)
    }

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
                    let mut panicked = self.panicked();
                    match &*panicked {
                        None => *panicked = Some(payload),
                        Some(_) => forget(payload),
                    }
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
