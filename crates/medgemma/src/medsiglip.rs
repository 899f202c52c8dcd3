//! MedSigLIP as an application uses it: pictures and texts in, embeddings and scores out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::Arc;

use medgemma_image::{Image, ImageProcessor, Pixels, Resize, Resizer};
use medgemma_siglip::{DUAL_RENAMES, DualEncoder, IGNORED, SiglipConfig};
use medgemma_tensor::checkpoint::{LoadReport, Loader, SafetensorsDir};
use medgemma_tensor::{Backend, Device, FloatFormat, Tensor, tensor_from, vec_from};
use medgemma_tokenizer::{
    Error as TokenizerError, SiglipNormalization, SiglipTextOptions, SiglipTokenizer,
};

use crate::checksum;
use crate::classification::{Class, Classification, check_labels};
use crate::embedding::Embedding;
use crate::error::{Error, Result};
use crate::memory::{MemoryPlan, SiglipWorkload};
use crate::options::LoadObserver;

/// How a [`MedSigLip`] is loaded.
#[derive(Default)]
#[non_exhaustive]
pub struct SiglipOptions<'a> {
    /// Told how far the loading is.
    pub progress: Option<LoadObserver<'a>>,
    /// Which reference's resizing is followed bit for bit. `None`: [`Resizer::TfBilinear`], as
    /// MedSigLIP was evaluated, whatever `resample` of the directory's files says
    /// ([`ImageProcessor::from_siglip_dir`]).
    pub resize: Option<Resize>,
    /// Centre pictures on a black square instead of stretching them. `None`: stretch, as the
    /// reference does.
    pub pad_to_square: Option<bool>,
    /// Whether pixels of other sizes than the model's are encoded, with interpolated positions
    /// (`interpolate_pos_encoding` of the reference). Off by default: then they are an error, and so is a directory whose
    /// processor makes such.
    pub interpolate: bool,
    /// What the model is wanted for: on a CPU, loading refuses what does not fit into
    /// [`memory_limit`](Self::memory_limit) together with it.
    pub workload: SiglipWorkload,
    /// Bytes that model and [`workload`](Self::workload) may take on a CPU. `None`: what the system
    /// has available, where it tells (Linux).
    pub memory_limit: Option<u64>,
}

impl<'a> SiglipOptions<'a> {
    /// Sets [`progress`](Self::progress): bytes done, bytes in all.
    #[must_use]
    pub fn with_progress(mut self, observer: impl FnMut(u64, u64) + Send + 'a) -> Self {
        self.progress = Some(Box::new(observer));
        self
    }

    /// Sets [`resize`](Self::resize).
    #[must_use]
    pub fn with_resize(mut self, resize: Resize) -> Self {
        self.resize = Some(resize);
        self
    }

    /// Sets [`resize`](Self::resize) to one resizer, whatever the directory says.
    #[must_use]
    pub fn with_resizer(self, resizer: Resizer) -> Self {
        self.with_resize(resizer.into())
    }

    /// Sets [`pad_to_square`](Self::pad_to_square).
    #[must_use]
    pub fn with_pad_to_square(mut self, pad: bool) -> Self {
        self.pad_to_square = Some(pad);
        self
    }

    /// Sets [`interpolate`](Self::interpolate).
    #[must_use]
    pub fn with_interpolate(mut self, interpolate: bool) -> Self {
        self.interpolate = interpolate;
        self
    }

    /// Sets [`workload`](Self::workload).
    #[must_use]
    pub fn with_workload(mut self, workload: SiglipWorkload) -> Self {
        self.workload = workload;
        self
    }

    /// Sets [`memory_limit`](Self::memory_limit).
    #[must_use]
    pub fn with_memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = Some(bytes);
        self
    }
}

impl fmt::Debug for SiglipOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SiglipOptions")
            .field("progress", &self.progress.is_some())
            .field("resize", &self.resize)
            .field("pad_to_square", &self.pad_to_square)
            .field("interpolate", &self.interpolate)
            .field("workload", &self.workload)
            .field("memory_limit", &self.memory_limit)
            .finish()
    }
}

/// MedSigLIP, or any other SigLIP 1 model: pictures and texts become vectors of one space. Cheap to
/// clone, immutable, `Send + Sync`.
///
/// What it finds alike or probable is a model's opinion and **not for clinical use** without
/// independent verification by a qualified person.
#[derive(Clone)]
pub struct MedSigLip {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    files: Vec<PathBuf>,
    encoder: DualEncoder,
    processor: ImageProcessor,
    interpolate: bool,
    /// An error where the directory has none that is understood: ids then come from elsewhere, and it
    /// is texts that are refused.
    tokenizer: std::result::Result<SiglipTokenizer, Arc<TokenizerError>>,
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
    /// loading: pictures and token ids need none.
    ///
    /// # Errors
    /// [`Error::Tensor`] and [`Error::Vision`] naming file
    /// and key for what is missing, surplus, misshaped, of a wrong type or not supported;
    /// [`Error::Image`] for a processor this library does not know, or whose `size` is not the model's `image_size` unless
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
        let processor = image_processor(dir, &config, &options)?;
        let tokenizer = tokenizer(dir);
        let source = SafetensorsDir::open(dir)?;
        let files = checksum::files_of(dir)?;
        let mut loader = Loader::new(&source, DUAL_RENAMES, device)?.with_ignored(IGNORED);
        memory_plan(&config, &loader, device, options.workload).check(
            dir,
            device,
            options.memory_limit,
        )?;
        if let Some(progress) = options.progress {
            loader = loader.with_progress(progress);
        }
        let mut encoder = DualEncoder::load(&mut loader, config)?;
        if options.interpolate {
            encoder = encoder.with_interpolation();
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
        self.inner.encoder.device()
    }

