//! What can be wrong with a log. No message carries what a record says.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a log cannot be written, or must not be trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{}: cannot {doing} ({source}); check that the path is right, the disk has space and the folder its permissions", path.display())]
    Io {
        /// The log.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another process, or another `Audit` of this one, writes to the log.
    #[error("{} is being written to by somebody else: give each process its own log", path.display())]
    Locked {
        /// The log.
        path: PathBuf,
    },
    /// The log was deleted, moved or replaced while it was open.
    #[error("{}: the log was deleted, moved or replaced while it was open, and nothing more is written: open it anew, and rotate logs only while nobody writes to them", path.display())]
    Replaced {
        /// Where the log was.
        path: PathBuf,
    },
    /// Somebody else cut or continued the log while it was open.
    #[error("{}: the log has {found} bytes, {expected} were written: somebody else cut or continued it, and nothing more is written; compare it with a copy, open it anew", path.display())]
    Resized {
        /// The log.
        path: PathBuf,
        /// The bytes that it had after the last record.
        expected: u64,
        /// Those that it has.
        found: u64,
    },
    /// A line is not the one that was written. A file that is no log has such a line, too.
    #[error("{}: line {line} {wrong}: the file is no log, or was changed; nothing was written to it: check the path, compare the file with a copy", path.display())]
    Changed {
        /// The log.
        path: PathBuf,
        /// Which line, counted from 1.
        line: u64,
        /// What is wrong with it.
        wrong: Wrong,
    },
    /// The last line has no end: a crash tore it, or somebody cut it.
    #[error("{}: line {line} breaks off after {bytes} bytes: opening the log for writing cuts it off and records that", path.display())]
    Torn {
        /// The log.
        path: PathBuf,
        /// Which line, counted from 1.
        line: u64,
        /// How much there is of it.
        bytes: u64,
    },
    /// The log has no record at all. One that was opened for writing has a first one, unless that could not be written: this was
    /// cut to nothing, or is another file.
    #[error("{}: no record, where every log has a first one: it was cut to nothing, or is no log; check the path, compare it with a copy", path.display())]
    Empty {
        /// The log.
        path: PathBuf,
    },
    /// No record has the hash that was kept.
    #[error("{}: none of {records} records has the hash {anchor}: the log was cut off, or is another", path.display())]
    AnchorMissing {
        /// The log.
        path: PathBuf,
        /// Records that it has.
        records: u64,
        /// The hash that was kept.
        anchor: String,
    },
    /// An earlier record could not be written.
    #[error("{}: an earlier record was not written, so that no other is: open the log anew", path.display())]
    Broken {
        /// The log.
        path: PathBuf,
    },
    /// A record is longer than a line may be, no JSON, or JSON of several lines.
    #[error(
        "a record of event {event:?} is no JSON of one line or longer than {limit} bytes: record hashes, not contents"
    )]
    Record {
        /// Its event.
        event: &'static str,
        /// Bytes of a line.
        limit: usize,
    },
}

impl Error {
    /// For `map_err`: the system refused `doing` to `path`.
    pub(crate) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            doing,
            source,
        }
    }
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wrong {
    /// It is no record of this crate.
    Form,
    /// Its content has another hash than it says.
    Hash,
    /// It follows another record than it says: one before it was changed, removed, added or moved.
    Previous,
    /// Its number is another than its place.
    Sequence,
    /// It is longer than any record.
    Length,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "is no record",
            Self::Hash => "has another content than its hash is of",
            Self::Previous => "follows another record than it says",
            Self::Sequence => "has another number than its place",
            Self::Length => "is longer than any record",
        })
    }
}
