//! Folders of pictures.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use medgemma_image::{Image, Limits};
use medgemma_search::{
    Error, Fault, Fingerprint, Index, Ingested, Ingestion, Metadata, Progress, SourceFile, Value,
    Writer, content_id,
};

use crate::support::{entries, fingerprint};

/// What the tests' pictures hold: their bytes.
pub(crate) type Picture = Vec<u8>;
pub(crate) type Decoded = Result<(Picture, Metadata), String>;
pub(crate) type Embedded = Result<Vec<Result<Vec<f32>, String>>, String>;

/// As many threads and pictures at a time as can be asked for.
const MOST: (usize, usize) = (usize::MAX, usize::MAX);
pub(crate) const ON: ControlFlow<()> = ControlFlow::Continue(());

/// A file is a picture if it begins with a `P`.
pub(crate) fn decode(file: &SourceFile<'_>) -> Decoded {
    match file.bytes {
        [b'P', ..] => Ok((file.bytes.to_vec(), Metadata::new())),
        [b'!', ..] => panic!("a decoder's fault"),
        // Not a number: no index can have it.
        [b'N', ..] => Ok((vec![1], [("x".to_owned(), f64::NAN.into())].into())),
        // No direction.
        [b'0', ..] => Ok((vec![0], Metadata::new())),
        _ => Err(format!("no picture in {} bytes", file.bytes.len())),
    }
}

/// The numbers of its first bytes.
pub(crate) fn embed(pictures: Vec<Picture>) -> Embedded {
    let vector = |picture: &Picture| -> Result<Vec<f32>, String> {
        let byte = |at: usize| f32::from(*picture.get(at).unwrap_or(&0));
        match &picture[..] {
            b"Pale" => Err("too pale".to_owned()),
            _ => Ok((0..3).map(byte).collect()),
        }
    };
    Ok(pictures.iter().map(vector).collect())
}

pub(crate) fn writer(folder: &Path) -> Writer {
    match Writer::create(folder, &fingerprint(3)) {
        Err(Error::Exists { .. }) => Writer::open(folder, &fingerprint(3)).expect("opened").0,
        writer => writer.expect("created"),
    }
}

pub(crate) fn ingest(ingestion: &Ingestion, index: &Path) -> Ingested {
    let ingested = ingestion.run(&mut writer(index), decode, embed, |_| ON);
    ingested.expect("ingested")
}

pub(crate) fn counts(ingested: &Ingested) -> [usize; 5] {
    let skipped = ingested.skipped.len();
    [
        ingested.files,
        ingested.added,
        ingested.known,
        ingested.copies,
        skipped,
    ]
}

/// The path in the metadata of every vector.
pub(crate) fn files(index: &Path) -> Vec<String> {
    let index = Index::open(index, &fingerprint(3)).expect("opened");
    let name = |entry: medgemma_search::Entry| entry.metadata[Ingestion::FILE].to_string();
    entries(&index).into_iter().map(name).collect()
}

/// `count` pictures in two folders, one below the other.
pub(crate) fn pictures(folder: &Path, count: usize) {
    fs::create_dir_all(folder.join("below")).expect("a folder");
    for number in 0..count {
        let name = if number % 3 == 0 { "below/" } else { "" };
        let path = folder.join(format!("{name}{number:03}.PNG"));
        fs::write(path, format!("P{number}")).expect("written");
    }
}

