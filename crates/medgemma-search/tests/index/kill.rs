//! A process killed in the middle of its appends, or of the ingestion of a folder: nothing that it
//! was told is published is lost, nothing is there twice, and the next process goes on where it
//! stopped.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use medgemma_search::{Batch, Index, Ingestion, Metadata, SourceFile, Writer};
use rand::RngExt;

use crate::ingest::{decode, embed};
use crate::support::{entries, fingerprint, numbers, rng};

const DIMENSION: usize = 33;
/// Vectors that are to be ingested, and those of a batch.
const ALL: usize = 600;
const BATCH: usize = 7;
/// Tells the child where the index is.
const FOLDER: &str = "MEDGEMMA_SEARCH_TEST_FOLDER";

fn vector(number: usize) -> Vec<f32> {
    numbers(&mut rng(number as u64), DIMENSION)
}

fn id(number: usize) -> String {
    format!("image {number}")
}

/// Ingests what is missing, and says after each append how many vectors there are.
fn ingest(folder: &Path) {
    let (mut writer, _) = Writer::open(folder, &fingerprint(DIMENSION)).expect("opened");
    let mut out = std::io::stdout().lock();
    let missing: Vec<usize> = (0..ALL).filter(|&n| !writer.contains(&id(n))).collect();
    for numbers in missing.chunks(BATCH) {
        let mut batch = Batch::new();
        for &number in numbers {
            batch.put(id(number), vector(number), Metadata::new());
        }
        let appended = writer.append(&batch).expect("appended");
        assert_eq!(appended.added, numbers.len(), "none is doubled");
        writeln!(out, "published {}", writer.len()).expect("a pipe");
        out.flush().expect("a pipe");
    }
    writeln!(out, "finished").expect("a pipe");
}

/// Not a test by itself: the process that is killed.
#[test]
#[ignore = "started by the test below"]
fn child() {
    if let Ok(folder) = std::env::var(FOLDER) {
        ingest(Path::new(&folder));
    }
}

/// Not a test by itself: a process for whose threads there is no memory.
#[test]
#[ignore = "started by the test below"]
fn threadless() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let (mut writer, _) = Writer::open(folder, &fingerprint(4)).expect("opened");
    let go_on = |_: &_| ControlFlow::Continue(());
    let error = Ingestion::new(folder.join("pictures")).run(&mut writer, decode, embed, go_on);
    let told = error.expect_err("no thread");
    writeln!(std::io::stdout(), "told: {told}").expect("a pipe");
}

#[cfg(target_os = "linux")]
#[test]
fn that_no_thread_can_be_started_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(Writer::create(folder.path(), &fingerprint(4)).expect("created"));
    fs::create_dir(folder.path().join("pictures")).expect("a folder");
    fs::write(folder.path().join("pictures/a.png"), [1, 2, 3, 4]).expect("written");
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "kill::threadless", "--ignored", "--nocapture"])
        .arg("--test-threads=1")
        .env(FOLDER, folder.path())
        .env("RUST_MIN_STACK", (1u64 << 60).to_string())
        .output()
        .expect("a child");
    let told = String::from_utf8_lossy(&child.stdout);
    let expected = "told: expected a thread to read files on, the system starts none";
    assert!(told.contains(expected), "{child:?}");
}

/// Runs the child until it has published `batches` times and `microseconds` more.
fn run(child: &str, folder: &Path, batches: usize, microseconds: u64) -> (usize, bool) {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .args(["--exact", child, "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let (mut published, mut finished, mut seen) = (0, false, 0);
    let mut note = |line: String| {
        // The test harness begins the first line itself.
        if let Some((_, number)) = line.split_once("published ") {
            published = number.parse().expect("a number");
            return 1;
        }
        finished |= line.contains("finished");
        0
    };
    while seen < batches
        && let Some(Ok(line)) = lines.next()
    {
        seen += note(line);
    }
    std::thread::sleep(Duration::from_micros(microseconds));
    child.kill().expect("killed");
    child.wait().expect("ended");
    // What it has said before its end counts.
    for line in lines.map_while(Result::ok) {
        note(line);
    }
    (published, finished)
}

#[test]
fn what_a_killed_process_has_published_is_there_once() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(Writer::create(folder.path(), &fingerprint(DIMENSION)).expect("created"));
    let mut rng = rng(7);
    let (mut kills, mut known, mut finished) = (0, 0, false);
    while !finished {
        let batches = rng.random_range(0..8);
        let published;
        (published, finished) = run(
            "kill::child",
            folder.path(),
            batches,
            rng.random_range(0..3000),
        );
        kills += usize::from(!finished);
        known = known.max(published);
        let (writer, recovery) =
            Writer::open(folder.path(), &fingerprint(DIMENSION)).expect("opened");
        assert!(writer.len() >= known, "{known} were published: {recovery}");
        let rest = writer.len() % BATCH;
        assert!(
            rest == 0 || writer.len() == ALL,
            "whole batches: {recovery}"
        );
        drop(writer);
        let index = Index::open(folder.path(), &fingerprint(DIMENSION)).expect("opened");
        index.verify().expect("all checksums");
        assert!(kills < 400, "the children make progress");
    }
    let index = Index::open(folder.path(), &fingerprint(DIMENSION)).expect("opened");
    let ids: Vec<String> = entries(&index).into_iter().map(|entry| entry.id).collect();
    assert_eq!(ids, (0..ALL).map(id).collect::<Vec<_>>());
    assert!(kills >= 5, "only {kills} were killed");
}

/// Pictures of the folder, and every how many comes a bad file, a copy of another.
const PICTURES: usize = 300;
const BAD: usize = 29;
const COPY: usize = 23;

fn make_pictures(folder: &Path) {
    fs::create_dir(folder).expect("a folder");
    for number in 0..PICTURES {
        let path = folder.join(format!("{number:03}.png"));
        let text = match number {
            n if n % BAD == 0 => format!("bad {n}"),
            n if n % COPY == 0 => "P1".to_owned(),
            n => format!("P{n}"),
        };
        fs::write(path, text).expect("written");
    }
}

/// Ingests, and says after each batch how many vectors there are.
fn ingest_folder(folder: &Path) {
    let (mut writer, _) = Writer::open(folder.join("index"), &fingerprint(3)).expect("opened");
    let mut out = std::io::stdout().lock();
    let slow = |pictures: Vec<Vec<u8>>| {
        std::thread::sleep(Duration::from_micros(500));
        embed(pictures)
    };
    // What was moved is decoded and not embedded: it takes its time too.
    let slowly = |file: &SourceFile<'_>| {
        std::thread::sleep(Duration::from_micros(100));
        decode(file)
    };
    let mut added = 0;
    let ingested = Ingestion::new(folder.join("pictures"))
        .with_batch(BATCH)
        .with_threads(2)
        .run(&mut writer, slowly, slow, |progress| {
            if progress.added > added {
                added = progress.added;
                writeln!(out, "published {}", progress.added + progress.known).expect("a pipe");
                out.flush().expect("a pipe");
            }
            ControlFlow::Continue(())
        });
    let ingested = ingested.expect("ingested");
    assert_eq!(ingested.skipped.len(), PICTURES.div_ceil(BAD), "{ingested}");
    writeln!(out, "finished").expect("a pipe");
}

