//! What is wrong is said with the file, what was expected and what to do.

use std::fs;
use std::path::Path;

use medgemma_search::{
    Batch, Cpu, DuplicateOptions, Error, Fingerprint, Index, Metadata, Query, Writer,
};

use crate::support::{build, entries, fingerprint, numbers, rng};

/// An index of four batches of ten vectors.
fn archive(folder: &Path) -> Index {
    let mut rng = rng(1);
    let entry = |row: usize| (format!("id {row}"), numbers(&mut rng, 8), Metadata::new());
    let all: Vec<_> = (0..40).map(entry).collect();
    build(folder, 8, 10, &all)
}

fn change(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("read");
    bytes[at] ^= 0xff;
    fs::write(path, bytes).expect("written");
}

#[test]
fn damage_to_an_old_batch_is_found_by_verify() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    drop(archive(path));
    // A vector of the second batch: its number 3.
    change(&path.join("vectors"), (10 * 8 + 3) * 4);
    let index = Index::open(path, &fingerprint(8)).expect("the last batch is whole");
    let message = index.verify().expect_err("damaged").to_string();
    for part in ["vectors", "byte 320", "10 rows", "checksum", "restore"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    drop(index);
    // Its codes too: they cannot be made again from such vectors.
    change(&path.join("codes"), 10 * 8 + 3);
    let codes = fs::read(path.join("codes")).expect("read");
    let (mut writer, _) = Writer::open(path, &fingerprint(8)).expect("opened");
    let error = writer.remake_codes().expect_err("codes of damaged vectors");
    assert!(error.to_string().contains("vectors"), "{error}");
    assert_eq!(fs::read(path.join("codes")).expect("read"), codes);
}

#[test]
fn damage_to_an_old_batch_is_not_copied() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("index");
    drop(archive(&path));
    let copy = folder.path().join("copy");
    change(&path.join("vectors"), 10 * 8 * 4 + 5);
    let index = Index::open(&path, &fingerprint(8)).expect("the last batch is whole");
    let error = index.copy_to(&copy).map(drop).expect_err("damaged");
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    let message = error.to_string();
    let ids = "'id 10', 'id 11', 'id 12' and 7 more";
    for part in ["vectors", "byte 320", ids, "Index::damaged", "restore"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(!copy.exists(), "nothing was begun");
    let ids: Vec<String> = (10..20).map(|row| format!("id {row}")).collect();
    assert_eq!(index.damaged().expect("read"), ids);
    change(&path.join("vectors"), 10 * 8 * 4 + 5);
    assert!(index.damaged().expect("read").is_empty());
    // Codes are made from the vectors: those of the copy are whole.
    change(&path.join("codes"), 85);
    drop(index.copy_to(&copy).expect("copied"));
    let copy = Index::open(&copy, &fingerprint(8)).expect("opened");
    copy.verify().expect("whole");
    assert_eq!(entries(&copy), entries(&index));
}

#[test]
fn damage_that_was_replaced_or_deleted_stands_in_nobodys_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("index");
    drop(archive(&path));
    let whole = fs::read(path.join("codes")).expect("read");
    change(&path.join("vectors"), 10 * 8 * 4 + 5);
    // Of the damaged batch and of a whole one.
    change(&path.join("codes"), 10 * 8 + 5);
    change(&path.join("codes"), 20 * 8 + 5);
    let (mut writer, _) = Writer::open(&path, &fingerprint(8)).expect("opened");
    let mut batch = Batch::new();
    for row in 10..19 {
        let id = format!("id {row}");
        match row % 2 {
            0 => batch.put(id, vec![1.0; 8], Metadata::new()),
            _ => batch.delete(id),
        };
    }
    writer.append(&batch).expect("appended");
    let copy = folder.path().join("copy");
    let mut index = Index::open(&path, &fingerprint(8)).expect("opened");
    let message = index.copy_to(&copy).expect_err("one is left").to_string();
    assert!(message.contains("vectors of 'id 19';"), "{message}");
    assert_eq!(index.damaged().expect("read"), ["id 19"]);
    assert!(writer.remake_codes().is_err(), "one is left");
    writer
        .append(Batch::new().delete("id 19"))
        .expect("appended");
    assert!(index.refresh().expect("refreshed"));
    assert!(index.damaged().expect("read").is_empty());
    drop(index.copy_to(&copy).expect("copied"));
    let copied = Index::open(&copy, &fingerprint(8)).expect("opened");
    copied.verify().expect("whole");
    assert_eq!((entries(&copied), index.len()), (entries(&index), 35));
    drop(index);
    // Codes of the whole batch are made again, those of the damaged one are left.
    writer.remake_codes().expect("made again");
    let codes = fs::read(path.join("codes")).expect("read");
    assert_eq!(codes[20 * 8..whole.len()], whole[20 * 8..]);
    assert_ne!(codes[..20 * 8], whole[..20 * 8]);
    let index = Index::open(&path, &fingerprint(8)).expect("opened");
    let message = index.verify().expect_err("damaged").to_string();
    assert!(message.contains("vectors"), "{message}");
}

