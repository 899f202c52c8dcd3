//! Scores as a picture: each image beside its classes, with a bar of the deciding probability and the
//! three figures by name.

use std::convert::Infallible;

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::FONT_10X20;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Baseline, Text};
use image::{Rgb, RgbImage};
use medgemma::{Classification, Image, Probability, Resizer, Result};

use crate::table;

/// One image and what was found.
pub(crate) struct Panel {
    /// By [`thumbnail`].
    pub(crate) thumbnail: Image,
    pub(crate) found: Classification,
}

/// The longer side of an image in the chart, in pixels.
const PICTURE: u32 = 300;
const MARGIN: u32 = 20;
/// Panels of a chart, and its rows of pixels: all of it is one bitmap, of 4 kB a row.
const MOST: usize = 100;
const MOST_ROWS: u32 = 32_768;
/// Height of a class's line.
const LINE: u32 = 28;
/// Width of a bar of probability 1.
const BAR: u32 = 300;
/// Letters of a class's name; what is longer is cut off with an ellipsis.
const LONGEST: usize = 32;
/// The font is of one width, and has the letters of Latin-1: others are drawn as a question mark.
const LETTER: u32 = FONT_10X20.character_size.width;

const GROUND: Rgb888 = Rgb888::WHITE;
const INK: Rgb888 = Rgb888::new(0x22, 0x22, 0x22);
const TRACK: Rgb888 = Rgb888::new(0xE6, 0xE6, 0xE6);
const FILL: Rgb888 = Rgb888::new(0x2F, 0x6D, 0xB5);
const THRESHOLD: Rgb888 = Rgb888::new(0xC0, 0x39, 0x2B);

/// How many panels of so many classes a chart has at most.
pub(crate) fn most(classes: usize) -> usize {
    let rows = PICTURE.max((length(classes) + 2).saturating_mul(LINE)) + MARGIN;
    MOST.min((MOST_ROWS / rows) as usize).max(1)
}

/// An image as large as the chart shows it, its aspect kept.
///
/// # Errors
/// Those of resizing an image.
pub(crate) fn thumbnail(image: &Image) -> Result<Image> {
    let (width, height) = (image.width(), image.height());
    let longest = width.max(height);
    let side = |n: usize| (n * PICTURE as usize / longest).max(1);
    Ok(Resizer::PilBilinear.resize(image, side(height), side(width))?)
}

/// Draws the panels one above the other, and the notice under them.
pub(crate) fn draw(panels: &[Panel], by: Probability, threshold: f32, notice: &str) -> RgbImage {
    let layout = Layout::of(panels);
    let notice = wrapped(notice, (layout.width - 2 * MARGIN) / LETTER);
    let letters = (layout.width - layout.labels - MARGIN) / LETTER;
    let decision = |panel: &Panel| wrapped(&table::decision(&panel.found, by, threshold), letters);
    let decisions: Vec<Vec<String>> = panels.iter().map(decision).collect();
    let each = || panels.iter().zip(&decisions);
    let heights = each().map(|(panel, decision)| height(panel, decision));
    let height = heights.sum::<u32>() + length(notice.len()) * LINE + 2 * MARGIN;
    let mut canvas = Canvas(RgbImage::from_pixel(layout.width, height, rgb(GROUND)));
    let mut y = MARGIN;
    for (panel, decision) in each() {
        canvas.panel(panel, &layout, y, by, threshold);
        canvas.lines(decision, layout.labels, y + lines(panel) * LINE);
        y += self::height(panel, decision);
    }
    canvas.lines(&notice, MARGIN, y);
    canvas.0
}

/// Where the columns begin.
struct Layout {
    labels: u32,
    bars: u32,
    figures: u32,
    width: u32,
}

impl Layout {
    fn of(panels: &[Panel]) -> Self {
        let scores = panels.iter().flat_map(|panel| panel.found.scores());
        let letters = scores.map(|score| shortened(&score.label).chars().count());
        let labels = 2 * MARGIN + PICTURE;
        let bars = labels + length(letters.max().unwrap_or(0)) * LETTER + MARGIN;
        let figures = bars + BAR + MARGIN;
        Self {
            labels,
            bars,
            figures,
            width: figures + length(table::HEADING.len()) * LETTER + MARGIN,
        }
    }
}

/// Of a panel: its image or its lines, those of the decision among them, and a margin.
fn height(panel: &Panel, decision: &[String]) -> u32 {
    let lines = lines(panel) + length(decision.len());
    PICTURE.max(lines * LINE) + MARGIN
}

/// Lines above the decision: the heading and one for each class.
fn lines(panel: &Panel) -> u32 {
    length(panel.found.scores().len()) + 1
}

struct Canvas(RgbImage);

impl Canvas {
    fn panel(&mut self, panel: &Panel, layout: &Layout, top: u32, by: Probability, threshold: f32) {
        self.picture(&panel.thumbnail, MARGIN, top);
        self.text(table::name(by), layout.bars, top, INK);
        self.text(table::HEADING, layout.figures, top, INK);
        let mut y = top + LINE;
        for score in table::ranked(&panel.found) {
            self.text(&shortened(&score.label), layout.labels, y, INK);
            let filled = steps(score.probability(by));
            self.rectangle(layout.bars, y, BAR, LINE - 8, TRACK);
            self.rectangle(layout.bars, y, filled, LINE - 8, FILL);
            self.rectangle(layout.bars + steps(threshold), y, 2, LINE - 8, THRESHOLD);
            self.text(&table::figures(score), layout.figures, y, INK);
            y += LINE;
        }
    }

