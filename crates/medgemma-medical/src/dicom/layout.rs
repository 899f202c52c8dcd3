//! The description of the pixels: PS3.3, C.7.6.3.1, checked before anything is reserved for them.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::codec;
use super::element::{Value, View, name};
use super::notice::Notice;
use super::transfer_syntax::TransferSyntax;
use crate::error::{Error, Origin, Result};
use crate::limits::Limits;

/// What the samples of a pixel mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Photometric {
    /// Grey, the lowest value is white.
    Monochrome1,
    /// Grey, the lowest value is black.
    Monochrome2,
    /// Indices into three tables.
    PaletteColor,
    /// Red, green, blue.
    Rgb,
    /// Luminance and two colour differences, full range.
    YbrFull,
    /// The same with the differences shared by two pixels.
    YbrFull422,
    /// As JPEG 2000 turns red, green and blue irreversibly; its decoder turns them back.
    YbrIct,
    /// As JPEG 2000 turns red, green and blue reversibly; its decoder turns them back.
    YbrRct,
}

impl Photometric {
    const ALL: [Self; 8] = [
        Self::Monochrome1,
        Self::Monochrome2,
        Self::PaletteColor,
        Self::Rgb,
        Self::YbrFull,
        Self::YbrFull422,
        Self::YbrIct,
        Self::YbrRct,
    ];

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|found| found.name() == name)
    }

    /// Its name in (0028,0004).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Monochrome1 => "MONOCHROME1",
            Self::Monochrome2 => "MONOCHROME2",
            Self::PaletteColor => "PALETTE COLOR",
            Self::Rgb => "RGB",
            Self::YbrFull => "YBR_FULL",
            Self::YbrFull422 => "YBR_FULL_422",
            Self::YbrIct => "YBR_ICT",
            Self::YbrRct => "YBR_RCT",
        }
    }

    /// Whether one sample a pixel is a grey value.
    #[must_use]
    pub fn is_grey(self) -> bool {
        matches!(self, Self::Monochrome1 | Self::Monochrome2)
    }

    fn samples(self) -> usize {
        match self {
            Self::Monochrome1 | Self::Monochrome2 | Self::PaletteColor => 1,
            _ => 3,
        }
    }
}

/// How the pixels of a file are laid out.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) frames: usize,
    pub(crate) samples: usize,
    pub(crate) photometric: Photometric,
    /// Bits of a sample in the file: 1, 8, 16 or 32.
    pub(crate) allocated: u32,
    /// Bits of a sample that mean something, the rest is to be ignored.
    pub(crate) stored: u32,
    /// How far up in a native sample, or one of RLE, they lie; 0 of other streams.
    pub(crate) shift: u32,
    pub(crate) signed: bool,
    /// Whether a native frame holds all red, then all green, then all blue samples.
    pub(crate) planar: bool,
}

impl Layout {
    /// The layout, or none for an object without pixels.
    pub(crate) fn read(
        view: &View<'_>,
        syntax: TransferSyntax,
        limits: &Limits,
        origin: &Origin,
        notices: &mut Vec<Notice>,
    ) -> Result<Option<Self>> {
        refuse_floats(view, origin)?;
        let Some(pixels) = view.element(tags::PIXEL_DATA) else {
            return Ok(None);
        };
        let field = Field { view, origin };
        let rows = field.number(tags::ROWS, "1 to 65535", |n| (1..=65535).contains(&n))?;
        let columns = field.number(tags::COLUMNS, "1 to 65535", |n| (1..=65535).contains(&n))?;
        limits.check_pixels(origin, rows as u64, columns as u64)?;
        let frames = field.frames()?;
        limits.check_frames(origin, frames as u64)?;
        let samples = field.number(tags::SAMPLES_PER_PIXEL, "1 or 3", |n| n == 1 || n == 3)?;
        let photometric = field.photometric(samples)?;
        let allocated = field.bits(tags::BITS_ALLOCATED, "1, 8, 16 or 32", |n| {
            matches!(n, 1 | 8 | 16 | 32)
        })?;
        let stored = field.bits(tags::BITS_STORED, "1 to the bits allocated", |n| {
            (1..=i64::from(allocated)).contains(&n)
        })?;
        let signed = field.flag(tags::PIXEL_REPRESENTATION)?;
        let planar = samples == 3 && field.flag(tags::PLANAR_CONFIGURATION)?;
        let shift = shift(view, syntax, allocated, stored);
        if shift > 0 {
            notices.push(Notice::HighBitShifted(shift));
        }
        check_form(&pixels.value, syntax, origin)?;
        let of_frame = (rows * columns * samples) as u64;
        let taken = of_frame.saturating_mul(codec::bytes_per_sample(syntax));
        limits.check_decompressed(origin, taken)?;
        Ok(Some(Self {
            rows,
            columns,
            frames,
            samples,
            photometric,
            allocated,
            stored,
            shift,
            signed,
            planar,
        }))
    }

