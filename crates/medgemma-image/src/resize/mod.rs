//! Named resizers, each the bit-exact twin of one reference.
//!
//! Those of Pillow and torchvision are a kernel (`kernel.rs`), a table of windows and integer weights (`table.rs`) and two
//! passes (`pass.rs`); TensorFlow's interpolates in `f32` (`lerp.rs`). A new one is a kernel, a rule for fixed-point
//! weights where it differs, a row in [`Resizer`] and its name (`name.rs`).

mod choice;
mod kernel;
mod lerp;
mod name;
mod pass;
mod table;

use medgemma_kernels::ResizeTable;

use crate::error::{Error, Result};
use crate::image::Image;
pub use choice::Resize;
use kernel::Kernel;
use table::Precision;

/// The largest side a picture is resized to. No MedGemma vision tower is larger than 896; the bound keeps a mistyped
/// configuration from asking for gigabytes.
pub const MAX_SIDE: usize = 4096;

/// Which reference's resize is reproduced, to the last bit of every 8-bit sample.
///
/// All of them stretch to the target without keeping the aspect ratio. Those of Pillow and torchvision widen the kernel
/// when shrinking (antialiasing) and make two passes with an 8-bit picture between, from the same weights computed in
/// `f64`; they differ in how the weights are rounded to integers and in the order of the passes, so that a few samples
/// in a hundred come out a level apart. TensorFlow's reads four samples whatever the size, so that fine detail of a
/// large picture is skipped rather than averaged: its pixels are visibly others.
///
/// Each has a name, the same in [`Display`](std::fmt::Display) and [`FromStr`](std::str::FromStr): `tf-bilinear`,
/// `pil-bilinear`, `pil-bicubic`, `torchvision-bilinear`, `torchvision-bicubic`. `pil` and `torchvision`
/// alone, which leave the filter to a model's files, are names of [`Resize`].
///
/// ```
/// use medgemma_image::Resizer;
///
/// assert_eq!("pil-bicubic".parse::<Resizer>()?, Resizer::PilBicubic);
/// assert_eq!(Resizer::TfBilinear.to_string(), "tf-bilinear");
/// # Ok::<(), medgemma_image::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Resizer {
    /// `tf-bilinear`: `tf.image.resize(method="bilinear", antialias=False)` cut off to `uint8` (TensorFlow 2.21.0,
    /// `resize_bilinear_op.cc`): half-pixel centres, `f32`, no antialiasing. MedSigLIP's evaluations and quick start
    /// resize so before they call the processor, and so did SigLIP's training (`get_resize` of big_vision). The default
    /// of SigLIP's processors here.
    TfBilinear,
    /// `pil-bilinear`: Pillow's `Image.resize(size, BILINEAR)` (`src/libImaging/Resample.c`, checked against Pillow
    /// 13.0.0): 22 fractional bits, the horizontal pass first, except that Pillow 13 starts with the vertical one where
    /// the height loses more than twice as many pixels as the width. Releases up to 12.3 never do: there, such tall
    /// pictures come out with a level's difference here and there. What `Gemma3ImageProcessorPil` uses, and the
    /// processor of the published MedGemma checkpoints.
    #[default]
    PilBilinear,
    /// `pil-bicubic`: Pillow's `Image.resize(size, BICUBIC)`, in all else as [`PilBilinear`](Self::PilBilinear). The
    /// class default of `SiglipImageProcessorPil` (`resample` 3).
    PilBicubic,
    /// `torchvision-bilinear`: `torchvision.transforms.v2.functional.resize(antialias=True)` on `uint8` tensors (torchvision
    /// 0.29.2, torch 2.15.0, `UpSampleKernel.cpp`): 16-bit weights with as many fractional bits as the largest one
    /// leaves, the horizontal pass always first. What `transformers` 5's default backend uses for `resample` 2, on
    /// every CPU with AVX2 or NEON (without either, torchvision goes through `f32`, which is not reproduced).
    TorchvisionBilinear,
    /// `torchvision-bicubic`: the same with the bicubic kernel. What `transformers` 5 does with SigLIP's class default
    /// `resample` 3.
    TorchvisionBicubic,
}

/// The two that `transformers` 5 has for every image processor, chosen there by class or by what is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageBackend {
    /// Pillow's resize, NumPy's arithmetic: the classes whose names end in `Pil`.
    Pil,
    /// torchvision's resize, torch's arithmetic.
    Torchvision,
}

impl Resizer {
    /// Stretches `image` to `height` x `width` pixels. An axis whose length already fits is not touched.
    ///
    /// # Errors
    /// [`Error::TargetSize`] if a side is 0 or above [`MAX_SIDE`].
    pub fn resize(self, image: &Image, height: usize, width: usize) -> Result<Image> {
        check_target(height, width)?;
        if (image.height(), image.width()) == (height, width) {
            return Ok(image.clone());
        }
        match self {
            Self::TfBilinear => lerp::resize(image, height, width),
            Self::PilBilinear => pillow(Kernel::Triangle, image, height, width),
            Self::PilBicubic => pillow(Kernel::Cubic, image, height, width),
            Self::TorchvisionBilinear => torchvision(Kernel::Triangle, image, height, width),
            Self::TorchvisionBicubic => torchvision(Kernel::Cubic, image, height, width),
        }
    }

    /// Whether `transformers` does this resize in its torchvision backend, whose arithmetic after it differs, too.
    pub(crate) fn is_torchvision(self) -> bool {
        match self {
            Self::TfBilinear | Self::PilBilinear | Self::PilBicubic => false,
            Self::TorchvisionBilinear | Self::TorchvisionBicubic => true,
        }
    }
}

fn pillow(kernel: Kernel, image: &Image, height: usize, width: usize) -> Result<Image> {
    let vertical_first = pillow_is_vertical_first(image, height, width);
    let table = |from, to| table::fixed(kernel, from, to, Precision::Pillow);
    two_passes(image, height, width, table, vertical_first)
}

fn torchvision(kernel: Kernel, image: &Image, height: usize, width: usize) -> Result<Image> {
    let table = |from, to| table::fixed(kernel, from, to, Precision::Torch);
    two_passes(image, height, width, table, false)
}

/// One pass for each axis whose length changes, with the table made for it.
fn two_passes(
    image: &Image,
    height: usize,
    width: usize,
    table: impl Fn(usize, usize) -> ResizeTable,
    vertical_first: bool,
) -> Result<Image> {
    let (from_width, from_height) = (image.width(), image.height());
    let table = |from, to| (from != to).then(|| table(from, to));
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
