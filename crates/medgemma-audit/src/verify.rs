//! A whole log, line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use crate::error::{Error, Result, Wrong};
use crate::line::{LONGEST, NO_HASH, check, may_be_torn};

/// What a log that holds together has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Records.
    pub records: u64,
    /// The hash of the last, 64 hexadecimal digits: what to keep elsewhere.
    pub last_hash: String,
}

/// Every record of a log is as it was written and in its place, there is at least the first, and the last is whole.
///
/// # Errors
/// [`Error::Changed`] naming the first line that is wrong, [`Error::Torn`], [`Error::Empty`], [`Error::Io`].
pub fn verify(path: impl AsRef<Path>) -> Result<Verified> {
    whole(path.as_ref(), None)
}

/// As [`verify`], and one of the records has the hash that was kept elsewhere when it was the last.
///
/// # Errors
/// As [`verify`], and [`Error::AnchorMissing`].
pub fn verify_with_anchor(path: impl AsRef<Path>, anchor: &str) -> Result<Verified> {
    whole(path.as_ref(), Some(anchor))
}

fn whole(path: &Path, anchor: Option<&str>) -> Result<Verified> {
    let file = File::open(path).map_err(Error::io(path, "open the log"))?;
    let mut anchored = anchor.is_none();
    let walked = walk(path, file, &mut |hash| anchored |= Some(hash) == anchor)?;
    if let Some(bytes) = walked.torn {
        return Err(Error::Torn {
            path: path.to_path_buf(),
            line: walked.verified.records + 1,
            bytes,
        });
    }
    if walked.verified.records == 0 {
        return Err(Error::Empty {
            path: path.to_path_buf(),
        });
    }
    match anchor {
        Some(anchor) if !anchored => Err(Error::AnchorMissing {
            path: path.to_path_buf(),
            records: walked.verified.records,
            anchor: anchor.to_owned(),
        }),
        _ => Ok(walked.verified),
    }
}

/// An error if there is something else than a file: opening or reading a pipe could wait for ever.
pub(crate) fn expect_file(path: &Path) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let source = io::Error::new(ErrorKind::InvalidInput, "it is no file");
            Err(Error::io(path, "open the log")(source))
        }
        // What cannot be looked at cannot be opened either, and opening says why.
        _ => Ok(()),
    }
}

/// What a log has, up to a torn last line.
pub(crate) struct Walked {
    pub(crate) verified: Verified,
    /// Bytes of whole lines.
    pub(crate) bytes: u64,
    /// Bytes of a last line without an end, which begins as a record does.
    pub(crate) torn: Option<u64>,
}

/// Reads on to the end, telling `each` of every hash.
pub(crate) fn walk(path: &Path, file: impl Read, each: &mut dyn FnMut(&str)) -> Result<Walked> {
    let mut reader = BufReader::new(file);
    let mut walked = Walked {
        verified: Verified {
            records: 0,
            last_hash: NO_HASH.to_owned(),
        },
        bytes: 0,
        torn: None,
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = LONGEST as u64 + 1;
        let read = reader.by_ref().take(limit).read_until(b'\n', &mut line);
        let read = read.map_err(Error::io(path, "read the log"))?;
        let number = walked.verified.records;
        let changed = |wrong| Error::Changed {
            path: path.to_path_buf(),
            line: number + 1,
            wrong,
        };
        if line.len() > LONGEST {
            return Err(changed(Wrong::Length));
        }
        match line.strip_suffix(b"\n") {
            Some(content) => {
                let hash = check(content, number, &walked.verified.last_hash).map_err(changed)?;
                each(&hash);
                walked.verified.records += 1;
                walked.verified.last_hash = hash;
                walked.bytes += read as u64;
            }
            None if read == 0 => return Ok(walked),
            None if !may_be_torn(&line, number) => return Err(changed(Wrong::Form)),
            None => {
                walked.torn = Some(read as u64);
                return Ok(walked);
            }
        }
    }
}
