//! A changed, removed, added, moved or missing byte is found and named.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use medgemma_audit::{Audit, AuditOptions, Error, Receipt, Wrong, verify, verify_with_anchor};
use serde_json::{Value, json};
use tempfile::TempDir;

fn log(records: usize) -> (TempDir, PathBuf, Receipt) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = Audit::open(&path).unwrap();
    for number in 1..records {
        audit
            .append("request", &json!({ "number": number }))
            .unwrap();
    }
    let last = audit.last();
    (folder, path, last)
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| format!("{line}\n")).collect()
}

fn wrong(path: &Path) -> (u64, Wrong) {
    match verify(path).unwrap_err() {
        Error::Changed { line, wrong, .. } => (line, wrong),
        error => panic!("{error}"),
    }
}

#[test]
fn every_changed_bit_is_found_in_its_line() {
    let (_folder, path, _) = log(3);
    let written = fs::read(&path).unwrap();
    let newlines = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
    for at in 0..written.len() {
        for bit in 0..8 {
            let mut bytes = written.clone();
            bytes[at] ^= 1 << bit;
            fs::write(&path, &bytes).unwrap();
            let line = newlines(&written[..at]) + 1;
            match verify(&path).unwrap_err() {
                Error::Changed { line: found, .. } => {
                    assert_eq!(found, line, "byte {at}, bit {bit}")
                }
                Error::Torn { line: found, .. } => {
                    assert_eq!(
                        (at, found),
                        (written.len() - 1, line),
                        "only the last newline"
                    );
                }
                error => panic!("byte {at}, bit {bit}: {error}"),
            }
        }
    }
}

#[test]
fn removed_added_moved_and_repeated_records_are_found() {
    let (_folder, path, _) = log(5);
    let written = lines(&path);
    let (_other_folder, other, _) = log(5);
    let foreign = lines(&other);
    let mut arrangements = Vec::new();
    for (at, foreign) in foreign.iter().enumerate().take(4) {
        let mut removed = written.clone();
        removed.remove(at);
        arrangements.push((at + 1, removed));
        let mut moved = written.clone();
        moved.swap(at, at + 1);
        arrangements.push((at + 1, moved));
        let mut repeated = written.clone();
        repeated.insert(at, written[at].clone());
        arrangements.push((at + 2, repeated));
        let mut added = written.clone();
        added.insert(at + 1, foreign.clone());
        arrangements.push((at + 2, added));
        let mut blank = written.clone();
        blank.insert(at, "\n".to_owned());
        arrangements.push((at + 1, blank));
    }
    for (line, lines) in arrangements {
        fs::write(&path, lines.concat()).unwrap();
        assert_eq!(wrong(&path).0, line as u64);
        assert!(matches!(Audit::open(&path), Err(Error::Changed { .. })));
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            lines.concat(),
            "left as it was"
        );
    }
}

/// Somebody who changes a record and its hash as well would have to write all that follow anew.
#[test]
fn a_record_with_a_new_hash_does_not_fit_the_next() {
    let (_folder, path, anchor) = log(3);
    let mut written = lines(&path);
    let content = written[1]
        .split(",\"hash\"")
        .next()
        .unwrap()
        .replace(":1}", ":7}");
    written[1] = format!(
        "{content},\"hash\":\"{}\"}}\n",
        blake3::hash(content.as_bytes())
    );
    fs::write(&path, written.concat()).unwrap();
    assert_eq!(wrong(&path), (3, Wrong::Previous));
    // The last record can be exchanged so; then only a hash that was kept tells.
    fs::write(&path, written[..2].concat()).unwrap();
    verify(&path).unwrap();
    let error = verify_with_anchor(&path, &anchor.hash).unwrap_err();
    assert!(
        matches!(error, Error::AnchorMissing { records: 2, .. }),
        "{error}"
    );
}

#[test]
fn a_number_must_be_that_of_its_place() {
    let (_folder, path, _) = log(2);
    let mut written = lines(&path);
    let content = written[1].split(",\"hash\"").next().unwrap();
    let content = content.replace("\"sequence\":1", "\"sequence\":2");
    written[1] = format!(
        "{content},\"hash\":\"{}\"}}\n",
        blake3::hash(content.as_bytes())
    );
    fs::write(&path, written.concat()).unwrap();
    assert_eq!(wrong(&path), (2, Wrong::Sequence));
}

