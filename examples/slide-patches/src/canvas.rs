//! A picture to draw on: other pictures, numbers and boxes.

use std::convert::Infallible;

use embedded_graphics::mono_font::MonoTextStyleBuilder;
use embedded_graphics::mono_font::ascii::FONT_9X15;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Baseline, Text};
use image::{Rgb, RgbImage};
use medgemma::{Image, Resizer, Result};

/// A place or a size in pixels.
pub(crate) type Pair = [u32; 2];

pub(crate) struct Canvas(pub(crate) RgbImage);

impl Canvas {
    pub(crate) fn new([width, height]: Pair, ground: Rgb<u8>) -> Self {
        Self(RgbImage::from_pixel(width, height, ground))
    }

    pub(crate) fn picture(&mut self, picture: &Image, [x, y]: Pair) {
        for (index, pixel) in picture.as_rgb8().chunks_exact(3).enumerate() {
            let place = [index % picture.width(), index / picture.width()].map(count);
            let colour = Rgb([pixel[0], pixel[1], pixel[2]]);
            self.0.put_pixel(x + place[0], y + place[1], colour);
        }
    }

    /// A number on white, which can be read on any tissue.
    pub(crate) fn number(&mut self, number: usize, place: Pair) {
        let style = MonoTextStyleBuilder::new()
            .font(&FONT_9X15)
            .text_color(Rgb888::BLACK)
            .background_color(Rgb888::WHITE)
            .build();
        let text = format!(" {number} ");
        let Ok(_) = Text::with_baseline(&text, point(place), style, Baseline::Top).draw(self);
    }

    pub(crate) fn frame(&mut self, place: Pair, [width, height]: Pair, colour: Rgb888, line: u32) {
        let area = Rectangle::new(point(place), Size::new(width, height));
        let style = PrimitiveStyle::with_stroke(colour, line);
        let Ok(()) = area.into_styled(style).draw(self);
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

/// The picture with its longer side at most `side` pixels long.
///
/// # Errors
/// Those of making it smaller.
pub(crate) fn fitted(picture: &Image, side: usize) -> Result<Image> {
    let (width, height) = (picture.width(), picture.height());
    let longest = width.max(height);
    if longest <= side {
        return Ok(picture.clone());
    }
    let shrunk = |n: usize| (n * side / longest).max(1);
    Ok(Resizer::PilBilinear.resize(picture, shrunk(height), shrunk(width))?)
}

fn point([x, y]: Pair) -> Point {
    Point::new(x.cast_signed(), y.cast_signed())
}

/// Pixels and patches of a picture, all of them few.
pub(crate) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
