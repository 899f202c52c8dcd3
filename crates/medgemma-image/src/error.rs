//! What can go wrong between a file on disk and the pixels of a model, by whose fault it is. Own design.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where encoded bytes came from; the first words of every decoding error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A file, read by [`Image::open`](crate::Image::open).
    File(PathBuf),
    /// A byte slice, given to [`Image::decode`](crate::Image::decode).
    Memory,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Memory => f.write_str("image bytes"),
        }
    }
}

/// Every error of this crate. None of them carries pixels.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be opened or read.
    #[error("{}: cannot be read ({source}); check that it exists and is readable", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The first bytes are neither those of a PNG nor of a JPEG file.
    #[error(
        "{origin}: expected a PNG or JPEG file, found {found}; convert the picture to one of them"
    )]
    Format {
        /// Where the bytes came from.
        origin: Origin,
        /// The format recognised, or the first bytes in hexadecimal.
        found: String,
    },
    /// The picture or its file is larger than the limits in force allow. Nothing was allocated for it.
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
        /// What the header declares or the file holds.
        found: u64,
    },
    /// The file ends before the end marker of its format.
    #[error(
        "{origin}: truncated {format} file, expected {expected} at byte {at}, found the end of the data; fetch it again"
    )]
    Truncated {
        /// Where the bytes came from.
        origin: Origin,
        /// `PNG` or `JPEG`.
        format: &'static str,
        /// What had to follow.
        expected: &'static str,
        /// The position at which it was looked for.
        at: usize,
    },
    /// The bytes break the rules of their format.
    #[error(
        "{origin}: expected a valid {format} file, found a damaged one ({source}); export it again"
    )]
    Corrupt {
        /// Where the bytes came from.
        origin: Origin,
        /// `PNG` or `JPEG`.
        format: &'static str,
        /// The decoder's own words.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A well-formed file whose samples this crate does not read.
    #[error("{origin}: expected 8- or 16-bit grey or RGB samples, found {found}; convert to RGB")]
    Samples {
        /// Where the bytes came from.
        origin: Origin,
        /// The sample layout found.
        found: String,
    },
    /// A 16-bit sample does not fit into the bits that were said to hold the picture.
    #[error(
        "{origin}: expected 16-bit samples of {expected} significant bits, found one of {found}; raise `DecodeOptions::significant_bits`"
    )]
    BeyondSignificantBits {
        /// Where the bytes came from.
        origin: Origin,
        /// [`DecodeOptions::significant_bits`](crate::DecodeOptions::significant_bits).
        expected: u8,
        /// Bits of the largest sample.
        found: u32,
    },
    /// A number of significant bits that 16-bit samples cannot have.
    #[error("argument `significant_bits`: expected 1 to 16, found {found}")]
    SignificantBits {
        /// The number given.
        found: u8,
    },
    /// A picture without pixels.
    #[error("argument `{argument}`: expected at least 1 pixel each way, found {width}x{height}")]
    Empty {
        /// The argument at fault.
        argument: &'static str,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// A buffer whose length disagrees with the dimensions given beside it.
    #[error(
        "argument `data`: expected {expected} values for {width}x{height}x{channels}, found {found}"
    )]
    Buffer {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Values per pixel.
        channels: usize,
        /// `width * height * channels`, saturating.
        expected: usize,
        /// Length of the buffer.
        found: usize,
    },
    /// A picture so long that the square around it would be larger than is allowed. Nothing was allocated for it.
    #[error(
        "padding to a square: expected at most {limit} pixels, found {side}x{side} around a picture of {width}x{height}; crop or shrink it first, leave the padding out, or pad it by `Image::padded_to_square_within`"
    )]
    Padding {
        /// Width of the picture.
        width: usize,
        /// Height of the picture.
        height: usize,
        /// Its longer side, and so that of the square.
        side: usize,
        /// The largest number of pixels allowed.
        limit: u64,
    },
    /// A target size outside what the resizers accept.
    #[error(
        "argument `size`: expected sides of 1 to {max} pixels, found {width}x{height}; no MedGemma vision tower is larger than 896"
    )]
    TargetSize {
        /// The largest side accepted, [`MAX_SIDE`](crate::MAX_SIDE).
        max: usize,
        /// Width asked for.
        width: usize,
        /// Height asked for.
        height: usize,
    },
    /// A name that no resizer has.
    #[error("argument `resizer`: expected one of {expected}, found `{found}`")]
    ResizerName {
        /// The names there are.
        expected: String,
        /// The name given, its first 80 characters.
        found: String,
    },
    /// A crop that does not lie inside the picture.
    #[error(
        "argument `crop`: expected a rectangle inside {width}x{height}, found {crop_width}x{crop_height} at ({x}, {y})"
    )]
    Crop {
        /// Width of the picture.
        width: usize,
        /// Height of the picture.
        height: usize,
        /// Left edge of the crop.
        x: usize,
        /// Top edge of the crop.
        y: usize,
        /// Width of the crop.
        crop_width: usize,
        /// Height of the crop.
        crop_height: usize,
    },
    /// Pan and scan would cut a crop that lies wholly outside the picture.
    #[error(
        "pan and scan: expected crops of at least 1 pixel, found an empty one among {crops} crops of {width}x{height}; raise `pan_and_scan_min_crop_size` or lower `pan_and_scan_max_num_crops`"
    )]
    EmptyCrop {
        /// Number of crops along the long side.
        crops: usize,
        /// Width of the picture.
        width: usize,
        /// Height of the picture.
        height: usize,
    },
    /// A value of the processor's configuration that is wrong or that this crate cannot honour.
    #[error("{}: key `{key}`: expected {expected}, found {found}", path.display())]
    Config {
        /// The configuration file (or the name given for it).
        path: PathBuf,
        /// The JSON key, dotted from the root of the file.
        key: String,
        /// What may stand there, and what to do.
        expected: String,
        /// The JSON found.
        found: String,
    },
    /// A configuration file that is not JSON, or not a JSON object.
    #[error("{}: expected a JSON object ({source}); download the file again", path.display())]
    Json {
        /// The configuration file (or the name given for it).
        path: PathBuf,
        /// The parser's words.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// This crate's `Result`.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An I/O error on `path`.
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}