    /// Lines one under another.
    fn lines(&mut self, lines: &[String], x: u32, top: u32) {
        for (line, y) in lines.iter().zip((top..).step_by(LINE as usize)) {
            self.text(line, x, y, INK);
        }
    }

    /// A thumbnail at a place.
    fn picture(&mut self, shown: &Image, x: u32, y: u32) {
        let pixels = shown.as_rgb8().chunks_exact(3);
        for (index, pixel) in pixels.enumerate() {
            let (row, column) = (index / shown.width(), index % shown.width());
            let colour = Rgb([pixel[0], pixel[1], pixel[2]]);
            self.0
                .put_pixel(x + length(column), y + length(row), colour);
        }
    }

    fn text(&mut self, text: &str, x: u32, y: u32, colour: Rgb888) {
        let style = MonoTextStyle::new(&FONT_10X20, colour);
        let Ok(_) = Text::with_baseline(text, point(x, y), style, Baseline::Top).draw(self);
    }

    fn rectangle(&mut self, x: u32, y: u32, width: u32, height: u32, colour: Rgb888) {
        let area = Rectangle::new(point(x, y), Size::new(width, height));
        let Ok(()) = area
            .into_styled(PrimitiveStyle::with_fill(colour))
            .draw(self);
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
                *pixel = rgb(colour);
            }
        }
        Ok(())
    }
}

fn rgb(colour: Rgb888) -> Rgb<u8> {
    Rgb([colour.r(), colour.g(), colour.b()])
}

fn point(x: u32, y: u32) -> Point {
    Point::new(x.cast_signed(), y.cast_signed())
}

/// Counts of letters, lines and pixels, all of them small.
fn length(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The part of a bar that a probability fills.
fn steps(probability: f32) -> u32 {
    length(table::filled(probability, BAR as usize))
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= LONGEST {
        return label.to_owned();
    }
    let kept: String = label.chars().take(LONGEST - 3).collect();
    format!("{kept}...")
}

/// A text in lines of at most `letters` letters, broken between words.
fn wrapped(text: &str, letters: u32) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if length(line.chars().count() + 1 + word.chars().count()) <= letters {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use medgemma::{Classification, Image, Probability};

    use super::{
        INK, LINE, MARGIN, MOST, MOST_ROWS, PICTURE, Panel, draw, most, rgb, shortened, thumbnail,
        wrapped,
    };

    #[test]
    fn a_chart_of_many_classes_has_fewer_panels() {
        assert_eq!(most(2), MOST);
        for classes in [79, 1000] {
            let rows = u32::try_from((classes + 2) * most(classes)).unwrap_or(u32::MAX) * LINE;
            assert!(
                (MOST_ROWS / 2..=MOST_ROWS).contains(&rows),
                "{classes}: {rows}"
            );
        }
        assert_eq!(most(1_000_000), 1);
    }

    /// Of a run over thousands of pictures no more is kept.
    #[test]
    fn a_thumbnail_is_as_large_as_it_is_shown() -> medgemma::Result<()> {
        for (width, height, shown) in [
            (900, 450, [300, 150]),
            (2, 1000, [1, 300]),
            (3, 1, [300, 100]),
        ] {
            let image = Image::from_gray8(width, height, vec![7; width * height])?;
            let thumbnail = thumbnail(&image)?;
            assert_eq!([thumbnail.width(), thumbnail.height()], shown);
        }
        Ok(())
    }

    /// What does not fit beside the picture stands under it, and the panel is as much longer.
    #[test]
    fn a_decision_is_wrapped_and_has_room() -> medgemma::Result<()> {
        let drawn = |name: &str, classes: usize| {
            let mut labels: Vec<String> = (1..classes).map(|n| n.to_string()).collect();
            labels.push(name.to_owned());
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            let mut logits = vec![0.0; classes];
            logits[classes - 1] = 9.0;
            let panel = Panel {
                thumbnail: Image::from_gray8(2, 2, vec![255; 4])?,
                found: Classification::from_logits(&labels, &logits)?,
            };
            medgemma::Result::Ok(draw(&[panel], Probability::Softmax, 0.5, "notice"))
        };
        let words = ["word"; 60].join(" ");
        let (one, many) = (drawn(&"w".repeat(60), 12)?, drawn(&words, 12)?);
        assert_eq!(many.width(), one.width());
        // 316 letters of about a hundred in a line: three lines more.
        assert_eq!(many.height() - one.height(), 3 * LINE);
        let ink = |top: u32| {
            let lines = many.enumerate_rows().skip(top as usize).take(LINE as usize);
            let pixels = lines.flat_map(|(_, pixels)| pixels);
            let inked = pixels.filter(|(x, _, pixel)| *x > PICTURE && pixel.0 == rgb(INK).0);
            inked.count()
        };
        for line in 13..17 {
            assert!(ink(MARGIN + line * LINE) > 100, "{line}");
        }
        Ok(())
    }

    #[test]
    fn long_names_are_cut_and_long_notices_wrapped() {
        assert_eq!(shortened(&"é".repeat(32)), "é".repeat(32));
        assert_eq!(shortened(&"é".repeat(33)), format!("{}...", "é".repeat(29)));
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one two", 6), ["one", "two"]);
        assert_eq!(wrapped("longer than that", 3), ["longer", "than", "that"]);
    }
}
