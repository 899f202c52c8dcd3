//! Folders that are ingested again after their files were moved, changed or removed.

use std::fs;
use std::path::{Path, PathBuf};

use medgemma_search::{
    Batch, Entry, Fault, Gone, Index, Ingested, Ingestion, Metadata, SourceFile, content_id,
};

use crate::ingest::{Embedded, ON, Picture, counts, embed, files, ingest, pictures, writer};
use crate::support::{entries, fingerprint};

fn all(index: &Path) -> Vec<Entry> {
    entries(&Index::open(index, &fingerprint(3)).expect("opened"))
}

fn vector(index: &Path, bytes: &str) -> Option<Entry> {
    let index = Index::open(index, &fingerprint(3)).expect("opened");
    index.get(&content_id(bytes.as_bytes())).expect("read")
}

/// Where every picture of an index is.
fn places(index: &Path) -> Vec<PathBuf> {
    let path = |entry: &Entry| Ingestion::path_of(&entry.metadata).expect("a path");
    let mut places: Vec<PathBuf> = all(index).iter().map(path).collect();
    places.sort();
    places
}

/// Takes in what needs no embedding.
fn ingest_known(ingestion: &Ingestion, index: &Path) -> Ingested {
    let none = |pictures: Vec<Picture>| -> Embedded { panic!("{} embedded", pictures.len()) };
    let ingested = ingestion.run(&mut writer(index), crate::ingest::decode, none, |_| ON);
    ingested.expect("ingested")
}

fn gone(ingested: &Ingested) -> Vec<PathBuf> {
    ingested.gone.iter().map(|gone| gone.path.clone()).collect()
}

#[test]
fn a_folder_that_was_moved_is_found_where_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().canonicalize().expect("a folder");
    let (from, to) = (here.join("arch"), here.join("index"));
    pictures(&from, 10);
    for batch in [1, 3, 32] {
        let to = to.with_extension(batch.to_string());
        let ingestion = |folder: &Path| Ingestion::new(folder).with_batch(batch).with_threads(3);
        ingest(&ingestion(&from), &to);
        let before = all(&to);
        let moved = here.join(format!("arch {batch}"));
        fs::rename(&from, &moved).expect("moved");
        let found = ingest_known(&ingestion(&moved), &to);
        assert_eq!((counts(&found), found.moved), ([10, 0, 10, 0, 0], 10));
        assert!(found.to_string().contains("10 known (10 moved)"), "{found}");
        let places = places(&to);
        assert_eq!(places.len(), 10, "nothing is lost or doubled");
        assert!(
            places
                .iter()
                .all(|path| path.starts_with(&moved) && path.is_file())
        );
        for (before, after) in before.iter().zip(all(&to)) {
            assert_eq!((&before.id, &before.vector), (&after.id, &after.vector));
        }
        let again = ingest_known(&ingestion(&moved), &to);
        assert_eq!((again.known, again.moved, again.gone.len()), (10, 0, 0));
        fs::rename(&moved, &from).expect("moved back");
    }
}

#[test]
fn of_copies_one_that_is_there_is_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("pictures"), folder.path().join("index"));
    pictures(&from, 4);
    for name in ["a", "b", "c"] {
        fs::create_dir(from.join(name)).expect("a folder");
        fs::write(from.join(name).join("coins.png"), "Pcoins").expect("written");
    }
    let ingestion = Ingestion::new(&from).with_batch(2);
    let name = || {
        let coins = vector(&to, "Pcoins").expect("there");
        coins.metadata[Ingestion::FILE].to_string()
    };
    let first = ingest(&ingestion, &to);
    assert_eq!(
        (counts(&first), name()),
        ([7, 5, 0, 2, 0], "a/coins.png".to_owned())
    );
    // The copy that is recorded comes later than others: it stays.
    fs::rename(from.join("a"), from.join("z")).expect("moved");
    for (copies, moved, expected) in [(2, 1, "b/coins.png"), (2, 0, "b/coins.png")] {
        let found = ingest_known(&ingestion, &to);
        assert_eq!((found.known, found.copies), (5, copies));
        assert_eq!((found.moved, &*name()), (moved, expected));
    }
    fs::rename(from.join("z"), from.join("a")).expect("moved");
    assert_eq!(
        (ingest_known(&ingestion, &to).moved, &*name()),
        (0, "b/coins.png")
    );
    fs::remove_dir_all(from.join("b")).expect("removed");
    assert_eq!(
        (ingest_known(&ingestion, &to).moved, &*name()),
        (1, "a/coins.png")
    );
    // Two that change places.
    let swapped = [("000.PNG", "below/000.PNG"), ("003.PNG", "below/003.PNG")];
    let [(_, one), (_, other)] = swapped;
    fs::rename(from.join(one), from.join("x")).expect("moved");
    fs::rename(from.join(other), from.join(one)).expect("moved");
    fs::rename(from.join("x"), from.join(other)).expect("moved");
    let found = ingest_known(&ingestion, &to);
    assert_eq!((found.known, found.moved, found.gone.len()), (5, 2, 0));
    for (bytes, file) in [("P0", other), ("P3", one)] {
        let entry = vector(&to, bytes).expect("there");
        assert_eq!(entry.metadata[Ingestion::FILE], file.into());
    }
}

