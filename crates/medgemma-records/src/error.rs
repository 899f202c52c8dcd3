//! What can go wrong, by whose fault it is. No error holds anything that a record says: files, positions, kinds and
//! keys only.

use std::fmt;
use std::path::PathBuf;

use crate::kind::Kind;
use crate::navigator::Stage;

/// What [`Ask::ask`](crate::Ask::ask) may fail with: any error of the caller's.
pub type AskError = Box<dyn std::error::Error + Send + Sync>;

/// Which page an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// The page of this number, from 1, of those given as text.
    Page(usize),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Page(number) => write!(f, "page {number}"),
        }
    }
}

/// A place in a page: the entry, and the resource within it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The page.
    pub origin: Origin,
    /// The entry, from 0, as in `Bundle.entry[0]`.
    pub entry: usize,
    /// The resource among those contained in the entry's, from 0; `None` for the entry's own.
    pub contained: Option<usize>,
    /// The resource's kind, if it is one of those that are read.
    pub kind: Option<Kind>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: entry {}", self.origin, self.entry)?;
        if let Some(contained) = self.contained {
            write!(f, ", contained resource {contained}")?;
        }
        match self.kind {
            Some(kind) => write!(f, " ({kind})"),
            None => Ok(()),
        }
    }
}

/// Every error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened or read.
    #[error("{}: cannot be read ({source}); check that it is a file that exists, is readable and is UTF-8", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A page is larger than the limits in force allow.
    #[error(
        "{origin}: {what} is {found} or more, limit {limit}; raise `Limits::{what}` if the source is trusted"
    )]
    Limit {
        /// The page.
        origin: Origin,
        /// The field of [`Limits`](crate::Limits) that was exceeded.
        what: &'static str,
        /// That field's value.
        limit: usize,
        /// What was found when reading stopped.
        found: usize,
    },
    /// A page is no JSON.
    #[error(
        "{origin}: expected JSON, found something else at line {line}, column {column}; fetch it again"
    )]
    Syntax {
        /// The page.
        origin: Origin,
        /// The line, from 1.
        line: usize,
        /// The column in bytes, from 1.
        column: usize,
    },
    /// A page is JSON and no bundle.
    #[error(
        "{origin}: expected a FHIR bundle, found {found} at `{key}`; give the bundle, not a resource of it"
    )]
    NotABundle {
        /// The page.
        origin: Origin,
        /// Where: a key of a bundle.
        key: String,
        /// What stands there.
        found: &'static str,
    },
    /// A resource breaks the rules of FHIR R4.
    #[error(
        "{place}: expected {expected} at `{key}`, found {found}; correct the source, or read with `Malformed::Skip`"
    )]
    Resource {
        /// Which resource.
        place: Place,
        /// The key's path within the resource.
        key: String,
        /// What FHIR R4 has there.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// The pages hold several patients' records, and none was chosen.
    #[error(
        "the record holds {found} patients, expected one; choose by `patient`, as `Bundle::patients` lists them"
    )]
    SeveralPatients {
        /// How many there are.
        found: usize,
    },
    /// All that the pages hold is a group's, a thing's, or somebody's who is given by an identifier only: there is no record
    /// of a patient to read.
    #[error(
        "none of the {found} resources names its patient, expected a reference to one; resolve identifiers and searches first"
    )]
    NoPatient {
        /// How many resources there are of nobody who is named.
        found: usize,
    },
    /// The patient that was chosen is not in the pages.
    #[error(
        "the chosen patient is not in the record; choose one of those that `Bundle::patients` lists"
    )]
    UnknownPatient,
    /// What a prompt must hold does not fit into its tokens.
    #[error(
        "the prompt of stage `{stage}` takes {needed} tokens without any record, limit {limit}; raise `{option}`"
    )]
    NoRoom {
        /// The stage.
        stage: Stage,
        /// Tokens that it would take.
        needed: usize,
        /// Tokens that it may take.
        limit: usize,
        /// The option that sets the limit.
        option: &'static str,
    },
    /// An option is outside of its range.
    #[error("option `{option}`: expected {expected}, found {found}")]
    Option {
        /// Its name.
        option: &'static str,
        /// The range.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// The caller's model failed.
    #[error("stage `{stage}`: the model gave an error instead of an answer; see its source")]
    Ask {
        /// The stage.
        stage: Stage,
        /// What the model said.
        #[source]
        source: AskError,
    },
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;
