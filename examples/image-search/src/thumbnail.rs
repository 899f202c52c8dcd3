//! A small copy of a picture that can stand in a page.

use std::path::Path;

use data_encoding::BASE64;
use image::codecs::jpeg::JpegEncoder;
use image::{RgbImage, imageops};
use medgemma::Image;

/// Pixels of the longer side.
const SIDE: u32 = 240;
const QUALITY: u8 = 85;

/// The picture at `path` as a `data:` address of a JPEG, or why there is none.
pub(crate) fn data_uri(path: &Path) -> Result<String, String> {
    // As the model saw it: the same limits, the same orientation, the same 8 bits.
    let image = Image::open(path).map_err(|error| error.to_string())?;
    let side = |pixels: usize| u32::try_from(pixels).map_err(|error| error.to_string());
    let (width, height) = (side(image.width())?, side(image.height())?);
    let picture = RgbImage::from_raw(width, height, image.into_rgb8()).ok_or("no such size")?;
    let scale = f64::from(SIDE) / f64::from(width.max(height));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "1 to SIDE"
    )]
    let scaled = |pixels: u32| ((f64::from(pixels) * scale).round() as u32).max(1);
    let small = match scale < 1.0 {
        true => imageops::thumbnail(&picture, scaled(width), scaled(height)),
        false => picture,
    };
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .encode_image(&small)
        .map_err(|error| error.to_string())?;
    Ok(format!("data:image/jpeg;base64,{}", BASE64.encode(&jpeg)))
}
