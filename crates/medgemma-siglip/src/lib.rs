//! SigLIP: the vision tower that MedGemma sees with, and the dual encoder MedSigLIP, of one code.
//!
//! # The vision tower
//! A picture becomes one vector for each patch.
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
//! is three files, `vision.rs`, `encoder.rs` and `attention.rs`. No decoder, no image files: pixels are what
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
//!
//! # The dual encoder
//! A picture and a text become one vector each, of unit length, and their cosine a logit. The text's
//! tower has the same blocks (`text.rs`), the picture's vectors are gathered by an attention-pooling
//! head (`pooling.rs`), and `dual_encoder.rs` joins the two. Texts come as token ids.
//!
//! ```
//! use medgemma_siglip::{DUAL_RENAMES, DualEncoder, IGNORED, SiglipConfig};
//! use medgemma_tensor::checkpoint::{Loader, SafetensorsDir};
//! use medgemma_tensor::{Device, tensor_from, vec_from};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A real program names the directory of a SigLIP 1 checkpoint. Here: a tiny random one.
//! # let directory = medgemma_testkit::checkpoint("siglip");
//! let device = Device::cpu()?;
//! let source = SafetensorsDir::open(&directory)?;
//! let mut loader = Loader::new(&source, DUAL_RENAMES, &device)?.with_ignored(IGNORED);
//! let model = DualEncoder::load(&mut loader, SiglipConfig::read(&directory)?)?;
//! loader.finish()?;
//!
//! let grey = tensor_from(vec![0.0; 3 * 28 * 28], [3, 28, 28], &device);
//! let image = model.embed_image(grey)?; // [1, e]
//! let texts = model.embed_texts(&[vec![5, 7, 1], vec![9, 1]])?; // [2, e]; padded to the full length
//! let logits = vec_from(model.logits_per_image(image, texts)?, "logits")?;
//! assert_eq!(logits.len(), 2);
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
