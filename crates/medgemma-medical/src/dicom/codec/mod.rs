//! The compressed forms of a frame, one module each: bytes to samples, before any sign or colour.

use super::layout::{Layout, Photometric};
use super::transfer_syntax::TransferSyntax;

pub(super) mod bits;
mod jpeg;
mod jpeg_2000;
mod jpeg_extended;
mod jpeg_header;
mod jpeg_ls;
mod rle;

/// What a stream unpacked to.
pub(super) struct Decoded {
    /// `[(y * columns + x) * samples + sample]`, the lowest `precision` bits.
    pub(super) data: Vec<u32>,
    /// Bits of a sample as the stream says it.
    pub(super) precision: u32,
    /// What the samples mean, where the stream knows better than the data set.
    pub(super) photometric: Option<Photometric>,
}

/// What is wrong with a stream, in words that hold nothing of its content.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault(pub(super) String);

impl Fault {
    pub(super) fn new(found: impl Into<String>) -> Self {
        Self(found.into())
    }
}

/// Unpacks one frame.
pub(super) fn decode(
    bytes: &[u8],
    syntax: TransferSyntax,
    layout: &Layout,
) -> Result<Decoded, Fault> {
    match syntax {
        TransferSyntax::Rle => rle::decode(bytes, layout),
        TransferSyntax::JpegBaseline
        | TransferSyntax::JpegExtended
        | TransferSyntax::JpegLossless => guarded(|| jpeg::decode(bytes, layout)),
        TransferSyntax::JpegLsLossless | TransferSyntax::JpegLsNearLossless => {
            jpeg_ls::decode(bytes, layout)
        }
        TransferSyntax::Jpeg2000Lossless | TransferSyntax::Jpeg2000 => {
            guarded(|| jpeg_2000::decode(bytes, layout))
        }
        TransferSyntax::ImplicitLittleEndian
        | TransferSyntax::ExplicitLittleEndian
        | TransferSyntax::Deflated
        | TransferSyntax::ExplicitBigEndian => Err(Fault::new("pixels that are not compressed")),
    }
}

/// `jpeg-decoder` and `hayro-jpeg2000` are other people's: should one of them panic on a hostile stream, that is an error
/// of the stream. What it was working on is dropped.
fn guarded(decode: impl FnOnce() -> Result<Decoded, Fault>) -> Result<Decoded, Fault> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(Fault::new("a stream on which the decoder gave up")))
}

/// A stream's dimensions are those of the data set, or nothing is reserved for it.
fn agree(
    layout: &Layout,
    rows: usize,
    columns: usize,
    samples: usize,
    precision: u32,
) -> Result<(), Fault> {
    if (rows, columns, samples) == (layout.rows, layout.columns, layout.samples)
        && (1..=layout.allocated).contains(&precision)
    {
        return Ok(());
    }
    Err(Fault::new(format!(
        "{columns} x {rows} pixels of {samples} samples of {precision} bits in the stream, {} x {} of {} of at most \
         {} in the data set",
        layout.columns, layout.rows, layout.samples, layout.allocated
    )))
}
