//! One frame: the samples as stored, and how they come out of native bytes.

use std::fmt;

use dicom_dictionary_std::tags;

use super::element::name;
use super::layout::{Layout, Photometric};
use crate::error::{Error, Origin, Result};

/// The samples of one frame as stored, before any table: pydicom's `pixel_array` without its colour conversion.
/// `value(y, x, channel)`; rows from top to bottom, three channels interleaved.
///
/// `Debug` prints the shape only, so that a log never holds a patient's picture.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) channels: usize,
    pub(crate) photometric: Photometric,
    pub(crate) signed: bool,
    pub(crate) bits: u32,
    /// `[(y * columns + x) * channels + channel]`, two's complement in 32 bits where `signed`.
    pub(crate) data: Vec<u32>,
}

impl Frame {
    /// The height.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The width.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Samples of a pixel: 1 or 3.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// What the samples mean, after what the codec itself has undone (JPEG 2000 gives `Rgb`).
    #[must_use]
    pub fn photometric(&self) -> Photometric {
        self.photometric
    }

    /// Bits of a sample that mean something.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// The samples, `[(y * columns + x) * channels + channel]`.
    pub fn values(&self) -> impl ExactSizeIterator<Item = i64> + '_ {
        self.data.iter().map(|&sample| self.widen(sample))
    }

    fn widen(&self, sample: u32) -> i64 {
        if self.signed {
            i64::from(sample.cast_signed())
        } else {
            i64::from(sample)
        }
    }

    /// The smallest and largest value that the stored bits can hold.
    pub(crate) fn range(&self) -> (f64, f64) {
        range(self.bits, self.signed)
    }
}

/// The smallest and largest value that so many bits can hold.
pub(crate) fn range(bits: u32, signed: bool) -> (f64, f64) {
    let levels = 2f64.powi(bits.cast_signed());
    if signed {
        (-levels / 2.0, levels / 2.0 - 1.0)
    } else {
        (0.0, levels - 1.0)
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("rows", &self.rows)
            .field("columns", &self.columns)
            .field("channels", &self.channels)
            .field("photometric", &self.photometric)
            .field("bits", &self.bits)
            .finish_non_exhaustive()
    }
}

/// The lowest `bits` of `sample`, with the sign spread upwards where there is one.
pub(crate) fn extend(sample: u32, bits: u32, signed: bool) -> u32 {
    let unused = 32 - bits;
    if signed {
        ((sample << unused).cast_signed() >> unused).cast_unsigned()
    } else {
        (sample << unused) >> unused
    }
}

/// How native samples lie in bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    Little,
    Big,
    /// Bytes written as big-endian words: every pair is the other way round.
    SwappedBytes,
}

/// The samples of frame `index` in native bytes, PS3.5, section 8.1 and annex D.
pub(crate) fn native(
    bytes: &[u8],
    layout: &Layout,
    index: usize,
    order: ByteOrder,
    origin: &Origin,
) -> Result<Vec<u32>> {
    let count = layout.frame_samples();
    let halved = layout.photometric == Photometric::YbrFull422;
    // Two luminances, then the differences they share.
    let written = if halved { count / 3 * 2 } else { count };
    if halved && layout.columns % 2 == 1 {
        // A pair would be of two rows. PS3.3, C.7.6.3.1.2.
        return Err(Error::file(
            origin,
            name(tags::COLUMNS),
            "an even number in YBR_FULL_422",
            layout.columns.to_string(),
        ));
    }
    let native = Native {
        bytes,
        index,
        origin,
    };
    if layout.allocated == 1 {
        return native.bits(count);
    }
    let mut samples = native.samples(written, layout.allocated as usize / 8, order)?;
    for sample in &mut samples {
        *sample = extend(*sample >> layout.shift, layout.stored, layout.signed);
    }
    if halved {
        let (pixels, _) = samples.as_chunks::<4>();
        return Ok(pixels
            .iter()
            .flat_map(|&[first, second, blue, red]| [first, blue, red, second, blue, red])
            .collect());
    }
    Ok(if layout.planar {
        interleave(&samples, layout.samples)
    } else {
        samples
    })
}

/// Native pixel data, and the frame that is wanted of them.
struct Native<'a> {
    bytes: &'a [u8],
    index: usize,
    origin: &'a Origin,
}

impl Native<'_> {
    /// Frames of `count` samples of one bit: the next begins at the next bit, be it within a byte.
    fn bits(&self, count: usize) -> Result<Vec<u32>> {
        let first = self.index * count;
        let last = first + count;
        let packed = self
            .bytes
            .get(..last.div_ceil(8))
            .ok_or_else(|| self.short(last.div_ceil(8)))?;
        Ok((first..last)
            .map(|bit| u32::from(packed[bit / 8] >> (bit % 8) & 1))
            .collect())
    }

    /// Frames of `count` samples of `width` bytes: 1, 2 or 4. All bits of them, also those that mean nothing.
    fn samples(&self, count: usize, width: usize, order: ByteOrder) -> Result<Vec<u32>> {
        let length = count * width;
        let last = (self.index + 1) * length;
        let frame = self
            .bytes
            .get(last - length..last)
            .ok_or_else(|| self.short(last))?;
        Ok(match (width, order) {
            (1, ByteOrder::SwappedBytes) => {
                let even = last.next_multiple_of(2);
                let pairs = self.bytes.get(..even).ok_or_else(|| self.short(even))?;
                (last - length..last)
                    .map(|at| u32::from(pairs[at ^ 1]))
                    .collect()
            }
            (1, _) => frame.iter().map(|&b| u32::from(b)).collect(),
            (2, ByteOrder::Little) => words(frame, |w| u32::from(u16::from_le_bytes(w))),
            (2, _) => words(frame, |w| u32::from(u16::from_be_bytes(w))),
            (_, ByteOrder::Little) => words(frame, u32::from_le_bytes),
            (_, _) => words(frame, u32::from_be_bytes),
        })
    }

    /// The error of pixel data that end before byte `expected`.
    fn short(&self, expected: usize) -> Error {
        Error::file(
            self.origin,
            name(tags::PIXEL_DATA),
            format!(
                "{expected} bytes for frames 0 to {}; fetch the file again",
                self.index
            ),
            format!("{} bytes", self.bytes.len()),
        )
    }
}

/// All red, all green, all blue into red, green, blue of each pixel.
pub(crate) fn interleave(planes: &[u32], samples: usize) -> Vec<u32> {
    let area = planes.len() / samples;
    (0..planes.len())
        .map(|i| planes[i % samples * area + i / samples])
        .collect()
}

fn words<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> u32) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|&word| read(word)).collect()
}