#[test]
fn a_log_cut_at_any_byte_is_torn_or_lacks_the_anchor_and_can_be_gone_on_with() {
    let (_folder, path, anchor) = log(2);
    let written = fs::read(&path).unwrap();
    for length in 0..written.len() {
        let left = &written[..length];
        fs::write(&path, left).unwrap();
        let whole = left.iter().filter(|&&byte| byte == b'\n').count() as u64;
        let torn = length
            - left
                .iter()
                .rposition(|&byte| byte == b'\n')
                .map_or(0, |at| at + 1);
        if length == 0 {
            let error = verify(&path).unwrap_err();
            assert!(matches!(error, Error::Empty { .. }), "{error}");
        } else if torn == 0 {
            assert_eq!(verify(&path).unwrap().records, whole);
        } else {
            let error = verify(&path).unwrap_err();
            assert!(
                matches!(error, Error::Torn { line, bytes, .. } if (line, bytes) == (whole + 1, torn as u64)),
                "{length}: {error}"
            );
        }
        if whole < 2 {
            verify_with_anchor(&path, &anchor.hash).unwrap_err();
        }
        let audit = Audit::open(&path).unwrap();
        audit.append("request", &json!({})).unwrap();
        drop(audit);
        assert_eq!(verify(&path).unwrap().records, whole + 2, "{length}");
        let opened: Value =
            serde_json::from_str(&lines(&path)[usize::try_from(whole).unwrap()]).unwrap();
        let recorded = opened["body"]["torn_bytes"].as_u64();
        assert_eq!(recorded, (torn > 0).then_some(torn as u64), "{opened}");
    }
}

/// Longer than the records that come to lie on its place.
#[test]
fn nothing_of_a_long_torn_line_is_left() {
    let (_folder, path, _) = log(1);
    let mut written = fs::read(&path).unwrap();
    written.extend(b"{\"sequence\":1,\"time\":\"");
    written.extend(vec![b'{'; 5000]);
    fs::write(&path, written).unwrap();
    drop(Audit::open(&path).unwrap());
    assert_eq!(verify(&path).unwrap().records, 2);
}

/// Room that a disk has given and not written reads as zeros.
#[test]
fn zeros_behind_the_last_record_are_cut_off() {
    let (_folder, path, _) = log(2);
    let written = fs::read(&path).unwrap();
    let torn = [&b"\0"[..], &[0; 5000], b"{\"seq\0\0\0"];
    let longer = b"{\"sequence\":2,\"time\":\"2026-11\0\0";
    for torn in torn.into_iter().chain([&longer[..]]) {
        fs::write(&path, [&written, torn].concat()).unwrap();
        let error = verify(&path).unwrap_err();
        assert!(matches!(error, Error::Torn { line: 3, .. }), "{error}");
        drop(Audit::open(&path).unwrap());
        assert_eq!(verify(&path).unwrap().records, 3);
        let opened: Value = serde_json::from_str(&lines(&path)[2]).unwrap();
        assert_eq!(opened["body"]["torn_bytes"], torn.len());
    }
}

