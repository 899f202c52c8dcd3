//! The encoder, and a name by which a probe knows it again.

use std::error::Error;
use std::path::Path;

use medgemma::{Device, Embedding, Image, MedSigLip};
use medgemma_image::Crop;

use crate::arguments::EncoderArguments;
use crate::samples::Embedded;

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

    /// Numbers of an embedding.
    pub(crate) fn dimension(&self) -> usize {
        self.model.config().embedding_size()
    }

    /// What the model sees in parts of the picture at `path`, which an error names; `None` is all of it.
    pub(crate) fn embed_parts(
        &self,
        path: &Path,
        image: &Image,
        parts: &[Option<Crop>],
    ) -> Embedded {
        let embed = |part: &Option<Crop>| match part {
            None => self.embed(image.clone()),
            Some(crop) => self.embed(image.cropped(*crop)?),
        };
        let embedded = parts.iter().map(embed).collect::<medgemma::Result<_>>();
        embedded.map_err(|error| format!("{}: {error}", path.display()))
    }

    /// What the model sees in a picture.
    pub(crate) fn embed(&self, image: Image) -> medgemma::Result<Embedding> {
        Ok(self.model.embed_images(&[image])?.remove(0))
    }
}
