//! The decoded picture: 8-bit RGB, whatever the file held. The conversions and their reasons are on [`Image`].

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::decode::{self, DecodeOptions};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::pan_and_scan::Crop;
use crate::samples;

/// A decoded picture of 8-bit RGB samples, rows from top to bottom, three bytes a pixel.
///
/// Every file becomes this one form. What is decided on the way, and why:
///
/// - **16-bit samples become `round(v / 257)`**, so that 65535 is 255 and the error is at most half a step. This is
///   what Google's serving code for MedGemma does. Pillow 13, and so `transformers`, does something else: it clips a
///   16-bit grey picture at 255, which turns a radiograph white, and keeps the high byte of 16-bit RGB. A picture
///   that needs a window (CT) must be windowed by the caller before it comes here. One whose samples have fewer bits
///   than the file gives them, as radiographs of 12 bits often do, is nearly black: [`Image::open`] says what to do.
/// - **Alpha is dropped** ([`Alpha::Drop`](crate::Alpha::Drop)), as Google's serving code does and as `transformers`
///   5.23 does for a path or URL (`load_image` ends in `convert("RGB")`) with either backend. Only a picture already
///   opened as RGBA by the caller and given to a processor with `do_convert_rgb: true` is laid on white there (again
///   in both backends); [`Alpha::OverWhite`](crate::Alpha::OverWhite) does that, bit for bit.
///   A colour made transparent (PNG `tRNS`) counts as alpha.
/// - **EXIF orientation is applied**, as `transformers`' `load_image` does (`ImageOps.exif_transpose`): phones store
///   photographs of skin lying on their side. [`DecodeOptions::exif_orientation`] turns it off. Only the orientation
///   of the file's EXIF block is read (JPEG `APP1`, PNG `eXIf`), not that of XMP.
/// - **Grey is repeated** into three equal channels; palettes and 1-, 2- and 4-bit samples are expanded to 8 bits.
/// - **Colour profiles, gamma and the resolution are ignored**, as they are in the reference.
/// - **JPEG** is decoded by `zune-jpeg`, Pillow uses libjpeg-turbo: both are valid inverse transforms and differ by
///   a few levels at sharp colour edges. The measured bound is in `tests/decode.rs`.
///
/// A clone shares the samples: a question can hold the pictures of a whole volume beside their owner.
/// `Debug` prints the dimensions only, so that a log never holds a patient's picture. Two are equal whose samples are,
/// whatever they were read from.
#[derive(Clone)]
pub struct Image {
    width: usize,
    height: usize,
    data: Arc<Vec<u8>>,
    source_maximum: Option<u16>,
    /// Whether the caller has said how many bits hold the picture.
    bits_are_said: bool,
}

