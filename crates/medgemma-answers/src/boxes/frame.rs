//! From thousandths of the picture that the model saw to pixels of the one that was given.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::parse::Region;
use crate::error::{Error, Result};

/// The longest side of a picture that is drawn on or measured.
pub const MAX_SIDE: usize = 1 << 16;

/// How a picture became the square that the model saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fit {
    /// Centred on a square of its longer side, an odd row or column more after it than before: as
    /// for chest radiographs (`LoadOptions::with_pad_to_square` of the crate `medgemma`).
    PadCentred,
    /// Stretched to a square: as the Hugging Face processor does.
    Stretch,
}

/// A picture's sides in pixels, and how it became the model's square.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    width: usize,
    height: usize,
    fit: Fit,
}

/// A box in pixels of the picture as it was given: from the upper left corner of one pixel to the
/// lower right corner of another, with fractions. 0 ≤ x0 < x1 ≤ width, 0 ≤ y0 < y1 ≤ height. `Debug`
/// does not show where.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PixelBox {
    /// Left edge.
    pub x0: f64,
    /// Upper edge.
    pub y0: f64,
    /// Right edge.
    pub x1: f64,
    /// Lower edge.
    pub y1: f64,
}

impl fmt::Debug for PixelBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PixelBox").finish_non_exhaustive()
    }
}

impl Frame {
    /// A picture of these sides.
    ///
    /// # Errors
    /// [`Error::Sides`] for none or more than [`MAX_SIDE`].
    pub fn new(width: usize, height: usize, fit: Fit) -> Result<Self> {
        let good = 1..=MAX_SIDE;
        if !good.contains(&width) || !good.contains(&height) {
            return Err(Error::Sides {
                width,
                height,
                limit: MAX_SIDE,
            });
        }
        Ok(Self { width, height, fit })
    }

    /// The region's part of the picture; `None` when it lies in the padding altogether.
    #[must_use]
    pub fn pixels(&self, region: &Region) -> Option<PixelBox> {
        let (x0, x1) = self.side(self.width, region.x0, region.x1)?;
        let (y0, y1) = self.side(self.height, region.y0, region.y1)?;
        Some(PixelBox { x0, y0, x1, y1 })
    }

    /// Two edges in pixels of a side, cut off at its ends.
    fn side(&self, length: usize, from: f64, to: f64) -> Option<(f64, f64)> {
        let (square, before) = match self.fit {
            Fit::PadCentred => {
                let square = self.width.max(self.height);
                (square, (square - length) / 2)
            }
            Fit::Stretch => (length, 0),
        };
        let pixel = |edge: f64| {
            let at = edge * square as f64 / Region::SCALE - before as f64;
            at.clamp(0.0, length as f64)
        };
        let (from, to) = (pixel(from), pixel(to));
        (from < to).then_some((from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::{Fit, Frame, PixelBox};
    use crate::Region;

    fn region(y0: f64, x0: f64, y1: f64, x1: f64) -> Region {
        Region::new(y0, x0, y1, x1).expect("a region")
    }

    fn pixels(width: usize, height: usize, fit: Fit, region: &Region) -> Option<[f64; 4]> {
        let frame = Frame::new(width, height, fit).expect("sides");
        frame
            .pixels(region)
            .map(|PixelBox { x0, y0, x1, y1 }| [x0, y0, x1, y1])
    }

    #[test]
    fn padding_is_taken_off_before_pixels_are_counted() {
        // 1000 x 601: 199 rows before the picture, 200 after it
        let found = pixels(
            1000,
            601,
            Fit::PadCentred,
            &region(299.0, 100.0, 499.0, 300.0),
        );
        assert_eq!(found, Some([100.0, 100.0, 300.0, 300.0]));
        let found = pixels(
            601,
            1000,
            Fit::PadCentred,
            &region(299.0, 199.0, 499.0, 800.0),
        );
        assert_eq!(found, Some([0.0, 299.0, 601.0, 499.0]));
        let square = pixels(
            500,
            500,
            Fit::PadCentred,
            &region(0.0, 500.0, 1000.0, 1000.0),
        );
        assert_eq!(square, Some([250.0, 0.0, 500.0, 500.0]));
    }

    #[test]
    fn a_box_is_cut_at_the_edges_and_nothing_in_the_padding() {
        let found = pixels(1000, 600, Fit::PadCentred, &region(0.0, 0.0, 300.0, 1000.0));
        assert_eq!(found, Some([0.0, 0.0, 1000.0, 100.0]));
        assert_eq!(
            pixels(1000, 600, Fit::PadCentred, &region(0.0, 0.0, 200.0, 9.0)),
            None
        );
        assert_eq!(
            pixels(1000, 600, Fit::PadCentred, &region(800.0, 0.0, 900.0, 9.0)),
            None
        );
    }

    #[test]
    fn stretched_sides_have_scales_of_their_own() {
        let found = pixels(2000, 500, Fit::Stretch, &region(100.0, 100.0, 200.0, 200.0));
        assert_eq!(found, Some([200.0, 50.0, 400.0, 100.0]));
    }

    #[test]
    fn sides_out_of_range_are_named() {
        for (width, height) in [(0, 5), (5, 0), (5, 1 << 17)] {
            let error = Frame::new(width, height, Fit::Stretch).expect_err("refused");
            assert!(
                error.to_string().contains(&format!("{width} by {height}")),
                "{error}"
            );
        }
    }
}
