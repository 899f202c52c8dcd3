//! What a crash at any byte of an append leaves, and what damage to any byte of a published one does.
//!
//! A crash leaves any part of the bytes that were being written; a file may also have its new length
//! and not yet its bytes. Published bytes do not change in a crash: where they have, opening must
//! say so or put it right, and must never quietly show less.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use medgemma_search::{Batch, Entry, Error, Index, Metadata, Recovery, Value, Writer};

use crate::support::{entries, fingerprint};

const DIMENSION: usize = 5;
const FILES: [&str; 3] = ["vectors", "codes", "log"];

/// The files of an index by name.
type Files = BTreeMap<&'static str, Vec<u8>>;

fn read(folder: &Path) -> Files {
    let names = ["header", "vectors", "codes", "log", "commit"];
    let file = |name| {
        (
            name,
            fs::read(folder.join(name)).expect("a file of the index"),
        )
    };
    names.map(file).into()
}

fn write(folder: &Path, files: &Files) {
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).expect("written");
    }
}

fn metadata(number: f64) -> Metadata {
    [
        ("text".to_owned(), Value::from("ä")),
        ("number".to_owned(), number.into()),
        ("yes".to_owned(), true.into()),
    ]
    .into()
}

/// An index before and after its last append, which adds, replaces and deletes.
struct Scene {
    folder: tempfile::TempDir,
    before: Files,
    after: Files,
    entries_before: Vec<Entry>,
    entries_after: Vec<Entry>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = Writer::create(folder.path(), &fingerprint(DIMENSION)).expect("created");
        let mut batch = Batch::new();
        for (id, x) in [("a", 1.0), ("b", 2.0), ("c", 3.0)] {
            batch.put(id, vec![x, 1.0, -0.5, 0.25, 0.0], metadata(x.into()));
        }
        writer.append(&batch).expect("appended");
        let before = read(folder.path());
        let open = || Index::open(folder.path(), &fingerprint(DIMENSION)).expect("opened");
        let entries_before = entries(&open());
        let mut batch = Batch::new();
        batch.put("b", vec![-1.0, 1.0, 1.5, 0.3, 0.1], metadata(-2.0));
        batch.put("d", vec![0.1, -4.0, 0.5, 0.2, 0.7], Metadata::new());
        batch.delete("a");
        writer.append(&batch).expect("appended");
        drop(writer);
        let ids: Vec<String> = entries(&open()).into_iter().map(|entry| entry.id).collect();
        assert_eq!(ids, ["c", "b", "d"]);
        Self {
            before,
            after: read(folder.path()),
            entries_before,
            entries_after: entries(&open()),
            folder,
        }
    }

    /// Opens the index made of `files` for writing.
    fn open(&self, files: &Files) -> Result<(Writer, Recovery), Error> {
        write(self.folder.path(), files);
        Writer::open(self.folder.path(), &fingerprint(DIMENSION))
    }

    /// What a reader sees.
    fn seen(&self) -> Vec<Entry> {
        let index = Index::open(self.folder.path(), &fingerprint(DIMENSION)).expect("opened");
        index.verify().expect("all checksums");
        entries(&index)
    }

    /// Opens the index made of `files`, and asks that it holds the last append wholly or, where it
    /// may, not at all; and that the index can be appended to.
    fn check(&self, files: &Files, whole: bool, case: &str) -> Recovery {
        let (writer, recovery) = self.open(files).unwrap_or_else(|e| panic!("{case}: {e}"));
        drop(writer);
        let open = || Writer::open(self.folder.path(), &fingerprint(DIMENSION)).expect("opened");
        let (mut writer, again) = open();
        assert!(again.is_clean(), "{case}: {again} after {recovery}");
        let expected = if whole {
            &self.entries_after
        } else {
            &self.entries_before
        };
        assert_eq!(&self.seen(), expected, "{case}: {recovery}");
        assert_eq!(writer.len(), expected.len(), "{case}");
        let mut batch = Batch::new();
        batch.put("e", vec![1.0; DIMENSION], metadata(5.0));
        batch.delete("c");
        let appended = writer.append(&batch).expect("appended");
        assert_eq!((appended.added, appended.deleted), (1, 1), "{case}");
        drop(writer);
        let mut ids: Vec<&str> = expected.iter().map(|entry| &*entry.id).collect();
        ids.retain(|id| *id != "c");
        ids.push("e");
        let seen = self.seen();
        assert_eq!(
            seen.iter().map(|e| &*e.id).collect::<Vec<_>>(),
            ids,
            "{case}"
        );
        let (_, again) = open();
        assert!(again.is_clean(), "{case}: {again}");
        recovery
    }

    /// The files after the last append, but not yet published.
    fn unpublished(&self) -> Files {
        let mut files = self.after.clone();
        files.insert("commit", self.before["commit"].clone());
        files
    }
}

