//! From messages and images to the decoder's input, in steps that can each refuse before the next
//! costs anything: text, then ids, then soft tokens.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use medgemma_gemma3::Segment;
use medgemma_image::{Image, Pixels};
use medgemma_tokenizer::special::BOS;
use medgemma_tokenizer::{Error as TextError, SpecialTokens, Tokenizer, expand_images};

use crate::error::Result;
use crate::medgemma::MedGemma;
use crate::model::Model;
use crate::options::Progress;
use crate::prefix::{Picture, PrefixCache};

/// A prompt in ids, its images in pixels.
pub(crate) struct Prompt {
    pub(crate) ids: Vec<u32>,
    pub(crate) pixels: Vec<Pixels>,
    /// Digests of the images, where the model's work is recorded.
    pub(crate) digests: Vec<String>,
}

/// Whether a prompt opens a context or follows what is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Exactly one `<bos>` in front.
    Start,
    /// No `<bos>`.
    Continuation,
}

impl Prompt {
    /// Expands the placeholders of `text`, one for each of `images`, and encodes the whole at once:
    /// newlines beside an image merge with its own, as they do in the reference.
    pub(crate) fn new(
        whole: &MedGemma,
        text: &str,
        images: &[&Image],
        place: Place,
    ) -> Result<Self> {
        let (model, tokenizer) = (whole.model(), whole.tokenizer());
        let mut pixels = Vec::with_capacity(images.len());
        let mut crops = Vec::with_capacity(images.len());
        let tokens_per_image = if images.is_empty() {
            1
        } else {
            model.multimodal(images.len())?.mm_tokens_per_image
        };
        for image in images {
            let processed = model.process(image)?;
            crops.push(processed.num_crops);
            pixels.extend(processed.pixels);
        }
        let text = expand_images(text, tokens_per_image, &crops)?;
        let ids = match place {
            Place::Start => tokenizer.encode_prompt(&text)?,
            Place::Continuation => continuation(tokenizer, &text)?,
        };
        model.check_ids(&ids, pixels.len())?;
        let recorder = whole.recorder();
        let digests = recorder.map_or_else(Vec::new, |recorder| recorder.images(images));
        Ok(Self {
            ids,
            pixels,
            digests,
        })
    }

    /// Encodes the images, except those that `prefixes` knows, and puts them in their places;
    /// `None` when `observer` stopped it.
    pub(crate) fn segments(
        self,
        model: &Model,
        prefixes: Option<&PrefixCache>,
        observer: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Option<Encoded>> {
        let start = Instant::now();
        let total = self.pixels.len();
        let (mut images, mut pictures) = (Vec::with_capacity(total), Vec::new());
        for (index, pixels) in self.pixels.into_iter().enumerate() {
            match prefixes {
                None => images.push(model.encode(&pixels)?),
                Some(prefixes) => {
                    let picture = match prefixes.picture(&pixels) {
                        Some(picture) => picture,
                        None => {
                            let soft = model.encode(&pixels)?;
                            prefixes.keep_picture(pixels, soft)
                        }
                    };
                    images.push(picture.soft.clone());
                    pictures.push(picture);
                }
            }
            let done = index + 1;
            if observer(Progress::Images { done, total }).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(Encoded {
            segments: model.segments(&self.ids, &images)?,
            ids: self.ids,
            pictures,
            elapsed: start.elapsed(),
        }))
    }
}

/// A prompt as the decoder reads it.
#[derive(Default)]
pub(crate) struct Encoded {
    pub(crate) segments: Vec<Segment>,
    pub(crate) ids: Vec<u32>,
    /// Its images, where the model keeps prefixes.
    pub(crate) pictures: Vec<Arc<Picture>>,
    /// Encoding the images.
    pub(crate) elapsed: Duration,
}

/// Ids of a text that follows others. A `<bos>` in it is refused as in a whole prompt: the context
/// has one already.
fn continuation(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>> {
    let ids = tokenizer.encode(text)?;
    let bos = tokenizer.id(BOS);
    match ids.iter().position(|&id| Some(id) == bos) {
        Some(position) => Err(TextError::RepeatedBos { position }.into()),
        None => Ok(ids),
    }
}

/// Tokens that end an answer: what the checkpoint's files list, and the end of a turn, which some
/// checkpoints (the base models' generation configs) leave out although chats end with it.
pub(crate) fn stop_ids(model: &Model, special: &SpecialTokens) -> Vec<u32> {
    let mut ids = model.config().generation.eos_token_ids.clone();
    for id in special.end_of_turn.into_iter().chain([special.eos]) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}
