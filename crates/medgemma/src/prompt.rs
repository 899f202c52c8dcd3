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
use crate::model::{Model, SoftTokens};
use crate::options::Progress;
use crate::prefix::{Picture, PrefixCache, common};

/// A prompt in ids, with its images. They become pixels one at a time, when they are encoded: as pixels
/// they take ten times the memory that an image of a volume does.
pub(crate) struct Prompt {
    pub(crate) ids: Vec<u32>,
    images: Vec<Image>,
    /// How many crops are shown of each, besides the whole.
    crops: Vec<usize>,
    /// What is known of each image and each crop, in order.
    known: Vec<Option<Arc<Picture>>>,
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
        let tokens_per_image = if images.is_empty() {
            1
        } else {
            model.tokens_to_place(images.len())?
        };
        let mut crops = Vec::with_capacity(images.len());
        for image in images {
            crops.push(model.processor().num_crops(image)?);
        }
        let shown = images.len() + crops.iter().sum::<usize>();
        let text = expand_images(text, tokens_per_image, &crops)?;
        let ids = match place {
            Place::Start => tokenizer.encode_prompt(&text)?,
            Place::Continuation => continuation(tokenizer, &text)?,
        };
        model.check_ids(&ids, shown)?;
        let recorder = whole.recorder();
        let digests = recorder.map_or_else(Vec::new, |recorder| recorder.images(images));
        Ok(Self {
            ids,
            images: images.iter().map(|&image| image.clone()).collect(),
            crops,
            known: vec![None; shown],
            digests,
        })
    }

    /// Images to encode, crops counted.
    pub(crate) fn shown(&self) -> usize {
        self.known.len()
    }

    /// What is known of each image and each crop, in order; nothing before [`recall`](Self::recall).
    pub(crate) fn known(&self) -> &[Option<Arc<Picture>>] {
        &self.known
    }

    /// Leading positions that `other` has too, of those that are not the last.
    pub(crate) fn shared_with(&self, other: &Self, model: &Model) -> usize {
        let but_last = self
            .ids
            .split_last()
            .map_or([].as_slice(), |(_, rest)| rest);
        common([but_last, &other.ids], model.soft_tokens(), &|index| {
            let (own, others) = (self.part(index), other.part(index));
            own.is_some() && own == others
        })
    }

    /// The image that is shown at `index`, crops counted, and which part of it.
    fn part(&self, mut index: usize) -> Option<(&Image, usize)> {
        for (image, &crops) in self.images.iter().zip(&self.crops) {
            if index <= crops {
                return Some((image, index));
            }
            index -= 1 + crops;
        }
        None
    }

    /// Looks up which images `prefixes` knows, which takes their pixels: they are made a second time of
    /// those that it does not.
    pub(crate) fn recall(&mut self, model: &Model, prefixes: &PrefixCache) -> Result<()> {
        if prefixes.has_pictures() {
            let mut known = self.known.iter_mut();
            for image in &self.images {
                for (pixels, known) in model.process(image)?.pixels.iter().zip(&mut known) {
                    *known = prefixes.picture(pixels);
                }
            }
        }
        Ok(())
    }

    /// Encodes the images, except those that `prefixes` knows or that are among `shown`, and puts them in their
    /// places; `None` when `observer` stopped it.
    pub(crate) fn segments(
        self,
        model: &Model,
        prefixes: Option<&PrefixCache>,
        shown: &mut Shown,
        observer: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Option<Encoded>> {
        let start = Instant::now();
        let total = self.known.len();
        let (mut images, mut pictures) = (Vec::with_capacity(total), Vec::new());
        let mut known = self.known.into_iter();
        for (image, crops) in self.images.into_iter().zip(self.crops) {
            let begin = images.len();
            let parts: Vec<Part<'_>> = match (all_known(&mut known, 1 + crops), shown.find(&image))
            {
                (Some(pictures), _) => pictures.into_iter().map(Part::Known).collect(),
                (None, Some(soft)) => soft.iter().map(Part::Shown).collect(),
                (None, None) => {
                    let pixels = model.process(&image)?.pixels;
                    pixels.into_iter().map(Part::Pixels).collect()
                }
            };
            for part in parts {
                let (soft, picture) = part.encoded(model, prefixes)?;
                images.push(soft);
                pictures.extend(picture);
                let done = images.len();
                if observer(Progress::Images { done, total }).is_break() {
                    return Ok(None);
                }
            }
            // Where prefixes are kept, so are the pictures.
            if prefixes.is_none() {
                shown.keep(image, &images[begin..]);
            }
        }
        Ok(Some(Encoded {
            segments: model.segments(&self.ids, &images)?,
            ids: self.ids,
            pictures,
            elapsed: if total == 0 {
                Duration::ZERO
            } else {
                start.elapsed()
            },
        }))
    }
}

