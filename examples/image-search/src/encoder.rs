//! The model, and what an index has to know of it.

use std::error::Error;
use std::path::Path;

use medgemma::{
    Device, Embedding, Image, MedSigLip, Pixels, SiglipNormalization, SiglipTextOptions,
};
use medgemma_search::Fingerprint;

use crate::arguments::Arguments;
use crate::kept;

/// A model whose embeddings an index can tell from those of all others.
pub(crate) struct Encoder {
    model: MedSigLip,
    pub(crate) fingerprint: Fingerprint,
    /// The state of the model's files with the processing of pictures, and what its embeddings are known by, if
    /// they do not lie beside the index.
    unkept: Option<(String, String)>,
}

impl Encoder {
    /// Loads the model that is to be used with `index`.
    pub(crate) fn load(arguments: &Arguments, index: &Path) -> Result<Self, Box<dyn Error>> {
        let device: Device = arguments.device.parse()?;
        // Before it is loaded: a file that changes from now on has another state.
        let state = kept::state(&arguments.model).ok();
        let model = MedSigLip::load_with(&arguments.model, &device, arguments.load_options())?;
        let processor = model.processor()?;
        let processing = (processor.resizer(), processor.pad_to_square());
        let state = state.map(|state| format!("{state}{processing:?}\n"));
        let kept = state.as_deref().and_then(|state| kept::read(index, state));
        let (id, unkept) = match kept {
            Some(id) => (id, None),
            None => {
                let id = model.embedding_id()?;
                let unkept = state.map(|state| (state, id.clone()));
                (id, unkept)
            }
        };
        let fingerprint = Fingerprint::new(id, model.config().embedding_size());
        Ok(Self {
            model,
            fingerprint,
            unkept,
        })
    }

    /// Keeps what the model is known by beside `index`, which was opened: there is an index, of this model.
    pub(crate) fn keep(&self, index: &Path) {
        if let Some((state, id)) = &self.unkept {
            // Nobody may be able to write there, and nobody needs to.
            let _ = kept::write(index, state, id);
        }
    }

    /// The part that needs no model, and so may run on several threads.
    pub(crate) fn pixels(&self, image: &Image) -> medgemma::Result<Pixels> {
        let mut processed = self.model.processor()?.process(image)?;
        Ok(processed.pixels.swap_remove(0))
    }

    pub(crate) fn embed_pixels(&self, pixels: &Pixels) -> medgemma::Result<Embedding> {
        self.model.embed_pixels(pixels)
    }

    /// `None` for a text that is empty to the model, which has an embedding too: one that would find anything.
    pub(crate) fn embed_text(
        &self,
        text: &str,
        normalization: SiglipNormalization,
    ) -> medgemma::Result<Option<Embedding>> {
        let options = SiglipTextOptions::default().with_normalization(normalization);
        let ids = self.model.tokenize(&[text], &options)?;
        if ids == self.model.tokenize(&[""], &options)? {
            return Ok(None);
        }
        Ok(self.model.embed_token_ids(&ids)?.pop())
    }
}
