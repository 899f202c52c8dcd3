//! The SigLIP encoder that MedGemma sees with: a picture becomes one vector for each patch.
//!
//! ```text
//! pixels [3, 896, 896]
//!   → patches, projected       [4096, 1152]   14 × 14 pixels each, row by row
//!   → + learned positions      [4096, 1152]
//!   → 27 encoder blocks        [4096, 1152]   every patch sees every patch
//!   → last layer norm          [4096, 1152]
//! ```
//!
//! The numbers are MedGemma's; they come from the checkpoint's [`VisionConfig`]. The forward pass
//! is two files, `vision.rs` and `encoder.rs`. No decoder, no image files: pixels are what
//! `medgemma-image` makes of a file.
//!
//! ```
//! use medgemma_siglip::{RENAMES, VisionConfig, VisionTower};
//! use medgemma_tensor::checkpoint::{Loader, SafetensorsDir};
//! use medgemma_tensor::{Device, tensor_from};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A real program names the directory of a published checkpoint. Here: a tiny random one.
//! # let directory = medgemma_testkit::checkpoint("mm-2025");
//! let file = directory.join("config.json");
//! let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&file)?)?;
//! let config = VisionConfig::from_json(&file, "vision_config.", &json["vision_config"])?;
//!
//! let device = Device::cpu()?;
//! let source = SafetensorsDir::open(&directory)?;
//! let mut loader = Loader::new(&source, RENAMES, &device)?;
//! let tower = VisionTower::load(&mut loader.scope("vision_tower"), &config)?;
//!
//! let grey = tensor_from(vec![0.0; 3 * 28 * 28], [3, 28, 28], &device);
//! assert_eq!(tower.forward(grey)?.dims(), [config.num_patches(), config.hidden_size]);
//! # Ok(())
//! # }
//! ```

mod affine;
mod attention;
mod config;
mod dual_encoder;
mod encoder;
mod error;
mod names;
mod pooling;
mod stage;
mod text;
mod vision;

// The public interface is:
pub use config::{SiglipConfig, TextConfig, VisionConfig};
pub use dual_encoder::DualEncoder;
pub use error::{Error, Result};
pub use names::{DUAL_RENAMES, IGNORED, RENAMES};
pub use pooling::PoolingHead;
pub use stage::Stage;
pub use text::TextTower;
pub use vision::VisionTower;
