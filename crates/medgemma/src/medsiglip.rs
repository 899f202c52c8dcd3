//! MedSigLIP as an application uses it: pictures and texts in, embeddings and scores out.

mod each;
mod options;
mod zero_shot;

use std::fmt;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use medgemma_image::{Error as ImageError, Image, ImageProcessor, Pixels};
use medgemma_siglip::{DUAL_RENAMES, DualEncoder, IGNORED, SiglipConfig};
use medgemma_tensor::checkpoint::{LoadReport, Loader, SafetensorsDir};
use medgemma_tensor::{Backend, Device, FloatFormat, Tensor, tensor_from, vec_from};
use medgemma_tokenizer::{Error as TokenizerError, SiglipTextOptions, SiglipTokenizer};

use crate::checksum;
use crate::embedding::Embedding;
use crate::error::{Error, Result};
use crate::memory::{MemoryPlan, SiglipBudget, SiglipWorkload};

pub use self::options::SiglipOptions;

/// MedSigLIP, or any other SigLIP 1 model: pictures and texts become vectors of one space. Cheap to
/// clone, immutable, `Send + Sync`.
///
/// What it finds alike or probable is a model's opinion and **not for clinical use** without
/// independent verification by a qualified person.
#[derive(Clone)]
pub struct MedSigLip {
    inner: Arc<Inner>,
}

/// What the directory's image processor is, or what is wrong with it.
type Processor = std::result::Result<ImageProcessor, Arc<ImageError>>;

struct Inner {
    dir: PathBuf,
    files: Vec<PathBuf>,
    encoder: DualEncoder,
    /// An error where the directory's is not understood: pixels then come from elsewhere, and it is pictures that
    /// are refused.
    processor: Processor,
    interpolate: bool,
    /// An error where the directory has none that is understood: ids then come from elsewhere, and it
    /// is texts that are refused.
    tokenizer: std::result::Result<SiglipTokenizer, Arc<TokenizerError>>,
    /// What was planned, against which each step is held.
    budget: SiglipBudget,
    report: LoadReport,
}

impl fmt::Debug for MedSigLip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MedSigLip")
            .field("dir", &self.inner.dir)
            .field("parameters", &self.config().parameters())
            .field("device", &self.device().name())
            .finish_non_exhaustive()
    }
}

impl MedSigLip {
    /// Loads a Hugging Face directory of a SigLIP 1 model (`config.json`, safetensors files in one or
    /// many, and where they exist `preprocessor_config.json` and `tokenizer.json` or `spiece.model`)
    /// onto a device. Weights stay in the memory-mapped files where the device can read their format.
    /// A tokenizer that is missing or not understood is an error of the texts given to it, not of the
    /// loading: pictures and token ids need none. An image processor that is not understood is one of
    /// the pictures: pixels and texts need none.
    ///
    /// # Errors
    /// [`Error::Tensor`] and [`Error::Vision`] naming file
    /// and key for what is missing, surplus, misshaped, of a wrong type or not supported;
    /// [`Error::Image`] for a processor whose `size` is not the model's `image_size` unless
    /// [`SiglipOptions::interpolate`] is set;
    /// [`Error::NotEnoughMemory`] for what does not fit.
    pub fn load(dir: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::load_with(dir, device, SiglipOptions::default())
    }

