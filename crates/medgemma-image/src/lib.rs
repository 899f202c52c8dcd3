//! Images as MedGemma and MedSigLIP read them: decoding with limits, named resizers, normalisation, pan and scan.
//!
//! A PNG or JPEG file becomes an [`Image`] (8-bit RGB; what happens to 16 bits, alpha and EXIF orientation is on the
//! type), an [`ImageProcessor`] turns it into [`Pixels`] (`[3, height, width]`, `f32`), equal bit for bit to the
//! processor the [`Resizer`] names. No tensor library, no `unsafe`, no global state.
//!
//! ```
//! use medgemma_image::{Image, ImageProcessor, Resizer};
//!
//! # fn main() -> medgemma_image::Result<()> {
//! // A real program opens a file: `Image::open("chest.png")?`. Here: a grey ramp of 100x60 pixels.
//! let ramp = (0..6000u32).map(|i| (i % 100) as u8 * 2).collect();
//! let image = Image::from_gray8(100, 60, ramp)?;
//!
//! // MedGemma's processor; a checkpoint's own comes from `ImageProcessor::from_dir(dir, 896)?`.
//! let processor = ImageProcessor::default();
//! let processed = processor.process(&image)?;
//! assert_eq!(processed.pixels[0].shape, [3, 896, 896]);
//! assert_eq!(processed.num_crops, 0);
//!
//! // The backend that `transformers` 5 prefers rounds differently in places; it is a choice by name.
//! let fast = ImageProcessor::new(28, 28)?.with_resizer(Resizer::TorchvisionBilinear);
//! assert_eq!(fast.process(&image)?.pixels[0].data.len(), 3 * 28 * 28);
//!
//! // MedSigLIP's is another: 448x448, resized as TensorFlow does without antialiasing.
//! let processed = ImageProcessor::medsiglip().process(&image)?;
//! assert_eq!(processed.pixels[0].shape, [3, 448, 448]);
//! # Ok(())
//! # }
//! ```
//!
//! | step | module | reference |
//! |---|---|---|
//! | bytes → [`Image`] | `decode`, `complete`, `xmp`, `samples` | Pillow 13, Google's serving code |
//! | pad to square | [`Image::padded_to_square`] | Google's serving code |
//! | pan and scan | [`PanAndScan`] | `Gemma3ImageProcessorPil` |
//! | resize | [`Resizer`] | Pillow 13, torchvision 0.29 on torch 2.15, TensorFlow 2.21 |
//! | rescale, normalise | `normalize` | `transformers` 5.23 |

mod complete;
mod config;
mod decode;
mod error;
mod file;
mod image;
mod limits;
mod normalize;
mod pan_and_scan;
mod pixels;
mod processor;
mod resize;
mod samples;
mod xmp;

// The public interface:
#[doc(hidden)]
pub use crate::complete::scan_headers;
pub use crate::decode::{Alpha, DecodeOptions};
pub use crate::error::{Error, Origin, Result};
pub use crate::image::{FewBits, Image};
pub use crate::limits::Limits;
pub use crate::pan_and_scan::{Crop, PanAndScan};
pub use crate::pixels::{Pixels, Processed};
pub use crate::processor::ImageProcessor;
pub use crate::resize::{ImageBackend, MAX_SIDE, Resize, Resizer};
