//! What the operating system says of the processor and of this process. `None` where it says nothing.

use std::fs;
use std::time::Instant;

/// The processor's name.
pub(crate) fn cpu() -> Option<String> {
    line_of("/proc/cpuinfo", "model name")
}

/// The most memory that this process has had at once, mapped files included, in bytes.
pub(crate) fn peak_rss_bytes() -> Option<u64> {
    let line = line_of("/proc/self/status", "VmHWM")?;
    let kibibytes: u64 = line.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Seconds since the kernel started this process, to a hundredth; where it does not say, since
/// `begun`, the first thing that `main` took down.
pub(crate) fn since_process_start(begun: Instant) -> f64 {
    age(started(), begun.elapsed().as_secs_f64())
}

/// Seconds between two times of the system, now and the start of a process, which are to a hundredth. At least
/// those `since_main`, which are all where the times are of two clocks: a container's own of its start and
/// the host's of its processes'.
fn age(times: Option<(f64, f64)>, since_main: f64) -> f64 {
    const HUNDREDTH: f64 = 0.01;
    let age = times.map(|(now, start)| now - start);
    age.filter(|age| *age + HUNDREDTH >= since_main)
        .map_or(since_main, |age| age.max(since_main))
}

/// Seconds since the system started: now, and at the start of this process.
fn started() -> Option<(f64, f64)> {
    // What the kernel calls USER_HZ, the same on every processor that Linux runs on today.
    const TICKS: f64 = 100.0;
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let now = uptime.split_whitespace().next()?.parse().ok()?;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses, and may hold blanks.
    let fields = stat.rsplit_once(')')?.1;
    let ticks: f64 = fields.split_whitespace().nth(19)?.parse().ok()?;
    Some((now, ticks / TICKS))
}

/// What stands behind `key:` in a file of such lines.
fn line_of(file: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(value.trim().trim_start_matches(':').trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{age, peak_rss_bytes, since_process_start};
    use std::time::Instant;

    #[test]
    fn times_of_two_clocks_are_no_age() {
        // The container began 300 seconds ago, the host and this process's count long before.
        assert_eq!(age(Some((300.0, 90_000.0)), 2.5), 2.5);
        assert_eq!(
            age(Some((300.0, 298.0)), 2.5),
            2.5,
            "main began later than that"
        );
        assert_eq!(age(Some((300.0, 297.25)), 2.5), 2.75);
        assert_eq!(
            age(Some((300.0, 297.5)), 2.505),
            2.505,
            "it is to a hundredth"
        );
        assert_eq!(age(None, 2.5), 2.5);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_memory_and_an_age() {
        assert!(peak_rss_bytes().is_some_and(|bytes| bytes > 100_000));
        let age = since_process_start(Instant::now());
        assert!((0.0..3600.0).contains(&age), "{age}");
    }
}
