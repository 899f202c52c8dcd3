//! What was ignored or taken otherwise than the file says: part of the result, so that nobody has to read a log.

use std::fmt;

/// One remark on a DICOM file that was read all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The file has no preamble; it was taken for a data set.
    NoPreamble,
    /// The file does not name its transfer syntax; it was guessed from the first element.
    TransferSyntaxGuessed,
    /// The file names a transfer syntax with representations written in its elements, and they have none, or the other way
    /// round; it was read as it is written.
    TransferSyntaxContradicted,
    /// Bytes behind the last element were left out: their number.
    TrailingBytes(usize),
    /// The encapsulated pixel data have no end mark; the file may be cut off.
    PixelDataUnended,
    /// Pixel data are longer than their description; the rest was left out: bytes too many.
    PixelDataTooLong(usize),
    /// Overlays (graphics or regions drawn over the picture) were not drawn: their number.
    OverlaysIgnored(usize),
    /// An ICC profile was not applied.
    ColourProfileIgnored,
    /// A presentation LUT was not applied, other than the shape `INVERSE` that `MONOCHROME1` stands for.
    PresentationLutIgnored,
    /// The file names a value (or a range) that stands where nothing was measured. Where a frame or a volume is stretched
    /// from its least to its greatest value, it is left out, and shown black, if it lies apart from all others
    /// ([`Plane::padding`](crate::Plane::padding)); records say whether it was. Through windows and tables, and of bytes as
    /// they are, it is shown like any other.
    PixelPaddingLeftOut,
    /// The file names such a value, and it is a value like any other here in all cases: it is the least of unsigned ones, the
    /// stored bits cannot hold it, or a table may give others the same.
    PixelPaddingKept,
    /// The file says that its values are those of the detector (`FOR PROCESSING`): no picture that a radiologist reads.
    ForProcessing,
    /// The file says that text is burned into its picture (0028,0301), which may name the patient.
    TextBurnedIn,
    /// The file does not say that no text is burned into its picture (0028,0301): such text may name the patient, and goes to
    /// the model with the picture.
    TextMayBeBurnedIn,
    /// The high bit is not the highest of the stored bits; the values were shifted down: by how many bits.
    HighBitShifted(u32),
    /// A window without width, or without a centre and a width that are numbers, was left out.
    WindowIgnored,
    /// A table cannot be read and was left out: the attribute.
    TableIgnored(&'static str),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPreamble => f.write_str("no preamble; read as a bare data set"),
            Self::TransferSyntaxGuessed => {
                f.write_str("no transfer syntax named; guessed from the first element")
            }
            Self::TransferSyntaxContradicted => f.write_str(
                "elements are not written as the transfer syntax says; read as they are",
            ),
            Self::TrailingBytes(bytes) => {
                write!(f, "{bytes} bytes behind the last element ignored")
            }
            Self::PixelDataUnended => f.write_str("pixel data without end mark; possibly cut off"),
            Self::PixelDataTooLong(bytes) => write!(f, "{bytes} bytes behind the pixels ignored"),
            Self::OverlaysIgnored(count) => write!(f, "{count} overlays not drawn"),
            Self::ColourProfileIgnored => f.write_str("ICC profile not applied"),
            Self::PresentationLutIgnored => f.write_str("presentation LUT not applied"),
            Self::PixelPaddingLeftOut => f.write_str(
                "pixel padding left out of least and greatest values and shown black there, if it lies apart; else shown as a value",
            ),
            Self::PixelPaddingKept => f.write_str("pixel padding value taken for a value"),
            Self::ForProcessing => {
                f.write_str("values of the detector, not yet processed for presentation")
            }
            Self::TextBurnedIn => f.write_str(
                "the file says that text is burned into the picture; it may name the patient",
            ),
            Self::TextMayBeBurnedIn => f.write_str(
                "the file does not say that no text is burned into the picture; it may name the patient",
            ),
            Self::HighBitShifted(bits) => {
                write!(f, "high bit above stored bits; shifted by {bits}")
            }
            Self::WindowIgnored => f.write_str("a window without centre or width ignored"),
            Self::TableIgnored(attribute) => write!(f, "{attribute} cannot be read and is ignored"),
        }
    }
}
