//! MedGemma in Rust: image and question in, streamed report out, nothing leaves the machine.
//!
//! **Not for clinical use.** Answers are drafts of a language model; a qualified person must verify
//! them independently.
mod batch;
mod chat;
mod config;
mod error;
mod medgemma;
mod message;
mod model;
mod options;
mod prompt;
mod reply;
mod transcript;
mod writer;

// The public interface is:
pub use batch::Score;
pub use chat::{Chat, Stream, THINK};
pub use config::{GenerationConfig, ModelConfig, MultimodalConfig, PRESETS, Preset};
pub use error::{Error, Result};
pub use medgemma::MedGemma;
pub use message::{Message, Part};
pub use model::{Model, SoftTokens};
pub use options::{GenerateOptions, LoadObserver, LoadOptions, Observer, Progress};
pub use reply::{FinishReason, NOTICE, Piece, Reply, Timings, Usage};
// and from the crates below:
pub use medgemma_gemma3::{Sampling, Token};
pub use medgemma_image::{Image, Limits, Pixels, Resizer};
pub use medgemma_tensor::{Backend, Device};