#[test]
fn a_vector_that_is_none_is_no_hit() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    drop(archive(path));
    let whole = fs::read(path.join("vectors")).expect("read");
    let cpu = Cpu::new(2, Cpu::detect().path());
    // Of the second batch, which opening does not look at.
    for number in [f32::NAN, f32::INFINITY, -1e30, 1.5] {
        let mut vectors = whole.clone();
        let row = &mut vectors[13 * 8 * 4..][..8 * 4];
        for place in row.chunks_exact_mut(4) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        fs::write(path.join("vectors"), &vectors).expect("written");
        let index = Index::open(path, &fingerprint(8)).expect("the last batch is whole");
        let query = Query::new([1.0; 8]).with_k(40);
        let all = DuplicateOptions::default().with_threshold(1e-6);
        for error in [
            index.search(&cpu, &query).map(drop).expect_err("damaged"),
            index
                .search(&cpu, &query.with_exact())
                .map(drop)
                .expect_err("damaged"),
            index.duplicates(&cpu, &all).map(drop).expect_err("damaged"),
        ] {
            let message = error.to_string();
            assert!(matches!(error, Error::Damaged { .. }), "{message}");
            // The picture, and what to do, as where a batch is compared with its checksum.
            let to_do =
                "restore the folder from a copy, or embed the pictures that `Index::damaged` names";
            for part in ["vectors", "byte 416", "unit length", "'id 13'", to_do] {
                assert!(message.contains(part), "{part}: {message}");
            }
        }
    }
}

#[test]
fn damaged_codes_are_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let before = entries(&archive(path));
    let codes = fs::read(path.join("codes")).expect("read");
    change(&path.join("codes"), 85);
    let index = Index::open(path, &fingerprint(8)).expect("the last batch is whole");
    let message = index.verify().expect_err("damaged").to_string();
    for part in ["codes", "byte 80", "Writer::remake_codes"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    drop(index);
    let (mut writer, recovery) = Writer::open(path, &fingerprint(8)).expect("opened");
    assert!(recovery.is_clean());
    writer.remake_codes().expect("made again");
    assert_eq!(fs::read(path.join("codes")).expect("read"), codes);
    // All of them gone: a reader says what to do, a writer does it.
    fs::write(path.join("codes"), b"").expect("written");
    drop(writer);
    let message = Index::open(path, &fingerprint(8))
        .expect_err("no codes")
        .to_string();
    assert!(
        message.contains("codes") && message.contains("writing"),
        "{message}"
    );
    let (_, recovery) = Writer::open(path, &fingerprint(8)).expect("opened");
    assert_eq!(recovery.remade_codes, 40);
    assert_eq!(fs::read(path.join("codes")).expect("read"), codes);
    let index = Index::open(path, &fingerprint(8)).expect("opened");
    index.verify().expect("whole");
    assert_eq!(entries(&index), before);
}

