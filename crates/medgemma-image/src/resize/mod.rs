//! Named resizers, each the bit-exact twin of one reference: kernel → table of windows and weights → two passes.
//!
//! A new one (TensorFlow's bilinear, Pillow's bicubic) is a kernel in `kernel.rs`, a rule for fixed-point weights in
//! `table.rs` where it differs, and a row in [`Resizer`].

mod kernel;
mod pass;
mod table;

use crate::error::{Error, Result};
use crate::image::Image;
use kernel::Kernel;
use table::Precision;

/// The largest side a picture is resized to. No MedGemma vision tower is larger than 896; the bound keeps a mistyped
/// configuration from asking for gigabytes.
pub const MAX_SIDE: usize = 4096;

/// Which reference's resize is reproduced, to the last bit of every 8-bit sample.
///
/// Both stretch to the target without keeping the aspect ratio and both widen the kernel when shrinking
/// (antialiasing). Both make two passes with an 8-bit picture between, from the same weights computed in `f64`; they
/// differ in how the weights are rounded to integers and in the order of the passes, so that a few samples in a
/// hundred come out a level apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Resizer {
    /// Pillow's `Image.resize(size, BILINEAR)` (`src/libImaging/Resample.c`, checked against Pillow 13.0.0): 22
    /// fractional bits, the horizontal pass first, except that Pillow 13 starts with the vertical one where the height
    /// loses more than twice as many pixels as the width. Releases up to 12.3 never do: there, such tall pictures
    /// come out with a level's difference here and there. What `Gemma3ImageProcessorPil` uses, and the processor of
    /// the published checkpoints.
    #[default]
    PilBilinear,
    /// `torchvision.transforms.v2.functional.resize(antialias=True)` on `uint8` tensors (torchvision 0.29.2, torch
    /// 2.15.0, `UpSampleKernel.cpp`): 16-bit weights with as many fractional bits as the largest one leaves, the
    /// horizontal pass always first. What `transformers` 5's default backend uses, on every CPU with AVX2 or NEON
    /// (without either, torchvision goes through `f32`, which is not reproduced).
    TorchvisionBilinear,
}

impl Resizer {
    /// Stretches `image` to `height` x `width` pixels. An axis whose length already fits is not touched.
    ///
    /// # Errors
    /// [`Error::TargetSize`] if a side is 0 or above [`MAX_SIDE`].
    pub fn resize(self, image: &Image, height: usize, width: usize) -> Result<Image> {
        check_target(height, width)?;
        let (kernel, precision) = match self {
            Self::PilBilinear => (Kernel::Triangle, Precision::Pillow),
            Self::TorchvisionBilinear => (Kernel::Triangle, Precision::Torch),
        };
        let vertical_first = match self {
            Self::PilBilinear => pillow_is_vertical_first(image, height, width),
            Self::TorchvisionBilinear => false,
        };
        let (from_width, from_height) = (image.width(), image.height());
        let table = |from, to| (from != to).then(|| table::fixed(kernel, from, to, precision));
        let (across, down) = (table(from_width, width), table(from_height, height));
        let source = image.as_rgb8();
        let data = match (across, down) {
            (None, None) => return Ok(image.clone()),
            (Some(across), None) => pass::horizontal(source, from_width, &across),
            (None, Some(down)) => pass::vertical(source, from_width, &down),
            (Some(across), Some(down)) if vertical_first => {
                let between = pass::vertical(source, from_width, &down);
                pass::horizontal(&between, from_width, &across)
            }
            (Some(across), Some(down)) => {
                let between = pass::horizontal(source, from_width, &across);
                pass::vertical(&between, width, &down)
            }
        };
        Image::from_rgb8(width, height, data)
    }
}

/// Pillow 13's choice of order (`ImagingResampleInner`): the vertical pass first where the height loses more than twice as many
/// pixels as the width (a width that grows counts as a negative loss).
fn pillow_is_vertical_first(image: &Image, height: usize, width: usize) -> bool {
    let (from_height, from_width) = (image.height(), image.width());
    // height loss > 2 * width loss, with every term on the side where it is not subtracted
    from_height > height && from_height + 2 * width > 2 * from_width + height
}

/// Refuses a target side of 0 or above [`MAX_SIDE`].
pub(crate) fn check_target(height: usize, width: usize) -> Result<()> {
    let sides = 1..=MAX_SIDE;
    if sides.contains(&height) && sides.contains(&width) {
        return Ok(());
    }
    Err(Error::TargetSize {
        max: MAX_SIDE,
        width,
        height,
    })
}
