//! What can go wrong between a model directory, a device and a tensor.

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of devices, checkpoints and read-back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The build lacks the backend of a device.
    #[error(
        "device `{device}` is not in this build: enable the Cargo feature `{feature}` of medgemma"
    )]
    BackendNotCompiled {
        /// The device asked for.
        device: String,
        /// The Cargo feature that adds it.
        feature: &'static str,
    },
    /// The backend is compiled in, but the machine has no such device.
    #[error("device `{device}` is not available: {reason}; choose another device")]
    DeviceUnavailable {
        /// The device asked for.
        device: String,
        /// What the backend answered.
        reason: String,
    },
    /// A tensor could not be read back from the device.
    #[error("reading {what} back from the device failed; the device may have run out of memory")]
    ReadBack {
        /// Which result was being read.
        what: &'static str,
        /// The backend's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
