//! What can be wrong with a file or a secret. No message carries a value of it: what cannot be read may be a name.

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a DICOM file was not de-identified, or a key not made. Nothing is written then. Messages name positions, tags and
/// sizes, never what the file says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No DICOM file.
    #[error(
        "{bytes} bytes without DICM behind a preamble of 128: give a whole DICOM file (PS3.10), not a bare data set"
    )]
    NotDicom {
        /// Bytes given.
        bytes: usize,
    },
    /// Group 0002 cannot be read or lacks the transfer syntax.
    #[error("the file meta information (group 0002) is damaged: have the file written anew")]
    MetaInformation,
    /// How the data set is encoded is not known.
    #[error(
        "the transfer syntax {} is unknown: transcode the file to one of PS3.5",
        if uid.is_empty() { "(not a UID)" } else { uid }
    )]
    TransferSyntax {
        /// The UID; empty where the file has something else in its place.
        uid: String,
    },
    /// A directory, which points into files by offsets.
    #[error(
        "this is a DICOMDIR, whose offsets would no longer be true: de-identify the files and write another"
    )]
    Directory,
    /// The data set breaks off or contradicts itself.
    #[error(
        "the data set is damaged near byte {position} of it: have the file repaired or leave it out"
    )]
    Damaged {
        /// Where, counted from the start of the (inflated) data set.
        position: u64,
    },
    /// An element claims more bytes than there are.
    #[error(
        "element ({group:04X},{element:04X}) claims {claimed} bytes, {available} are left: the file is cut off"
    )]
    CutOff {
        /// Group of its tag.
        group: u16,
        /// Element of its tag.
        element: u16,
        /// Bytes it claims.
        claimed: u64,
        /// Bytes that are left.
        available: u64,
    },
    /// More than [`Limits`](crate::Limits) allow.
    #[error(
        "the file: {what} is {found} or more, limit {limit}; raise `Limits::{what}` if you trust the file"
    )]
    Limit {
        /// The field of [`Limits`](crate::Limits) that was exceeded.
        what: &'static str,
        /// That field's value.
        limit: u64,
        /// What was found when reading stopped.
        found: u64,
    },
    /// The SOP Class or SOP Instance UID is missing.
    #[error(
        "the {what} is missing: without it the file cannot be told from others, so it is left alone"
    )]
    Missing {
        /// Which attribute.
        what: &'static str,
    },
    /// What was read cannot be encoded again.
    #[error(
        "the data set cannot be written in its own transfer syntax and character set: transcode the file first"
    )]
    Unwritable,
    /// A secret that is too short, or hardly more than one byte repeated.
    #[error(
        "a secret of {bytes} bytes, {different} of them different, can be guessed: give at least 16 random ones, such as `head -c 32 /dev/urandom > SECRET` writes"
    )]
    Secret {
        /// Bytes given.
        bytes: usize,
        /// How many of them differ.
        different: usize,
    },
}
