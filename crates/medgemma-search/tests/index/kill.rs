//! A process killed in the middle of its appends: nothing that it was told is published is lost,
//! nothing is there twice, and the next process goes on where it stopped.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use medgemma_search::{Batch, Index, Metadata, Writer};
use rand::RngExt;

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

/// Runs the child until it has published `batches` times and `microseconds` more.
fn run(folder: &Path, batches: usize, microseconds: u64) -> (usize, bool) {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .args(["--exact", "kill::child", "--ignored", "--nocapture"])
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
    std::thread::sleep(std::time::Duration::from_micros(microseconds));
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
        (published, finished) = run(folder.path(), batches, rng.random_range(0..3000));
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