    /// As [`MedSigLip::load`], with a progress observer and choices of image processing.
    ///
    /// # Errors
    /// As [`MedSigLip::load`].
    pub fn load_with(
        dir: impl AsRef<Path>,
        device: &Device,
        options: SiglipOptions<'_>,
    ) -> Result<Self> {
        let dir = dir.as_ref();
        let config = SiglipConfig::read(dir)?;
        for key in &config.unknown_keys {
            tracing::warn!(key, "unknown key in the model's configuration");
        }
        let (processor, image_size) = image_processor(dir, &config, &options)?;
        let tokenizer = tokenizer(dir);
        let source = SafetensorsDir::open(dir)?;
        let files = checksum::files_of(dir)?;
        let mut loader = Loader::new(&source, DUAL_RENAMES, device)?.with_ignored(IGNORED);
        let mut workload = options.workload;
        workload.image_size = workload.image_size.or(Some(image_size));
        let plan = memory_plan(&config, &loader, device, workload);
        let mapped = loader.mapped_bytes();
        let budget = SiglipBudget::new(plan, workload, mapped, options.memory_limit);
        budget.check_load(dir, device)?;
        if let Some(progress) = options.progress {
            loader = loader.with_progress(progress);
        }
        let mut encoder = DualEncoder::load(&mut loader, config)?;
        if options.interpolate {
            encoder = encoder.with_interpolation(true);
        }
        let report = loader.finish()?;
        tracing::info!(
            tensors = report.tensors,
            parameters = report.parameters,
            bytes = report.bytes,
            device = device.name(),
            "model loaded"
        );
        let inner = Inner {
            dir: dir.to_path_buf(),
            files,
            encoder,
            processor,
            interpolate: options.interpolate,
            tokenizer,
            budget,
            report,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// What the directory says of the model.
    #[must_use]
    pub fn config(&self) -> &SiglipConfig {
        self.inner.encoder.config()
    }

    /// The files that decide what the model computes.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.inner.files
    }

    /// Whether pixels of other sizes than the model's are encoded.
    pub(crate) fn interpolates(&self) -> bool {
        self.inner.interpolate
    }

    /// The part below: pixel tensors and ids in, tensors out, every stage to be seen.
    #[must_use]
    pub fn encoder(&self) -> &DualEncoder {
        &self.inner.encoder
    }

    /// How pictures become pixels.
    ///
    /// # Errors
    /// [`Error::NoProcessor`] where the directory's image processor was one that this library does not know.
    pub fn processor(&self) -> Result<&ImageProcessor> {
        let processor = self.inner.processor.as_ref();
        processor.map_err(|error| Error::NoProcessor(Arc::clone(error)))
    }

    /// What was loaded: tensors, parameters, bytes, dialects.
    #[must_use]
    pub fn report(&self) -> &LoadReport {
        &self.inner.report
    }

    /// Where the weights are.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.inner.encoder.device()
    }

    /// The embedding of each picture, in their order: of a few, which are all in memory, and of which each is wanted.
    /// For many use [`MedSigLip::embed_each_image`], which reads them one by one, can be watched and stopped, and keeps what
    /// is embedded when one fails.
    ///
    /// # Errors
    /// [`Error::Image`], [`Error::NoProcessor`], and as [`MedSigLip::embed_pixels`]; where several pictures were given, in [`Error::OneOfImages`],
    /// which says of which. The first ends the work, and no embedding comes back.
    pub fn embed_images(&self, images: &[Image]) -> Result<Vec<Embedding>> {
        let mut embeddings = Vec::with_capacity(images.len());
        let each = images.iter().cloned().map(Ok::<_, Error>);
        let ended = self.embed_each_image(each, |index, embedded| match embedded {
            Ok(embedding) => {
                embeddings.push(embedding);
                ControlFlow::Continue(())
            }
            Err(source) => ControlFlow::Break(match images.len() {
                1 => source,
                count => Error::OneOfImages {
                    index,
                    count,
                    source: Box::new(source),
                },
            }),
        });
        ended.break_value().map_or(Ok(embeddings), Err)
    }

    /// The embedding of a picture that is pixels already.
    ///
    /// # Shapes
    /// - `pixels`: `[3, image_size, image_size]`; any size with [`SiglipOptions::interpolate`]
    ///
    /// # Errors
    /// [`Error::Image`] for fewer or more samples than the shape says,
    /// [`Error::Vision`] for pixels of another size,
    /// [`Error::NotEnoughMemory`] for pixels so large that encoding them takes more than was planned
    /// ([`SiglipOptions::workload`]) and than there is,
    /// [`Error::NoDirection`] if pixels are not finite or the weights are
    /// damaged.
    pub fn embed_pixels(&self, pixels: &Pixels) -> Result<Embedding> {
        pixels.check()?;
        let [_, height, width] = pixels.shape;
        self.check_memory(SiglipWorkload::new(1, 0).with_image_size([height, width]))?;
        let pixels = tensor_from(pixels.data.clone(), pixels.shape, self.device());
        let embedded = self.inner.encoder.embed_image(pixels)?;
        Ok(embeddings(embedded)?.remove(0))
    }

