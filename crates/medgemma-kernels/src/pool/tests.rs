//! Threads meet, each piece is done once, and panics leave the pool as it was.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Pool, TURNS, cut};

/// Returns once two threads are in here at the same time.
fn meet(begun: &AtomicUsize) {
    meet_all(2, begun);
}

/// Returns once so many threads are in here at the same time.
fn meet_all(threads: usize, begun: &AtomicUsize) {
    begun.fetch_add(1, Ordering::SeqCst);
    await_count(begun, threads);
}

/// Waits until a number is reached.
fn await_count(count: &AtomicUsize, expected: usize) {
    let start = Instant::now();
    while count.load(Ordering::SeqCst) < expected {
        let late = start.elapsed() > Duration::from_secs(20);
        assert!(!late, "{count:?} of {expected} have come");
        std::thread::yield_now();
    }
}

/// Waits until all helpers sleep. One that counts as asleep has the lock until it is.
fn await_sleep(pool: &Pool) {
    await_count(&pool.shared.sleepers, pool.threads() - 1);
    drop(pool.shared.lock.lock().expect("the lock"));
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
        await_sleep(&pool);
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
    for asleep in [false, false, true, false, true] {
        if asleep {
            await_sleep(&pool);
        }
        let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
        pool.run(2, &|_| {
            meet(&begun);
            if std::thread::current().id() != caller {
                // Until the caller has closed the operation and waits.
                while pool.shared.epoch.load(Ordering::SeqCst) % 2 == 1 {
                    std::thread::yield_now();
                }
                (0..1000).for_each(|_| std::thread::yield_now());
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
    for threads in [2, TURNS] {
        let pool = Pool::new(threads);
        let sum = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        pool.run(8, &|_| {
                            pool.run(8, &|piece| {
                                sum.fetch_add(piece, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 4 * 200 * 8 * 28);
        assert!(!pool.turns.is_somebody_waiting());
    }
}

/// A caller who finds the pool taken begins alone, and has the threads before the other's next operation.
#[test]
fn callers_of_many_threads_take_turns() {
    let pool = Pool::new(TURNS);
    let [begun, second, together] = [const { AtomicUsize::new(0) }; 3];
    let counts = [const { AtomicUsize::new(0) }; 9];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Ends when the other caller has begun.
            pool.run(TURNS, &|_| meet_all(TURNS + 1, &begun));
            pool.run(9, &|piece| {
                if piece == 0 {
                    second.store(1, Ordering::SeqCst);
                    await_count(&together, TURNS);
                }
            });
        });
        await_count(&begun, TURNS);
        pool.run(9, &|piece| {
            counts[piece].fetch_add(1, Ordering::SeqCst);
            match piece {
                0 => {
                    meet_all(TURNS + 1, &begun);
                    await_count(&second, 1);
                }
                // The first of each thread, of what is left.
                1 | 3 | 5 | 7 => meet_all(TURNS, &together),
                _ => {}
            }
        });
    });
    assert_eq!(counts.map(AtomicUsize::into_inner), [1; 9]);
    assert!(!pool.turns.is_somebody_waiting());
}

#[test]
fn who_panics_alone_waits_no_more() {
    let (pool, begun) = (Pool::new(TURNS), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| pool.run(TURNS, &|_| meet_all(TURNS + 1, &begun)));
        await_count(&begun, TURNS);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            pool.run(9, &|_| {
                assert!(pool.turns.is_somebody_waiting(), "nobody waits");
                meet_all(TURNS + 1, &begun);
                panic!("a piece that is done alone");
            });
        }));
        assert!(caught.is_err());
    });
    assert!(!pool.turns.is_somebody_waiting());
    let begun = AtomicUsize::new(0);
    pool.run(TURNS, &|_| meet_all(TURNS, &begun));
}

/// Others would wait for nobody.
#[test]
fn who_does_the_last_piece_waits_no_more() {
    let (pool, begun) = (Pool::new(TURNS), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| pool.run(TURNS, &|_| meet_all(TURNS + 1, &begun)));
        await_count(&begun, TURNS);
        pool.run(9, &|piece| {
            assert_eq!(pool.turns.is_somebody_waiting(), piece < 8, "{piece}");
            if piece == 8 {
                meet_all(TURNS + 1, &begun);
            }
        });
    });
}

/// Its first piece may be all of it, so that others would wait for nothing.
#[test]
fn an_operation_of_few_pieces_waits_for_no_turn() {
    let (pool, begun) = (Pool::new(TURNS), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| pool.run(TURNS, &|_| meet_all(TURNS + 1, &begun)));
        await_count(&begun, TURNS);
        pool.run(TURNS, &|piece| {
            assert!(!pool.turns.is_somebody_waiting(), "it waits");
            if piece == 0 {
                meet_all(TURNS + 1, &begun);
            }
        });
    });
    // It has the threads at once, whoever waits.
    let waiting = pool.turns.wait();
    let begun = AtomicUsize::new(0);
    pool.run(TURNS, &|_| meet_all(TURNS, &begun));
    drop(waiting);
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

/// One of the caller's piece, of the helper's, and of both.
#[test]
fn after_a_panic_threads_work_on_and_nothing_is_raised_again() {
    let pool = Pool::new(2);
    let caller = std::thread::current().id();
    for (callers, helpers) in [(true, false), (false, true), (true, true)] {
        let begun = AtomicUsize::new(0);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            pool.run(2, &|_| {
                meet(&begun);
                let is_caller = std::thread::current().id() == caller;
                assert!(!if is_caller { callers } else { helpers }, "a bad piece");
            });
        }));
        assert!(caught.is_err());
        for _ in 0..2 {
            let begun = AtomicUsize::new(0);
            pool.run(2, &|_| meet(&begun));
        }
    }
}

#[test]
fn one_piece_leaves_the_threads_to_what_it_starts() {
    let (pool, begun) = (Pool::new(2), AtomicUsize::new(0));
    pool.run(1, &|_| pool.run(2, &|_| meet(&begun)));
}

/// What a panic may carry: something that panics when it is dropped.
struct Trap;

impl Drop for Trap {
    fn drop(&mut self) {
        panic!("a trap is dropped");
    }
}

/// Two helpers' pieces panic, and the caller's or not.
#[test]
fn payloads_that_panic_when_dropped_hold_nobody_up() {
    for callers in [false, true] {
        let (done, ended) = std::sync::mpsc::channel();
        // Of another thread: the test is to fail, not to hang.
        std::thread::spawn(move || {
            let (pool, begun) = (Pool::new(3), AtomicUsize::new(0));
            let caller = std::thread::current().id();
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                pool.run(3, &|_| {
                    meet_all(3, &begun);
                    if std::thread::current().id() != caller {
                        std::panic::panic_any(Trap);
                    }
                    assert!(!callers, "the caller's piece");
                });
            }));
            let is_trap = caught.map_err(|payload| {
                let is_trap = payload.is::<Trap>();
                std::mem::forget(payload);
                is_trap
            });
            let begun = AtomicUsize::new(0);
            pool.run(3, &|_| meet_all(3, &begun));
            done.send(is_trap).expect("the test waits");
        });
        let is_trap = ended.recv_timeout(Duration::from_secs(60));
        assert_eq!(is_trap, Ok(Err(!callers)), "hung up");
    }
}

/// Not by starting them: other tests here need threads that the system may then refuse.
#[test]
fn a_number_of_threads_without_sense_is_cut() {
    assert_eq!([0, 1, 768].map(cut), [0, 1, 768]);
    assert_eq!([1025, usize::MAX].map(cut), [1024; 2]);
}
