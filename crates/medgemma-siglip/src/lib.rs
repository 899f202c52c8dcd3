//! The SigLIP encoder: vision tower of MedGemma and MedSigLIP.

mod affine;
mod config;
mod encoder;
mod error;
mod names;
mod vision;

// The public interface is:
pub use config::VisionConfig;
pub use error::{Error, Result};
pub use names::RENAMES;
pub use vision::{Stage, VisionTower};
