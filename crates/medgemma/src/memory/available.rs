//! How much memory the system has left for this process.

use std::fs::read_to_string;
use std::path::Path;

/// Bytes that the process may still take: what the system calls available, within the limits of the
/// process's control groups where there are any. `None` where the system does not tell (anything but
/// Linux).
#[must_use]
pub fn available() -> Option<u64> {
    let meminfo = read_to_string("/proc/meminfo").ok()?;
    let system = kilobytes(&meminfo, "MemAvailable:")?;
    let own = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = control_groups(&own, Path::new("/sys/fs/cgroup"));
    Some(groups.map_or(system, |left| system.min(left)))
}

/// Bytes of memory that the process has for itself, that no file is the source of. `None` where the system
/// does not tell.
pub(super) fn own() -> Option<u64> {
    kilobytes(&read_to_string("/proc/self/status").ok()?, "RssAnon:")
}

/// The bytes of a line of `told` that begins with `name` and counts kilobytes.
fn kilobytes(told: &str, name: &str) -> Option<u64> {
    let number = told.lines().find_map(|line| line.strip_prefix(name))?;
    let number = number.trim().strip_suffix("kB")?.trim();
    number.parse::<u64>().ok()?.checked_mul(1024)
}

/// Names of the files in which a group's memory is told, and of two lines of its `memory.stat`. All
/// count the groups below it, too.
struct Names {
    limit: &'static str,
    used: &'static str,
    cache: &'static str,
    shared: &'static str,
}

/// Of version 1.
const V1: Names = Names {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    cache: "total_cache",
    shared: "total_shmem",
};

/// Of version 2.
const V2: Names = Names {
    limit: "memory.max",
    used: "memory.current",
    cache: "file",
    shared: "shmem",
};

/// What the control groups leave of which `own`, the process's `/proc/self/cgroup`, tells; `mounts` is
/// where groups are found. Any group above the process's own may be the one with the limit, so the
/// least of all is what is left; `None` without a limit.
///
/// In a container `own` may tell the host's path, of which nothing is there but the last group, as the
/// root: folders that are missing are passed over.
fn control_groups(own: &str, mounts: &Path) -> Option<u64> {
    let left = own.lines().filter_map(|line| {
        let (_, told) = line.split_once(':')?;
        let (controllers, path) = told.split_once(':')?;
        let (names, mount) = match controllers {
            "" => (V2, mounts.to_path_buf()),
            _ if controllers.split(',').any(|name| name == "memory") => (V1, mounts.join("memory")),
            _ => return None,
        };
        let group = mount.join(path.trim_start_matches('/'));
        let above = group.ancestors().take_while(|dir| dir.starts_with(&mount));
        above.filter_map(|dir| names.left(dir)).min()
    });
    left.min()
}

