//! What can go wrong between a folder on disk and a list of hits, by whose fault it is.

use std::path::{Path, PathBuf};

use crate::Fingerprint;

/// Every error of this crate. None of them carries metadata or vectors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{}: cannot {doing} ({source}); check that the disk has space and the folder its permissions", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A value given by the caller that cannot be used.
    #[error("argument `{argument}`: expected {expected}, found {found}")]
    Argument {
        /// The argument, with its place in a batch where it has one.
        argument: String,
        /// What may stand there, and what to do.
        expected: String,
        /// What was given.
        found: String,
    },
    /// There is no index in the folder.
    #[error("{}: expected an index, found no file `header` in the folder; create one with `Writer::create`", path.display())]
    NoIndex {
        /// The folder.
        path: PathBuf,
    },
    /// There is an index in the folder already.
    #[error("{}: expected a folder without an index, found one; open it with `Writer::open`, or choose another folder", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A file stands where an index would have one of its own.
    #[error("{}: expected no file or an empty one, found {bytes} bytes; choose another folder, restore the file `header` from a copy if this was an index, or delete the folder if an `Index::copy_to` into it was interrupted", path.display())]
    Occupied {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// The index holds embeddings of another model.
    #[error("{}: expected an index of {expected}, found one of {found}; embeddings of different models cannot be compared: use the model of the index, or make another index", path.display())]
    Model {
        /// The folder.
        path: PathBuf,
        /// What the caller asked for.
        expected: Fingerprint,
        /// What the header says.
        found: Fingerprint,
    },
    /// Bytes that were published are not what was published. No crash does this.
    #[error("{}: {what} at byte {at}: expected {expected}, found {found}; {remedy}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damaged part begins.
        at: u64,
        /// The part that was looked at.
        what: &'static str,
        /// What had to be there.
        expected: String,
        /// What is there.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The folder has another index than the one that is open, or an older state of it: a copy was
    /// put in its place.
    #[error("{}: expected the index that was opened here and went on, found another or an older state of it; what is open stays as it was: open the folder again with `Index::open`", path.display())]
    Replaced {
        /// The folder.
        path: PathBuf,
    },
    /// Another writer, of this process or another, has the index open.
    #[error("{}: expected no other writer, found one; an index has one writer at a time: drop it, or end its process", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The file that this writer has locked is not in the folder any more, so that another writer may
    /// have the index open.
    #[error("{}: expected the file that this writer has locked, found none or another; leave it there while an index is open: see that no other writer is, drop this one and open the index again", path.display())]
    Unlocked {
        /// The file.
        path: PathBuf,
    },
    /// Another process writes to the index: what is published is not what this writer knows. No lock has kept
    /// it out.
    #[error("{}: expected what this writer has published, found another state: another process writes to the index, on another machine perhaps, where locks of files do not reach; see that it ends, drop this writer and open the index again", path.display())]
    Outrun {
        /// The folder.
        path: PathBuf,
    },
    /// An earlier append of this writer failed, so what the disk holds is not known.
    #[error("{}: expected a writer without a failed append, found one; drop it and open the index again, which sorts out what the disk holds", path.display())]
    Failed {
        /// The folder.
        path: PathBuf,
    },
    /// The system starts no thread, so that an ingestion could not read a file.
    #[error(
        "expected a thread to read files on, the system starts none ({source}); end other programs, or allow this one more processes and memory (`ulimit -u`, `ulimit -v`)"
    )]
    Thread {
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The function that embeds pictures failed, so an ingestion has ended.
    #[error("{}: expected embeddings of the batch that begins with this file, found an error ({}); what was published before remains: mend the cause and run the ingestion again", path.display(), whole(&**source))]
    Embed {
        /// The first file of the batch.
        path: PathBuf,
        /// What the function said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// This crate's `Result`.
pub type Result<T> = std::result::Result<T, Error>;

/// What to do about a damaged file that nothing else can make again.
pub(crate) const RESTORE: &str =
    "the disk or another program has changed it: restore the folder from a copy";

/// A caller's error with those of its causes that its own words do not hold.
pub(crate) fn whole(error: &(dyn std::error::Error + 'static)) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !told.contains(&words) {
            told = format!("{told}: {words}");
        }
        cause = error.source();
    }
    told
}

impl Error {
    /// For `map_err`: the system refused `doing` to `path`.
    pub(crate) fn io(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            doing,
            source,
        }
    }

    pub(crate) fn argument(
        argument: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Argument {
            argument: argument.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }
}