/// The next `count` entries, if all of them are known. They are taken in any case: those of the next image
/// come after them.
fn all_known<T>(known: &mut impl Iterator<Item = Option<T>>, count: usize) -> Option<Vec<T>> {
    let part: Vec<_> = known.take(count).collect();
    part.into_iter().collect()
}

/// What was encoded of images for one call, so that one that is shown again, in the same conversation or in
/// another of a batch, is encoded once.
#[derive(Default)]
pub(crate) struct Shown(Vec<(Image, Vec<SoftTokens>)>);

impl Shown {
    /// Of the image and its crops.
    fn find(&self, image: &Image) -> Option<&[SoftTokens]> {
        let found = self.0.iter().find(|(shown, _)| shown == image);
        found.map(|(_, soft)| soft.as_slice())
    }

    fn keep(&mut self, image: Image, soft: &[SoftTokens]) {
        if self.find(&image).is_none() {
            self.0.push((image, soft.to_vec()));
        }
    }
}

/// An image, or a crop of one.
enum Part<'a> {
    /// It was encoded before, for this call.
    Shown(&'a SoftTokens),
    /// It was encoded before, and is kept.
    Known(Arc<Picture>),
    /// It is to be encoded, unless another thread was first.
    Pixels(Pixels),
}

impl Part<'_> {
    /// Its soft tokens, which are encoded if need be; with the picture that they are of, where one is kept.
    fn encoded(
        self,
        model: &Model,
        prefixes: Option<&PrefixCache>,
    ) -> Result<(SoftTokens, Option<Arc<Picture>>)> {
        let picture = match (self, prefixes) {
            (Self::Known(picture), _) => picture,
            (Self::Shown(soft), _) => return Ok((soft.clone(), None)),
            (Self::Pixels(pixels), None) => return Ok((model.encode(&pixels)?, None)),
            (Self::Pixels(pixels), Some(prefixes)) => match prefixes.picture(&pixels) {
                Some(known) => known,
                None => {
                    let soft = model.encode(&pixels)?;
                    prefixes.keep_picture(pixels, soft)
                }
            },
        };
        Ok((picture.soft.clone(), Some(picture)))
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

#[cfg(test)]
mod tests {
    use medgemma_image::Image;

    use super::{Prompt, all_known};

    #[test]
    fn parts_are_counted_through_the_crops_of_each_image() {
        let image = |grey: u8| Image::from_gray8(1, 1, vec![grey]).expect("a pixel");
        let images = [7, 9].map(image);
        let prompt = Prompt {
            ids: Vec::new(),
            images: images.to_vec(),
            crops: vec![2, 0],
            known: Vec::new(),
            digests: Vec::new(),
        };
        let [first, second] = &images;
        let expected = [(first, 0), (first, 1), (first, 2), (second, 0)];
        for (index, expected) in expected.into_iter().enumerate() {
            assert!(prompt.part(index) == Some(expected), "{index}");
        }
        assert!(prompt.part(4).is_none());
    }

    /// The whole image is the first that a full cache gives up, and its crops are still there.
    #[test]
    fn what_is_known_of_one_image_is_not_taken_for_another() {
        let mut known = [None, Some(1), Some(2), Some(3), Some(4)].into_iter();
        assert_eq!(all_known(&mut known, 3), None);
        assert_eq!(all_known(&mut known, 1), Some(vec![3]));
        assert_eq!(all_known(&mut known, 1), Some(vec![4]));
    }
}
