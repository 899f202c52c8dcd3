//! A checkpoint without its tokenizer: ids and pixels in, logits out.
//!
//! [`MedGemma`](crate::MedGemma) is built on it; use it alone for token-level work, such as the
//! comparison with a reference.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use medgemma_gemma3::{Decoder, Error as DecoderError, Segment};
use medgemma_image::{Image, ImageProcessor, Pixels, Processed};
use medgemma_projector::Projector;
use medgemma_siglip::VisionTower;
use medgemma_tensor::checkpoint::LoadReport;
use medgemma_tensor::{Device, Tensor, tensor_from, vec_from};

use crate::config::{ModelConfig, MultimodalConfig};
use crate::error::{Error, Result};
use crate::files::Files;
use crate::loading;
use crate::memory::{Budget, Entry, Held, MemoryPlan, Request};
use crate::options::LoadOptions;
use crate::vision_cache::{Encodings, VisionCacheUse};

/// Weights, configuration and image processor of one model directory. Cheap to clone, immutable,
/// usable from several threads at once. `Debug` tells what it is, not its weights.
#[derive(Clone)]
pub struct Model {
    inner: Arc<Inner>,
}

/// What was loaded.
pub(crate) struct Inner {
    pub(crate) dir: PathBuf,
    pub(crate) config: ModelConfig,
    pub(crate) decoder: Decoder,
    pub(crate) vision: Option<(VisionTower, Projector)>,
    pub(crate) processor: ImageProcessor,
    pub(crate) report: LoadReport,
    pub(crate) encodings: Option<Encodings>,
    pub(crate) budget: Budget,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("dir", &self.inner.dir)
            .field("parameters", &self.inner.config.parameters())
            .field("multimodal", &self.inner.config.multimodal.is_some())
            .field("device", &self.device().name())
            .finish_non_exhaustive()
    }
}

/// An image as the decoder reads it: the projector's rows, `[mm_tokens_per_image, d]`. `Debug`
/// prints the shape only: the rows say what the picture shows.
#[derive(Clone)]
pub struct SoftTokens(Tensor<2>);

impl fmt::Debug for SoftTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftTokens")
            .field("dims", &self.dims())
            .finish_non_exhaustive()
    }
}

impl SoftTokens {
    /// `[mm_tokens_per_image, d]`.
    #[must_use]
    pub fn dims(&self) -> [usize; 2] {
        self.0.dims()
    }

    /// Rows that [`to_vec`](Self::to_vec) gave away.
    pub(crate) fn from_vec(values: Vec<f32>, dims: [usize; 2], device: &Device) -> Self {
        Self(tensor_from(values, dims, device))
    }

    /// The numbers, row-major.
    ///
    /// # Errors
    /// [`medgemma_tensor::Error::ReadBack`] when the device fails.
    pub fn to_vec(&self) -> Result<Vec<f32>> {
        Ok(vec_from(self.0.clone(), "soft tokens")?)
    }
}

/// Ids that are read alike.
enum Run<'a> {
    /// Ordinary tokens.
    Tokens(&'a [u32]),
    /// The soft tokens of this many images.
    Images(usize),
}

impl Model {
    /// Loads a Hugging Face directory (`config.json`, safetensors files, and where they exist
    /// `generation_config.json` and `preprocessor_config.json`), a GGUF file, or a directory that
    /// holds one. Weights stay in the memory-mapped files where the device can read their format.
    ///
    /// # Errors
    /// [`Error::NotAModel`], [`Error::SeveralFiles`], [`Error::AdapterAlone`], [`Error::VisionInside`] and those of
    /// [`Mmproj`](crate::Mmproj) for what lies at `path`; [`Error::Tensor`] naming file and key for what is missing,
    /// surplus, misshaped, of a wrong type or not supported; [`Error::Image`] for a
    /// processor this library does not know; [`Error::NotEnoughMemory`] before any weight is loaded;
    /// [`Error::VisionCacheFolder`]; [`Error::NotForModel`] for options that only
    /// [`MedGemma::load_with`](crate::MedGemma::load_with) knows: prefixes and records are of conversations.
    pub fn load(path: &Path, device: &Device, options: LoadOptions<'_>) -> Result<Self> {
        let foreign = [
            ("audit", options.audit.is_some()),
            ("prefix_cache", options.prefix_cache.is_some()),
        ];
        if let Some((option, _)) = foreign.into_iter().find(|(_, set)| *set) {
            return Err(Error::NotForModel { option });
        }
        let files = Files::find(path, &options)?;
        let config = files.config()?;
        let inner = loading::load(path, files, config, device, options)?;
        Ok(Self::new(inner))
    }

