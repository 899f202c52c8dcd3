//! What the vision tower reads: normalised `f32` samples, one plane a channel. Own design (design.md §1: pixels
//! cross crates as plain numbers).

use std::fmt;

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