#[test]
fn what_is_gone_or_changed_is_listed_and_removed_on_request_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().canonicalize().expect("a folder");
    let (from, other, to) = (here.join("one"), here.join("other"), here.join("index"));
    pictures(&from, 10);
    fs::create_dir(&other).expect("a folder");
    fs::write(other.join("far.png"), "Pfar").expect("written");
    let ingestion = Ingestion::new(&from);
    let elsewhere = ingest(&Ingestion::new(&other), &to);
    assert_eq!(
        (counts(&elsewhere), gone(&elsewhere).len()),
        ([1, 1, 0, 0, 0], 0)
    );
    ingest(&ingestion, &to);
    // Somebody else's vector says nothing of a place, or something else: it stays as it is.
    let path = |path: &str| Metadata::from([(Ingestion::PATH.to_owned(), path.into())]);
    let mut batch = Batch::new();
    batch.put(content_id(b"P8"), vec![1.0, 2.0, 3.0], Metadata::new());
    batch.put("by hand", vec![1.0, 2.0, 3.0], path("/no/such.png"));
    let id = content_id(b"by hand");
    batch.put(id, vec![1.0, 2.0, 3.0], path("s3://no/such.png"));
    writer(&to).append(&batch).expect("appended");

    fs::write(from.join("001.PNG"), "Pchanged").expect("changed");
    fs::write(from.join("002.PNG"), "nothing").expect("changed");
    fs::remove_file(from.join("004.PNG")).expect("removed");
    fs::remove_dir_all(from.join("below")).expect("removed");
    fs::write(from.join("below"), "no folder").expect("written");
    // What is too long to be read now is not gone; a name that is not there any more is.
    fs::rename(from.join("005.PNG"), from.join("005.bmp")).expect("moved");
    let only_png = ingestion.clone().with_extensions(["png"]);
    let long = only_png.clone().with_largest(1);
    let mut expected: Vec<PathBuf> = ["000", "003", "006", "009"]
        .map(|name| from.join("below").join(name).with_extension("PNG"))
        .into();
    expected.extend([from.join("004.PNG"), from.join("005.PNG")]);
    expected.sort();
    assert_eq!(gone(&ingest(&long, &to)), expected, "nothing was read");
    fs::rename(from.join("005.bmp"), from.join("005.PNG")).expect("moved back");
    expected.retain(|path| *path != from.join("005.PNG"));
    expected.extend([from.join("001.PNG"), from.join("002.PNG")]);
    expected.sort();
    for added in [1, 0] {
        let found = ingest(&only_png, &to);
        assert_eq!((counts(&found)[1], gone(&found)), (added, expected.clone()));
        assert_eq!((found.removed, all(&to).len()), (0, 14), "{found}");
        assert!(
            found.to_string().ends_with("; 7 gone or changed"),
            "{found}"
        );
    }
    let Gone { id, .. } = &ingest(&only_png, &to).gone[0];
    assert_eq!(*id, content_id(b"P1"));
    assert_eq!(vector(&to, "P8").expect("there").metadata, Metadata::new());

    let found = ingest(&only_png.clone().with_prune(), &to);
    assert_eq!((gone(&found), found.removed), (expected, 7));
    assert!(
        found
            .to_string()
            .ends_with("; 7 gone or changed and removed"),
        "{found}"
    );
    assert_eq!(all(&to).len(), 7);
    for (bytes, there) in [("P1", false), ("P4", false), ("P5", true), ("Pfar", true)] {
        assert_eq!(vector(&to, bytes).is_some(), there, "{bytes}");
    }
    // Other folders are looked at only where something is to be removed, and then only whether the
    // pictures are there.
    fs::remove_dir_all(&other).expect("removed");
    fs::remove_file(from.join("005.PNG")).expect("removed");
    assert_eq!(gone(&ingest(&only_png, &to)), [from.join("005.PNG")]);
    let last = ingest(&only_png.with_prune(), &to);
    let expected = vec![from.join("005.PNG"), other.join("far.png")];
    assert_eq!((gone(&last), last.removed), (expected, 2));
}

