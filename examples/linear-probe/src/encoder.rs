//! The encoder, and a name by which a probe knows it again.

use std::error::Error;
use std::path::Path;

use medgemma::{Device, Embedding, Image, MedSigLip};

/// A SigLIP model and its checksum.
pub(crate) struct Encoder {
    model: MedSigLip,
    id: String,
}

impl Encoder {
    /// Loads a model directory.
    pub(crate) fn load(dir: &Path, device: &str) -> Result<Self, Box<dyn Error>> {
        let device: Device = device.parse()?;
        let model = MedSigLip::load(dir, &device)?;
        let id = model.checksum()?;
        Ok(Self { model, id })
    }

    /// The same for the same model, wherever it lies.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What the model sees in a picture.
    pub(crate) fn embed(&self, image: Image) -> medgemma::Result<Embedding> {
        Ok(self.model.embed_images(&[image])?.remove(0))
    }
}
