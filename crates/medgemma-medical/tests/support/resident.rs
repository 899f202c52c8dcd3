//! How much memory this process holds, as Linux sees it.

use std::process::Command;

/// What is not the picture: code, the heap's own, rounding.
pub(crate) const BESIDE: u64 = 4 << 20;

/// Runs a test's body in a process of its own, in which what is freed goes back to the system at once: what was kept would
/// hide what is taken next.
pub(crate) fn measured(test: &str, body: impl FnOnce()) {
    const FREED_AT_ONCE: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "65536");
    if std::env::var_os(FREED_AT_ONCE.0).is_some() {
        return body();
    }
    let run = Command::new(std::env::current_exe().expect("a test"))
        .args([test, "--exact", "--nocapture"])
        .env(FREED_AT_ONCE.0, FREED_AT_ONCE.1)
        .output()
        .expect("a process");
    let said = [run.stdout, run.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

/// A line of the system's account of this process, in bytes.
fn account(of: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("of Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(of));
    let kilobytes = line
        .expect("an account")
        .trim_matches([':', '\t', ' ', 'k', 'B']);
    kilobytes.parse::<u64>().expect("a number") * 1024
}

/// What `work` gives, and the most bytes that were resident in it beyond those before.
pub(crate) fn peak<T>(work: impl FnOnce() -> T) -> (T, u64) {
    std::fs::write("/proc/self/clear_refs", "5").expect("of Linux");
    let before = account("VmHWM");
    let found = work();
    (found, account("VmHWM").saturating_sub(before))
}

/// What `work` gives, and how many bytes more were reserved in it, used or not, than ever before in this process.
pub(crate) fn reserved<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = account("VmPeak");
    let found = work();
    (found, account("VmPeak").saturating_sub(before))
}
