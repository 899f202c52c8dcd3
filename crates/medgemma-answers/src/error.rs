//! What can go wrong: pictures whose bytes and sides disagree. Text never is an error: what cannot
//! be read of it is listed beside what could.

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of this crate. No message has a word of the text that was read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A picture without pixels, or with too many.
    #[error("a picture has {width} by {height} pixels, expected 1 to {limit} a side")]
    Sides {
        /// Pixels of a row.
        width: usize,
        /// Rows.
        height: usize,
        /// The most of each.
        limit: usize,
    },
    /// Bytes that are not the picture's.
    #[error(
        "a picture of {width} by {height} pixels has {found} bytes, expected {expected}: give 8-bit RGB, row by row"
    )]
    Bytes {
        /// Pixels of a row.
        width: usize,
        /// Rows.
        height: usize,
        /// Three for each pixel.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The PNG could not be written.
    #[error("the picture cannot be encoded as PNG: {source}")]
    Encode {
        /// The encoder's reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