#[test]
fn what_is_damaged_is_embedded_again_where_it_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("pictures"), folder.path().join("index"));
    pictures(&from, 10);
    let ingestion = Ingestion::new(&from).with_batch(2).with_threads(3);
    ingest(&ingestion, &to);
    let before = all(&to);
    let path = to.join("vectors");
    let mut bytes = fs::read(&path).expect("read");
    bytes[3] ^= 1;
    fs::write(&path, &bytes).expect("written");
    let damaged = || {
        let index = Index::open(&to, &fingerprint(3)).expect("opened");
        index.damaged().expect("read")
    };
    assert_eq!(damaged(), [0, 1].map(|at| before[at].id.clone()));
    // An equal file changes nothing.
    let first = Ingestion::path_of(&before[0].metadata).expect("a path");
    fs::copy(first, from.join("zz.png")).expect("a copy");
    let found = ingest(&ingestion.clone().with_again(damaged()), &to);
    assert_eq!(counts(&found), [11, 2, 8, 1, 0], "{found}");
    assert!(damaged().is_empty());
    let mut after = all(&to);
    after.rotate_right(2);
    assert!(after == before, "all of it as it was");
    assert_eq!(ingest_known(&ingestion, &to).known, 10);
}

#[test]
fn what_is_embedded_again_keeps_metadata_that_are_right() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("pictures"), folder.path().join("index"));
    pictures(&from, 6);
    let ingestion = Ingestion::new(&from).with_batch(2);
    let said = |file: &SourceFile<'_>, word: &str| {
        let metadata = Metadata::from([("said".to_owned(), word.into())]);
        Ok::<_, String>((file.bytes.to_vec(), metadata))
    };
    let first = |file: &SourceFile<'_>| said(file, "first");
    let run = ingestion.run(&mut writer(&to), first, embed, |_| ON);
    run.expect("ingested");
    // Somebody else's, without a place.
    let put = content_id(b"P1");
    let own = Metadata::from([("patient".to_owned(), "7".into())]);
    let mut batch = Batch::new();
    batch.put(&put, vec![1.0, 0.0, 0.0], own.clone());
    writer(&to).append(&batch).expect("appended");
    fs::rename(from.join("002.PNG"), from.join("moved.PNG")).expect("moved");
    let before = all(&to);
    let ids = before.iter().map(|entry| entry.id.clone());
    let again = ingestion.clone().with_again(ids);
    let second = |file: &SourceFile<'_>| said(file, "second");
    let turned = |pictures: Vec<Picture>| -> Embedded {
        Ok(pictures.iter().map(|_| Ok(vec![0.0, 0.0, 1.0])).collect())
    };
    let run = again.run(&mut writer(&to), second, turned, |_| ON);
    assert_eq!(counts(&run.expect("ingested")), [6, 6, 0, 0, 0]);
    let moved = content_id(b"P2");
    for old in before {
        let new = all(&to).into_iter().find(|new| new.id == old.id);
        let new = new.expect("there");
        assert_eq!(new.vector, [0.0, 0.0, 1.0]);
        if new.id == moved {
            let path = from.canonicalize().expect("a folder").join("moved.PNG");
            assert_eq!(Ingestion::path_of(&new.metadata), Some(path));
            assert_eq!(new.metadata["said"], "second".into());
        } else {
            assert!(new.metadata == old.metadata, "{}", new.id);
        }
        assert_eq!(new.id == put, new.metadata == own);
    }
}

#[test]
fn damage_is_not_written_again_with_a_picture_that_was_moved() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("pictures"), folder.path().join("index"));
    pictures(&from, 10);
    let ingestion = Ingestion::new(&from).with_batch(2);
    ingest(&ingestion, &to);
    let before = all(&to);
    let path = to.join("vectors");
    let mut bytes = fs::read(&path).expect("read");
    bytes[3] ^= 1;
    fs::write(&path, &bytes).expect("written");
    // Nothing was moved: nothing is read of the vectors.
    assert_eq!(ingest_known(&ingestion, &to).known, 10);
    fs::rename(from.join("below"), from.join("above")).expect("moved");
    // The vector itself is whole, the other of its batch is not.
    fs::rename(from.join("002.PNG"), from.join("moved.png")).expect("moved");
    fs::write(from.join("new.png"), "Pnew").expect("written");
    // No copy of anything that is taken in.
    fs::copy(from.join("moved.png"), from.join("moved2.png")).expect("a copy");
    let found = ingest(&ingestion, &to);
    assert_eq!((counts(&found), found.moved), ([12, 1, 9, 0, 2], 4));
    let skipped = &found.skipped[0];
    assert!(skipped.path.ends_with("moved.png"), "{skipped}");
    assert!(matches!(skipped.fault, Fault::Damaged(_)), "{skipped}");
    let after = fs::read(&path).expect("read");
    assert_eq!(after[..bytes.len()], bytes);
    assert_eq!(after.len(), bytes.len() / 10 * 15);
    let damaged = content_id(b"P1");
    for entry in before.iter().filter(|entry| entry.id != damaged) {
        let now = all(&to).into_iter().find(|now| now.id == entry.id);
        assert_eq!(now.expect("there").vector, entry.vector);
    }
}