#[test]
fn a_folder_is_taken_in_once_whatever_the_threads_and_batches() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = folder.path().join("pictures");
    pictures(&from, 60);
    let mut expected: Vec<String> = (0..60)
        .map(|n| format!("{}{n:03}.PNG", if n % 3 == 0 { "below/" } else { "" }))
        .collect();
    expected.sort_by_key(|name| !name.starts_with("below"));
    for (threads, batch) in [
        (1, 1),
        (1, 7),
        (2, 32),
        (5, 4),
        (3, 1000),
        (0, 0),
        (1, usize::MAX),
        MOST,
    ] {
        let to = folder.path().join(format!("{threads} {batch}"));
        let ingestion = Ingestion::new(&from)
            .with_threads(threads)
            .with_batch(batch);
        let ingested = ingest(&ingestion, &to);
        assert_eq!(counts(&ingested), [60, 60, 0, 0, 0], "{ingested}");
        // Digits come before letters.
        let mut found = files(&to);
        found.sort_by_key(|name| !name.starts_with("below"));
        assert_eq!(found, expected);
        let index = Index::open(&to, &fingerprint(3)).expect("opened");
        let entry = index
            .get(&content_id(b"P31"))
            .expect("read")
            .expect("there");
        assert_eq!(entry.metadata[Ingestion::FILE], "031.PNG".into());
        let again = ingest(&ingestion, &to);
        assert_eq!(counts(&again), [60, 0, 60, 0, 0], "{again}");
        assert_eq!(files(&to).len(), 60, "nothing is doubled");
    }
    let orders = ["1 1", "2 32", "5 4"].map(|to| files(&folder.path().join(to)));
    assert!(
        orders.windows(2).all(|pair| pair[0] == pair[1]),
        "the order of the index"
    );
}

#[test]
fn moved_copied_and_changed_files_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("pictures"), folder.path().join("index"));
    pictures(&from, 10);
    fs::write(from.join("zz.jpg"), "P4").expect("a copy");
    fs::write(from.join("notes.txt"), "P").expect("no picture");
    let ingestion = Ingestion::new(&from).with_batch(4);
    let first = ingest(&ingestion, &to);
    assert_eq!((counts(&first), first.ignored), ([11, 10, 0, 1, 0], 1));
    fs::rename(from.join("001.PNG"), from.join("moved.png")).expect("moved");
    fs::write(from.join("002.PNG"), "P changed").expect("changed");
    let second = ingest(&ingestion, &to);
    assert_eq!(counts(&second), [11, 1, 9, 1, 0], "{second}");
    let only = ingest(&ingestion.clone().with_extensions(["txt"]), &to);
    assert_eq!((counts(&only), only.ignored), ([1, 1, 0, 0, 0], 11));
}

#[test]
fn bad_files_are_listed_and_skipped() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("pictures"), folder.path().join("index"));
    pictures(&from, 9);
    for (name, bytes) in [
        ("bad.png", "nothing"),
        ("empty.png", ""),
        ("pale.png", "Pale"),
        ("panics.png", "!"),
        ("nan.png", "N"),
        ("zero.png", "0"),
        ("long.png", "P that is longer than it may be"),
    ] {
        fs::write(from.join(name), bytes).expect("written");
    }
    let mut expected = vec![
        ("bad.png", "cannot be decoded: no picture in 7 bytes"),
        ("empty.png", "cannot be decoded: no picture in 0 bytes"),
        ("long.png", "at most 20 bytes"),
        (
            "nan.png",
            "metadata that an index cannot have: argument `metadata`: expected a finite",
        ),
        ("pale.png", "cannot be embedded: too pale"),
        (
            "panics.png",
            "the decoder panicked, which is its fault: a decoder's fault",
        ),
        ("zero.png", "finite numbers, not all zero"),
    ];
    #[cfg(unix)]
    let _socket = {
        use std::os::unix::{fs::symlink, net::UnixListener};
        symlink(&from, from.join("loop")).expect("a link");
        symlink(from.join("none"), from.join("lost.png")).expect("a link");
        symlink(from.join("000.PNG"), from.join("to nothing")).expect("a link");
        symlink(from.join("001.PNG"), from.join("zz copy.png")).expect("a link");
        expected.insert(2, ("lost.png", "cannot be read (No such file"));
        expected.insert(3, ("loop", "a link to one"));
        // No order of ours: "long", "loop", "lost".
        expected[2..5].sort_unstable();
        // Reading it would wait for ever.
        UnixListener::bind(from.join("socket.png")).expect("a socket")
    };
    let (copies, ignored) = if cfg!(unix) { (1, 2) } else { (0, 0) };
    let ingestion = Ingestion::new(&from).with_largest(20).with_batch(4);
    for (run, added) in [9, 0].into_iter().enumerate() {
        let found = ingest(&ingestion, &to);
        assert_eq!((found.added, found.known), (added, 9 - added), "{found}");
        assert_eq!(
            (found.copies, found.ignored, found.stopped),
            (copies, ignored, false)
        );
        let lines: Vec<String> = found.skipped.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), expected.len(), "run {run}: {lines:#?}");
        for (line, (name, part)) in lines.iter().zip(&expected) {
            let begins = format!("{}: ", from.join(name).display());
            assert!(
                line.starts_with(&begins) && line.contains(part),
                "{name}, {part}: {line}"
            );
        }
        assert!(matches!(found.skipped[0].fault, Fault::Decode(_)));
    }
    let missing = Ingestion::new(from.join("none"));
    let error = missing.run(&mut writer(&to), decode, embed, |_| ON);
    let message = error.expect_err("no folder").to_string();
    assert!(
        message.contains("none") && message.contains("list"),
        "{message}"
    );
}

