//! How much memory the system has left for this process.

/// Bytes that the process may still take: what the system calls available, within the limit of the
/// control group where there is one. `None` where the system does not tell (anything but Linux).
#[must_use]
pub fn available() -> Option<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let system = meminfo.lines().find_map(|line| {
        let kilobytes = line.strip_prefix("MemAvailable:")?.trim();
        kilobytes
            .strip_suffix("kB")?
            .trim()
            .parse::<u64>()
            .ok()
            .map(|kilobytes| kilobytes * 1024)
    })?;
    Some(control_group().map_or(system, |group| system.min(group)))
}

/// What the process's control group (version 2) leaves: its limit less what is used, of which the
/// cache of files can be given back.
fn control_group() -> Option<u64> {
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let dir = std::path::Path::new("/sys/fs/cgroup").join(path.trim_start_matches('/'));
    let number = |file: &str| -> Option<u64> {
        std::fs::read_to_string(dir.join(file))
            .ok()?
            .trim()
            .parse()
            .ok()
    };
    let limit = number("memory.max")?;
    let used = number("memory.current")?;
    let stat = std::fs::read_to_string(dir.join("memory.stat")).ok()?;
    Some(left(limit, used, &stat))
}

/// `limit` less what is `used` beside the cache of files, which `stat` tells.
fn left(limit: u64, used: u64, stat: &str) -> u64 {
    let files = stat
        .lines()
        .find_map(|line| line.strip_prefix("file ")?.parse::<u64>().ok())
        .unwrap_or(0);
    limit.saturating_sub(used.saturating_sub(files))
}

#[cfg(test)]
mod tests {
    use super::{available, left};

    #[test]
    fn the_cache_of_files_does_not_count_as_used() {
        assert_eq!(left(100, 60, "anon 30\nfile 20\nfile_mapped 7\n"), 60);
        assert_eq!(left(100, 150, "file 20\n"), 0);
        assert_eq!(left(100, 60, ""), 40);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells_what_is_available() {
        assert!(available().is_some_and(|bytes| bytes > 1 << 20));
    }
}