    /// Bytes of all frames where they are not compressed.
    pub(crate) fn native_length(&self) -> u64 {
        let samples = (self.frame_samples() as u64).saturating_mul(self.frames as u64);
        let halved = self.photometric == Photometric::YbrFull422;
        let samples = if halved { samples / 3 * 2 } else { samples };
        samples
            .saturating_mul(u64::from(self.allocated))
            .div_ceil(8)
    }

    /// Samples of one frame.
    pub(crate) fn frame_samples(&self) -> usize {
        self.rows * self.columns * self.samples
    }
}

/// Refuses pixels that no layout here describes, rather than taking the object for one without pixels.
fn refuse_floats(view: &View<'_>, origin: &Origin) -> Result<()> {
    for tag in [tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA] {
        if view.element(tag).is_some() {
            return Err(Error::file(
                origin,
                name(tag),
                "pixels of whole numbers, (7FE0,0010) PixelData",
                "pixels of floating point",
            ));
        }
    }
    Ok(())
}

/// How far up in its word a sample lies, by High Bit; 0 where that is absent or cannot be right.
fn shift(view: &View<'_>, syntax: TransferSyntax, allocated: u32, stored: u32) -> u32 {
    let highest = view
        .integer(tags::HIGH_BIT)
        .and_then(|bit| u32::try_from(bit).ok())
        .filter(|bit| (stored - 1..allocated).contains(bit));
    // RLE packs the same words that native pixels have, PS3.5, annex G.3; other streams hold the stored bits alone.
    let in_words = !syntax.is_encapsulated() || syntax == TransferSyntax::Rle;
    if !in_words || allocated == 1 {
        0
    } else {
        highest.map_or(0, |bit| bit + 1 - stored)
    }
}

/// Refuses pixels that are not in the form in which the transfer syntax has them looked for: fragments, or one value.
fn check_form(pixels: &Value, syntax: TransferSyntax, origin: &Origin) -> Result<()> {
    if syntax.is_encapsulated() == matches!(pixels, Value::Fragments(_)) {
        return Ok(());
    }
    Err(Error::file(
        origin,
        name(tags::PIXEL_DATA),
        if syntax.is_encapsulated() {
            "fragments, as the transfer syntax says"
        } else {
            "one value, as the transfer syntax says"
        },
        "the other form",
    ))
}

struct Field<'a> {
    view: &'a View<'a>,
    origin: &'a Origin,
}

impl Field<'_> {
    fn number(&self, tag: Tag, expected: &str, holds: impl Fn(i64) -> bool) -> Result<usize> {
        let found = self.view.integer(tag);
        found
            .filter(|&n| holds(n))
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| {
                let found = found.map_or_else(|| "none".to_owned(), |n| n.to_string());
                Error::file(self.origin, name(tag), expected, found)
            })
    }

    fn bits(&self, tag: Tag, expected: &str, holds: impl Fn(i64) -> bool) -> Result<u32> {
        let bits = self.number(tag, expected, holds)?;
        u32::try_from(bits)
            .map_err(|_| Error::file(self.origin, name(tag), expected, bits.to_string()))
    }

    /// Whether an attribute is 1; one that is absent or empty counts as 0.
    fn flag(&self, tag: Tag) -> Result<bool> {
        match self.view.raw(tag) {
            None => Ok(false),
            Some(_) => Ok(self.number(tag, "0 or 1", |n| n == 0 || n == 1)? == 1),
        }
    }

    /// How many frames there are, at least one; files of one need not say it.
    fn frames(&self) -> Result<usize> {
        match self.view.raw(tags::NUMBER_OF_FRAMES) {
            None => Ok(1),
            // Zero stands in files of one frame.
            Some(_) => Ok(self
                .number(tags::NUMBER_OF_FRAMES, "a number", |n| n >= 0)?
                .max(1)),
        }
    }

    fn photometric(&self, samples: usize) -> Result<Photometric> {
        let tag = tags::PHOTOMETRIC_INTERPRETATION;
        let error = |found: &str| {
            let expected = "MONOCHROME1 or 2, PALETTE COLOR, RGB, YBR_FULL, YBR_FULL_422, YBR_ICT or \
                            YBR_RCT, in agreement with SamplesPerPixel";
            Error::file(self.origin, name(tag), expected, found)
        };
        let text = self.view.text(tag).ok_or_else(|| error("none"))?;
        let photometric = Photometric::from_name(&text).ok_or_else(|| error("another name"))?;
        if photometric.samples() == samples {
            Ok(photometric)
        } else {
            Err(error(&format!("{text} with {samples} samples")))
        }
    }
}