    /// The embedding of each picture, in their order.
    ///
    /// # Errors
    /// [`Error::Image`], and as [`MedSigLip::embed_pixels`]; where several pictures were given, in [`Error::OneOfImages`],
    /// which says of which.
    pub fn embed_images(&self, images: &[Image]) -> Result<Vec<Embedding>> {
        let embed = |(index, image): (usize, &Image)| {
            let processed = self.inner.processor.process(image).map_err(Error::from);
            // The picture itself; crops are Gemma 3's.
            let embedded = processed.and_then(|processed| self.embed_pixels(&processed.pixels[0]));
            embedded.map_err(|source| match images.len() {
                1 => source,
                count => Error::OneOfImages {
                    index,
                    count,
                    source: Box::new(source),
                },
            })
        };
        images.iter().enumerate().map(embed).collect()
    }

    /// The embedding of a picture that is pixels already.
    ///
    /// # Shapes
    /// - `pixels`: `[3, image_size, image_size]`; any size with [`SiglipOptions::interpolate`]
    ///
    /// # Errors
    /// [`Error::Image`] for fewer or more samples than the shape says,
    /// [`Error::Vision`] for pixels of another size,
    /// [`Error::NoDirection`] if pixels are not finite or the weights are
    /// damaged.
    pub fn embed_pixels(&self, pixels: &Pixels) -> Result<Embedding> {
        pixels.check()?;
        let pixels = tensor_from(pixels.data.clone(), pixels.shape, self.device());
        let embedded = self.inner.encoder.embed_image(pixels)?;
        Ok(embeddings(embedded)?.remove(0))
    }

