//! What can go wrong between a hospital's file and a prompt, by whose fault it is.

use std::path::{Path, PathBuf};

use crate::slide::SlideProblem;

/// Every error of this crate. None carries values of pixels, names, dates or identifiers of a patient.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{}: cannot {doing}; check that the file is there and may be read", path.display())]
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
}
