//! The encoder, and a name by which a probe knows it again.

use std::error::Error;

use medgemma::{Device, Embedding, Image, MedSigLip};

use crate::arguments::EncoderArguments;

/// A SigLIP model and what its embeddings are known by.
pub(crate) struct Encoder {
    model: MedSigLip,
    id: String,
}

impl Encoder {
    /// Loads a model directory.
    pub(crate) fn load(arguments: &EncoderArguments) -> Result<Self, Box<dyn Error>> {
        let device: Device = arguments.device.parse()?;
        let model = MedSigLip::load_with(&arguments.model, &device, arguments.load_options())?;
        let id = model.embedding_id()?;
        Ok(Self { model, id })
    }

    /// The same for the same model, wherever it lies, and the same processing of pictures.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What the model sees in a picture.
    pub(crate) fn embed(&self, image: Image) -> medgemma::Result<Embedding> {
        Ok(self.model.embed_images(&[image])?.remove(0))
    }
}
