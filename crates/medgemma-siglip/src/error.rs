//! What can go wrong in a SigLIP encoder.

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of configurations, weights and inputs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The pixels do not have the shape that the model was trained on.
    #[error(
        "pixels have the shape {found:?}, the vision tower takes {expected:?} (channels, height, \
         width): resize the picture first, or load the tower with interpolation"
    )]
    PixelShape {
        /// `[channels, height, width]` of the configuration.
        expected: [usize; 3],
        /// The shape given.
        found: [usize; 3],
    },
    /// The pixels do not make a single patch, or have other channels than the model.
    #[error(
        "pixels have the shape {found:?}, the vision tower takes {channels} channels of at least \
         {patch} × {patch}: give it a larger picture in these channels"
    )]
    TooFewPixels {
        /// Channels of the configuration.
        channels: usize,
        /// Side of a patch.
        patch: usize,
        /// The shape given.
        found: [usize; 3],
    },
    /// The pixels lie on another device than the weights.
    #[error("pixels lie on the device {found}, the vision tower on {expected}: make them there")]
    PixelDevice {
        /// The device of the weights.
        expected: String,
        /// The device of the pixels, as burn names it.
        found: String,
    },
    /// No text was given to be encoded.
    #[error("no text was given: give at least one, if only an empty one")]
    NoTexts,
    /// A text has more tokens than the model has positions.
    #[error(
        "text {text} has {tokens} tokens, the text tower takes at most {limit}, the end of the text \
         included: shorten it, or cut it off knowingly"
    )]
    TextTooLong {
        /// Which of the texts, counted from 0.
        text: usize,
        /// Its tokens.
        tokens: usize,
        /// `max_position_embeddings`.
        limit: usize,
    },
    /// A token id that the embedding table lacks.
    #[error(
        "token id {id} at position {position} of text {text} is outside of the vocabulary of \
         {vocab_size}: use the model's own tokenizer"
    )]
    TokenOutOfRange {
        /// Which of the texts, counted from 0.
        text: usize,
        /// Position of the id in it.
        position: usize,
        /// The id.
        id: u32,
        /// Rows of the embedding table.
        vocab_size: usize,
    },
    /// Vectors to compare are not the model's.
    #[error(
        "embeddings have the shape {found:?}, expected [at least 1, {expected}]: compare only what \
         this model embedded"
    )]
    EmbeddingShape {
        /// Width of the model's embeddings.
        expected: usize,
        /// The shape given.
        found: [usize; 2],
    },
    /// Vectors to compare lie on another device than the model.
    #[error("embeddings lie on the device {found}, the model on {expected}: move them there")]
    EmbeddingDevice {
        /// The device of the weights.
        expected: String,
        /// The device of the embeddings, as burn names it.
        found: String,
    },
    /// A configuration or a weight is missing or wrong, or a device failed.
    #[error(transparent)]
    Tensor(#[from] medgemma_tensor::Error),
}
