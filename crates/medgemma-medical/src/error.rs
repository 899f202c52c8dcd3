//! What can go wrong between a hospital's file and a prompt, by whose fault it is.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::slide::SlideProblem;

/// Where the bytes of a medical file came from; the first words of every error about them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A file that was opened by its path.
    File(PathBuf),
    /// Bytes that the caller had in memory.
    Memory,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Memory => f.write_str("bytes in memory"),
        }
    }
}
/// Every error of this crate. None carries values of pixels, names, dates or identifiers of a patient.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{}: cannot {doing} ({source}); check that the file is there and may be read", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is larger, or says that it would become larger, than the limits in force allow.
    #[error(
        "{origin}: {what} is {found}, limit {limit}; raise `Limits::{what}` if the source is trusted"
    )]
    Limit {
        /// Where the bytes came from.
        origin: Origin,
        /// The field of [`Limits`](crate::Limits) that was exceeded.
        what: &'static str,
        /// That field's value.
        limit: u64,
        /// What the file holds or declares.
        found: u64,
    },
    /// The bytes break the rules of their format, or hold a form of it that this crate does not read.
    #[error("{origin}: {attribute}: expected {expected}, found {found}")]
    File {
        /// Where the bytes came from.
        origin: Origin,
        /// The attribute, header field or part of the file that is at fault.
        attribute: String,
        /// What has to stand there, and what to do.
        expected: String,
        /// What stands there: a number, a length or a name of the standard, never free text of the file.
        found: String,
    },
    /// Slices that do not make one volume.
    #[error("series of {slices} slices: expected {expected}, found {found}")]
    Series {
        /// The number of slices given.
        slices: usize,
        /// What slices of a volume have in common, and what to do.
        expected: String,
        /// What differs.
        found: String,
    },
    /// A value given by the caller that cannot be used.
    #[error("argument `{argument}`: expected {expected}, found {found}")]
    Argument {
        /// The argument.
        argument: String,
        /// What may stand there, and what to do.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The file of a whole slide.
    #[error("{}: {problem}", path.display())]
    Slide {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: SlideProblem,
    },
    /// Pixels that make no picture.
    #[error(transparent)]
    Image(#[from] medgemma_image::Error),
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

    /// The bytes of `origin` are wrong at `attribute`.
    pub(crate) fn file(
        origin: &Origin,
        attribute: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::File {
            origin: origin.clone(),
            attribute: attribute.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }
}
