//! PNG and JPEG files to [`Image`], by content, within limits, with every file damaged or cut short refused.
//! Decoding itself is the `image` crate's (`png`, `zune-jpeg`).

use std::io::{Cursor, Read};
use std::path::Path;

use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, RgbImage};

use crate::complete;
use crate::error::{Error, Origin, Result};
use crate::file;
use crate::image::Image;
use crate::limits::Limits;
use crate::samples;
use crate::xmp;

/// What becomes of transparency. The reasons are on [`Image`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Alpha {
    /// The colour is kept and the transparency forgotten: `load_image` of `transformers` 5.23, Google's serving code.
    #[default]
    Drop,
    /// The picture is laid on white with Pillow's rounding: `transformers` 5.23 for a picture opened as RGBA by the
    /// caller, under `do_convert_rgb: true`.
    OverWhite,
}

/// How [`Image::open_with`] and [`Image::decode_with`] read a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeOptions {
    /// How large a picture may be. Default [`Limits::default`].
    pub limits: Limits,
    /// What becomes of transparency. Default [`Alpha::Drop`].
    pub alpha: Alpha,
    /// Whether the EXIF orientation is applied. Default `true`, as `transformers` does for files.
    pub exif_orientation: bool,
    /// The lower bits of 16-bit samples that hold the picture, 1 to 16: 12 where 0 is black and 4095 white. Default 16,
    /// as PNG means them. A file with a sample beyond is refused; alpha always has 16, and files of 8 bits have none of
    /// these.
    pub significant_bits: u8,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            alpha: Alpha::Drop,
            exif_orientation: true,
            significant_bits: 16,
        }
    }
}

impl DecodeOptions {
    /// Sets the limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets what becomes of transparency.
    #[must_use]
    pub fn with_alpha(mut self, alpha: Alpha) -> Self {
        self.alpha = alpha;
        self
    }

    /// Sets whether the EXIF orientation is applied.
    #[must_use]
    pub fn with_exif_orientation(mut self, apply: bool) -> Self {
        self.exif_orientation = apply;
        self
    }

    /// Sets the bits of 16-bit samples that hold the picture.
    #[must_use]
    pub fn with_significant_bits(mut self, bits: u8) -> Self {
        self.significant_bits = bits;
        self
    }

    /// # Errors
    /// [`Error::SignificantBits`].
    fn check(&self) -> Result<()> {
        let found = self.significant_bits;
        match found {
            1..=16 => Ok(()),
            _ => Err(Error::SignificantBits { found }),
        }
    }
}

/// Reads `path` up to the file limit and decodes it.
pub(crate) fn open(path: &Path, options: &DecodeOptions) -> Result<Image> {
    let origin = Origin::File(path.to_owned());
    let file = file::open(path)?;
    let declared = file
        .metadata()
        .map_err(|source| Error::io(path, source))?
        .len();
    options.limits.check_file(&origin, declared)?;
    // The length above is a hint (a file can grow); what bounds the read is `take`, one byte past the limit.
    let mut bytes = Vec::new();
    file.take(options.limits.max_file_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| Error::io(path, source))?;
    decode(&bytes, options, &origin)
}

/// Decodes a whole file.
pub(crate) fn decode(bytes: &[u8], options: &DecodeOptions, origin: &Origin) -> Result<Image> {
    options.check()?;
    options.limits.check_file(origin, bytes.len() as u64)?;
    match image::guess_format(bytes) {
        Ok(ImageFormat::Png) => {
            complete::png(bytes, origin)?;
            if let Some((width, height)) = complete::png_size(bytes) {
                options.limits.check_size(origin, width, height)?;
            }
            let limits = codec_limits(&options.limits);
            let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits)
                .map_err(|source| corrupt(origin, "PNG", source))?;
            finish(decoder, "PNG", options, origin)
        }
        Ok(ImageFormat::Jpeg) => {
            complete::jpeg(bytes, origin)?;
            let decoder = JpegDecoder::new(Cursor::new(xmp::without_extended(bytes)))
                .map_err(|source| corrupt(origin, "JPEG", source))?;
            finish(decoder, "JPEG", options, origin)
        }
        other => Err(Error::Format {
            origin: origin.clone(),
            found: match other {
                Ok(format) => format!("{format:?}"),
                Err(_) => hex(bytes),
            },
        }),
    }
}

/// Checks the header against the limits, then decodes, converts and turns the picture.
fn finish(
    mut decoder: impl ImageDecoder,
    format: &'static str,
    options: &DecodeOptions,
    origin: &Origin,
) -> Result<Image> {
    let (width, height) = decoder.dimensions();
    options.limits.check_size(origin, width, height)?;
    let color = decoder.color_type();
    let raw_bytes = decoder.total_bytes();
    let rgb_bytes = u64::from(width) * u64::from(height) * 3;
    let copies = color != image::ColorType::Rgb8;
    let total = raw_bytes.saturating_add(if copies { rgb_bytes } else { 0 });
    options.limits.check_alloc(origin, total)?;
    // An EXIF block that cannot be read says nothing: the reference ignores it too.
    let orientation = match options.exif_orientation {
        true => decoder.orientation().unwrap_or(Orientation::NoTransforms),
        false => Orientation::NoTransforms,
    };
    let length = usize::try_from(raw_bytes).map_err(|source| corrupt(origin, format, source))?;
    let mut raw = vec![0; length];
    decoder
        .read_image(&mut raw)
        .map_err(|source| corrupt(origin, format, source))?;
    let bits = options.significant_bits;
    let rgb = samples::to_rgb8(color, raw, options.alpha, bits).ok_or_else(|| Error::Samples {
        origin: origin.clone(),
        found: format!("{color:?}"),
    })?;
    check_bits(rgb.source_maximum, bits, origin)?;
    let picture =
        turn(width, height, rgb.data, orientation)?.with_source_maximum(rgb.source_maximum);
    Ok(match u32::from(bits) < u16::BITS {
        true => picture.with_bits_said(),
        false => picture,
    })
}

/// Refuses a sample of more than `bits` bits. Its bits are told, not itself: errors carry no pixels.
fn check_bits(source_maximum: Option<u16>, bits: u8, origin: &Origin) -> Result<()> {
    let found = u16::BITS - source_maximum.unwrap_or(0).leading_zeros();
    if found <= u32::from(bits) {
        return Ok(());
    }
    Err(Error::BeyondSignificantBits {
        origin: origin.clone(),
        expected: bits,
        found,
    })
}

/// Applies the EXIF orientation.
fn turn(width: u32, height: u32, rgb: Vec<u8>, orientation: Orientation) -> Result<Image> {
    let found = rgb.len();
    let Some(buffer) = RgbImage::from_raw(width, height, rgb) else {
        return Err(Error::Buffer {
            width: width as usize,
            height: height as usize,
            channels: 3,
            expected: width as usize * height as usize * 3,
            found,
        });
    };
    let mut picture = DynamicImage::ImageRgb8(buffer);
    picture.apply_orientation(orientation);
    let buffer = picture.into_rgb8();
    let (width, height) = (buffer.width() as usize, buffer.height() as usize);
    Image::from_rgb8(width, height, buffer.into_raw())
}

fn codec_limits(limits: &Limits) -> image::Limits {
    let mut codec = image::Limits::no_limits();
    codec.max_alloc = Some(limits.max_alloc);
    codec
}

fn corrupt(
    origin: &Origin,
    format: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::Corrupt {
        origin: origin.clone(),
        format,
        source: source.into(),
    }
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "no bytes".to_owned();
    }
    let head: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
    format!("first bytes {}", head.join(" "))
}
