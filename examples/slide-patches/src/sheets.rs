//! Two pictures to look at: where the patches lie on the slide, and what they show.

use std::error::Error;

use embedded_graphics::pixelcolor::Rgb888;
use image::{Rgb, RgbImage};
use medgemma::Image;
use medgemma_medical::{PATCH, PatchRecord, Slide};

use crate::canvas::{Canvas, Pair, count, fitted};

/// The longer side of the slide in the overview.
const OVERVIEW: usize = 1200;
/// The side of a patch in the montage.
const TILE: usize = 224;
const GAP: u32 = 4;
/// Height of the line of a number.
const LINE: u32 = 18;
const SHOWN: Rgb888 = Rgb888::new(0x00, 0x80, 0x30);
const NOT_SHOWN: Rgb888 = Rgb888::new(0xA0, 0xA0, 0xA0);

/// The slide, with every whole patch as a box: grey for glass or what the sample left out, green and numbered for what
/// the model is shown.
///
/// # Errors
/// Those of reading the level.
pub(crate) fn overview(
    slide: &mut Slide,
    record: &PatchRecord,
) -> Result<RgbImage, Box<dyn Error>> {
    // The last levels of a pyramid may be too small to see tissue on, and the one before it too large to read.
    let levels = slide.levels().iter();
    let mut sides = levels.map(|level| level.width.max(level.height));
    let fit = sides.rposition(|side| (OVERVIEW..=8 * OVERVIEW).contains(&side));
    let coarse = fit.unwrap_or(slide.levels().len() - 1);
    let (level, read) = (slide.levels()[coarse], slide.levels()[record.level]);
    let whole = slide.region(coarse, 0, 0, level.width, level.height)?;
    let small = fitted(&whole, OVERVIEW)?;
    let size = [small.width(), small.height()];
    let mut canvas = Canvas::new(size.map(count), Rgb([255; 3]));
    canvas.picture(&small, [0, 0]);
    let scaled = |place: [usize; 2]| -> Pair {
        [
            count(place[0] * size[0] / read.width),
            count(place[1] * size[1] / read.height),
        ]
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the side of a patch on a level"
    )]
    let side = (PATCH as f64 * record.pixels_per_pixel).round() as usize;
    let across = read.width / side;
    for patch in 0..record.patches_of_slide {
        let corner = [patch % across * side, patch / across * side];
        let place = scaled(corner);
        canvas.frame(place, scaled([side; 2]), NOT_SHOWN, 1);
    }
    for (index, &corner) in record.patches_shown.iter().enumerate() {
        let place = scaled(corner);
        canvas.frame(place, scaled([side; 2]), SHOWN, 3);
        canvas.number(index + 1, [place[0] + 6, place[1] + 6]);
    }
    Ok(canvas.0)
}

/// The patches in their order, each under its number.
///
/// # Errors
/// Those of making a patch smaller.
pub(crate) fn montage(patches: &[Image]) -> Result<RgbImage, Box<dyn Error>> {
    let columns = (1..).find(|n| n * n >= patches.len()).unwrap_or(1);
    let rows = patches.len().div_ceil(columns);
    let [across, down] = [count(TILE) + GAP, count(TILE) + LINE + GAP];
    let size = [count(columns) * across + GAP, count(rows) * down + GAP];
    let mut canvas = Canvas::new(size, Rgb([48; 3]));
    for (index, patch) in patches.iter().enumerate() {
        let x = GAP + count(index % columns) * across;
        let y = GAP + count(index / columns) * down;
        canvas.number(index + 1, [x, y]);
        canvas.picture(&fitted(patch, TILE)?, [x, y + LINE]);
    }
    Ok(canvas.0)
}
