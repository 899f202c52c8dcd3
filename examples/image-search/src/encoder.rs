//! The model, and what an index has to know of it.

use std::error::Error;
use std::path::Path;

use medgemma::{Device, Embedding, Image, MedSigLip, Pixels};
use medgemma_search::Fingerprint;

/// A model whose embeddings an index can tell from those of all others.
pub(crate) struct Encoder {
    model: MedSigLip,
    pub(crate) fingerprint: Fingerprint,
}

impl Encoder {
    pub(crate) fn load(dir: &Path, device: &Device) -> Result<Self, Box<dyn Error>> {
        let model = MedSigLip::load(dir, device)?;
        let fingerprint = Fingerprint::new(model.checksum()?, model.config().embedding_size());
        Ok(Self { model, fingerprint })
    }

    /// The part that needs no model, and so may run on several threads.
    pub(crate) fn pixels(&self, image: &Image) -> medgemma::Result<Pixels> {
        let mut processed = self.model.processor().process(image)?;
        Ok(processed.pixels.swap_remove(0))
    }

    pub(crate) fn embed_pixels(&self, pixels: &Pixels) -> medgemma::Result<Embedding> {
        self.model.embed_pixels(pixels)
    }

    pub(crate) fn embed_text(&self, text: &str) -> medgemma::Result<Embedding> {
        let mut embedded = self.model.embed_texts(&[text])?;
        Ok(embedded.swap_remove(0))
    }
}