impl Image {
    /// Reads a PNG or JPEG file with the default [`DecodeOptions`]. The content decides the format, not the name.
    ///
    /// 16 bits are read as PNG means them, 65535 as white. A radiograph of 10 to 14 bits whose samples were stored as they
    /// are is nearly black then, and no error: [`few_bits`](Self::few_bits) tells. Read it again
    /// with [`DecodeOptions::with_significant_bits`]; where it is none of these, take its samples with a decoder of
    /// your own, window them or stretch them to 0–65535, and give them to [`from_gray16`](Self::from_gray16).
    ///
    /// ```no_run
    /// # fn main() -> medgemma_image::Result<()> {
    /// use medgemma_image::{DecodeOptions, Image};
    ///
    /// let mut image = Image::open("chest.png")?;
    /// if image.few_bits().is_some_and(|few| few.bits == 12) {
    ///     let options = DecodeOptions::default().with_significant_bits(12);
    ///     image = Image::open_with("chest.png", &options)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read or is no regular file, otherwise as [`decode`](Self::decode).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        decode::open(path.as_ref(), &DecodeOptions::default())
    }

    /// Reads a PNG or JPEG file with the given options.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, options: &DecodeOptions) -> Result<Self> {
        decode::open(path.as_ref(), options)
    }

    /// Decodes a PNG or JPEG file held in memory, within `limits`.
    ///
    /// # Errors
    /// [`Error::Format`], [`Error::Limit`], [`Error::Truncated`], [`Error::Corrupt`] or [`Error::Samples`]; with options of
    /// fewer [`significant_bits`](DecodeOptions::significant_bits) than 16 [`Error::BeyondSignificantBits`], and
    /// [`Error::SignificantBits`] if there cannot be so many.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self> {
        let options = DecodeOptions::default().with_limits(limits.clone());
        Self::decode_with(bytes, &options)
    }

    /// Decodes a PNG or JPEG file held in memory, with the given options.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn decode_with(bytes: &[u8], options: &DecodeOptions) -> Result<Self> {
        decode::decode(bytes, options, &crate::error::Origin::Memory)
    }

    /// Takes 8-bit RGB samples, `data[(y * width + x) * 3 + channel]`.
    ///
    /// # Errors
    /// [`Error::Empty`] for a side of 0, [`Error::Buffer`] if `data.len() != width * height * 3`.
    pub fn from_rgb8(width: usize, height: usize, data: Vec<u8>) -> Result<Self> {
        check_buffer(width, height, 3, data.len())?;
        Ok(Self {
            width,
            height,
            data: Arc::new(data),
            source_maximum: None,
            bits_are_said: false,
        })
    }

    /// Takes 8-bit grey samples, `data[y * width + x]`, and repeats each into three channels.
    ///
    /// # Errors
    /// [`Error::Empty`] for a side of 0, [`Error::Buffer`] if `data.len() != width * height`.
    pub fn from_gray8(width: usize, height: usize, data: Vec<u8>) -> Result<Self> {
        check_buffer(width, height, 1, data.len())?;
        Self::from_rgb8(width, height, samples::grey_to_rgb(&data))
    }

    /// Takes 16-bit grey samples, `data[y * width + x]`: each becomes `round(v / 257)` in three channels.
    /// The full range 0–65535 is mapped; stretch or window 12-bit data first.
    ///
    /// # Errors
    /// [`Error::Empty`] for a side of 0, [`Error::Buffer`] if `data.len() != width * height`.
    pub fn from_gray16(width: usize, height: usize, data: Vec<u16>) -> Result<Self> {
        check_buffer(width, height, 1, data.len())?;
        let maximum = data.iter().copied().max();
        let grey: Vec<u8> = data.into_iter().map(samples::to_8_bit).collect();
        let picture = Self::from_rgb8(width, height, samples::grey_to_rgb(&grey))?;
        Ok(picture.with_source_maximum(maximum))
    }

    /// The same picture, of this largest 16-bit sample.
    pub(crate) fn with_source_maximum(mut self, maximum: Option<u16>) -> Self {
        self.source_maximum = maximum;
        self
    }

    /// The same picture, of which the caller has said how many bits hold it.
    pub(crate) fn with_bits_said(mut self) -> Self {
        self.bits_are_said = true;
        self
    }

    /// The largest 16-bit sample that the picture was made of, alpha apart, as the file had it; `None` if it had 8 bits or
    /// fewer. Far below 65535 it says that fewer bits hold the picture, which [`open`](Self::open) then shows nearly
    /// black. A crop and a padded square keep that of the whole.
    #[must_use]
    pub fn source_maximum(&self) -> Option<u16> {
        self.source_maximum
    }

    /// That the picture is nearly black because it was read from 16 bits of which it uses 13 or fewer: most likely a
    /// radiograph whose samples were stored as they are. Display it to whoever gave the picture: no model says that it
    /// saw nothing. `None` for a picture of 8 bits, for one that is black altogether, and for one that was read by
    /// [`DecodeOptions::with_significant_bits`].
    #[must_use]
    pub fn few_bits(&self) -> Option<FewBits> {
        let bits = u16::BITS - self.source_maximum?.leading_zeros();
        let few = (1..=FEW_BITS).contains(&bits) && !self.bits_are_said;
        let shown = || self.data.iter().all(|&sample| sample <= NEARLY_BLACK);
        (few && shown()).then_some(FewBits { bits })
    }

    /// Width in pixels, at least 1.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels, at least 1.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The samples, `[(y * width + x) * 3 + channel]`, `width * height * 3` of them.
    #[must_use]
    pub fn as_rgb8(&self) -> &[u8] {
        &self.data
    }

    /// Gives the samples away, in the layout of [`as_rgb8`](Self::as_rgb8); a copy while there are clones.
    #[must_use]
    pub fn into_rgb8(self) -> Vec<u8> {
        Arc::unwrap_or_clone(self.data)
    }

    /// The picture centred on a black square of its longer side: `difference / 2` rows (or columns) before,
    /// the rest after, so an odd row goes to the bottom or right.
    ///
    /// This is `_zero_pad_image_to_square` of Google's MedGemma serving code, which training and the published
    /// chest-radiograph evaluations used; the Hugging Face processor does not do it.
    ///
    /// # Errors
    /// [`Error::Padding`] if the square would take more bytes than [`Limits::max_alloc`] is by default, which
    /// are 13377x13377 pixels: a strip of a few kilobytes would otherwise take gigabytes. A square picture is given
    /// back whatever its size.
    pub fn padded_to_square(&self) -> Result<Self> {
        self.padded_to_square_within(max_padded())
    }

    /// As [`padded_to_square`](Self::padded_to_square), for a square of up to `max_pixels`, three bytes each.
    ///
    /// # Errors
    /// [`Error::Padding`] if it would have more.
    pub fn padded_to_square_within(&self, max_pixels: u64) -> Result<Self> {
        if self.width == self.height {
            return Ok(self.clone());
        }
        let side = self.padded_side(max_pixels)?;
        let bytes = side * side * 3;
        let (left, top) = ((side - self.width) / 2, (side - self.height) / 2);
        let mut data = vec![0; bytes];
        for (y, row) in self.data.chunks_exact(self.width * 3).enumerate() {
            let start = ((top + y) * side + left) * 3;
            data[start..start + row.len()].copy_from_slice(row);
        }
        Ok(Self {
            width: side,
            height: side,
            data: Arc::new(data),
            source_maximum: self.source_maximum,
            bits_are_said: self.bits_are_said,
        })
    }

    /// The side of the square that the picture is padded to.
    ///
    /// # Errors
    /// [`Error::Padding`] if it has more than `max_pixels`, unless the picture is a square already.
    fn padded_side(&self, max_pixels: u64) -> Result<usize> {
        let side = self.width.max(self.height);
        let bytes = (side.checked_mul(side)).and_then(|pixels| pixels.checked_mul(3));
        let fits = bytes.is_some_and(|bytes| bytes as u64 / 3 <= max_pixels);
        if fits || self.width == self.height {
            return Ok(side);
        }
        Err(Error::Padding {
            width: self.width,
            height: self.height,
            side,
            limit: max_pixels,
        })
    }

    /// The side of what [`padded_to_square`](Self::padded_to_square) gives, without the work.
    ///
    /// # Errors
    /// As [`padded_to_square`](Self::padded_to_square).
    pub(crate) fn square_side(&self) -> Result<usize> {
        self.padded_side(max_padded())
    }

    /// The part of the picture under `crop`.
    ///
    /// # Errors
    /// [`Error::Crop`] if the rectangle is empty or leaves the picture.
    pub fn cropped(&self, crop: Crop) -> Result<Self> {
        let right = crop.x.saturating_add(crop.width);
        let bottom = crop.y.saturating_add(crop.height);
        if crop.width == 0 || crop.height == 0 || right > self.width || bottom > self.height {
            return Err(Error::Crop {
                width: self.width,
                height: self.height,
                x: crop.x,
                y: crop.y,
                crop_width: crop.width,
                crop_height: crop.height,
            });
        }
        let data = self
            .data
            .chunks_exact(self.width * 3)
            .skip(crop.y)
            .take(crop.height)
            .flat_map(|row| &row[crop.x * 3..right * 3])
            .copied()
            .collect();
        Ok(Self {
            width: crop.width,
            height: crop.height,
            data: Arc::new(data),
            source_maximum: self.source_maximum,
            bits_are_said: self.bits_are_said,
        })
    }
}