    /// The embedding of each text, of at most as many tokens as the model's length (`max_position_embeddings`, 64 for
    /// MedSigLIP), in the published normalisation. All are looked at before any is
    /// embedded, and one that fails ends the work; [`MedSigLip::embed_each_text`] can be watched and stopped, and keeps what
    /// is embedded when one fails.
    ///
    /// # Errors
    /// As [`MedSigLip::embed_texts_with`].
    pub fn embed_texts(&self, texts: &[&str]) -> Result<Vec<Embedding>> {
        self.embed_texts_with(texts, &SiglipTextOptions::default())
    }

    /// As [`MedSigLip::embed_texts`], with a choice of normalisation and truncation; the length is
    /// the model's own.
    ///
    /// # Errors
    /// As [`MedSigLip::tokenize`].
    pub fn embed_texts_with(
        &self,
        texts: &[&str],
        options: &SiglipTextOptions,
    ) -> Result<Vec<Embedding>> {
        self.embed_token_ids(&self.tokenize(texts, options)?)
    }

    /// The token ids of each text, all of the model's length: the text's, the end of text, and that
    /// again up to the end. [`SiglipTextOptions::length`] is not looked at.
    ///
    /// # Errors
    /// [`Error::NoTokenizer`] where the directory had no tokenizer or one that is not understood when
    /// the model was loaded; [`Error::TextTooLong`] for a text that is too long, unless truncation is asked
    /// for; [`Error::Tokenizer`] for [`SiglipNormalization::TokenizerJson`](medgemma_tokenizer::SiglipNormalization) where
    /// `spiece.model` serves in the place of a `tokenizer.json` with another normaliser.
    pub fn tokenize(&self, texts: &[&str], options: &SiglipTextOptions) -> Result<Vec<Vec<u32>>> {
        self.tokenizer()?;
        let rows = (0..texts.len()).map(|index| self.row(texts, index, options));
        rows.collect()
    }

    /// # Errors
    /// [`Error::NoTokenizer`].
    fn tokenizer(&self) -> Result<&SiglipTokenizer> {
        let tokenizer = self.inner.tokenizer.as_ref();
        tokenizer.map_err(|error| Error::NoTokenizer(Arc::clone(error)))
    }

    /// The token ids of the text `index`, as [`MedSigLip::tokenize`] tells.
    fn row(&self, texts: &[&str], index: usize, options: &SiglipTextOptions) -> Result<Vec<u32>> {
        let length = self.config().text_config.max_position_embeddings;
        let encoded = (self.tokenizer()?).encode(texts[index], &options.with_length(length));
        encoded.map_err(|error| match error {
            TokenizerError::TextTooLong { limit, found } => Error::TextTooLong {
                index,
                count: texts.len(),
                limit,
                found,
            },
            other => Error::Tokenizer(other),
        })
    }

