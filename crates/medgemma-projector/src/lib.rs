//! The multimodal projector: pooled vision features to soft tokens in the decoder's width.

mod config;
mod error;
mod names;
mod projector;

// The public interface is:
pub use config::ProjectorConfig;
pub use error::{Error, Result};
pub use names::RENAMES;
pub use projector::{Projector, Stage};