#[test]
fn a_file_that_is_missing_is_made_again_or_to_be_restored() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let before = entries(&archive(path));
    let open = || Index::open(path, &fingerprint(8)).map(drop);
    let write = || Writer::open(path, &fingerprint(8)).map(drop);
    let damaged = |error: Error, name: &str, remedy: &str| {
        let message = error.to_string();
        assert!(matches!(error, Error::Damaged { .. }), "{message}");
        for part in [&path.join(name).display().to_string(), "none", remedy] {
            assert!(message.contains(part), "{part}: {message}");
        }
    };
    for name in ["vectors", "log", "commit"] {
        fs::rename(path.join(name), path.join("away")).expect("moved");
        damaged(open().expect_err(name), name, "restore the folder");
        damaged(write().expect_err(name), name, "restore the folder");
        assert!(!path.join(name).exists(), "{name} is not made");
        fs::rename(path.join("away"), path.join(name)).expect("moved");
    }
    let codes = fs::read(path.join("codes")).expect("read");
    fs::remove_file(path.join("codes")).expect("removed");
    damaged(open().expect_err("no codes"), "codes", "`Writer::open`");
    let (_, recovery) = Writer::open(path, &fingerprint(8)).expect("opened");
    assert_eq!(recovery.remade_codes, 40);
    assert_eq!(fs::read(path.join("codes")).expect("read"), codes);
    let index = Index::open(path, &fingerprint(8)).expect("opened");
    index.verify().expect("whole");
    assert_eq!(entries(&index), before);
}

#[test]
fn damage_to_an_old_record_is_found_on_opening() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    drop(archive(path));
    let len = fs::read(path.join("log")).expect("read").len();
    for at in (0..len).step_by(5) {
        change(&path.join("log"), at);
        for error in [
            Index::open(path, &fingerprint(8))
                .map(drop)
                .expect_err("damaged"),
            Writer::open(path, &fingerprint(8))
                .map(drop)
                .expect_err("damaged"),
        ] {
            let message = error.to_string();
            assert!(
                message.contains("log") && message.contains("restore"),
                "{message}"
            );
        }
        change(&path.join("log"), at);
    }
    fs::write(path.join("commit"), vec![0; 5000]).expect("written");
    let message = Index::open(path, &fingerprint(8))
        .expect_err("damaged")
        .to_string();
    assert!(
        message.contains("commit") && message.contains("both slots"),
        "{message}"
    );
}

#[test]
fn a_refresh_that_damage_stops_leaves_a_state_that_can_be_searched() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let mut index = archive(path);
    let (mut writer, _) = Writer::open(path, &fingerprint(8)).expect("opened");
    let mut append = |from: usize| {
        let mut batch = Batch::new();
        for row in from..from + 10 {
            batch.put(format!("id {row}"), vec![1.0; 8], Metadata::new());
        }
        writer.append(&batch).expect("appended");
        fs::metadata(path.join("log")).expect("a file").len()
    };
    let whole = append(40);
    append(50);
    change(
        &path.join("log"),
        usize::try_from(whole).expect("small") + 40,
    );
    let error = index.refresh().expect_err("damaged");
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    // The first of the two batches is there, and nothing of the second.
    assert_eq!((index.len(), index.contains("id 49")), (50, true));
    let cpu = Cpu::new(2, Cpu::detect().path());
    let query = Query::new([1.0; 8])
        .with_k(12)
        .with_rescored(0)
        .with_exact();
    let hits = index.search(&cpu, &query).expect("searched");
    let ids: Vec<&str> = hits.iter().take(10).map(|hit| &*hit.id).collect();
    assert_eq!(
        ids,
        (40..50).map(|row| format!("id {row}")).collect::<Vec<_>>()
    );
    let options = DuplicateOptions::default().with_threshold(0.9999);
    let found = index.duplicates(&cpu, &options).expect("compared");
    assert_eq!(found.found, 45);
}