    /// The embedding of each text, given as token ids with the end of text; shorter ones are padded.
    /// None are no error.
    ///
    /// # Errors
    /// [`Error::Vision`] for a text of more tokens than the model's length and for an id outside
    /// of the vocabulary: nothing is cut off silently; [`Error::NotEnoughMemory`] where no texts were planned
    /// ([`SiglipOptions::workload`]) and there is too little for them.
    pub fn embed_token_ids(&self, texts: &[Vec<u32>]) -> Result<Vec<Embedding>> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        self.check_memory(SiglipWorkload::new(0, texts.len()))?;
        embeddings(self.inner.encoder.embed_texts(texts)?)
    }

    /// `exp(logit_scale) · cosine + logit_bias` of a picture and each text.
    ///
    /// # Errors
    /// [`Error::EmbeddingWidth`] for embeddings of another model.
    pub fn logits(&self, image: &Embedding, texts: &[Embedding]) -> Result<Vec<f32>> {
        texts.iter().map(|text| self.logit(image, text)).collect()
    }

    /// Refuses a step that takes more than was planned and than there is.
    fn check_memory(&self, step: SiglipWorkload) -> Result<()> {
        let inner = &self.inner;
        (inner.budget).check(&inner.dir, self.config(), self.device(), step)
    }

    /// The logit of one pair.
    fn logit(&self, image: &Embedding, text: &Embedding) -> Result<f32> {
        let encoder = &self.inner.encoder;
        image.check_width(self.config().embedding_size())?;
        Ok(image.cosine(text)? * encoder.logit_scale() + encoder.logit_bias())
    }
}

/// Rows `[n, e]`, read back.
fn embeddings(rows: Tensor<2>) -> Result<Vec<Embedding>> {
    let [_, width] = rows.dims();
    let numbers = vec_from(rows, "embeddings")?;
    let rows = numbers.chunks_exact(width);
    rows.map(|row| Embedding::new(row.to_vec())).collect()
}

/// The tokenizer of the directory, if it has one that is understood. Pictures and ids need none.
fn tokenizer(dir: &Path) -> std::result::Result<SiglipTokenizer, Arc<TokenizerError>> {
    let read = SiglipTokenizer::from_dir(dir);
    match &read {
        Ok(tokenizer) => {
            let file = tokenizer.name();
            tracing::info!(file, "tokenizer read");
            if let Some(error) = tokenizer.passed_over() {
                tracing::warn!(%error, file, "another file than tokenizer.json serves");
            }
        }
        // A directory of the encoder alone, on purpose.
        Err(TokenizerError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
            tracing::info!("no tokenizer: texts will be refused, token ids and images not");
        }
        Err(error) => {
            tracing::warn!(%error, "no tokenizer: texts will be refused, token ids and images not");
        }
    }
    read.map_err(Arc::new)
}

/// The plan with the weights' true size: the device `cpu` keeps what the files hold.
fn memory_plan(
    config: &SiglipConfig,
    loader: &Loader<'_>,
    device: &Device,
    workload: SiglipWorkload,
) -> MemoryPlan {
    let plan = MemoryPlan::siglip(config, FloatFormat::F32, device.backend(), workload);
    match device.backend() {
        Backend::Cpu => plan.with_weights(loader.held_bytes()),
        _ => plan,
    }
}

/// The processor of the directory with the caller's choices, if it is understood, and height and width of the pixels to
/// plan for: where it leaves pictures as they are, and where there is none, the model's own.
fn image_processor(
    dir: &Path,
    config: &SiglipConfig,
    options: &SiglipOptions<'_>,
) -> Result<(Processor, [usize; 2])> {
    let image_size = config.vision_config.image_size;
    let mut processor = match ImageProcessor::from_siglip_dir(dir, image_size) {
        Ok(processor) => processor,
        Err(error @ ImageError::Io { .. }) => return Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "no image processor: pictures will be refused, pixels and texts not");
            return Ok((Err(Arc::new(error)), [image_size; 2]));
        }
    };
    let mut planned = [image_size; 2];
    if let Err(error) = processor.expect_size(dir, image_size) {
        if !options.interpolate {
            return Err(error.into());
        }
        planned = processor.size();
        let [height, width] = planned;
        tracing::warn!(
            image_size,
            height,
            width,
            "pictures are resized to another size than the model's, and its positions interpolated"
        );
    }
    if let Some(resize) = options.resize {
        processor = processor.with_resize(resize);
    }
    if let Some(pad) = options.pad_to_square {
        processor = processor.with_pad_to_square(pad);
    }
    Ok((Ok(processor), planned))
}
