//! Pan and scan: a long picture is also shown as a few crops along its long side.
//! `Gemma3ImageProcessor.pan_and_scan` of `transformers` 5.23.0 (`models/gemma3/image_processing_pil_gemma3.py`).

use crate::error::{Error, Result};

/// A rectangle of a picture, in pixels from its top left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Crop {
    /// Left edge.
    pub x: usize,
    /// Top edge.
    pub y: usize,
    /// Width.
    pub width: usize,
    /// Height.
    pub height: usize,
}

/// When and how a picture is cut. Off by default in [`ImageProcessor`](crate::ImageProcessor), as in the published
/// MedGemma checkpoints.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PanAndScan {
    /// A crop narrower or lower than this is not worth its tokens: no crops at all then. Default 256 pixels.
    pub min_crop_size: usize,
    /// The most crops, each of which costs as many soft tokens as a picture. Default 4.
    pub max_num_crops: usize,
    /// Long side over short side from which on there are crops. Default 1.2.
    pub min_ratio_to_activate: f64,
}

impl Default for PanAndScan {
    /// The defaults of the Hugging Face class in its first release (256, 4, 1.2). `transformers` 5.23 leaves them
    /// null, which fails there when pan and scan is switched on alone.
    fn default() -> Self {
        Self {
            min_crop_size: 256,
            max_num_crops: 4,
            min_ratio_to_activate: 1.2,
        }
    }
}

impl PanAndScan {
    /// The most crops that can be asked for. The class default is 4; the bound keeps a mistyped configuration from
    /// asking for gigabytes.
    pub const MAX_CROPS: usize = 64;

    /// Sets the smallest crop side in pixels.
    #[must_use]
    pub fn with_min_crop_size(mut self, pixels: usize) -> Self {
        self.min_crop_size = pixels;
        self
    }

    /// Sets the most crops.
    #[must_use]
    pub fn with_max_num_crops(mut self, crops: usize) -> Self {
        self.max_num_crops = crops;
        self
    }

    /// Sets the ratio of long to short side from which on there are crops.
    #[must_use]
    pub fn with_min_ratio_to_activate(mut self, ratio: f64) -> Self {
        self.min_ratio_to_activate = ratio;
        self
    }

    /// The crops of a `width` x `height` picture, left to right or top to bottom; none if it is too square or the
    /// crops would be too small. The last crop may be narrower than the others.
    ///
    /// `min_crop_size` 0 counts as 1, and `max_num_crops` is taken into 1 ..= [`MAX_CROPS`](Self::MAX_CROPS).
    ///
    /// # Errors
    /// [`Error::Empty`] for a side of 0; [`Error::EmptyCrop`] if rounding the crop size up leaves nothing for the
    /// last crop, which takes a `min_crop_size` of a few pixels (the reference fails there too).
    pub fn crops(&self, width: usize, height: usize) -> Result<Vec<Crop>> {
        if width == 0 || height == 0 {
            return Err(Error::Empty {
                argument: "width, height",
                width,
                height,
            });
        }
        let landscape = width >= height;
        let (long, short) = if landscape {
            (width, height)
        } else {
            (height, width)
        };
        let Some(count) = self.count(long, short) else {
            return Ok(Vec::new());
        };
        let step = long.div_ceil(count);
        if step.min(short) < self.min_crop_size {
            return Ok(Vec::new());
        }
        (0..count)
            .map(|i| {
                let start = step * i;
                let length = step.min(long.saturating_sub(start));
                if length == 0 {
                    return Err(Error::EmptyCrop {
                        crops: count,
                        width,
                        height,
                    });
                }
                Ok(if landscape {
                    Crop {
                        x: start,
                        y: 0,
                        width: length,
                        height,
                    }
                } else {
                    Crop {
                        x: 0,
                        y: start,
                        width,
                        height: length,
                    }
                })
            })
            .collect()
    }

    /// How many crops along the long side; `None` if the picture is not long enough.
    fn count(&self, long: usize, short: usize) -> Option<usize> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "picture sides are far below 2^53"
        )]
        let ratio = long as f64 / short as f64;
        if ratio < self.min_ratio_to_activate {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a ratio of sides is at least 1; rounding half up is the reference's floor(ratio + 0.5)"
        )]
        let ideal = (ratio + 0.5) as usize;
        let fitting = long / self.min_crop_size.max(1);
        // The reference's order: at least two crops, then at most the maximum, even where that is one.
        Some(
            ideal
                .min(fitting)
                .max(2)
                .min(self.max_num_crops.clamp(1, Self::MAX_CROPS)),
        )
    }
}