#[test]
fn a_crash_at_any_byte_of_an_append_leaves_all_of_it_or_nothing() {
    let scene = Scene::new();
    for name in FILES {
        let (old, new) = (&scene.before[name], &scene.after[name]);
        assert!(new.len() > old.len() && new.starts_with(old), "{name}");
        for len in old.len()..=new.len() {
            // Cut short; and as long as it should be, but with nothing in what is missing.
            let cut = new[..len].to_vec();
            let mut hollow = cut.clone();
            hollow.resize(new.len(), 0);
            for bytes in [cut, hollow] {
                let whole = bytes == *new;
                let mut files = scene.unpublished();
                let case = format!("{name} of {} bytes, {len} written", bytes.len());
                files.insert(name, bytes);
                let recovery = scene.check(&files, whole, &case);
                if whole {
                    assert_eq!(recovery.adopted_batches, 1, "{case}");
                } else {
                    assert_eq!(recovery.adopted_batches, 0, "{case}");
                    let others = FILES.iter().filter(|other| **other != name);
                    let torn = others.map(|o| scene.after[o].len() - scene.before[o].len());
                    let here = files[name].len() - old.len();
                    assert_eq!(
                        recovery.torn_bytes(),
                        (torn.sum::<usize>() + here) as u64,
                        "{case}"
                    );
                    assert!(
                        recovery.to_string().contains("unfinished"),
                        "{case}: {recovery}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_changed_byte_of_an_unpublished_append_undoes_it() {
    let scene = Scene::new();
    for name in FILES {
        for at in scene.before[name].len()..scene.after[name].len() {
            let mut files = scene.unpublished();
            files.get_mut(name).expect("a file")[at] ^= 0x10;
            scene.check(&files, false, &format!("{name}, byte {at} changed"));
        }
    }
}

#[test]
fn a_torn_write_of_the_slot_loses_nothing() {
    let scene = Scene::new();
    let (old, new) = (&scene.before["commit"], &scene.after["commit"]);
    assert_eq!(old.len(), new.len());
    // Of the bytes between the slots, which mean nothing, some.
    let slot = |at: &usize| at % 4096 < 56 || at.is_multiple_of(1000);
    for at in (0..new.len()).filter(slot) {
        // Up to here the new slot, from here on the old; and the new one with a byte changed.
        let mut torn = new[..at].to_vec();
        torn.extend(&old[at..]);
        let mut changed = new.clone();
        changed[at] ^= 1;
        for commit in [torn, changed] {
            let mut files = scene.after.clone();
            files.insert("commit", commit);
            scene.check(&files, true, &format!("slot, byte {at}"));
            // A reader alone cannot repair it, and sees all the same.
            write(scene.folder.path(), &files);
            if files["commit"] != *old {
                assert_eq!(scene.seen(), scene.entries_after, "slot, byte {at}");
            }
        }
    }
}

#[test]
fn a_torn_write_of_the_slot_hides_no_damage() {
    let scene = Scene::new();
    let mut files = scene.after.clone();
    // The slot that was written last, which is the one that changed.
    let (old, new) = (&scene.before["commit"], &scene.after["commit"]);
    let changed = (0..new.len()).rfind(|&at| old[at] != new[at]);
    files.get_mut("commit").expect("a file")[changed.expect("a change")] ^= 1;
    // What the other slot says was published has been damaged.
    for at in 0..scene.before["log"].len() {
        let mut files = files.clone();
        files.get_mut("log").expect("a file")[at] ^= 1;
        let error = scene.open(&files).expect_err("damaged");
        assert!(matches!(error, Error::Damaged { .. }), "byte {at}: {error}");
        let reader = Index::open(scene.folder.path(), &fingerprint(DIMENSION));
        assert!(reader.is_err(), "byte {at}: a reader");
    }
}

#[test]
fn without_codes_and_one_slot_no_published_batch_is_cut_off() {
    let scene = Scene::new();
    let folder = scene.folder.path();
    let (old, new) = (&scene.before["commit"], &scene.after["commit"]);
    let changed = (0..new.len()).rfind(|&at| old[at] != new[at]);
    let mut damaged = scene.after.clone();
    // The slot that was written last.
    damaged.get_mut("commit").expect("a file")[changed.expect("a change")] ^= 1;
    let unpublished = scene.unpublished();
    let remove = || fs::remove_file(folder.join("codes")).expect("removed");
    for (case, mut files) in [("damaged", damaged.clone()), ("not written", unpublished)] {
        // Missing, with nothing in them, and those of the batch before.
        files.remove("codes");
        remove();
        let recovery = scene.check(&files, true, case);
        assert_eq!((recovery.adopted_batches, recovery.remade_codes), (1, 5));
        let codes = fs::read(folder.join("codes")).expect("read");
        assert_eq!(codes[..scene.after["codes"].len()], scene.after["codes"]);
        if case == "damaged" {
            for codes in [Vec::new(), scene.before["codes"].clone()] {
                files.insert("codes", codes);
                let recovery = scene.check(&files, true, case);
                assert_eq!(recovery.adopted_batches, 1);
            }
        }
    }
    // Changed ones, which a reader must not take for a batch that is not there.
    let mut files = damaged.clone();
    *files
        .get_mut("codes")
        .and_then(|codes| codes.last_mut())
        .expect("a code") ^= 1;
    write(folder, &files);
    let error = Index::open(folder, &fingerprint(DIMENSION)).expect_err("damaged codes");
    assert!(error.to_string().contains("codes"), "{error}");
    assert_eq!(scene.check(&files, true, "changed codes").remade_codes, 2);
    // Where the batch is damaged as well nobody can tell whether it was published.
    for name in ["vectors", "log"] {
        for missing in [true, false] {
            let mut files = damaged.clone();
            *files
                .get_mut(name)
                .and_then(|bytes| bytes.last_mut())
                .expect("a byte") ^= 1;
            write(folder, &files);
            if missing {
                files.remove("codes");
                remove();
            } else {
                files.insert("codes", Vec::new());
            }
            let error = scene.open(&files).expect_err(name);
            let message = error.to_string();
            assert!(matches!(error, Error::Damaged { .. }), "{message}");
            assert!(message.contains("restore"), "{message}");
            for (name, bytes) in files {
                assert_eq!(fs::read(folder.join(name)).expect("read"), bytes, "{name}");
            }
        }
    }
}

#[test]
fn a_batch_that_does_not_follow_is_not_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let mut writer = Writer::create(folder, &fingerprint(DIMENSION)).expect("created");
    let mut batch = Batch::new();
    for id in ["a", "b", "c"] {
        batch.put(id, vec![1.0; DIMENSION], Metadata::new());
    }
    writer.append(&batch).expect("appended");
    let first = read(folder);
    let mut lens = vec![first["log"].len()];
    // They add no rows, so that either could come after the first batch.
    for id in ["a", "b"] {
        writer.append(Batch::new().delete(id)).expect("appended");
        lens.push(read(folder)["log"].len());
    }
    drop(writer);
    let mut log = read(folder)["log"].clone();
    log.drain(lens[0]..lens[1]);
    write(folder, &first);
    fs::write(folder.join("log"), log).expect("written");
    let (writer, recovery) = Writer::open(folder, &fingerprint(DIMENSION)).expect("opened");
    assert_eq!(
        (writer.len(), recovery.adopted_batches),
        (3, 0),
        "{recovery}"
    );
    assert_eq!(recovery.torn_log_bytes, (lens[2] - lens[1]) as u64);
}

#[test]
fn a_changed_byte_of_a_published_append_is_found() {
    let scene = Scene::new();
    for name in FILES {
        for at in scene.before[name].len()..scene.after[name].len() {
            let case = format!("{name}, byte {at}");
            let mut changed = scene.after.clone();
            changed.get_mut(name).expect("a file")[at] ^= 0x40;
            let mut cut = scene.after.clone();
            cut.get_mut(name).expect("a file").truncate(at);
            for files in [changed, cut] {
                if name == "codes" {
                    // They can be made again.
                    let recovery = scene.check(&files, true, &case);
                    assert!(recovery.remade_codes >= 2, "{case}: {recovery}");
                    continue;
                }
                let error = scene.open(&files).expect_err(&case);
                let message = error.to_string();
                assert!(matches!(error, Error::Damaged { .. }), "{case}: {message}");
                assert!(
                    message.contains(name) && message.contains("expected"),
                    "{message}"
                );
                let reader = Index::open(scene.folder.path(), &fingerprint(DIMENSION));
                assert!(reader.is_err(), "{case}: a reader");
                assert_eq!(
                    read(scene.folder.path()),
                    files,
                    "{case}: nothing was cut off"
                );
            }
        }
    }
}

#[test]
fn a_changed_byte_of_the_header_is_found() {
    let scene = Scene::new();
    for at in 0..scene.after["header"].len() {
        let mut changed = scene.after.clone();
        changed.get_mut("header").expect("a file")[at] ^= 0x04;
        let mut cut = scene.after.clone();
        cut.get_mut("header").expect("a file").truncate(at);
        for files in [changed, cut] {
            let error = scene.open(&files).expect_err("a damaged header");
            assert!(error.to_string().contains("header"), "byte {at}: {error}");
        }
    }
}

#[test]
fn a_crash_while_an_index_is_made_leaves_none() {
    let scene = Scene::new();
    let folder = scene.folder.path();
    // What making an index leaves of `commit`, up to any byte, or only the room for it.
    let made = tempfile::tempdir().expect("a folder");
    drop(Writer::create(made.path(), &fingerprint(DIMENSION)).expect("created"));
    let slots = fs::read(made.path().join("commit")).expect("read");
    let step = |len: &usize| len % 4096 < 56 || len.is_multiple_of(500);
    let cut = (0..=slots.len())
        .filter(step)
        .map(|len| slots[..len].to_vec());
    let commits = [slots.clone(), vec![0; slots.len()]];
    for commit in cut.chain(commits) {
        let case = format!("{} bytes of `commit`", commit.len());
        fs::remove_dir_all(folder).expect("removed");
        fs::create_dir(folder).expect("created");
        fs::write(folder.join("commit"), commit).expect("written");
        let writer = Writer::create(folder, &fingerprint(DIMENSION));
        drop(writer.unwrap_or_else(|error| panic!("{case}: {error}")));
        assert!(scene.seen().is_empty());
    }
    // The header comes last; before it, any of the other files may be there.
    for made in 0..=4 {
        fs::remove_dir_all(folder).expect("removed");
        fs::create_dir(folder).expect("created");
        for (name, bytes) in [
            ("vectors", &[][..]),
            ("codes", &[]),
            ("log", &[]),
            ("commit", &slots),
        ]
        .into_iter()
        .take(made)
        {
            fs::write(folder.join(name), bytes).expect("written");
        }
        fs::write(folder.join("header.new"), b"MGSEA").expect("written");
        let error = Index::open(folder, &fingerprint(DIMENSION)).expect_err("no index");
        assert!(matches!(error, Error::NoIndex { .. }), "{error}");
        let writer = Writer::create(folder, &fingerprint(DIMENSION)).expect("created");
        assert!(writer.is_empty());
        drop(writer);
        assert!(scene.seen().is_empty());
    }
}

#[test]
fn an_index_without_its_header_is_not_made_anew() {
    let scene = Scene::new();
    let folder = scene.folder.path();
    fs::remove_file(folder.join("header")).expect("removed");
    for name in [&FILES[..], &["commit"]].concat() {
        let files = read_all(folder);
        let error = Writer::create(folder, &fingerprint(DIMENSION)).expect_err("in the way");
        let message = error.to_string();
        assert!(matches!(error, Error::Occupied { .. }), "{message}");
        assert!(
            message.contains(name) && message.contains("header"),
            "{message}"
        );
        assert_eq!(read_all(folder), files, "nothing was touched");
        fs::remove_file(folder.join(name)).expect("removed");
    }
    // Of somebody else, and not to be replaced.
    for name in ["header.new", "commit"] {
        for bytes in [&b"MGS, notes"[..], b"x", &[0, 0, 1], &[1; 5000]] {
            fs::write(folder.join(name), bytes).expect("written");
            let error = Writer::create(folder, &fingerprint(DIMENSION)).expect_err("in the way");
            assert!(error.to_string().contains(name), "{error}");
            assert_eq!(fs::read(folder.join(name)).expect("read"), bytes);
        }
        fs::remove_file(folder.join(name)).expect("removed");
    }
    drop(Writer::create(folder, &fingerprint(DIMENSION)).expect("nothing in the way"));
}

/// All files of a folder.
fn read_all(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder).expect("a folder").map(|file| {
        let file = file.expect("a file");
        let name = file.file_name().into_string().expect("a name");
        (name, fs::read(file.path()).expect("read"))
    });
    files.collect()
}