#[test]
fn vectors_that_are_cut_short_under_a_reader_are_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let index = archive(path);
    let file = fs::File::options()
        .write(true)
        .open(path.join("vectors"))
        .expect("opened");
    file.set_len(100).expect("cut");
    let cpu = Cpu::new(2, Cpu::detect().path());
    let query = Query::new([1.0; 8]).with_k(2);
    let options = DuplicateOptions::default().with_threshold(0.01);
    for error in [
        index.search(&cpu, &query).map(drop).expect_err("cut"),
        index.duplicates(&cpu, &options).map(drop).expect_err("cut"),
        index.get("id 39").map(drop).expect_err("cut"),
        index.verify().expect_err("cut"),
    ] {
        assert!(error.to_string().contains("vectors"), "{error}");
    }
}

#[test]
fn another_model_or_dimension_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    drop(archive(path));
    for other in [
        Fingerprint::new("test-model", 9),
        Fingerprint::new("other", 8),
    ] {
        let error = Index::open(path, &other).expect_err("another");
        let message = error.to_string();
        assert!(matches!(error, Error::Model { .. }), "{message}");
        for part in ["'test-model' with 8", &other.to_string(), "another index"] {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert!(matches!(
            Writer::open(path, &other),
            Err(Error::Model { .. })
        ));
    }
    let found = Index::fingerprint_of(path).expect("read");
    assert_eq!(found, fingerprint(8));
    for impossible in [
        Fingerprint::new("", 8),
        Fingerprint::new("m", 0),
        Fingerprint::new("m", 1 << 17),
    ] {
        let error = Writer::create(path.join("new"), &impossible).expect_err("impossible");
        assert!(error.to_string().contains("fingerprint"), "{error}");
    }
}

#[test]
fn there_is_one_index_in_a_folder_and_one_writer() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    let error = Index::open(&path, &fingerprint(2)).expect_err("none");
    assert!(matches!(error, Error::NoIndex { .. }), "{error}");
    let writer = Writer::create(&path, &fingerprint(2)).expect("created");
    for error in [
        Writer::open(&path, &fingerprint(2))
            .map(drop)
            .expect_err("locked"),
        Writer::create(&path, &fingerprint(2))
            .map(drop)
            .expect_err("locked"),
    ] {
        assert!(matches!(error, Error::Locked { .. }), "{error}");
    }
    let index = Index::open(&path, &fingerprint(2)).expect("readers are welcome");
    assert!(index.is_empty());
    drop(writer);
    let error = Writer::create(&path, &fingerprint(2)).expect_err("there is one");
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    Writer::open(&path, &fingerprint(2)).expect("unlocked");
}

#[test]
#[cfg(unix)]
fn a_writer_whose_lock_is_deleted_or_replaced_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let one = |id: &str| {
        let mut batch = Batch::new();
        batch.put(id, vec![1.0, 2.0], Metadata::new());
        batch
    };
    let bytes = || ["vectors", "codes", "log", "commit"].map(|name| fs::read(path.join(name)).ok());
    let refused = |writer: &mut Writer| {
        let before = bytes();
        for error in [
            writer.append(&one("x")).map(drop).expect_err("no lock"),
            writer.remake_codes().expect_err("no lock"),
        ] {
            let message = error.to_string();
            assert!(matches!(error, Error::Unlocked { .. }), "{message}");
            for part in ["lock", "expected", "open the index again"] {
                assert!(message.contains(part), "{part}: {message}");
            }
        }
        assert_eq!(bytes(), before);
    };
    // Of an index that is made, and of one that is opened.
    let mut writer = Writer::create(path, &fingerprint(2)).expect("created");
    for id in ["a", "b"] {
        fs::remove_file(path.join("lock")).expect("removed");
        refused(&mut writer);
        let (mut second, _) = Writer::open(path, &fingerprint(2)).expect("opened");
        refused(&mut writer);
        // Who has lost the lock takes none from who has it.
        drop(writer);
        second.append(&one(id)).expect("appended");
        let third = Writer::open(path, &fingerprint(2)).map(drop);
        assert!(matches!(third, Err(Error::Locked { .. })), "{third:?}");
        drop(second);
        writer = Writer::open(path, &fingerprint(2)).expect("unlocked").0;
    }
    assert_eq!(writer.len(), 2);
}

