//! All slices in one picture, each under the number that the model is told.

use std::convert::Infallible;

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_6X10;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::text::{Baseline, Text};
use image::{Rgb, RgbImage};
use medgemma::{Image, Resizer, Result};

/// Pixels between slices.
const GAP: u32 = 4;
/// Height of the line of a number.
const LINE: u32 = 12;
const GROUND: Rgb<u8> = Rgb([48, 48, 48]);

/// Rows of slices, as many as columns or one less. A slice with a longer side than `tile` is made smaller, and none
/// larger.
///
/// # Errors
/// Those of making a slice smaller.
pub(crate) fn draw(slices: &[Image], tile: u32) -> Result<RgbImage> {
    let longest = slices
        .iter()
        .map(|slice| slice.width().max(slice.height()))
        .max();
    let side = tile.min(count(longest.unwrap_or(1)));
    let columns = (1..).find(|n| n * n >= slices.len()).unwrap_or(1);
    let rows = slices.len().div_ceil(columns);
    let (across, down) = (side + GAP, side + LINE + GAP);
    let mut canvas = Canvas(RgbImage::from_pixel(
        count(columns) * across + GAP,
        count(rows) * down + GAP,
        GROUND,
    ));
    for (index, slice) in slices.iter().enumerate() {
        let x = GAP + count(index % columns) * across;
        let y = GAP + count(index / columns) * down;
        canvas.number(index + 1, x, y);
        canvas.picture(&fitted(slice, side)?, x, y + LINE);
    }
    Ok(canvas.0)
}

fn fitted(slice: &Image, side: u32) -> Result<Image> {
    let (width, height) = (slice.width(), slice.height());
    let (longest, side) = (width.max(height), side as usize);
    if longest <= side {
        return Ok(slice.clone());
    }
    let shrunk = |n: usize| (n * side / longest).max(1);
    Ok(Resizer::PilBilinear.resize(slice, shrunk(height), shrunk(width))?)
}

struct Canvas(RgbImage);

impl Canvas {
    fn number(&mut self, number: usize, x: u32, y: u32) {
        let place = Point::new(x.cast_signed(), y.cast_signed());
        let style = MonoTextStyle::new(&FONT_6X10, Rgb888::WHITE);
        let Ok(_) =
            Text::with_baseline(&number.to_string(), place, style, Baseline::Top).draw(self);
    }

    fn picture(&mut self, picture: &Image, x: u32, y: u32) {
        for (index, pixel) in picture.as_rgb8().chunks_exact(3).enumerate() {
            let place = [index % picture.width(), index / picture.width()].map(count);
            let colour = Rgb([pixel[0], pixel[1], pixel[2]]);
            self.0.put_pixel(x + place[0], y + place[1], colour);
        }
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    /// What lies outside is not drawn.
    fn draw_iter<I>(&mut self, pixels: I) -> std::result::Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        for Pixel(Point { x, y }, colour) in pixels {
            if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
                && let Some(pixel) = self.0.get_pixel_mut_checked(x, y)
            {
                *pixel = Rgb([colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}

/// Slices and their sides, all of them few.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