#[test]
fn an_equal_of_what_cannot_be_embedded_is_no_copy() {
    let folder = tempfile::tempdir().expect("a folder");
    let from = folder.path().join("pictures");
    fs::create_dir(&from).expect("a folder");
    for (name, bytes) in [
        ("a.png", "Pale"),
        ("b.png", "Pgood"),
        ("c.png", "Pale"),
        ("d.png", "0"),
        ("e.png", "Pgood"),
        ("f.png", "0"),
        ("g.png", "Pale"),
    ] {
        fs::write(from.join(name), bytes).expect("written");
    }
    // Embedded with the others of its content, before they come, and some with it.
    for step in [32, 1, 4] {
        let to = folder.path().join(step.to_string());
        let ingestion = Ingestion::new(&from).with_step(step).with_threads(2);
        let mut dones = Vec::new();
        let found = ingestion.run(&mut writer(&to), decode, embed, |progress| {
            dones.push(progress.done);
            ON
        });
        let found = found.expect("ingested");
        assert_eq!(counts(&found), [7, 1, 0, 1, 5], "{step}: {found}");
        let name = |skipped: &medgemma_search::Skipped| {
            let name = skipped.path.file_name().expect("a name");
            name.to_string_lossy().into_owned()
        };
        let names: Vec<String> = found.skipped.iter().map(name).collect();
        let expected = ["a.png", "c.png", "d.png", "f.png", "g.png"];
        assert_eq!(names, expected, "{step}");
        assert!(dones.is_sorted() && dones.last() == Some(&7), "{dones:?}");
        if step == 32 {
            let line = found.skipped[1].to_string();
            assert!(
                line.contains("is equal to") && line.contains("a.png"),
                "{line}"
            );
            assert!(matches!(found.skipped[1].fault, Fault::Equal { .. }));
        }
    }
}

#[test]
fn a_model_that_fails_ends_the_run_and_keeps_what_was_published() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("pictures"), folder.path().join("index"));
    pictures(&from, 20);
    let ingestion = Ingestion::new(&from).with_batch(6).with_threads(3);
    type Model = fn(Vec<Picture>) -> Embedded;
    let models: [(Model, &str); 3] = [
        (|_| Err("the device is lost".to_owned()), "019.PNG"),
        (|pictures| embed(pictures[1..].to_vec()), "6 results"),
        (
            |pictures| Ok(vec![Ok(vec![1.0; 4]); pictures.len()]),
            "vectors of 3 numbers",
        ),
    ];
    for (index, (model, part)) in models.into_iter().enumerate() {
        let to = folder.path().join(index.to_string());
        let mut batches = 0;
        let fails = |pictures| {
            batches += 1;
            if batches < 3 {
                embed(pictures)
            } else {
                model(pictures)
            }
        };
        let error = ingestion.run(&mut writer(&to), decode, fails, |_| ON);
        let error = error.expect_err("a model that fails");
        assert!(error.to_string().contains(part), "{error}");
        if let Error::Embed { source, .. } = &error {
            assert_eq!(source.to_string(), "the device is lost");
        }
        assert_eq!(files(&to).len(), 12, "two batches");
        let rest = ingest(&ingestion, &to);
        assert_eq!(counts(&rest), [20, 8, 12, 0, 0], "{rest}");
    }
    // The model panics: the threads that decode must end too.
    let panics = std::panic::AssertUnwindSafe(|| {
        let model = |_: Vec<Picture>| -> Embedded { panic!("a fault of the model") };
        ingestion.run(&mut writer(&to), decode, model, |_| ON)
    });
    assert!(std::panic::catch_unwind(panics).is_err());
    assert_eq!(counts(&ingest(&ingestion, &to)), [20, 20, 0, 0, 0]);
}