#[test]
fn no_file_that_is_read_is_locked() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = Writer::create(folder.path(), &fingerprint(2)).expect("created");
    for name in ["header", "vectors", "codes", "log", "commit"] {
        let file = fs::File::options()
            .write(true)
            .open(folder.path().join(name));
        file.expect("opened").try_lock().expect(name);
    }
    drop(writer);
}

#[test]
fn a_reader_goes_on_when_codes_were_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let mut index = archive(path);
    fs::remove_file(path.join("codes")).expect("removed");
    let (mut writer, recovery) = Writer::open(path, &fingerprint(8)).expect("opened");
    assert_eq!(recovery.remade_codes, 40);
    let mut batch = Batch::new();
    batch.put("new", vec![1.0; 8], Metadata::new());
    writer.append(&batch).expect("appended");
    assert!(index.refresh().expect("refreshed"));
    assert_eq!(index.len(), 41);
    index.verify().expect("whole");
    let query = Query::new([1.0; 8]).with_k(1);
    let hits = index.search(&Cpu::detect(), &query).expect("searched");
    assert_eq!(hits[0].id, "new");
}

#[test]
#[cfg(unix)]
fn a_writer_that_is_gone_keeps_nobody_out_while_processes_start() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(Writer::create(folder.path(), &fingerprint(2)).expect("created"));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        // A process that starts has all open files for a moment, locks among them.
        let start = || {
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                std::process::Command::new("true")
                    .status()
                    .expect("a process");
            }
        };
        scope.spawn(start);
        let opened =
            (0..2000).try_for_each(|_| Writer::open(folder.path(), &fingerprint(2)).map(drop));
        done.store(true, std::sync::atomic::Ordering::SeqCst);
        opened.expect("unlocked");
    });
}

#[test]
fn a_batch_with_a_fault_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::create(folder.path(), &fingerprint(2)).expect("created");
    let number = |x: f64| Metadata::from([("x".to_owned(), x.into())]);
    let good = || vec![1.0, 2.0];
    let long = "i".repeat(65_536);
    type Fault<'a> = (&'a str, Vec<f32>, Metadata, &'a str);
    let faults: [Fault<'_>; 8] = [
        ("b", vec![1.0], Metadata::new(), "entry 1.vector"),
        ("b", vec![0.0, 0.0], Metadata::new(), "entry 1.vector"),
        ("b", vec![f32::NAN, 0.0], Metadata::new(), "entry 1.vector"),
        ("", good(), Metadata::new(), "entry 1.id"),
        (&long, good(), Metadata::new(), "entry 1.id"),
        ("a", good(), Metadata::new(), "a second time"),
        ("b", good(), number(f64::INFINITY), "entry 1.metadata"),
        (
            "b",
            good(),
            [(String::new(), 1.into())].into(),
            "entry 1.metadata",
        ),
    ];
    for (id, vector, metadata, part) in faults {
        let mut batch = Batch::new();
        batch
            .put("a", good(), number(1.0))
            .put(id, vector, metadata);
        let message = writer.append(&batch).expect_err(part).to_string();
        assert!(
            message.contains(part) && message.contains("expected"),
            "{part}: {message}"
        );
        assert!(
            !message.contains(&long),
            "an error is no place for an id that long"
        );
        assert!(writer.is_empty());
    }
    let mut batch = Batch::new();
    batch.put("a", good(), number(1.0)).delete("a");
    assert!(writer.append(&batch).is_err(), "put and deleted");
    // None of this was a failure of the disk.
    writer
        .append(Batch::new().put("a", good(), number(1.0)))
        .expect("appended");
    assert_eq!(writer.len(), 1);
    writer.append(&Batch::new()).expect("nothing to do");
    writer
        .append(Batch::new().delete("nobody"))
        .expect("nothing to do");
    drop(writer);
    let (_, recovery) = Writer::open(folder.path(), &fingerprint(2)).expect("opened");
    assert_eq!((recovery.batches, recovery.is_clean()), (1, true));
    let shown = format!("{:?}", batch);
    assert!(!shown.contains("\"x\""), "metadata is not shown: {shown}");
}
