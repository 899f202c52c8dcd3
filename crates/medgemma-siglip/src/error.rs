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
         width): resize the picture first"
    )]
    PixelShape {
        /// `[channels, height, width]` of the configuration.
        expected: [usize; 3],
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
    /// A weight is missing or wrong, or a device failed.
    #[error(transparent)]
    Tensor(#[from] medgemma_tensor::Error),
}
