//! What the vision tower reads: normalised `f32` samples, one plane a channel. Own design: pixels cross crates as
//! plain numbers, so that this crate needs no burn.

use std::fmt;

use crate::error::{Error, Result};

/// One picture as `[channels, height, width]`, row-major: `data[(c * height + y) * width + x]`.
///
/// `Debug` prints the shape only, so that a log never holds a patient's picture.
#[derive(Clone, PartialEq)]
pub struct Pixels {
    /// The samples, as many as the product of `shape`; about -1 to 1 under MedGemma's normalisation.
    pub data: Vec<f32>,
    /// `[3, height, width]`.
    pub shape: [usize; 3],
}

impl fmt::Debug for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pixels")
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl Pixels {
    /// Refuses pixels whose fields, which anyone may set, do not belong together: to be asked before a tensor is made
    /// of them.
    ///
    /// # Errors
    /// [`Error::Empty`] for a side of 0, [`Error::Buffer`] unless there are as many samples as `shape` says.
    pub fn check(&self) -> Result<()> {
        let [channels, height, width] = self.shape;
        if width == 0 || height == 0 {
            return Err(Error::Empty {
                argument: "shape",
                width,
                height,
            });
        }
        let expected = width.saturating_mul(height).saturating_mul(channels);
        if self.data.len() == expected {
            return Ok(());
        }
        Err(Error::Buffer {
            width,
            height,
            channels,
            expected,
            found: self.data.len(),
        })
    }
}

/// The result of [`ImageProcessor::process`](crate::ImageProcessor::process).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Processed {
    /// The whole picture first, then its pan-and-scan crops in reading order.
    pub pixels: Vec<Pixels>,
    /// How many crops follow the whole picture: `pixels.len() - 1`, the reference's `num_crops`. The prompt names
    /// them if there are any.
    pub num_crops: usize,
}