#[test]
fn nothing_is_removed_once_the_caller_ended_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().canonicalize().expect("a folder");
    let (from, to) = (here.join("arch"), here.join("index"));
    pictures(&from, 1);
    ingest(&Ingestion::new(&from), &to);
    // As where the disk of the archive is not mounted.
    fs::remove_dir_all(&from).expect("removed");
    fs::create_dir(&from).expect("a folder");
    let ingestion = Ingestion::new(&from).with_prune();
    let none = |pictures: Vec<Picture>| -> Embedded { panic!("{} embedded", pictures.len()) };
    let end = |_: &_| std::ops::ControlFlow::Break(());
    let ended = ingestion.run(&mut writer(&to), crate::ingest::decode, none, end);
    assert_eq!(ended.expect("ended").removed, 0);
    assert_eq!(all(&to).len(), 1);
    assert_eq!(ingest_known(&ingestion, &to).removed, 1);
}

#[test]
fn nothing_is_removed_while_something_was_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().canonicalize().expect("a folder");
    let (from, moved, to) = (here.join("arch"), here.join("arch2"), here.join("index"));
    pictures(&from, 10);
    let long = "P0123456789";
    fs::write(from.join("long.png"), long).expect("written");
    ingest(&Ingestion::new(&from), &to);
    fs::rename(&from, &moved).expect("moved");
    let ingestion = Ingestion::new(&moved).with_prune();
    let found = ingest_known(&ingestion.clone().with_largest(10), &to);
    assert_eq!(
        (found.moved, gone(&found)),
        (10, vec![from.join("long.png")])
    );
    assert_eq!((found.removed, all(&to).len()), (0, 11), "{found}");
    #[cfg(unix)]
    {
        fs::create_dir(here.join("far")).expect("a folder");
        fs::rename(moved.join("long.png"), here.join("far/long.png")).expect("moved");
        std::os::unix::fs::symlink(here.join("far"), moved.join("far")).expect("linked");
        let found = ingest_known(&ingestion, &to);
        assert_eq!((gone(&found).len(), found.removed), (1, 0));
        fs::remove_file(moved.join("far")).expect("removed");
        fs::rename(here.join("far/long.png"), moved.join("long.png")).expect("moved");
    }
    let found = ingest_known(&ingestion, &to);
    assert_eq!((found.moved, found.gone.len()), (1, 0));
    // What is read and is no picture hides nothing.
    fs::write(moved.join("long.png"), "nothing").expect("changed");
    let found = ingest_known(&ingestion, &to);
    assert_eq!((found.skipped.len(), found.removed), (1, 1));
}

#[test]
fn a_decoder_is_told_the_name_and_may_give_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("pictures"), folder.path().join("index"));
    pictures(&from, 3);
    let decode = |file: &SourceFile<'_>| {
        let own = Metadata::from([
            (
                Ingestion::FILE.to_owned(),
                format!("of {}", file.name).into(),
            ),
            (Ingestion::PATH.to_owned(), "nowhere".into()),
        ]);
        Ok::<_, String>((file.bytes.to_vec(), own))
    };
    let run = || Ingestion::new(&from).run(&mut writer(&to), decode, embed, |_| ON);
    assert_eq!(counts(&run().expect("ingested")), [3, 3, 0, 0, 0]);
    assert_eq!(files(&to), ["of 001.PNG", "of 002.PNG", "of below/000.PNG"]);
    // The place is the ingestion's own: without it every run would write all vectors again.
    assert_eq!(run().expect("ingested").moved, 0);
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_lead_to_their_files() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().canonicalize().expect("a folder");
    let (from, to) = (here.join("pictures"), here.join("index"));
    fs::create_dir(&from).expect("a folder");
    let names = [
        &b"br\xe8.png"[..],
        b"br\xe9.png",
        b"br%E9.png",
        "brü.png".as_bytes(),
    ];
    let mut expected = Vec::new();
    for (number, name) in names.into_iter().enumerate() {
        let path = from.join(OsStr::from_bytes(name));
        // Not every file system takes such names.
        if fs::write(&path, format!("P{number}")).is_ok() {
            expected.push(path);
        }
    }
    let found = ingest(&Ingestion::new(&from), &to);
    assert_eq!(found.added, expected.len(), "{:?}", found.skipped);
    expected.sort();
    assert_eq!(places(&to), expected);
    let mut texts = files(&to);
    texts.sort();
    if expected.len() == names.len() {
        assert_eq!(texts, ["br%25E9.png", "br%E8.png", "br%E9.png", "brü.png"]);
    }
    assert_eq!(ingest_known(&Ingestion::new(&from), &to).moved, 0);
}
