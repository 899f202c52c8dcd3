//! The Gemma 3 decoder, exactly as the reference computes it, on any device of
//! [`medgemma_tensor`].
//!
//! A [`Decoder`] holds weights and nothing else; a [`KvCache`] holds what one conversation has
//! read. The input is a list of [`Segment`]s: token ids, or embeddings (an image's soft tokens)
//! whose rows see each other both ways.

mod attention;
mod block;
mod cache;
mod config;
mod constraint;
mod context;
mod error;
mod generation;
mod mlp;
mod model;
mod norm;
mod pass;
mod ranked;
mod rope;
mod sampling;
mod scoring;
mod segment;
mod speculation;
mod summary;
mod weights;

// The public interface is:
pub use cache::KvCache;
pub use config::{LayerType, RopeParameters, TextConfig};
pub use constraint::{Constraint, ConstraintError, ConstraintState, TokenSet};
pub use error::{Error, Result};
pub use generation::{
    BatchEvent, BatchObserver, BatchPrompt, Beginning, Drafts, Finish, GenerateOptions, Generated,
    Generation, Progress,
};
pub use model::{DEFAULT_CHUNK, Decoder, Stage};
pub use sampling::{Sampling, Token};
pub use scoring::SCORED_ROWS;
pub use segment::Segment;
pub use speculation::Speculation;
pub use weights::{IGNORED, MATRICES, RENAMES};
