//! A folder whose index is another one than a reader has open, or an older state of it.

use std::fs;
use std::path::{Path, PathBuf};

use medgemma_search::{Batch, Cpu, Error, Hit, Index, Metadata, Query, Writer};

use crate::support::{entries, fingerprint};

const DIMENSION: usize = 3;

/// Appends vectors of these numbers, one batch for all.
fn append(writer: &mut Writer, numbers: std::ops::Range<u16>) {
    let mut batch = Batch::new();
    for number in numbers {
        batch.put(
            number.to_string(),
            vec![1.0, 2.0, number.into()],
            Metadata::new(),
        );
    }
    writer.append(&batch).expect("appended");
}

/// A folder with an index that has been written often and has little in it, and a reader.
struct Scene {
    _folder: tempfile::TempDir,
    path: PathBuf,
    reader: Index,
    /// What the reader finds.
    hits: Vec<Hit>,
}

fn hits(index: &Index) -> Vec<Hit> {
    let query = Query::new([1.0, 2.0, 0.0]).with_k(100).with_exact();
    let cpu = Cpu::new(2, Cpu::detect().path());
    index.search(&cpu, &query).expect("searched")
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("index");
        let mut writer = Writer::create(&path, &fingerprint(DIMENSION)).expect("created");
        for _ in 0..4 {
            append(&mut writer, 0..80);
        }
        drop(writer);
        let reader = Index::open(&path, &fingerprint(DIMENSION)).expect("opened");
        let hits = hits(&reader);
        assert_eq!(hits.len(), 80);
        Self {
            _folder: folder,
            path,
            reader,
            hits,
        }
    }

    /// Puts the index in `other` in the place of the one that is open.
    fn swap(&self, other: &Path) {
        fs::rename(&self.path, self.path.with_extension("old")).expect("moved away");
        fs::rename(other, &self.path).expect("moved here");
    }

    /// The reader must refuse to go on, keep what it has, and see all `now` when it opens again.
    fn check(mut self, now: usize) {
        for _ in 0..2 {
            let error = self.reader.refresh().expect_err("another index");
            let message = error.to_string();
            assert!(matches!(error, Error::Replaced { .. }), "{message}");
            for part in [&*self.path.display().to_string(), "expected", "Index::open"] {
                assert!(message.contains(part), "{part}: {message}");
            }
            assert_eq!(hits(&self.reader), self.hits);
            assert_eq!(entries(&self.reader).len(), 80);
        }
        let again = Index::open(&self.path, &fingerprint(DIMENSION)).expect("opened");
        again.verify().expect("whole");
        assert_eq!(again.len(), now);
    }

    /// A copy of the index, to which `batches` are appended, in the place of the index.
    fn compacted(&self, batches: &[std::ops::Range<u16>]) {
        let copy = self.path.with_extension("copy");
        let mut writer = self.reader.copy_to(&copy).expect("copied");
        batches
            .iter()
            .for_each(|batch| append(&mut writer, batch.clone()));
        drop(writer);
        self.swap(&copy);
    }
}

#[test]
fn a_compacted_index_is_another_one() {
    // Behind what is open: a reader would see nothing new for long.
    let scene = Scene::new();
    scene.compacted(&[]);
    scene.check(80);
    // Ahead of it in batches, with fewer rows than are open.
    let scene = Scene::new();
    scene.compacted(&[0..1, 1..2, 2..3, 100..101, 101..102]);
    scene.check(82);
    // Ahead of it in everything.
    let scene = Scene::new();
    scene.compacted(&[0..80, 0..80, 0..80, 0..80, 100..110]);
    scene.check(90);
}

#[test]
fn an_older_copy_of_an_index_does_not_go_on() {
    let mut scene = Scene::new();
    let copy = scene.path.with_extension("copy");
    fs::create_dir(&copy).expect("a folder");
    for file in fs::read_dir(&scene.path).expect("a folder") {
        let file = file.expect("a file");
        fs::copy(file.path(), copy.join(file.file_name())).expect("copied");
    }
    let (mut writer, _) = Writer::open(&scene.path, &fingerprint(DIMENSION)).expect("opened");
    let mut batch = Batch::new();
    for number in 0..20 {
        batch.delete(number.to_string());
    }
    writer.append(&batch).expect("deleted");
    append(&mut writer, 100..120);
    drop(writer);
    assert!(scene.reader.refresh().expect("its own index"));
    assert!(!scene.reader.refresh().expect("nothing new"));
    scene.hits = hits(&scene.reader);
    scene.swap(&copy);
    // Fewer batches than are open; then as many and more, of other vectors and not as many.
    let (mut writer, _) = Writer::open(&scene.path, &fingerprint(DIMENSION)).expect("opened");
    for number in 200..203 {
        let error = scene.reader.refresh().expect_err("an older state");
        assert!(matches!(error, Error::Replaced { .. }), "{number}: {error}");
        append(&mut writer, number..number + 1);
    }
    drop(writer);
    scene.check(83);
}

#[test]
fn files_of_two_indexes_are_not_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let [one, two] = ["one", "two"].map(|name| {
        let path = folder.path().join(name);
        append(
            &mut Writer::create(&path, &fingerprint(DIMENSION)).expect("created"),
            0..5,
        );
        path
    });
    fs::copy(two.join("commit"), one.join("commit")).expect("copied");
    for error in [
        Index::open(&one, &fingerprint(DIMENSION))
            .map(drop)
            .expect_err("mixed"),
        Writer::open(&one, &fingerprint(DIMENSION))
            .map(drop)
            .expect_err("mixed"),
    ] {
        let message = error.to_string();
        assert!(matches!(error, Error::Damaged { .. }), "{message}");
        for part in ["commit", "identity", "header", "one copy"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}

#[test]
fn a_reader_that_is_ahead_of_a_damaged_slot_waits() {
    let scene = Scene::new();
    let path = scene.path.join("commit");
    let mut commit = fs::read(&path).expect("read");
    // Four batches: the first slot is the newer one.
    commit[10] ^= 1;
    fs::write(&path, &commit).expect("written");
    let mut reader = Index::open(&scene.path, &fingerprint(DIMENSION)).expect("opened");
    assert_eq!(hits(&reader), scene.hits);
    assert!(!reader.refresh().expect("its own index"), "nothing new");
    let (mut writer, recovery) =
        Writer::open(&scene.path, &fingerprint(DIMENSION)).expect("opened");
    assert!(recovery.repaired_commit);
    append(&mut writer, 100..101);
    assert!(reader.refresh().expect("its own index"));
    assert_eq!(reader.len(), 81);
}