impl Names {
    /// What the group of the folder `dir` leaves: its limit less what is used, of which the cache of
    /// files can be given back, but not what is shared memory or lies in a `tmpfs` and is counted with
    /// it. `None` where the group has no limit.
    fn left(&self, dir: &Path) -> Option<u64> {
        let read = |file: &str| read_to_string(dir.join(file)).ok();
        let number = |file: &str| read(file)?.trim().parse::<u64>().ok();
        let (limit, used) = (number(self.limit)?, number(self.used)?);
        let stat = read("memory.stat").unwrap_or_default();
        let told = |key: &str| {
            let mut values = stat.lines().filter_map(|line| line.split_once(' '));
            let value = values.find_map(|(name, value)| (name == key).then_some(value));
            value.and_then(|value| value.trim().parse::<u64>().ok())
        };
        let cache = told(self.cache).unwrap_or(0);
        let files = cache.saturating_sub(told(self.shared).unwrap_or(0));
        Some(limit.saturating_sub(used.saturating_sub(files)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tempfile::TempDir;

    use super::{available, control_groups, kilobytes, own};

    /// A group of version 2 in the folder `path`.
    fn v2(root: &TempDir, path: &str, limit: &str, used: u64, stat: &str) {
        let files = ["memory.max", "memory.current", "memory.stat"];
        write(&root.path().join(path), files, limit, used, stat);
    }

    /// A group of version 1.
    fn v1(root: &TempDir, path: &str, limit: &str, used: u64, stat: &str) {
        let dir = root.path().join("memory").join(path);
        let [limit_file, used_file] = ["memory.limit_in_bytes", "memory.usage_in_bytes"];
        write(
            &dir,
            [limit_file, used_file, "memory.stat"],
            limit,
            used,
            stat,
        );
    }

    fn write(dir: &Path, files: [&str; 3], limit: &str, used: u64, stat: &str) {
        std::fs::create_dir_all(dir).expect("writable");
        let used = used.to_string();
        for (file, text) in files.into_iter().zip([limit, &used, stat]) {
            std::fs::write(dir.join(file), format!("{text}\n")).expect("writable");
        }
    }

    fn root() -> TempDir {
        tempfile::tempdir().expect("a scratch folder")
    }

    /// What version 1 tells of a group without a limit.
    const NONE_V1: &str = "9223372036854771712";

    #[test]
    fn files_in_memory_can_be_given_back_and_shared_memory_cannot() {
        let root = root();
        let left = |own: &str| control_groups(own, root.path());
        for (limit, used, stat, expected) in [
            ("100", 60, "anon 30\nfile 20\nfile_mapped 7", 60),
            ("100", 60, "file 20\nshmem 15\nshmem_thp 3", 45),
            ("100", 60, "file 20\nshmem 25", 40),
            ("100", 150, "file 20", 0),
            ("100", 60, "", 40),
        ] {
            v2(&root, "job", limit, used, stat);
            assert_eq!(left("0::/job\n"), Some(expected), "{stat}");
        }
        let stat = "cache 1\nshmem 1\ntotal_cache 20\ntotal_shmem 5";
        v1(&root, "job", "100", 60, stat);
        assert_eq!(left("4:memory:/job\n"), Some(55));
        std::fs::remove_file(root.path().join("memory/job/memory.stat")).expect("it is there");
        assert_eq!(
            left("4:memory:/job\n"),
            Some(40),
            "nothing is told of files"
        );
    }

    #[test]
    fn a_group_above_the_own_one_may_be_the_one_with_the_limit() {
        let root = root();
        let left = || control_groups("0::/slice/job/part\n", root.path());
        assert_eq!(left(), None, "no group is there");
        v2(&root, "slice", "max", 70, "");
        v2(&root, "slice/job/part", "max", 10, "");
        assert_eq!(left(), None, "no group has a limit");
        v2(&root, "slice/job", "100", 20, "");
        assert_eq!(left(), Some(80));
        // The largest limit leaves the least.
        v2(&root, "slice", "1000", 990, "");
        v2(&root, "slice/job/part", "50", 10, "");
        assert_eq!(left(), Some(10));
        v2(&root, "", "2000", 1995, "");
        assert_eq!(left(), Some(5), "a container's own group is its root");
        v2(&root, "slice/other", "1", 1, "");
        assert_eq!(left(), Some(5), "another's group is none of ours");
    }

    #[test]
    fn groups_of_version_1_are_seen_beside_those_of_version_2() {
        let root = root();
        let own = "9:name=systemd:/\n5:cpu,cpuacct:/job\n4:memory:/docker/0123\n0::/\n";
        let left = || control_groups(own, root.path());
        v1(&root, "", NONE_V1, 70, "");
        v1(&root, "docker/0123", NONE_V1, 40, "");
        assert!(left().is_some_and(|left| left > 1 << 60));
        v1(&root, "docker/0123", "100", 40, "");
        assert_eq!(left(), Some(60));
        // The process is in groups of these names for other controllers alone.
        v2(&root, "job", "1", 1, "");
        v1(&root, "job", "1", 1, "");
        assert_eq!(left(), Some(60));
        let mounted_as_one = "4:cpu,memory:/docker/0123";
        assert_eq!(control_groups(mounted_as_one, root.path()), Some(60));
        for (limit, expected) in [("50", 50), ("500", 60)] {
            v2(&root, "", limit, 0, "");
            assert_eq!(left(), Some(expected));
        }
    }

    #[test]
    fn in_a_container_the_path_may_be_one_of_the_host() {
        let root = root();
        v1(&root, "", "8000", 1000, "total_cache 100");
        let own = "4:memory:/docker/0123\n0::/system.slice/docker.service\n";
        assert_eq!(control_groups(own, root.path()), Some(7100));
        v2(&root, "", "1", 1, "");
        let below = root.path().join("memory");
        assert_eq!(control_groups("0::/job", &below), None, "no group's folder");
        std::fs::remove_file(root.path().join("memory.max")).expect("it is there");
        for own in ["", "4:memory", "no group", "0::"] {
            assert_eq!(control_groups(own, root.path()), None, "{own:?}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells_what_is_available() {
        assert!(available().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells_what_the_process_holds() {
        // Other tests free memory meanwhile: once in some times it is quiet enough.
        let grown = (0..20).any(|_| {
            let before = own().expect("it tells");
            let more = std::hint::black_box(vec![1_u8; 64 << 20]);
            let after = own().expect("it tells");
            drop(more);
            after > before + (48 << 20)
        });
        assert!(grown);
    }

    #[test]
    fn a_line_is_read_by_its_name() {
        let told = "Name:\tRssAnon\nRssAnon:\t    2120 kB\nRssFile:\t 3 pages\n";
        assert_eq!(kilobytes(told, "RssAnon:"), Some(2120 * 1024));
        assert_eq!(kilobytes(told, "RssFile:"), None);
        assert_eq!(kilobytes(told, "RssShmem:"), None);
    }
}
