//! What can go wrong in the multimodal projector.

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of configurations, weights and inputs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A size is zero.
    #[error("`{key}` is 0, expected at least 1: correct the model's config.json")]
    Zero {
        /// The field of the configuration.
        key: &'static str,
    },
    /// The soft tokens of a picture do not form a square.
    #[error(
        "`mm_tokens_per_image` is {found}, expected a perfect square: the tokens of a picture are \
         a square grid; correct the model's config.json"
    )]
    NotASquare {
        /// The number given.
        found: usize,
    },
    /// No window pools the grid of patches to the grid of tokens.
    #[error(
        "{patches_per_side} patches per side cannot be pooled to {tokens_per_side} tokens per \
         side, expected a number that square windows of whole patches make of them: correct `image_size`, `patch_size` or `mm_tokens_per_image` \
         in the model's config.json"
    )]
    UnevenGrid {
        /// Patches along one side of the picture.
        patches_per_side: usize,
        /// Soft tokens along one side of the picture.
        tokens_per_side: usize,
    },
    /// The norm's epsilon is negative or not a number.
    #[error("`eps` is {found}, expected a finite number that is not negative")]
    Epsilon {
        /// The number given.
        found: f64,
    },
    /// The features are not those of one picture.
    #[error(
        "features have the shape {found:?}, the projector takes {expected:?} (patches, width): \
         give the vision tower's output for one picture"
    )]
    FeatureShape {
        /// `[patches, vision hidden size]` of the configuration.
        expected: [usize; 2],
        /// The shape given.
        found: [usize; 2],
    },
    /// The features lie on another device than the weights.
    #[error("features lie on the device {found}, the projector on {expected}: make them there")]
    FeatureDevice {
        /// The device of the weights.
        expected: String,
        /// The device of the features, as burn names it.
        found: String,
    },
    /// A weight is missing or wrong, or a device failed.
    #[error(transparent)]
    Tensor(#[from] medgemma_tensor::Error),
}
