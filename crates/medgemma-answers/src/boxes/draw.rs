//! Boxes and their names on a picture.

use std::fmt;

use embedded_graphics::Pixel;
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::FONT_10X20;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Baseline, Text};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::frame::{MAX_SIDE, PixelBox};
use crate::error::{Error, Result};

/// A box to be drawn, and what is written at it; an empty label leaves the box alone. `Debug`
/// shows the label's size only.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Mark {
    /// Where.
    pub place: PixelBox,
    /// What is there.
    pub label: String,
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mark")
            .field("label_bytes", &self.label.len())
            .finish_non_exhaustive()
    }
}

impl Mark {
    /// A box with its label.
    pub fn new(place: PixelBox, label: impl Into<String>) -> Self {
        Self {
            place,
            label: label.into(),
        }
    }
}

/// Colours that also those tell apart who see no red or no green (Okabe and Ito 2008, without black);
/// from the eighth box on they come again.
const COLORS: [Rgb888; 7] = [
    Rgb888::new(230, 159, 0),
    Rgb888::new(86, 180, 233),
    Rgb888::new(0, 158, 115),
    Rgb888::new(240, 228, 66),
    Rgb888::new(213, 94, 0),
    Rgb888::new(204, 121, 167),
    Rgb888::new(0, 114, 178),
];

/// The picture, 8-bit RGB row by row, with a frame and a label for each mark, as PNG. Lines and
/// letters grow with the picture; a label stands above its box where there is room, else inside it,
/// and is cut where the picture ends. Letters beyond Latin-1 are shown as question marks.
///
/// # Errors
/// [`Error::Sides`] and [`Error::Bytes`] for a picture that is none; [`Error::Encode`].
pub fn draw(rgb: &[u8], width: usize, height: usize, marks: &[Mark]) -> Result<Vec<u8>> {
    let mut canvas = Canvas::new(rgb, width, height)?;
    for (mark, color) in marks.iter().zip(COLORS.into_iter().cycle()) {
        canvas.frame(&mark.place, color);
    }
    // Names come after all frames, so that no line runs through one.
    for (mark, color) in marks.iter().zip(COLORS.into_iter().cycle()) {
        canvas.name(mark, color);
    }
    canvas.png()
}

struct Canvas {
    rgb: Vec<u8>,
    size: Size,
    /// Size of a font's pixel, and of lines.
    unit: u32,
}

impl Canvas {
    fn new(rgb: &[u8], width: usize, height: usize) -> Result<Self> {
        let good = 1..=MAX_SIDE;
        let sides = (u32::try_from(width), u32::try_from(height));
        let (Ok(w), Ok(h)) = sides else {
            return Err(Error::Sides {
                width,
                height,
                limit: MAX_SIDE,
            });
        };
        if !good.contains(&width) || !good.contains(&height) {
            return Err(Error::Sides {
                width,
                height,
                limit: MAX_SIDE,
            });
        }
        let expected = width * height * 3;
        if rgb.len() != expected {
            return Err(Error::Bytes {
                width,
                height,
                expected,
                found: rgb.len(),
            });
        }
        Ok(Self {
            rgb: rgb.to_vec(),
            size: Size::new(w, h),
            // A line of text is a thirtieth of the longer side, and at least as the font has it.
            unit: (w.max(h) / 600).max(1),
        })
    }

    /// The four lines, inside of the box.
    fn frame(&mut self, place: &PixelBox, color: Rgb888) {
        let thick = 2 * self.unit;
        let corner = Point::new(whole(place.x0), whole(place.y0));
        let end = Point::new(whole(place.x1.ceil()), whole(place.y1.ceil()));
        let size = Size::new(
            (end.x - corner.x).unsigned_abs().max(1),
            (end.y - corner.y).unsigned_abs().max(1),
        );
        let (across, down) = (thick.min(size.height), thick.min(size.width));
        let far = |from: i32, length: u32, thick: u32| from.saturating_add_unsigned(length - thick);
        let lower = Point::new(corner.x, far(corner.y, size.height, across));
        let right = Point::new(far(corner.x, size.width, down), corner.y);
        for (at, size) in [
            (corner, Size::new(size.width, across)),
            (lower, Size::new(size.width, across)),
            (corner, Size::new(down, size.height)),
            (right, Size::new(down, size.height)),
        ] {
            self.fill(&Rectangle::new(at, size), color);
        }
    }