/// A path that was mistaken for a log's. Much that is on a disk has no line break: a token, JSON of one line.
#[test]
fn what_is_no_record_is_no_torn_one_and_is_left_as_it_is() {
    let (_folder, path, _) = log(2);
    let log = fs::read(&path).unwrap();
    let others: [&[u8]; 6] = [
        b"x",
        b"{\"token\":\"secret\"}",
        b"{\"sequence\":7,\"time\":\"2026-11-26T11:30:00.000Z\"",
        b"\0x",
        b"{\0\"sequence\"",
        &[b'x'; 5000],
    ];
    for whole in [&[], &*log] {
        let line = if whole.is_empty() { 1 } else { 3 };
        for other in others {
            let before = [whole, other].concat();
            fs::write(&path, &before).unwrap();
            assert_eq!(wrong(&path), (line, Wrong::Form), "{before:?}");
            let error = Audit::open(&path).unwrap_err();
            assert!(matches!(error, Error::Changed { .. }), "{error}");
            assert!(error.to_string().contains("check the path"), "{error}");
            assert_eq!(fs::read(&path).unwrap(), before, "written over");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_log_that_is_begun_is_its_owners_and_one_that_is_there_keeps_its_rights() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, path, _) = log(1);
    let rights = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(rights(), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    Audit::open(&path).unwrap().append("request", &0).unwrap();
    assert_eq!(rights(), 0o640);
}

/// A pipe would be waited for; a device takes what it is given and keeps nothing.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_opened() {
    let (folder, path, _) = log(1);
    for other in [Path::new("/dev/null"), folder.path()] {
        let error = Audit::open(other).map(drop).unwrap_err();
        let said = format!("{}: cannot open the log (it is no file);", other.display());
        assert!(error.to_string().starts_with(&said), "{error}");
    }
    let error = verify(path.join("none")).unwrap_err().to_string();
    for part in ["cannot open the log (", "check that the path is right"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn records_say_when_and_what() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit.jsonl");
    let noon = UNIX_EPOCH + Duration::from_secs(1_764_158_400);
    let audit = Audit::open_with(&path, AuditOptions::default().with_clock(move || noon)).unwrap();
    let receipt = audit.append("reply", &json!({ "seed": 7 })).unwrap();
    assert_eq!((receipt.sequence, &receipt), (1, &audit.last()));
    let line: Value = serde_json::from_str(&lines(&path)[1]).unwrap();
    assert_eq!(line["time"], "2025-11-26T12:00:00.000Z");
    assert_eq!(
        (&line["event"], &line["body"]["seed"]),
        (&json!("reply"), &json!(7))
    );
    assert_eq!(line["hash"], receipt.hash);
    let first: Value = serde_json::from_str(&lines(&path)[0]).unwrap();
    assert_eq!(first["body"]["keyed"], false);
    assert_eq!(first["previous"], "0".repeat(64));
    assert_eq!(line["previous"], first["hash"]);
    assert_eq!(
        verify_with_anchor(&path, first["hash"].as_str().unwrap())
            .unwrap()
            .records,
        2
    );
}

#[test]
fn digests_are_blake3_and_with_a_key_nobodys_guess() {
    let folder = TempDir::new().unwrap();
    let open = |name: &str, options| Audit::open_with(folder.path().join(name), options).unwrap();
    let plain = open("plain", AuditOptions::default());
    // `printf '' | b3sum`
    assert_eq!(
        plain.digest(b""),
        "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    );
    let keyed = open("keyed", AuditOptions::default().with_key([7; 32]));
    let said: Value = serde_json::from_str(&lines(&folder.path().join("keyed"))[0]).unwrap();
    assert_eq!(said["body"]["keyed"], true);
    let other = open("other", AuditOptions::default().with_key([8; 32]));
    let digests = [&plain, &keyed, &other].map(|audit| audit.digest(b"Is it broken?"));
    assert!(digests[0] != digests[1] && digests[1] != digests[2] && digests[0] != digests[2]);
    assert_eq!(digests[1], keyed.digest(b"Is it broken?"));
    let debugged = format!(
        "{keyed:?} {:?}",
        AuditOptions::default().with_key([177; 32])
    );
    assert!(
        !debugged.contains("177") && debugged.contains("keyed: true"),
        "{debugged}"
    );
}

#[test]
fn a_record_that_is_too_long_is_refused_and_breaks_nothing() {
    let (_folder, path, _) = log(1);
    let audit = Audit::open(&path).unwrap();
    let long = "x".repeat(1 << 20);
    let error = audit.append("request", &long).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Record {
                event: "request",
                ..
            }
        ),
        "{error}"
    );
    let numbers: std::collections::BTreeMap<(u8, u8), u8> = [((1, 2), 3)].into();
    audit.append("request", &numbers).unwrap_err();
    // Text that is taken over as it stands.
    let lines_of = serde_json::value::RawValue::from_string("{\n\"a\": 1\n}".to_owned()).unwrap();
    audit.append("request", &lines_of).unwrap_err();
    audit.append("request", &json!({})).unwrap();
    assert_eq!(verify(&path).unwrap().records, 3);
    // The longest that can be written can be read.
    let last = |path: &Path| lines(path).pop().unwrap().len();
    audit.append("request", &"").unwrap();
    let room = (1 << 20) - last(&path);
    audit.append("request", &"x".repeat(room)).unwrap();
    assert_eq!(last(&path), 1 << 20);
    audit.append("request", &"x".repeat(room + 1)).unwrap_err();
    assert_eq!(verify(&path).unwrap().records, 5);
    // Nor is a line read that no record can be.
    fs::write(&path, "{".repeat(3 << 20)).unwrap();
    assert_eq!(wrong(&path), (1, Wrong::Length));
}

#[test]
fn several_threads_write_one_chain() {
    let (_folder, path, _) = log(1);
    let audit = Audit::open(&path).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let audit = audit.clone();
            scope.spawn(move || {
                for number in 0..10 {
                    audit.append("request", &json!([thread, number])).unwrap();
                }
            });
        }
    });
    assert_eq!(verify(&path).unwrap().records, 42);
}