/// Bits of 16 with which a picture is nearly black: 13 are an eighth of white.
const FEW_BITS: u32 = 13;
/// The largest of 13 bits, 8191, as a sample of 8.
const NEARLY_BLACK: u8 = 32;

/// Why a picture is nearly black. Displays as a sentence for whoever gave it; see [`Image::few_bits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FewBits {
    /// Bits that the largest sample takes, 1 to 13.
    pub bits: u32,
}

impl fmt::Display for FewBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.bits;
        write!(
            f,
            "nearly black, it uses {bits} of its 16 bits; stretch or window it first"
        )
    }
}

/// Pixels of a padded square at most, unless asked for otherwise.
fn max_padded() -> u64 {
    Limits::default().max_alloc / 3
}

impl PartialEq for Image {
    fn eq(&self, other: &Self) -> bool {
        (self.width, self.height, &self.data) == (other.width, other.height, &other.data)
    }
}

impl Eq for Image {}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image")
            .field("width", &self.width)
            .field("height", &self.height)
            .finish_non_exhaustive()
    }
}

fn check_buffer(width: usize, height: usize, channels: usize, found: usize) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(Error::Empty {
            argument: "width, height",
            width,
            height,
        });
    }
    let expected = width.saturating_mul(height).saturating_mul(channels);
    // Three bytes a pixel must be addressable even where fewer samples came in.
    if expected != found || width.saturating_mul(height).saturating_mul(3) == usize::MAX {
        return Err(Error::Buffer {
            width,
            height,
            channels,
            expected,
            found,
        });
    }
    Ok(())
}
