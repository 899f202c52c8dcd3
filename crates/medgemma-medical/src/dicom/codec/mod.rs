//! The compressed forms of a frame, one module each: bytes to samples, before any sign or colour.

use super::frame;
use super::layout::{Layout, Photometric};
use super::transfer_syntax::TransferSyntax;

pub(super) mod bits;
pub(crate) mod jpeg;
pub(crate) mod jpeg_2000;
mod jpeg_2000_structure;
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
pub(crate) struct Fault(pub(crate) String);

impl Fault {
    pub(crate) fn new(found: impl Into<String>) -> Self {
        Self(found.into())
    }
}

/// One frame: its samples as stored, with their signs, and what they mean.
pub(super) fn unpack(
    bytes: &[u8],
    syntax: TransferSyntax,
    layout: &Layout,
) -> Result<(Vec<u32>, Photometric), Fault> {
    let Decoded {
        mut data,
        precision,
        photometric,
    } = decode(bytes, syntax, layout)?;
    // Streams of JPEG-LS and JPEG 2000 state their bits; those of the others fill what is allocated.
    let bits = match syntax {
        TransferSyntax::JpegLsLossless
        | TransferSyntax::JpegLsNearLossless
        | TransferSyntax::Jpeg2000Lossless
        | TransferSyntax::Jpeg2000 => precision,
        _ => layout.stored,
    };
    for sample in &mut data {
        *sample = frame::extend(*sample >> layout.shift, bits, layout.signed);
    }
    Ok((data, photometric.unwrap_or(layout.photometric)))
}

/// Bytes that a sample takes at most while its frame is decoded, what it becomes included: `tests/memory.rs`. Structure
/// of JPEG 2000 beyond what is usual is bounded in `jpeg_2000_structure`.
pub(crate) fn bytes_per_sample(syntax: TransferSyntax) -> u64 {
    match syntax {
        TransferSyntax::Jpeg2000Lossless | TransferSyntax::Jpeg2000 => {
            jpeg_2000::Stream::BYTES_PER_SAMPLE
        }
        _ => 8,
    }
}

fn decode(bytes: &[u8], syntax: TransferSyntax, layout: &Layout) -> Result<Decoded, Fault> {
    match syntax {
        TransferSyntax::Rle => rle::decode(bytes, layout),
        TransferSyntax::JpegBaseline
        | TransferSyntax::JpegExtended
        | TransferSyntax::JpegLossless => guarded(|| jpeg::decode(bytes, layout)),
        TransferSyntax::JpegLsLossless | TransferSyntax::JpegLsNearLossless => {
            jpeg_ls::decode(bytes, layout)
        }
        TransferSyntax::Jpeg2000Lossless | TransferSyntax::Jpeg2000 => {
            jpeg_2000::decode(bytes, layout)
        }
        TransferSyntax::ImplicitLittleEndian
        | TransferSyntax::ExplicitLittleEndian
        | TransferSyntax::Deflated
        | TransferSyntax::ExplicitBigEndian => Err(Fault::new("pixels that are not compressed")),
    }
}

/// `jpeg-decoder` and `hayro-jpeg2000` are other people's: should one of them panic on a hostile stream, that is an error
/// of the stream. What it was working on is dropped.
fn guarded<T>(decode: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
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
