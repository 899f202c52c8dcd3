//! The files themselves: whose they are, how much of them is read, and what is no file.

#![cfg(unix)]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use medgemma_search::{Batch, Error, Index, Metadata, Writer, content_id_of_file};

use crate::support::fingerprint;

const FILES: [&str; 6] = ["header", "vectors", "codes", "log", "commit", "lock"];

fn batch(id: &str) -> Batch {
    let mut batch = Batch::new();
    batch.put(id, vec![1.0, 2.0], Metadata::new());
    batch
}

fn rights(path: &Path) -> u32 {
    let meta = fs::metadata(path).expect("a file");
    meta.permissions().mode() & 0o777
}

fn give(path: &Path, rights: u32) {
    fs::set_permissions(path, Permissions::from_mode(rights)).expect("given");
}

#[test]
fn a_new_index_is_its_owners() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("above/index");
    drop(Writer::create(&path, &fingerprint(2)).expect("created"));
    assert_eq!(rights(&path), 0o700);
    assert_eq!(rights(&folder.path().join("above")), 0o700);
    for name in FILES {
        assert_eq!(rights(&path.join(name)), 0o600, "{name}");
    }
    // A folder that is there is somebody's decision.
    let there = folder.path().join("there");
    fs::create_dir(&there).expect("made");
    give(&there, 0o755);
    drop(Writer::create(&there, &fingerprint(2)).expect("created"));
    assert_eq!(rights(&there), 0o755);
    assert_eq!(rights(&there.join("vectors")), 0o600);
}

/// What is made later is not kept from those whom the owner has let in.
#[test]
fn files_that_are_made_later_have_the_rights_of_the_header() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let mut writer = Writer::create(path, &fingerprint(2)).expect("created");
    writer.append(&batch("a")).expect("appended");
    drop(writer);
    for name in FILES {
        give(&path.join(name), 0o640);
    }
    // No file is one that is executed.
    give(&path.join("header"), 0o750);
    for name in ["codes", "lock"] {
        fs::remove_file(path.join(name)).expect("removed");
    }
    let (mut writer, recovery) = Writer::open(path, &fingerprint(2)).expect("opened");
    assert_eq!(recovery.remade_codes, 1);
    writer.append(&batch("b")).expect("appended");
    for name in FILES.into_iter().filter(|name| *name != "header") {
        assert_eq!(rights(&path.join(name)), 0o640, "{name}");
    }
}

/// A header or slots of a terabyte, of which no disk need have a block.
#[test]
fn no_more_is_read_of_header_and_slots_than_they_can_have() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let mut writer = Writer::create(path, &fingerprint(2)).expect("created");
    let lengthen = |name: &str| {
        let file = File::options().write(true).open(path.join(name));
        file.expect("opened").set_len(1 << 40).is_ok()
    };
    if !lengthen("commit") {
        return;
    }
    writer.append(&batch("a")).expect("nothing was lost");
    let index = Index::open(path, &fingerprint(2)).expect("nothing was lost");
    assert_eq!(index.len(), 1);
    assert!(lengthen("header"));
    let error = Index::open(path, &fingerprint(2)).expect_err("no header");
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("checksum"), "{error}");
}

/// A pipe would be waited for; a folder stands for it.
#[test]
fn what_is_no_file_is_not_opened() {
    let all = tempfile::tempdir().expect("a folder");
    let path = all.path().join("index");
    let aside = all.path().join("aside");
    drop(Writer::create(&path, &fingerprint(2)).expect("created"));
    for name in FILES {
        fs::rename(path.join(name), &aside).expect("moved");
        fs::create_dir(path.join(name)).expect("made");
        let mut errors = vec![Writer::open(&path, &fingerprint(2)).map(drop)];
        if name != "lock" {
            errors.push(Index::open(&path, &fingerprint(2)).map(drop));
        }
        for error in errors {
            let error = error.expect_err("no file").to_string();
            let said = format!("index/{name}: cannot open the file (it is no file);");
            assert!(error.contains(&said), "{name}: {error}");
        }
        fs::remove_dir(path.join(name)).expect("removed");
        fs::rename(&aside, path.join(name)).expect("moved");
    }
    let error = content_id_of_file("/dev/null").expect_err("no file");
    assert!(error.to_string().contains("it is no file"), "{error}");
}

/// Nothing was written, and what is in the way may go.
#[test]
fn a_look_for_another_writer_that_failed_does_not_end_the_writer() {
    let all = tempfile::tempdir().expect("a folder");
    let path = all.path().join("index");
    let (commit, aside) = (path.join("commit"), all.path().join("aside"));
    let mut writer = Writer::create(&path, &fingerprint(2)).expect("created");
    fs::rename(&commit, &aside).expect("moved");
    let error = writer.append(&batch("a")).expect_err("no slots");
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    fs::create_dir(&commit).expect("made");
    let error = writer.append(&batch("a")).expect_err("no slots");
    assert!(matches!(error, Error::Io { .. }), "{error}");
    fs::remove_dir(&commit).expect("removed");
    fs::rename(&aside, &commit).expect("moved");
    let vectors = fs::metadata(path.join("vectors")).expect("a file");
    assert_eq!(vectors.len(), 0);
    assert_eq!(writer.append(&batch("a")).expect("appended").added, 1);
}
