//! Threads and instructions of the CPU's kernels: in a process of its own, since they are the process's and the
//! first call is another than those after it.

use std::sync::Barrier;

use medgemma_tensor::cpu::{self, InstructionPath};

/// One test: side by side, several would set what the others look at.
#[test]
fn what_is_set_holds_and_nothing_else_is_done() {
    #[cfg(target_os = "linux")]
    the_first_setting_starts_no_other_threads();
    zero_threads_are_all_and_a_missing_path_changes_nothing();
    settings_of_two_threads_both_hold();
}

/// The most threads of the process that are seen until `task` is done, those before it taken off.
#[cfg(target_os = "linux")]
fn threads_during(task: impl FnOnce()) -> usize {
    use std::sync::atomic::{AtomicBool, Ordering};

    let threads = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    let (started, done) = (Barrier::new(2), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let before = threads();
            started.wait();
            let mut most = threads();
            while !done.load(Ordering::Relaxed) {
                most = most.max(threads());
            }
            most - before
        });
        started.wait();
        task();
        done.store(true, Ordering::Relaxed);
        watch.join().expect("it only counts")
    })
}

#[cfg(target_os = "linux")]
fn the_first_setting_starts_no_other_threads() {
    assert_eq!(threads_during(|| cpu::set_threads(1)), 0);
    assert_eq!(cpu::threads(), 1);
    assert_eq!(cpu::instructions(), InstructionPath::best());
}

fn zero_threads_are_all_and_a_missing_path_changes_nothing() {
    cpu::set_threads(3);
    let missing = InstructionPath::ALL
        .into_iter()
        .find(|path| !path.is_available());
    let missing = missing.expect("no processor has those of another");
    let error = cpu::set_instructions(missing).expect_err("missing");
    assert!(error.to_string().contains(missing.name()), "{error}");
    assert_eq!(
        (cpu::threads(), cpu::instructions()),
        (3, InstructionPath::best())
    );
    cpu::set_threads(0);
    let all = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    assert_eq!(cpu::threads(), all);
}

fn settings_of_two_threads_both_hold() {
    let paths = [InstructionPath::Scalar, InstructionPath::best()];
    let begin = Barrier::new(2);
    for round in 0..50 {
        let (threads, path) = (1 + round % 2, paths[round / 2 % 2]);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                begin.wait();
                cpu::set_threads(threads);
            });
            begin.wait();
            cpu::set_instructions(path).expect("the processor has it");
        });
        assert_eq!(
            (cpu::threads(), cpu::instructions()),
            (threads, path),
            "round {round}"
        );
    }
}
