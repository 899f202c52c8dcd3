//! The lines of the file of labels.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use csv::{Position, ReaderBuilder, StringRecord, Trim};
use serde::Deserialize;

/// A line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// From the file's folder.
    pub(crate) path: PathBuf,
    pub(crate) label: String,
    pub(crate) split: Option<Side>,
    pub(crate) group: Option<String>,
    /// Where it stands in the file.
    #[serde(skip)]
    pub(crate) line: u64,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Train,
    Test,
}

/// Reads the file. Spaces around a field mean nothing: `effusion ` is no other label than `effusion`.
pub(crate) fn read(csv: &Path) -> Result<Vec<Record>, String> {
    let records = lines(csv).map_err(|error| format!("{}: {error}", csv.display()))?;
    let checked = expect_once(csv, &records)
        .and_then(|()| expect_all_or_none(&records, "split", |r| r.split.is_some()))
        .and_then(|()| expect_all_or_none(&records, "group", |r| r.group.is_some()));
    checked.map_err(|error| format!("{}: {error}", csv.display()))?;
    Ok(records)
}

fn lines(csv: &Path) -> csv::Result<Vec<Record>> {
    let bytes = fs::read(csv)?;
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(&*bytes);
    let headers = reader.headers()?.clone();
    let record = |found: csv::Result<StringRecord>| {
        let found = found?;
        let mut record: Record = found.deserialize(Some(&headers))?;
        record.line = found.position().map_or(0, |at| line(at, &bytes));
        Ok(record)
    };
    reader.records().map(record).collect()
}

/// Of a record, whose position is that of the blank lines before it.
fn line(at: &Position, bytes: &[u8]) -> u64 {
    let from = usize::try_from(at.byte()).ok();
    let rest = from.and_then(|from| bytes.get(from..)).unwrap_or_default();
    let blank = rest.iter().take_while(|byte| b"\r\n".contains(byte));
    at.line() + blank.filter(|&&byte| byte == b'\n').count() as u64
}

/// Refuses a picture that is there twice, by whatever path: it would count twice, and might be judged by what was
/// fitted to it.
fn expect_once(csv: &Path, records: &[Record]) -> Result<(), String> {
    let folder = csv.parent().unwrap_or(Path::new("."));
    let mut seen: BTreeMap<PathBuf, &Record> = BTreeMap::new();
    for record in records {
        let path = folder.join(&record.path);
        // One that is not there is refused later, with all others.
        let path = path.canonicalize().unwrap_or(path);
        if let Some(first) = seen.insert(path, record) {
            return Err(format!(
                "column path: expected each picture once, found `{}` in line {} and `{}` in line {}, which are one file; take one of the lines out",
                first.path.display(),
                first.line,
                record.path.display(),
                record.line
            ));
        }
    }
    Ok(())
}

/// Refuses a column that some lines fill in and others leave blank.
fn expect_all_or_none(
    records: &[Record],
    column: &str,
    filled: impl Fn(&Record) -> bool,
) -> Result<(), String> {
    let line = |wanted: bool| records.iter().find(|record| filled(record) == wanted);
    match (line(true), line(false)) {
        (Some(with), Some(without)) => Err(format!(
            "column {column}: expected it filled in for either every picture or none, found it in line {} and blank in line {}; fill it in, or take the column out",
            with.line, without.line
        )),
        _ => Ok(()),
    }
}