/// Not a test by itself: the process that is killed.
#[test]
#[ignore = "started by the test below"]
fn ingesting_child() {
    if let Ok(folder) = std::env::var(FOLDER) {
        ingest_folder(Path::new(&folder));
    }
}

#[test]
fn a_killed_ingestion_goes_on_with_nothing_lost_or_doubled() {
    let folder = tempfile::tempdir().expect("a folder");
    make_pictures(&folder.path().join("pictures"));
    for index in ["index", "whole"] {
        drop(Writer::create(folder.path().join(index), &fingerprint(3)).expect("created"));
    }
    let mut rng = rng(8);
    let (mut kills, mut finished) = (0, false);
    while !finished {
        let (batches, time) = (rng.random_range(0..5), rng.random_range(0..4000));
        let published;
        (published, finished) = run("kill::ingesting_child", folder.path(), batches, time);
        kills += usize::from(!finished);
        let index = Index::open(folder.path().join("index"), &fingerprint(3)).expect("opened");
        assert!(index.len() >= published, "{published} were published");
        index.verify().expect("all checksums");
        assert!(kills < 400, "the children make progress");
    }
    assert!(kills >= 5, "only {kills} were killed");
    // What a run has that nothing disturbs.
    let mut whole = Writer::open(folder.path().join("whole"), &fingerprint(3))
        .expect("opened")
        .0;
    let ingestion = Ingestion::new(folder.path().join("pictures"));
    let ingested = ingestion.run(&mut whole, decode, embed, |_| ControlFlow::Continue(()));
    let ingested = ingested.expect("ingested");
    let copies = (0..PICTURES)
        .filter(|n| n % BAD != 0 && n % COPY == 0)
        .count();
    let added = PICTURES - PICTURES.div_ceil(BAD) - copies;
    assert_eq!(
        (ingested.added, ingested.copies),
        (added, copies),
        "{ingested}"
    );
    let open = |name| Index::open(folder.path().join(name), &fingerprint(3)).expect("opened");
    assert_eq!(entries(&open("index")), entries(&open("whole")));

    // All pictures are moved, and what writes that down is killed again and again.
    let pictures = folder.path().join("pictures").canonicalize();
    let pictures = pictures.expect("a folder");
    fs::rename(&pictures, folder.path().join("moved")).expect("moved");
    fs::create_dir(&pictures).expect("a folder");
    fs::rename(folder.path().join("moved"), pictures.join("below")).expect("moved");
    let (mut kills, mut finished) = (0, false);
    while !finished {
        // Longer and longer, until there is time for all of it.
        let time = rng.random_range(0..250 * (kills + 1) * (kills + 1));
        (_, finished) = run("kill::ingesting_child", folder.path(), 0, time);
        kills += u64::from(!finished);
        let index = open("index");
        index.verify().expect("all checksums");
        assert_eq!(index.len(), added, "nothing is lost or doubled");
        assert!(kills < 400, "the children make progress");
    }
    assert!(kills >= 5, "only {kills} were killed");
    let sorted = |name| {
        let mut entries = entries(&open(name));
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        entries
    };
    for (moved, before) in sorted("index").into_iter().zip(sorted("whole")) {
        assert_eq!((moved.id, moved.vector), (before.id, before.vector));
        let path = Ingestion::path_of(&moved.metadata).expect("a path");
        assert!(path.starts_with(pictures.join("below")) && path.is_file());
    }
}
