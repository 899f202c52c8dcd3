//! The operations that the models are written in.
//!
//! Each has one portable body made of burn's differentiable primitives: it is the specification,
//! the path of every backend that has nothing faster, and the path of training. Activations are
//! f32. Shapes use the legend of `docs/architecture.md`: t rows (tokens or patches), d model width,
//! n query heads, k key-value heads, h head size, s keys, v vocabulary.
//!
//! Shapes are checked when a model is loaded; an operation that meets a wrong shape panics, since
//! that is a bug in the model text and not something a user can cause.

mod activation;
mod add;
mod attention;
mod concat;
mod embed;
mod interpolate;
mod linear;
mod matmul;
mod mlp;
mod norm;
mod patch;
mod pool;
mod project;
mod rope;

pub use activation::{geglu, gelu_tanh};
pub use add::add;
pub use attention::{AttentionMask, attention, rounded};
pub use concat::concat;
pub use embed::embed_rows;
pub use interpolate::interpolate_grid;
pub use linear::{inner_products, linear, linear_each, logits};
pub use mlp::{gated_mlp, mlp};
pub use norm::{add_layer_norm, add_rms_norm, add_rms_norms, layer_norm, rms_norm};
pub use patch::patch_embed;
pub use pool::pool_patches;
pub use project::project;
pub use rope::{Rotation, qk_norm_rope};