    /// The embedding of each text, of at most 64 tokens, in the published normalisation.
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
        let tokenizer = match &self.inner.tokenizer {
            Ok(tokenizer) => tokenizer,
            Err(error) => return Err(Error::NoTokenizer(Arc::clone(error))),
        };
        let length = self.config().text_config.max_position_embeddings;
        let options = options.with_length(length);
        let row = |(index, text): (usize, &&str)| {
            tokenizer
                .encode(text, &options)
                .map_err(|error| match error {
                    TokenizerError::TextTooLong { limit, found } => Error::TextTooLong {
                        index,
                        count: texts.len(),
                        limit,
                        found,
                    },
                    other => Error::Tokenizer(other),
                })
        };
        texts.iter().enumerate().map(row).collect()
    }

    /// The embedding of each text, given as token ids with the end of text; shorter ones are padded.
    /// None are no error.
    ///
    /// # Errors
    /// [`Error::Vision`] for a text of more than 64 tokens and for an id outside
    /// of the vocabulary: nothing is cut off silently.
    pub fn embed_token_ids(&self, texts: &[Vec<u32>]) -> Result<Vec<Embedding>> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        embeddings(self.inner.encoder.embed_texts(texts)?)
    }

    /// `exp(logit_scale) · cosine + logit_bias` of a picture and each text.
    ///
    /// # Errors
    /// [`Error::EmbeddingWidth`] for embeddings of another model.
    pub fn logits(&self, image: &Embedding, texts: &[Embedding]) -> Result<Vec<f32>> {
        texts.iter().map(|text| self.logit(image, text)).collect()
    }

    /// The classes of these labels and their prompts, in their order, each the
    /// [`Embedding::ensemble`] of its prompts. They serve any number of pictures. No label may be there
    /// twice, nor two classes whose prompts the tokenizer makes the same texts of, as it does of
    /// `SpO2 <90` and `SpO2 >90`: [`SiglipNormalization`] says what it leaves of them.
    ///
    /// # Errors
    /// As [`MedSigLip::embed_classes_with`].
    pub fn embed_classes(&self, classes: &[(&str, &[&str])]) -> Result<Vec<Class>> {
        self.embed_classes_with(classes, &SiglipTextOptions::default())
    }

    /// As [`MedSigLip::embed_classes`], with a choice of normalisation and truncation.
    ///
    /// # Errors
    /// [`Error::NoClasses`] and
    /// [`Error::DuplicateLabel`],
    /// [`Error::NoPrompts`] for a class without prompts,
    /// [`Error::EmptyPrompt`] for a prompt of which the tokenizer leaves nothing,
    /// [`Error::PromptTooLong`] for one that is too long, unless truncation is asked for,
    /// [`Error::SameText`] for two classes whose prompts are the same to it, in whatever order and however
    /// often, and as [`MedSigLip::embed_texts_with`].
    pub fn embed_classes_with(
        &self,
        classes: &[(&str, &[&str])],
        options: &SiglipTextOptions,
    ) -> Result<Vec<Class>> {
        let labels: Vec<&str> = classes.iter().map(|&(label, _)| label).collect();
        check_labels(&labels)?;
        if let Some(class) = classes.iter().position(|(_, own)| own.is_empty()) {
            return Err(Error::NoPrompts { class });
        }
        // All prompts in one call, which reads each weight once for sixteen of them.
        let prompts: Vec<&str> = classes.iter().flat_map(|&(_, own)| own).copied().collect();
        let rows = self.tokenize(&prompts, options);
        let rows = rows.map_err(|error| of_class(error, classes))?;
        let empty = self.tokenize(&[""], options)?.remove(0);
        check_texts(classes, &rows, &empty, options.normalization)?;
        let embedded = self.embed_token_ids(&rows)?;
        let mut rest = embedded.as_slice();
        let class = |&(label, prompts): &(&str, &[&str])| {
            let own;
            (own, rest) = rest.split_at(prompts.len());
            Ok(Class::new(label, Embedding::ensemble(own)?))
        };
        classes.iter().map(class).collect()
    }

    /// A picture against labels, each of which is its own prompt: all that [`MedSigLip::classify`]
    /// wants in one call. For several pictures, or several prompts to a label, make the classes
    /// once, by [`MedSigLip::embed_classes`]. As there, two labels that the tokenizer makes one text, such as
    /// `Normal` and `normal`, are refused.
    ///
    /// # Errors
    /// As [`MedSigLip::embed_classes`] and [`MedSigLip::embed_images`].
    pub fn classify_image(&self, image: &Image, labels: &[&str]) -> Result<Classification> {
        let classes: Vec<_> = labels
            .iter()
            .map(|label| (*label, slice::from_ref(label)))
            .collect();
        let classes = self.embed_classes(&classes)?;
        let image = self.embed_images(slice::from_ref(image))?.remove(0);
        self.classify(&image, &classes)
    }

    /// A picture against classes: per class the logit, the sigmoid and the softmax, by name.
    ///
    /// # Errors
    /// [`Error::NoClasses`],
    /// [`Error::DuplicateLabel`], and as [`MedSigLip::logits`].
    pub fn classify(&self, image: &Embedding, classes: &[Class]) -> Result<Classification> {
        let labels: Vec<&str> = classes.iter().map(|class| class.label.as_str()).collect();
        let each = classes
            .iter()
            .map(|class| self.logit(image, &class.embedding));
        Classification::from_logits(&labels, &each.collect::<Result<Vec<_>>>()?)
    }

    /// The logit of one pair.
    fn logit(&self, image: &Embedding, text: &Embedding) -> Result<f32> {
        let encoder = &self.inner.encoder;
        image.check_width(self.config().embedding_size())?;
        Ok(image.cosine(text)? * encoder.logit_scale() + encoder.logit_bias())
    }
}

/// The error of one of all prompts, class after class, as one of its class.
fn of_class(error: Error, classes: &[(&str, &[&str])]) -> Error {
    let Error::TextTooLong {
        index,
        limit,
        found,
        ..
    } = error
    else {
        return error;
    };
    let mut prompt = index;
    for (class, (label, prompts)) in classes.iter().enumerate() {
        if prompt < prompts.len() {
            return Error::PromptTooLong {
                class,
                // One that is its own prompt is as long as that.
                label: label.chars().take(80).collect(),
                prompt,
                limit,
                found,
            };
        }
        prompt -= prompts.len();
    }
    error
}

/// Refuses a prompt of which nothing is left, and two classes of the same texts. `rows` are the ids of all
/// prompts, class after class, `empty` those of the empty text.
fn check_texts(
    classes: &[(&str, &[&str])],
    rows: &[Vec<u32>],
    empty: &[u32],
    normalization: SiglipNormalization,
) -> Result<()> {
    let (mut rest, mut seen) = (rows, BTreeMap::new());
    for (class, (label, prompts)) in classes.iter().enumerate() {
        let own;
        (own, rest) = rest.split_at(prompts.len());
        if own.iter().any(|row| row == empty) {
            return Err(Error::EmptyPrompt {
                class,
                label: (*label).to_owned(),
                normalization,
            });
        }
        let texts: BTreeSet<&Vec<u32>> = own.iter().collect();
        if let Some(first) = seen.insert(texts, class) {
            return Err(Error::SameText {
                first,
                first_label: classes[first].0.to_owned(),
                second: class,
                second_label: (*label).to_owned(),
                normalization,
            });
        }
    }
    Ok(())
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

/// The processor of the directory with the caller's choices.
fn image_processor(
    dir: &Path,
    config: &SiglipConfig,
    options: &SiglipOptions<'_>,
) -> Result<ImageProcessor> {
    let image_size = config.vision_config.image_size;
    let mut processor = ImageProcessor::from_siglip_dir(dir, image_size)?;
    if let Err(error) = processor.expect_size(dir, image_size) {
        if !options.interpolate {
            return Err(error.into());
        }
        let [height, width] = processor.size();
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
    Ok(processor)
}
