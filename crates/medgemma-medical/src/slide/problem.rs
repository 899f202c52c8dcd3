//! What can be wrong with the file of a slide. Nothing here carries a text of the file: descriptions hold names.

/// What is wrong with the file of a slide.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SlideProblem {
    /// It is neither TIFF nor DICOM.
    #[error("expected a TIFF (SVS) or DICOM file, found other bytes at its beginning")]
    NotTiff,
    /// The file breaks its own rules.
    #[error("the file is damaged: {what}; fetch it again")]
    Damaged {
        /// What is wrong.
        what: &'static str,
    },
    /// One tile cannot be decoded.
    #[error("tile ({column}, {row}) of level {level} is damaged: {what}; fetch the file again")]
    Tile {
        /// Its level.
        level: usize,
        /// Its column.
        column: usize,
        /// Its row.
        row: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// Valid, but not read by this library.
    #[error("{what} is not supported: {hint}")]
    Unsupported {
        /// What the file has.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// More than the limits allow.
    #[error(
        "{what} is {found}, limit {limit}; raise `SlideLimits::{what}` if the source is trusted"
    )]
    Limit {
        /// The field of [`SlideLimits`](crate::SlideLimits).
        what: &'static str,
        /// Its value.
        limit: u64,
        /// What the file has.
        found: u64,
    },
}
