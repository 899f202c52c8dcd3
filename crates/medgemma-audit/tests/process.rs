//! Other processes: one that writes at the same time, one that is killed, and the command.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use medgemma_audit::{Audit, Error, verify, verify_with_anchor};
use serde_json::json;
use tempfile::TempDir;

/// Names the log to the test below when it runs as a process of its own.
const LOG: &str = "MEDGEMMA_AUDIT_TEST_LOG";

/// Not a test but the other process: writes records, and prints the hash of each once it has it.
#[test]
#[ignore = "run by the tests of this file"]
fn writer() {
    let Some(path) = env::var_os(LOG) else { return };
    let audit = Audit::open(path).unwrap();
    let mut out = std::io::stdout();
    loop {
        let receipt = audit
            .append("request", &json!({ "filler": "x".repeat(300) }))
            .unwrap();
        writeln!(out, "written {}", receipt.hash).unwrap();
        out.flush().unwrap();
    }
}

fn start_writer(path: &Path) -> Child {
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "writer", "--ignored", "--nocapture"])
        .env(LOG, path)
        .stdout(Stdio::piped())
        .spawn();
    child.unwrap()
}

#[test]
fn a_killed_process_loses_nothing_it_was_told_is_written_and_locks_others_out_till_then() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit.jsonl");
    for round in 0..3 {
        let mut child = start_writer(&path);
        let mut told = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| line.split("written ").nth(1).map(str::to_owned));
        let mut last = told.nth(20 + 7 * round).unwrap();
        let error = Audit::open(&path).unwrap_err();
        assert!(matches!(error, Error::Locked { .. }), "{error}");
        child.kill().unwrap();
        child.wait().unwrap();
        // What was on its way when it was killed counts as told. A line may have lost its end there.
        while let Some(hash) = told.next().filter(|hash| hash.len() == 64) {
            last = hash;
        }
        Audit::open(&path).unwrap();
        verify_with_anchor(&path, &last).unwrap();
    }
    assert!(verify(&path).unwrap().records > 60);
}

/// What programs that rotate logs do (elsewhere a file that is open and locked cannot be moved or cut): move it, move it and make another, cut it; and what else can befall it.
#[cfg(unix)]
#[test]
fn a_log_that_is_not_where_it_was_opened_gives_no_receipts() {
    fn other(path: &Path) -> std::path::PathBuf {
        path.with_extension("1")
    }
    type Befalls = fn(&Path);
    let replaced: [(&str, Befalls); 4] = [
        ("deleted", |path| fs::remove_file(path).unwrap()),
        ("moved", |path| fs::rename(path, other(path)).unwrap()),
        ("replaced", |path| {
            fs::rename(path, other(path)).unwrap();
            fs::write(path, "").unwrap();
        }),
        ("copied and replaced", |path| {
            fs::copy(path, other(path)).unwrap();
            fs::rename(other(path), path).unwrap();
        }),
    ];
    for (what, befalls) in replaced {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("audit.jsonl");
        let audit = Audit::open(&path).unwrap();
        audit.append("request", &json!({})).unwrap();
        befalls(&path);
        let error = audit.append("request", &json!({})).unwrap_err();
        assert!(matches!(error, Error::Replaced { .. }), "{what}: {error}");
        // Another process begins or goes on with the log of that name; this one stays out of it.
        let second = Audit::open(&path).unwrap();
        second.append("request", &json!({})).unwrap();
        let error = audit.append("request", &json!({})).unwrap_err();
        assert!(matches!(error, Error::Broken { .. }), "{what}: {error}");
        let records = if what == "copied and replaced" { 4 } else { 2 };
        assert_eq!(verify(&path).unwrap().records, records, "{what}");
        if other(&path).exists() {
            assert_eq!(verify(other(&path)).unwrap().records, 2, "{what}");
        }
    }
}

/// Rights given up, a server of files that forgot it: here, a path through what is no folder.
#[cfg(unix)]
#[test]
fn a_log_that_cannot_be_looked_for_takes_records_again_once_it_can() {
    let all = TempDir::new().unwrap();
    let (folder, aside) = (all.path().join("logs"), all.path().join("aside"));
    fs::create_dir(&folder).unwrap();
    let path = folder.join("audit.jsonl");
    let audit = Audit::open(&path).unwrap();
    fs::rename(&folder, &aside).unwrap();
    fs::write(&folder, "no folder").unwrap();
    for _ in 0..2 {
        let error = audit.append("request", &json!({})).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error}");
    }
    fs::remove_file(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    assert_eq!(audit.append("request", &json!({})).unwrap().sequence, 1);
    assert_eq!(verify(&path).unwrap().records, 2);
}

#[cfg(unix)]
#[test]
fn a_log_that_somebody_cuts_or_continues_gives_no_receipts() {
    for longer in [0, 1] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("audit.jsonl");
        let audit = Audit::open(&path).unwrap();
        let whole = fs::read(&path).unwrap();
        let left = [whole.clone(), whole.clone()].concat();
        fs::write(&path, &left[..whole.len() * 2 * longer]).unwrap();
        let error = audit.append("request", &json!({})).unwrap_err();
        let expected = whole.len() as u64;
        assert!(
            matches!(error, Error::Resized { expected: e, found, .. } if (e, found) == (expected, expected * 2 * longer as u64)),
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), left[..whole.len() * 2 * longer]);
    }
}

fn command(arguments: &[&str]) -> Output {
    let command = Command::new(env!("CARGO_BIN_EXE_medgemma-audit"))
        .args(arguments)
        .output();
    command.unwrap()
}

#[test]
fn the_command_says_what_it_found() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = Audit::open(&path).unwrap();
    let first = audit.last().hash;
    let last = audit
        .append("request", &json!({ "secret": "Quagmire" }))
        .unwrap()
        .hash;
    let log = path.to_str().unwrap();

    let whole = command(&[log, &first]);
    let said = String::from_utf8(whole.stdout).unwrap();
    assert_eq!(whole.status.code(), Some(0));
    assert_eq!(said, format!("2 records, unchanged\nlast hash: {last}\n"));

    let other = command(&[log, &"0".repeat(64)]);
    assert_eq!(other.status.code(), Some(1));
    assert!(
        String::from_utf8(other.stderr)
            .unwrap()
            .contains("cut off, or is another")
    );

    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - 200;
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let changed = command(&[log]);
    let said = String::from_utf8(changed.stderr).unwrap();
    assert_eq!(changed.status.code(), Some(1));
    assert!(
        said.contains("line 2") && !said.contains("Quagmire"),
        "{said}"
    );
    fs::write(&path, "").unwrap();
    let emptied = command(&[log]);
    let said = String::from_utf8(emptied.stderr).unwrap();
    assert_eq!(emptied.status.code(), Some(1));
    assert!(said.contains("cut to nothing"), "{said}");
    assert_eq!(command(&[]).status.code(), Some(2));
    assert_eq!(command(&[&format!("{log}.none")]).status.code(), Some(1));
}
