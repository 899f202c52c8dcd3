//! The multimodal projector of Gemma 3 and MedGemma: a picture's vision features become soft tokens
//! in the decoder's width.
//!
//! ```text
//! features [side², vision d]   one row for each patch
//!   → means over windows       [tokens, vision d]   4 × 4 patches for MedGemma
//!   → RMS norm, 1 + w          [tokens, vision d]
//!   → · W                      [tokens, text d]     256 soft tokens for MedGemma
//! ```
//!
//! The crate knows neither the encoder nor the decoder: both sides are plain matrices.
//!
//! ```
//! use medgemma_projector::{Projector, ProjectorConfig, RENAMES};
//! use medgemma_tensor::checkpoint::{Loader, SafetensorsDir};
//! use medgemma_tensor::{Device, tensor_from};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A real program names the directory of a published checkpoint. Here: a tiny random one.
//! # let directory = medgemma_testkit::checkpoint("mm-2025");
//! let device = Device::cpu()?;
//! let source = SafetensorsDir::open(&directory)?;
//! let mut loader = Loader::new(&source, RENAMES, &device)?;
//! // MedGemma's sizes are ProjectorConfig::MEDGEMMA_4B and MEDGEMMA_27B.
//! let config = ProjectorConfig::new(20, 24, 4, 4, 0.02)?;
//! let projector = Projector::load(&mut loader.scope("multi_modal_projector"), &config)?;
//!
//! let features = tensor_from(vec![0.5; 16 * 20], [16, 20], &device);
//! assert_eq!(projector.forward(features)?.dims(), [4, 24]);
//! # Ok(())
//! # }
//! ```

mod config;
mod error;
mod names;
mod projector;

// The public interface is:
pub use config::ProjectorConfig;
pub use error::{Error, Result};
pub use names::RENAMES;
pub use projector::{Projector, Stage};