#[test]
fn progress_adds_up_and_may_end_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("pictures"), folder.path().join("index"));
    pictures(&from, 30);
    fs::write(from.join("bad.png"), "").expect("written");
    let ingestion = Ingestion::new(&from).with_batch(5);
    let run = |stop_at: usize| {
        let mut all: Vec<Progress> = Vec::new();
        let progress = |progress: &Progress| {
            all.push(*progress);
            if progress.added >= stop_at {
                ControlFlow::Break(())
            } else {
                ON
            }
        };
        let ingested = ingestion.run(&mut writer(&to), decode, embed, progress);
        (ingested.expect("ingested"), all)
    };
    let (first, _) = run(10);
    assert_eq!((first.added, first.stopped), (10, true), "{first}");
    assert!(
        first
            .to_string()
            .starts_with("stopped: 31 pictures: 10 added"),
        "{first}"
    );
    let (second, all) = run(100);
    assert_eq!(counts(&second), [31, 20, 10, 0, 1]);
    for pair in all.windows(2) {
        assert!(pair[0].done <= pair[1].done && pair[0].elapsed <= pair[1].elapsed);
    }
    for progress in &all {
        let embedded = progress.added + progress.embedded;
        let sum = embedded + progress.known + progress.copies + progress.skipped;
        assert_eq!((progress.done, progress.files), (sum, 31));
        assert_eq!(progress.rate().is_some(), embedded > 0);
        assert!(
            progress.worked + 10 <= progress.done || embedded == 0,
            "{progress:?}"
        );
    }
    let last = all.last().expect("progress");
    assert_eq!(
        (last.done, last.time_left()),
        (31, Some(std::time::Duration::ZERO))
    );
    let line = last.to_string();
    assert!(
        line.starts_with("[####################] 31 of 31, "),
        "{line}"
    );
    assert!(line.ends_with(" a second; 1 skipped"), "{line}");
    let middle = all
        .iter()
        .find(|progress| progress.added == 10)
        .expect("progress");
    assert!(middle.to_string().contains(" s left"), "{middle}");
}

#[test]
fn progress_is_told_before_a_batch_is_full() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("pictures"), folder.path().join("index"));
    pictures(&from, 10);
    let ingestion = Ingestion::new(&from).with_batch(7).with_step(3);
    let mut writer = writer(&to);
    let mut steps = Vec::new();
    let mut told: Vec<[usize; 3]> = Vec::new();
    let model = |pictures: Vec<Picture>| {
        steps.push(pictures.len());
        embed(pictures)
    };
    let ingested = ingestion.run(&mut writer, decode, model, |progress| {
        told.push([progress.done, progress.added, progress.embedded]);
        ON
    });
    assert_eq!(counts(&ingested.expect("ingested")), [10, 10, 0, 0, 0]);
    // No batch is larger than it may be, nor a step.
    assert_eq!(steps, [3, 3, 1, 3]);
    let nothing = [[0; 3]; 3];
    let first = [&nothing[..], &[[3, 0, 3]; 3], &[[6, 0, 6]], &[[7, 7, 0]; 3]].concat();
    assert_eq!(told, [&first[..], &[[10, 7, 3], [10, 10, 0]]].concat());
}

#[test]
fn what_is_embedded_when_the_model_fails_is_published() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("pictures"), folder.path().join("index"));
    pictures(&from, 5);
    let mut left = 3;
    let fails = |pictures: Vec<Picture>| {
        left -= 1;
        match left {
            0 => Err("out of memory".to_owned()),
            _ => embed(pictures),
        }
    };
    let run = Ingestion::new(&from).with_step(1);
    let run = run.run(&mut writer(&to), decode, fails, |_| ON);
    assert!(matches!(run, Err(Error::Embed { .. })));
    assert_eq!(files(&to).len(), 2);
}

