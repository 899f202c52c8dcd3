//! The model, and what an index has to know of it.

use std::error::Error;
use std::path::Path;

use medgemma::{
    Device, Embedding, Image, MedSigLip, Pixels, SiglipNormalization, SiglipTextOptions,
};
use medgemma_search::Fingerprint;

use crate::kept;

/// A model whose embeddings an index can tell from those of all others.
pub(crate) struct Encoder {
    model: MedSigLip,
    pub(crate) fingerprint: Fingerprint,
    /// The state of the model's files and its checksum, if they do not lie beside the index.
    unkept: Option<(String, String)>,
}

impl Encoder {
    /// Loads the model that is to be used with `index`.
    pub(crate) fn load(dir: &Path, device: &Device, index: &Path) -> Result<Self, Box<dyn Error>> {
        // Before it is loaded: a file that changes from now on has another state.
        let state = kept::state(dir).ok();
        let model = MedSigLip::load(dir, device)?;
        let kept = state.as_deref().and_then(|state| kept::read(index, state));
        let (checksum, unkept) = match kept {
            Some(checksum) => (checksum, None),
            None => {
                let checksum = model.checksum()?;
                let unkept = state.map(|state| (state, checksum.clone()));
                (checksum, unkept)
            }
        };
        let fingerprint = Fingerprint::new(checksum, model.config().embedding_size());
        Ok(Self {
            model,
            fingerprint,
            unkept,
        })
    }

    /// Keeps the checksum beside `index`, which was opened: there is an index, of this model.
    pub(crate) fn keep(&self, index: &Path) {
        if let Some((state, checksum)) = &self.unkept {
            // Nobody may be able to write there, and nobody needs to.
            let _ = kept::write(index, state, checksum);
        }
    }

    /// The part that needs no model, and so may run on several threads.
    pub(crate) fn pixels(&self, image: &Image) -> medgemma::Result<Pixels> {
        let mut processed = self.model.processor().process(image)?;
        Ok(processed.pixels.swap_remove(0))
    }

    pub(crate) fn embed_pixels(&self, pixels: &Pixels) -> medgemma::Result<Embedding> {
        self.model.embed_pixels(pixels)
    }

    pub(crate) fn embed_text(
        &self,
        text: &str,
        normalization: SiglipNormalization,
    ) -> medgemma::Result<Embedding> {
        let options = SiglipTextOptions::default().with_normalization(normalization);
        let mut embedded = self.model.embed_texts_with(&[text], &options)?;
        Ok(embedded.swap_remove(0))
    }
}