    /// What a load of this model with these options would be held against memory with: bytes by purpose, for
    /// their workload. Headers are read, and of weights only what decides on a format or on whether a repeated head is the
    /// embedding; nothing is refused for its size.
    ///
    /// # Errors
    /// As [`Model::load`], for what the headers tell.
    pub fn plan(
        path: impl AsRef<Path>,
        device: &Device,
        options: &LoadOptions<'_>,
    ) -> Result<MemoryPlan> {
        let files = Files::find(path.as_ref(), options)?;
        let config = files.config()?;
        loading::plan(files, &config, device, options)
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    /// What the directory says of the model.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.inner.config
    }

    /// The decoder.
    #[must_use]
    pub fn decoder(&self) -> &Decoder {
        &self.inner.decoder
    }

    /// How images become pixels.
    #[must_use]
    pub fn processor(&self) -> &ImageProcessor {
        &self.inner.processor
    }

    /// What was loaded: tensors, parameters, bytes, dialects.
    #[must_use]
    pub fn report(&self) -> &LoadReport {
        &self.inner.report
    }

    /// Where the weights are.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.inner.decoder.device()
    }

    /// The pixels of one image, and of its crops when pan and scan is on.
    ///
    /// # Errors
    /// [`Error::TextOnlyModel`]; [`Error::Image`].
    pub fn process(&self, image: &Image) -> Result<Processed> {
        self.multimodal(1)?;
        Ok(self.inner.processor.process(image)?)
    }

    /// Runs one image through the vision tower and the projector, unless
    /// [`LoadOptions::vision_cache`] kept what came of it.
    ///
    /// # Shapes
    /// - `pixels`: `[3, image_size, image_size]`
    /// - result: `[mm_tokens_per_image, d]`
    ///
    /// # Errors
    /// [`Error::TextOnlyModel`]; [`Error::Image`] for fewer or more samples than the shape says;
    /// [`Error::Vision`] for pixels of another size.
    pub fn encode(&self, pixels: &Pixels) -> Result<SoftTokens> {
        let (tower, projector) = self
            .inner
            .vision
            .as_ref()
            .ok_or_else(|| self.text_only(1))?;
        // Before the cache, which makes a test pattern of the shape.
        pixels.check()?;
        let encode = |pixels: &Pixels| {
            let pixels = tensor_from(pixels.data.clone(), pixels.shape, self.device());
            Ok(SoftTokens(projector.forward(tower.forward(pixels)?)?))
        };
        match &self.inner.encodings {
            Some(encodings) => encodings.get(pixels, self.device(), &encode),
            None => encode(pixels),
        }
    }

    /// What [`LoadOptions::vision_cache`] has done so far; `None` where it is off.
    #[must_use]
    pub fn vision_cache_use(&self) -> Option<VisionCacheUse> {
        self.inner.encodings.as_ref().map(Encodings::told)
    }

    /// Forgets the encoded images in memory; files of the folder stay.
    pub fn clear_vision_cache(&self) {
        if let Some(encodings) = &self.inner.encodings {
            encodings.clear();
        }
    }

    /// Puts soft tokens in their places among `ids`, for the decoder.
    ///
    /// Soft tokens that follow each other without an id between them see each other both ways even
    /// if they belong to several images, as in the reference; the published prompt format always
    /// has ids between images.
    ///
    /// # Errors
    /// [`Error::SoftTokens`] when a run of soft tokens does not fit the images,
    /// [`Error::SurplusImages`] when images are left over.
    pub fn segments(&self, ids: &[u32], images: &[SoftTokens]) -> Result<Vec<Segment>> {
        let mut rest = images;
        let mut segments = Vec::new();
        for run in self.runs(ids, images.len())? {
            segments.push(match run {
                Run::Tokens(ids) => Segment::Tokens(ids.to_vec()),
                Run::Images(count) => {
                    let (placed, left) = rest.split_at(count);
                    rest = left;
                    let rows = placed.iter().map(|image| image.0.clone()).collect();
                    Segment::Embeddings(Tensor::cat(rows, 0))
                }
            });
        }
        Ok(segments)
    }

    /// Refuses ids that the embedding table lacks, and soft tokens that do not fit `images`: what a
    /// prompt can be refused for before any image is encoded.
    pub(crate) fn check_ids(&self, ids: &[u32], images: usize) -> Result<()> {
        let vocab_size = self.inner.config.text.vocab_size;
        // A soft token is never looked up, so its id may lie outside, as in Gemma's own tokenizer.
        let soft_token = self
            .inner
            .config
            .multimodal
            .as_ref()
            .map(|m| m.image_token_id);
        let unknown = |&id: &u32| id as usize >= vocab_size && Some(id) != soft_token;
        if let Some(position) = ids.iter().position(unknown) {
            let id = ids[position];
            return Err(DecoderError::TokenOutOfRange {
                id,
                position,
                vocab_size,
            }
            .into());
        }
        self.runs(ids, images).map(drop)
    }

    /// What stands for a row of an image among ids, and how many for an image. `u32::MAX`, which is in no vocabulary, for
    /// a model that takes none.
    pub(crate) fn soft_tokens(&self) -> (u32, usize) {
        let multimodal = self.inner.config.multimodal.as_ref();
        multimodal.map_or((u32::MAX, 1), |multimodal| {
            (multimodal.image_token_id, multimodal.mm_tokens_per_image)
        })
    }

    /// Soft tokens among these ids.
    pub(crate) fn image_tokens(&self, ids: &[u32]) -> usize {
        let (soft_token, _) = self.soft_tokens();
        ids.iter().filter(|&&id| id == soft_token).count()
    }

    /// Rows of an image in a prompt; 0 for a model that takes none.
    pub(crate) fn tokens_per_image(&self) -> usize {
        let multimodal = self.inner.config.multimodal.as_ref();
        multimodal.map_or(0, |multimodal| multimodal.mm_tokens_per_image)
    }

    /// Refuses a request beyond the workload that the model was loaded for, and beyond what is left of memory,
    /// other conversations counted; what it takes counts until the entry is dropped.
    pub(crate) fn enter(&self, request: &Request<'_>) -> Result<Entry> {
        let Inner { dir, config, .. } = &*self.inner;
        self.inner.budget.enter(dir, config, self.device(), request)
    }

    /// A new conversation's entry among what is held.
    pub(crate) fn entry(&self) -> Entry {
        self.inner.budget.entry()
    }

    /// What is entered for a conversation that has read `context` positions, `images` among them.
    pub(crate) fn planned_for(&self, context: usize, images: usize) -> Held {
        let Inner { config, budget, .. } = &*self.inner;
        budget.planned_for(config, context, images)
    }

    /// What was held against memory when the model was loaded, for [`LoadOptions::workload`].
    #[must_use]
    pub fn memory_plan(&self) -> MemoryPlan {
        self.inner.budget.plan()
    }

    /// Cuts ids where soft tokens begin and end; the soft tokens must fit `images`.
    fn runs<'a>(&self, ids: &'a [u32], images: usize) -> Result<Vec<Run<'a>>> {
        let Some(multimodal) = &self.inner.config.multimodal else {
            return if images == 0 {
                Ok(vec![Run::Tokens(ids)])
            } else {
                Err(self.text_only(images))
            };
        };
        let (soft_token, tokens_per_image) =
            (multimodal.image_token_id, multimodal.mm_tokens_per_image);
        let (mut rest, mut position, mut runs) = (images, 0, Vec::new());
        for run in ids.chunk_by(|a, b| (*a == soft_token) == (*b == soft_token)) {
            if run[0] == soft_token {
                let count = run.len() / tokens_per_image;
                if !run.len().is_multiple_of(tokens_per_image) || count > rest {
                    return Err(Error::SoftTokens {
                        position,
                        soft_tokens: run.len(),
                        tokens_per_image,
                        images: rest,
                    });
                }
                rest -= count;
                runs.push(Run::Images(count));
            } else {
                runs.push(Run::Tokens(run));
            }
            position += run.len();
        }
        if rest == 0 {
            Ok(runs)
        } else {
            Err(Error::SurplusImages { images: rest })
        }
    }

    /// The multimodal part of the configuration, needed for this many images.
    pub(crate) fn multimodal(&self, images: usize) -> Result<&MultimodalConfig> {
        self.inner
            .config
            .multimodal
            .as_ref()
            .ok_or_else(|| self.text_only(images))
    }

    /// Soft tokens that an image takes in a prompt made from text, on which the files must agree. Who gives ids has
    /// counted them already, and the reference's model does not read the processor's file.
    pub(crate) fn tokens_to_place(&self, images: usize) -> Result<usize> {
        let expected = self.multimodal(images)?.mm_tokens_per_image;
        match self.inner.processor.image_seq_length() {
            Some(found) if found != expected => Err(Error::ImageSeqLength {
                dir: self.inner.dir.clone(),
                expected,
                found,
            }),
            _ => Ok(expected),
        }
    }

    fn text_only(&self, images: usize) -> Error {
        Error::TextOnlyModel {
            dir: self.inner.dir.clone(),
            images,
        }
    }
}