#[test]
fn what_is_embedded_when_a_run_is_stopped_is_published() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("pictures"), folder.path().join("index"));
    pictures(&from, 10);
    let ingestion = Ingestion::new(&from).with_step(2).with_prune();
    let stop_at = |done: usize| {
        let progress = |progress: &Progress| match progress.done >= done {
            true => ControlFlow::Break(()),
            false => ON,
        };
        let ingested = ingestion.run(&mut writer(&to), decode, embed, progress);
        ingested.expect("ingested")
    };
    let none = stop_at(0);
    assert_eq!((counts(&none), none.stopped), ([10, 0, 0, 0, 0], true));
    let some = stop_at(4);
    assert_eq!((counts(&some), some.stopped), ([10, 4, 0, 0, 0], true));
    // Not all files were looked at, so that none counts as gone.
    fs::remove_file(from.join("001.PNG")).expect("removed");
    let stopped = stop_at(1);
    assert_eq!((stopped.gone.len(), stopped.removed), (0, 0), "{stopped}");
    assert_eq!(files(&to).len(), 4);
}

#[test]
fn files_that_are_left_alone_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("pictures"), folder.path().join("index"));
    pictures(&from, 2);
    let alone = ingest(&Ingestion::new(&from), &to);
    assert_eq!(
        alone.to_string(),
        "2 pictures: 2 added, 0 known, 0 copies, 0 skipped"
    );
    for name in [
        "a.bmp", "c.tif", "d.tif", "e.TIF", "f.BMP", "1.a", "1.b", "1.c", "1.d", "none",
    ] {
        fs::write(from.join(name), "P").expect("written");
    }
    let found = ingest(&Ingestion::new(&from), &to);
    assert_eq!(found.endings, ["tif", "bmp", "a", "b", "c"]);
    assert_eq!(
        found.to_string(),
        "2 pictures: 0 added, 2 known, 0 copies, 0 skipped; \
         10 other files left alone (.tif, .bmp, .a, .b, .c)"
    );
}

#[test]
fn real_pictures_are_decoded_and_found() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../medgemma-image/tests/golden/files");
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("index");
    // How light the nine parts of the picture are: near enough to an embedding.
    let light = |image: &Image| -> Vec<f32> {
        let (width, height) = (image.width(), image.height());
        let mut sums = vec![1.0; 9];
        for (at, pixel) in image.as_rgb8().chunks_exact(3).enumerate() {
            let (x, y) = (at % width, at / width);
            let part = y * 3 / height * 3 + x * 3 / width;
            sums[part] += pixel.iter().map(|&p| f32::from(p)).sum::<f32>();
        }
        sums
    };
    let width = |image: &Image| Value::from(image.width() as u32);
    let decode = |file: &SourceFile<'_>| {
        let image = Image::decode(file.bytes, &Limits::default())?;
        let metadata = [("width".to_owned(), width(&image))].into();
        Ok::<_, medgemma_image::Error>((image, metadata))
    };
    let embed = |images: Vec<Image>| {
        let vectors = images.iter().map(|image| Ok(light(image)));
        Ok::<_, String>(vectors.collect())
    };
    let fingerprint = Fingerprint::new("light", 9);
    let mut writer = Writer::create(&to, &fingerprint).expect("created");
    let found = Ingestion::new(&golden)
        .with_batch(3)
        .run(&mut writer, decode, embed, |_| ON)
        .expect("ingested");
    assert!(found.added > 10, "{found}: {:?}", found.skipped);
    assert_eq!(
        found.added + found.copies + found.skipped.len(),
        found.files
    );
    let index = Index::open(&to, &fingerprint).expect("opened");
    for entry in index.entries() {
        let entry = entry.expect("read");
        let file = golden.join(entry.metadata[Ingestion::FILE].to_string());
        let image = Image::open(&file).expect("decoded");
        assert_eq!(
            entry.id,
            medgemma_search::content_id_of_file(&file).expect("read")
        );
        assert_eq!(entry.metadata["width"], width(&image));
        let expected = crate::support::unit(&light(&image));
        let off = entry
            .vector
            .iter()
            .zip(&expected)
            .map(|(a, b)| (a - b).abs());
        assert!(off.fold(0.0, f32::max) < 1e-6, "{}", file.display());
    }
}
