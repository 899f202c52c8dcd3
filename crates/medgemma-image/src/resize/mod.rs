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
use table::{FixedTable, Precision};

/// The largest side a picture is resized to. No MedGemma vision tower is larger than 896; the bound keeps a mistyped
/// configuration from asking for gigabytes.
pub const MAX_SIDE: usize = 4096;

/// Which reference's resize is reproduced, to the last bit of every 8-bit sample.
///
/// Both stretch to the target without keeping the aspect ratio and both widen the kernel when shrinking
/// (antialiasing). They work in the same order, columns first and then rows with an 8-bit picture between, from the
/// same weights computed in `f64`; they differ in how the weights are rounded to integers. On photographs 0.3–1 % of
/// the samples differ, by one level, rarely two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Resizer {
    /// Pillow's `Image.resize(size, BILINEAR)` (`src/libImaging/Resample.c`, checked against Pillow 13.0.0): 22
    /// fractional bits. What `Gemma3ImageProcessorPil` uses, and the processor of the published checkpoints.
    #[default]
    PilBilinear,
    /// `torchvision.transforms.v2.functional.resize(antialias=True)` on `uint8` tensors (torchvision 0.29.2, torch
    /// 2.15.0, `UpSampleKernel.cpp`): 16-bit weights with as many fractional bits as the largest one leaves. What
    /// `transformers` 5's default backend uses, on every CPU with AVX2 or NEON (without either, torchvision goes
    /// through `f32`, which is not reproduced).
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
        let columns = (width != image.width())
            .then(|| FixedTable::new(kernel, image.width(), width, precision));
        let rows = (height != image.height())
            .then(|| FixedTable::new(kernel, image.height(), height, precision));
        let data = match (columns, rows) {
            (None, None) => return Ok(image.clone()),
            (Some(columns), None) => pass::horizontal(image.as_rgb8(), image.width(), &columns),
            (None, Some(rows)) => pass::vertical(image.as_rgb8(), image.width(), &rows),
            (Some(columns), Some(rows)) => {
                let between = pass::horizontal(image.as_rgb8(), image.width(), &columns);
                pass::vertical(&between, width, &rows)
            }
        };
        Image::from_rgb8(width, height, data)
    }
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