    fn name(&mut self, mark: &Mark, color: Rgb888) {
        let letter = FONT_10X20.character_size * self.unit;
        let room = usize::try_from(self.size.width / letter.width).unwrap_or(0);
        let shown = |c: char| {
            if c.is_control() || u32::from(c) > 0xff {
                '?'
            } else {
                c
            }
        };
        let label: String = mark.label.chars().map(shown).take(room).collect();
        if label.is_empty() {
            return;
        }
        let letters = u32::try_from(label.chars().count()).unwrap_or(0);
        let size = Size::new(letters * letter.width, letter.height);
        let top = whole(mark.place.y0);
        let above = top.saturating_sub_unsigned(size.height);
        let most = self.size - Size::new(size.width, size.height.min(self.size.height));
        let limit = |at: i32, most: u32| at.clamp(0, i32::try_from(most).unwrap_or(0));
        let at = Point::new(
            limit(whole(mark.place.x0), most.width),
            limit(if above >= 0 { above } else { top }, most.height),
        );
        self.fill(&Rectangle::new(at, size), color);
        let ink = if luminance(color) > 110 {
            Rgb888::BLACK
        } else {
            Rgb888::WHITE
        };
        let unit = self.unit;
        let mut large = Magnified {
            canvas: self,
            at,
            unit,
        };
        let style = MonoTextStyle::new(&FONT_10X20, ink);
        let text = Text::with_baseline(&label, Point::zero(), style, Baseline::Top);
        // Drawing on memory cannot fail.
        let _ = text.draw(&mut large);
    }

    fn fill(&mut self, area: &Rectangle, color: Rgb888) {
        let area = area.intersection(&Rectangle::new(Point::zero(), self.size));
        for row in area.rows() {
            for column in area.columns() {
                self.set(Point::new(column, row), color);
            }
        }
    }

    fn set(&mut self, at: Point, color: Rgb888) {
        let inside = Rectangle::new(Point::zero(), self.size).contains(at);
        if let (true, Ok(x), Ok(y)) = (inside, usize::try_from(at.x), usize::try_from(at.y)) {
            let width = usize::try_from(self.size.width).unwrap_or(0);
            let start = (y * width + x) * 3;
            self.rgb[start..start + 3].copy_from_slice(&[color.r(), color.g(), color.b()]);
        }
    }

    fn png(&self) -> Result<Vec<u8>> {
        let mut file = Vec::new();
        PngEncoder::new(&mut file)
            .write_image(
                &self.rgb,
                self.size.width,
                self.size.height,
                ExtendedColorType::Rgb8,
            )
            .map_err(|source| Error::Encode {
                source: Box::new(source),
            })?;
        Ok(file)
    }
}

/// A canvas of which each pixel is `unit` by `unit` of another's, from `at` on.
struct Magnified<'a> {
    canvas: &'a mut Canvas,
    at: Point,
    unit: u32,
}

impl OriginDimensions for Magnified<'_> {
    fn size(&self) -> Size {
        self.canvas.size
    }
}

impl DrawTarget for Magnified<'_> {
    type Color = Rgb888;
    type Error = std::convert::Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> std::result::Result<(), Self::Error>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        let unit = i32::try_from(self.unit).unwrap_or(1);
        for Pixel(point, color) in pixels {
            let area = Rectangle::new(self.at + point * unit, Size::new_equal(self.unit));
            self.canvas.fill(&area, color);
        }
        Ok(())
    }
}

/// Brightness as the eye has it, 0 to 255 (ITU-R BT.601).
fn luminance(color: Rgb888) -> u32 {
    (299 * u32::from(color.r()) + 587 * u32::from(color.g()) + 114 * u32::from(color.b())) / 1000
}

