//! The example `deidentify`, over folders: nothing is lost, nothing replaced, and no name of a file goes along.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../examples/deidentify.rs"]
#[allow(dead_code, reason = "a test runs it by its function, not by its main")]
mod deidentify;

use std::fs;
use std::path::{Path, PathBuf};

/// A folder of its own in the system's temporary one, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("medgemma-{}-{name}", std::process::id()));
        fs::create_dir_all(path.join("in/QUAGMIRE^ALICE/deeper")).unwrap();
        fs::write(path.join("secret"), "a secret of the tests").unwrap();
        Self(path)
    }

    fn run(&self, from: &str, to: &str, option: &[&str]) -> Result<String, String> {
        let path = |name: &str| self.0.join(name).display().to_string();
        let mut arguments = vec![path("secret"), path(from), path(to)];
        arguments.extend(option.iter().map(|&option| option.to_owned()));
        deidentify::run(&arguments).map_err(|error| error.to_string())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The made-up file, whose UID is `1.2.3.4`, and with another one.
fn files() -> [Vec<u8>; 2] {
    let one = medgemma_privacy::doc_example();
    let mut other = one.clone();
    for at in 0..other.len() - 7 {
        if &other[at..at + 7] == b"1.2.3.4" {
            other[at + 6] = b'5';
        }
    }
    [one, other]
}

#[test]
fn files_of_all_folders_are_named_by_their_new_uid_and_none_replaces_another() {
    let folder = Folder::new("names");
    let [one, other] = files();
    fs::write(folder.0.join("in/1.2.3.4.dcm"), &one).unwrap();
    fs::write(folder.0.join("in/QUAGMIRE^ALICE/Doe^Jane.dcm"), &one).unwrap();
    fs::write(folder.0.join("in/QUAGMIRE^ALICE/deeper/Doe.dcm"), &other).unwrap();
    fs::write(folder.0.join("in/QUAGMIRE^ALICE/notes.txt"), "Doe").unwrap();
    let done = folder.run("in", "out", &["names"]).unwrap();
    assert_eq!(
        done,
        "3 written, 1 of them under a UID that another has, 0 to be looked at, 1 left out"
    );
    let found = names(&folder.0.join("out"));
    let begins = |name: &String| name.starts_with("2.25.") && name.ends_with(".dcm");
    assert!(found.len() == 3 && found.iter().all(begins), "{found:?}");
    assert_eq!(
        found.iter().filter(|name| name.ends_with("-2.dcm")).count(),
        1
    );
    let kept = folder.run("in", "kept", &["uids"]).unwrap();
    assert!(kept.starts_with("3 written"));
    assert_eq!(
        names(&folder.0.join("kept")),
        ["1.2.3.4-2.dcm", "1.2.3.4.dcm", "1.2.3.5.dcm"]
    );
}

#[test]
fn originals_are_never_written_over() {
    let folder = Folder::new("originals");
    let [one, _] = files();
    fs::write(folder.0.join("in/1.2.3.4.dcm"), &one).unwrap();
    for to in ["in", "in/", "in/new", "in/QUAGMIRE^ALICE", "in/../in"] {
        let refused = folder.run("in", to, &["uids"]).unwrap_err();
        assert!(refused.contains("the one to read"), "{to}: {refused}");
    }
    let refused = folder.run("in", "none/../in/new", &[]).unwrap_err();
    assert!(refused.contains(".."), "{refused}");
    // Nothing was made among them either.
    assert_eq!(
        names(&folder.0.join("in")),
        ["1.2.3.4.dcm", "QUAGMIRE^ALICE"]
    );
    assert!(!folder.0.join("none").exists());
    let missing = folder.run("nowhere", "out", &[]).unwrap_err();
    assert!(missing.contains("nowhere"), "{missing}");
    // The folder above holds the originals, and whatever else.
    assert!(folder.run("in", "", &[]).unwrap_err().contains("not empty"));
    assert_eq!(fs::read(folder.0.join("in/1.2.3.4.dcm")).unwrap(), one);
    folder.run("in", "out", &[]).unwrap();
    assert!(
        folder
            .run("in", "out", &[])
            .unwrap_err()
            .contains("not empty")
    );
    assert_eq!(names(&folder.0.join("out")).len(), 1);
}

/// Of a folder without rights; a superuser, as whom tests may run, reads it nevertheless.
#[cfg(unix)]
#[test]
fn what_cannot_be_read_is_left_out_and_the_rest_is_not() {
    let folder = Folder::new("unreadable");
    let [one, _] = files();
    fs::write(folder.0.join("in/QUAGMIRE^ALICE/a.dcm"), &one).unwrap();
    fs::write(folder.0.join("in/b.dcm"), &one).unwrap();
    let locked = folder.0.join("in/QUAGMIRE^ALICE/deeper");
    let mode = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(&locked, mode).unwrap();
    };
    mode(0o000);
    let readable = fs::read_dir(&locked).is_ok();
    let done = folder.run("in", "out", &[]).unwrap();
    mode(0o700);
    let left = usize::from(!readable);
    assert!(
        done.starts_with("2 written") && done.ends_with(&format!("{left} left out")),
        "{done}"
    );
}

#[cfg(unix)]
#[test]
fn links_are_told_of_and_not_followed() {
    let folder = Folder::new("links");
    std::os::unix::fs::symlink(folder.0.join("in"), folder.0.join("in/circle")).unwrap();
    let done = folder.run("in", "out", &[]).unwrap();
    assert!(
        done.starts_with("0 written") && done.ends_with("1 left out"),
        "{done}"
    );
}
