//! Which model an index belongs to.

use std::fmt;

use medgemma_kernels::DOT_I8_MAX_COLS;

use crate::error::{Error, Result};

/// What embeddings must have in common to be compared: their model and their length.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fingerprint {
    /// Names the model, as the caller likes: what changes with its weights and with how pictures are processed, as
    /// `medgemma`'s `MedSigLip::embedding_id` does, says more than a name.
    pub model: String,
    /// Numbers of an embedding.
    pub dimension: usize,
}

impl Fingerprint {
    /// A model's name and the length of its embeddings.
    #[must_use]
    pub fn new(model: impl Into<String>, dimension: usize) -> Self {
        Self {
            model: model.into(),
            dimension,
        }
    }

    /// Whether an index can have it.
    pub(crate) fn check(&self) -> Result<()> {
        let dimensions = 1..=DOT_I8_MAX_COLS;
        if !dimensions.contains(&self.dimension) {
            let expected = format!("1 to {DOT_I8_MAX_COLS} numbers");
            let found = self.dimension.to_string();
            return Err(Error::argument("fingerprint.dimension", expected, found));
        }
        if self.model.is_empty() || self.model.len() > usize::from(u16::MAX) {
            return Err(Error::argument(
                "fingerprint.model",
                "a name of 1 to 65535 bytes",
                format!("{} bytes", self.model.len()),
            ));
        }
        Ok(())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "model '{}' with {} numbers an embedding",
            self.model, self.dimension
        )
    }
}