/// The pixel that a place lies in.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a float beyond i32 becomes its end"
)]
fn whole(place: f64) -> i32 {
    place.floor() as i32
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, RgbImage};

    use super::{COLORS, Mark, draw};
    use crate::PixelBox;

    fn place(x0: f64, y0: f64, x1: f64, y1: f64) -> PixelBox {
        PixelBox { x0, y0, x1, y1 }
    }

    fn drawn(width: usize, height: usize, marks: &[Mark]) -> RgbImage {
        let grey = vec![128; width * height * 3];
        let png = draw(&grey, width, height, marks).expect("a picture");
        let found = image::load_from_memory_with_format(&png, ImageFormat::Png);
        found.expect("a PNG").into_rgb8()
    }

    fn has(picture: &RgbImage, x: u32, y: u32, color: usize) -> bool {
        let color = COLORS[color];
        use embedded_graphics::prelude::RgbColor;
        picture.get_pixel(x, y).0 == [color.r(), color.g(), color.b()]
    }

    #[test]
    fn a_frame_is_on_the_edge_and_the_rest_as_it_was() {
        let picture = drawn(100, 80, &[Mark::new(place(10.0, 20.0, 60.0, 70.0), "")]);
        for (x, y) in [
            (10, 20),
            (59, 20),
            (10, 69),
            (59, 69),
            (11, 45),
            (35, 21),
            (58, 45),
        ] {
            assert!(has(&picture, x, y, 0), "{x}, {y}");
        }
        for (x, y) in [(9, 45), (60, 45), (12, 45), (35, 22), (35, 70), (35, 19)] {
            assert_eq!(picture.get_pixel(x, y).0, [128; 3], "{x}, {y}");
        }
    }

    #[test]
    fn labels_stand_above_or_inside_and_never_leave_the_picture() {
        let low = drawn(200, 100, &[Mark::new(place(20.0, 50.0, 90.0, 90.0), "rib")]);
        assert!(has(&low, 20, 31, 0), "above");
        let high = drawn(200, 100, &[Mark::new(place(20.0, 5.0, 90.0, 90.0), "rib")]);
        assert!(has(&high, 20, 23, 0), "inside");
        assert_eq!(high.get_pixel(20, 3).0, [128; 3]);
        let right = drawn(
            200,
            100,
            &[Mark::new(place(190.0, 50.0, 200.0, 90.0), "clavicle")],
        );
        assert!(has(&right, 121, 31, 0), "moved to the left");
        let ink = right.pixels().filter(|pixel| pixel.0 == [0; 3]).count();
        assert!(ink > 200, "{ink} pixels of letters");
        let long = "a label that is longer than the picture is wide \u{80ba}";
        drawn(200, 100, &[Mark::new(place(0.0, 0.0, 200.0, 100.0), long)]);
        drawn(3, 2, &[Mark::new(place(0.0, 0.0, 3.0, 2.0), "x")]);
        drawn(300, 4, &[Mark::new(place(0.0, 0.0, 3.0, 2.0), "x")]);
    }

    #[test]
    fn boxes_differ_in_color_and_large_pictures_have_large_letters() {
        let marks = [
            Mark::new(place(100.0, 200.0, 1000.0, 900.0), "a"),
            Mark::new(place(100.0, 1200.0, 1000.0, 1900.0), "b"),
        ];
        let picture = drawn(2400, 2400, &marks);
        assert!(has(&picture, 100, 500, 0) && has(&picture, 107, 500, 0));
        assert!(!has(&picture, 108, 500, 0));
        assert!(has(&picture, 100, 1500, 1));
        assert!(has(&picture, 139, 121, 0), "letters of forty pixels' width");
        for (index, color) in COLORS.iter().enumerate() {
            assert!(!COLORS[..index].contains(color));
        }
    }

    #[test]
    fn bytes_that_are_no_picture_are_refused() {
        let error = draw(&[0; 10], 2, 2, &[]).expect_err("two bytes are missing");
        assert!(
            error.to_string().contains("10 bytes, expected 12"),
            "{error}"
        );
        assert!(draw(&[], 0, 2, &[]).is_err());
        assert!(draw(&[], 1 << 40, 1 << 40, &[]).is_err());
    }
}
