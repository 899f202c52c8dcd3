//! What can go wrong between embeddings and a probe on disk, by whose fault it is.

use std::path::{Path, PathBuf};

/// Every error of this crate. None of them carries an embedding.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value given by the caller that cannot be used.
    #[error("argument `{argument}`: expected {expected}, found {found}")]
    Argument {
        /// The argument, with its place where it has one.
        argument: String,
        /// What may stand there, and what to do.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The score of an embedding is infinite or no number, though weights and embedding are finite.
    #[error(
        "the score of label `{label}`: expected a finite number, found {found}; weights and embedding are too large to be multiplied: look where they come from, bring the embedding to unit length, or fit the probe again"
    )]
    NonFiniteScore {
        /// The label.
        label: String,
        /// Its score, or its log-odds.
        found: f64,
    },
    /// A fit was stopped by whoever watched it.
    #[error(
        "expected a fit that may go on, found it stopped by its watcher, the gradient having been computed {evaluations} times; for the best of so many steps, set `FitOptions::max_iterations`"
    )]
    Stopped {
        /// How often loss and gradient had been computed in this fit.
        evaluations: u64,
    },
    /// The probe was fitted on embeddings of another encoder, or it is not known of which.
    #[error("expected a probe fitted on embeddings of `{expected}`, found one of {}; embeddings of different encoders mean different things: use the probe's encoder, or fit another probe", found.as_ref().map_or("an unknown encoder".to_owned(), |found| format!("`{found}`")))]
    Encoder {
        /// The encoder that the caller has.
        expected: String,
        /// The encoder that the probe names.
        found: Option<String>,
    },
    /// A file that is no probe, or no longer one.
    #[error("{}: {what}: expected {expected}, found {found}; restore the file from a copy, or fit the probe again", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The part that was looked at.
        what: String,
        /// What had to be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The operating system refused.
    #[error("{}: cannot {doing} ({source}); check that the path is right, the disk has space and the folder its permissions", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

/// This crate's `Result`.
pub type Result<T> = std::result::Result<T, Error>;

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

    /// A list that should have one entry for each of something.
    pub(crate) fn length(argument: &str, expected: usize, of_each: &str, found: usize) -> Self {
        Self::argument(
            argument,
            format!("one entry for each {of_each}, {expected} in all"),
            format!("{found} entries"),
        )
    }
}
