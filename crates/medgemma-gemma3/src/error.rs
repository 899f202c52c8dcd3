//! What can go wrong with a decoder: its configuration, its weights, a prompt, an option.

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of the decoder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration, a checkpoint, a device or a read-back is at fault.
    #[error(transparent)]
    Tensor(#[from] medgemma_tensor::Error),
    /// A prompt without a single token.
    #[error("the prompt is empty: give at least one token, usually <bos>")]
    EmptyPrompt,
    /// A token id that the embedding table lacks.
    #[error(
        "token id {id} at position {position} is outside of the vocabulary of {vocab_size}: use the model's own tokenizer"
    )]
    TokenOutOfRange {
        /// The id.
        id: u32,
        /// Its position in the prompt.
        position: usize,
        /// Rows of the embedding table.
        vocab_size: usize,
    },
    /// Given embeddings of another width than the model's.
    #[error(
        "embeddings at position {position} have shape {found:?}, expected [at least 1, {expected}]: project them to the decoder's width"
    )]
    EmbeddingShape {
        /// Their position in the prompt.
        position: usize,
        /// Their shape.
        found: [usize; 2],
        /// The decoder's width.
        expected: usize,
    },
    /// Given embeddings lie on another device than the model.
    #[error(
        "embeddings at position {position} lie on the device {found}, the model on {expected}: move them there"
    )]
    EmbeddingDevice {
        /// Their position in the prompt.
        position: usize,
        /// The device of the weights.
        expected: String,
        /// The device of the embeddings, as burn names it.
        found: String,
    },
    /// Prompt and answer together do not fit into the context.
    #[error(
        "{cached} tokens read, {prompt} new ones and an answer of up to {max_new_tokens} exceed the context of {limit}: shorten the prompt, or lower max_new_tokens to {room}"
    )]
    ContextOverflow {
        /// Tokens already in the cache.
        cached: usize,
        /// Tokens of the prompt.
        prompt: usize,
        /// Tokens the answer may take.
        max_new_tokens: usize,
        /// The model's context.
        limit: usize,
        /// What would still fit.
        room: usize,
    },
    /// A cache that another decoder made.
    #[error("the cache has{} {found}, expected {expected}: it is another decoder's; begin with this one's new_cache", layer.map_or_else(String::new, |layer| format!(" in layer {layer}")))]
    ForeignCache {
        /// Which layer, counted from 0; `None` where their number differs.
        layer: Option<usize>,
        /// What the decoder's have.
        expected: String,
        /// What it has.
        found: String,
    },
    /// An option outside of its range.
    #[error("option `{option}` is {found}, expected {expected}")]
    InvalidOption {
        /// The option's name.
        option: &'static str,
        /// Its value.
        found: String,
        /// Its range.
        expected: &'static str,
    },
    /// The model produced NaN or nothing but −∞: broken weights, or an overflow.
    #[error(
        "the logits are not finite at position {position}: the weights are damaged or overflow their format"
    )]
    NonFiniteLogits {
        /// Position of the token that was being predicted.
        position: usize,
    },
    /// A [`crate::Constraint`] could not be followed. The message has no word of the answer.
    #[error(
        "the answer's form could not be followed at position {position}: simplify it, or leave it out"
    )]
    Constraint {
        /// Position of the token that was being chosen.
        position: usize,
        /// What the constraint says.
        source: crate::ConstraintError,
    },
    /// A [`crate::Constraint`] that is not complete allows no token of the vocabulary.
    #[error(
        "the answer's form allows no token at position {position}: the tokenizer lacks what it asks for"
    )]
    NothingAllowed {
        /// Position of the token that was being chosen.
        position: usize,
    },
}
