//! How much memory a model needs, before any of it is loaded.
//!
//! The figures hold for the CPU's devices, where blocks stay blocks and bf16 stays bf16. They are
//! sums over the shapes that the configuration tells, not measurements; `docs/models/gemma3.md`
//! sets them beside measured peaks, `docs/models/medsiglip.md` those of a dual encoder.

mod available;
mod budget;
mod ledger;
mod siglip;

use std::fmt;
use std::path::Path;

use medgemma_gemma3::{DEFAULT_CHUNK, KvCache};
use medgemma_tensor::checkpoint::Precision;
use medgemma_tensor::cpu::KEPT_BYTES;
use medgemma_tensor::{Arithmetic, Backend, Device, FloatFormat, Format, KvPrecision};

use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::options::LoadOptions;

pub use self::available::available;
pub(crate) use self::budget::{Budget, Request};
pub(crate) use self::ledger::{Entry, Held};
pub(crate) use self::siglip::SiglipBudget;
pub use self::siglip::SiglipWorkload;

/// What code, tokenizer, allocator and thread stacks take beside the model: 70–120 MB were seen
/// with Gemma's tokenizer.
const PROCESS: u64 = 150 << 20;

/// What a conversation is expected to need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Workload {
    /// Tokens of prompt and answer together, soft tokens of images included.
    pub context: usize,
    /// Images that a conversation shows, crops counted. They become pixels (with the crops of their own) and
    /// are encoded one after the other, so that the step takes what one of them does; soft tokens stay of
    /// each, and each takes its own of the context. The pictures themselves are the caller's and not counted.
    pub images: usize,
    /// Conversations that are held at once, or answered side by side in a batch. One step is planned for all of them:
    /// where several threads are answered at the same time, each but the first takes a step's
    /// [`activations`](MemoryPlan::activations) more.
    /// [`Chat::choose`](crate::Chat::choose) is one more while it works: it reads on in a copy.
    pub conversations: usize,
    /// Rows of one prefill pass: the largest
    /// [`GenerateOptions::prefill_chunk`](crate::GenerateOptions::prefill_chunk) that will be asked for.
    pub prefill_chunk: usize,
}

impl Workload {
    /// One conversation of `context` tokens that shows `images` images, read in passes of the default
    /// length.
    #[must_use]
    pub fn new(context: usize, images: usize) -> Self {
        Self {
            context,
            images,
            conversations: 1,
            prefill_chunk: DEFAULT_CHUNK,
        }
    }

    /// Sets [`conversations`](Self::conversations).
    #[must_use]
    pub fn with_conversations(mut self, conversations: usize) -> Self {
        self.conversations = conversations;
        self
    }

    /// Sets [`prefill_chunk`](Self::prefill_chunk).
    #[must_use]
    pub fn with_prefill_chunk(mut self, rows: usize) -> Self {
        self.prefill_chunk = rows;
        self
    }
}

/// Bytes that a model needs, by purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryPlan {
    /// The decoder's matrices, vision tower, projector.
    pub weights: u64,
    /// Keys and values of all conversations, with the room that a growing cache reserves.
    pub kv_cache: u64,
    /// What is kept between steps: soft tokens of all images of all conversations, and what
    /// [`LoadOptions::prefix_cache`](crate::LoadOptions::prefix_cache) and
    /// [`LoadOptions::vision_cache`](crate::LoadOptions::vision_cache) may hold in memory.
    pub kept: u64,
    /// What the widest step needs while it runs, a chunk of the prompt or an image in the tower, and the
    /// results of steps before it whose memory is kept for the next ones.
    pub activations: u64,
    /// Code, tokenizer, allocator.
    pub process: u64,
}

impl MemoryPlan {
    /// The plan for a model held in `precision` and its keys and values in `kv_cache`, computed on
    /// the device `cpu`.
    ///
    /// `stored` is the format of the checkpoint's matrices; see [`ModelConfig::dtype`]. GGUF files mix formats:
    /// what lies on the disk is planned by [`Model::plan`](crate::Model::plan).
    #[must_use]
    pub fn new(
        config: &ModelConfig,
        stored: FloatFormat,
        precision: Precision,
        kv_cache: KvPrecision,
        workload: Workload,
    ) -> Self {
        let vision = config.multimodal.as_ref().map(|m| &m.vision);
        let weights = decoder_bytes(config, stored, precision)
            + vision.map_or(0, |vision| {
                let projector = vision.hidden_size * (config.text.hidden_size + 1);
                (vision.parameters() + projector as u64) * float(stored).block_bytes() as u64
            });
        let held = precision.target(float(stored), config.text.hidden_size, false);
        let arithmetic = match held {
            Format::F32 | Format::F16 => Arithmetic::F32,
            _ => Arithmetic::Bf16,
        };
        let arithmetic = vec![arithmetic; config.text.layer_types.len()];
        let images = workload.images.saturating_mul(workload.conversations);
        Self {
            weights,
            kept: soft_token_bytes(config, images),
            kv_cache: cache_bytes(config, &arithmetic, kv_cache, workload),
            activations: activation_bytes(config, workload, 0),
            process: PROCESS,
        }
    }

    /// The plan for a model that is loaded onto `device` with these options. `arithmetic`: of each
    /// layer's keys and values, as the files tell it; what the configuration says of them may not hold.
    pub(crate) fn of_load(
        config: &ModelConfig,
        device: &Device,
        options: &LoadOptions<'_>,
        arithmetic: &[Arithmetic],
    ) -> Self {
        let (stored, precision, kv_cache) = match device.backend() {
            // It computes in f32 and caches so, whatever the files hold and the options say.
            Backend::NdArray => (FloatFormat::F32, Precision::AsIs, KvPrecision::AsWeights),
            _ => (
                config.dtype.unwrap_or(FloatFormat::Bf16),
                options.precision,
                options.kv_cache,
            ),
        };
        let vision = options
            .vision_cache
            .as_ref()
            .map_or(0, |cache| cache.memory);
        let prefixes = options.prefix_cache.unwrap_or(0);
        let mut plan = Self::new(config, stored, precision, kv_cache, options.workload)
            .with_kept(vision as u64)
            .with_kept(prefixes as u64);
        if device.backend() != Backend::NdArray {
            plan.kv_cache = cache_bytes(config, arithmetic, kv_cache, options.workload);
        }
        plan
    }

    /// The same plan with `bytes` more that are kept between steps: the budgets of a prefix cache and of
    /// a vision cache.
    #[must_use]
    pub fn with_kept(mut self, bytes: u64) -> Self {
        self.kept = self.kept.saturating_add(bytes);
        self
    }

    /// The same plan with the weights' true size, as the files tell it.
    pub(crate) fn with_weights(mut self, bytes: u64) -> Self {
        self.weights = bytes;
        self
    }

    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        let parts = [
            self.weights,
            self.kv_cache,
            self.kept,
            self.activations,
            self.process,
        ];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// Refuses a plan for a CPU that does not fit into `limit` bytes, or into what is available.
    ///
    /// # Errors
    /// [`Error::NotEnoughMemory`] with the figures.
    pub(crate) fn check(&self, path: &Path, device: &Device, limit: Option<u64>) -> Result<()> {
        let on_cpu = matches!(device.backend(), Backend::Cpu | Backend::NdArray);
        match limit.or_else(available) {
            Some(available) if on_cpu && self.total() > available => Err(Error::NotEnoughMemory {
                path: path.to_path_buf(),
                plan: *self,
                available,
                busy: false,
            }),
            _ => Ok(()),
        }
    }
}

impl Default for Workload {
    /// One conversation of 4096 tokens with an image.
    fn default() -> Self {
        Self::new(4096, 1)
    }
}

impl fmt::Display for MemoryPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} MB: weights {}, cache {}, kept {}, activations {}, process {}",
            megabytes(self.total()),
            megabytes(self.weights),
            megabytes(self.kv_cache),
            megabytes(self.kept),
            megabytes(self.activations),
            megabytes(self.process)
        )
    }
}

/// Rounded up, so that no figure of a message understates.
pub(crate) fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

/// Keys and values of all conversations.
fn cache_bytes(
    config: &ModelConfig,
    arithmetic: &[Arithmetic],
    kv_cache: KvPrecision,
    workload: Workload,
) -> u64 {
    KvCache::planned_bytes(&config.text, workload.context, arithmetic, kv_cache)
        .saturating_mul(workload.conversations as u64)
}

/// Soft tokens of so many images.
fn soft_token_bytes(config: &ModelConfig, images: usize) -> u64 {
    config.multimodal.as_ref().map_or(0, |multimodal| {
        let of_each = bytes(multimodal.mm_tokens_per_image, config.text.hidden_size);
        of_each.saturating_mul(images as u64)
    })
}

/// The kernels' name for a float format.
fn float(format: FloatFormat) -> Format {
    match format {
        FloatFormat::F16 => Format::F16,
        FloatFormat::Bf16 => Format::Bf16,
        _ => Format::F32,
    }
}

/// The decoder's matrices in `precision`, its norms in f32.
fn decoder_bytes(config: &ModelConfig, stored: FloatFormat, precision: Precision) -> u64 {
    let text = &config.text;
    let (d, intermediate) = (text.hidden_size, text.intermediate_size);
    let queries = text.num_attention_heads * text.head_dim;
    let keys = text.num_key_value_heads * text.head_dim;
    let matrix = |rows: usize, cols: usize, embeddings: bool| {
        let format = precision.target(float(stored), cols, embeddings);
        format.row_bytes(cols).unwrap_or(0) as u64 * rows as u64
    };
    let layer = matrix(queries, d, false)
        + 2 * matrix(keys, d, false)
        + matrix(d, queries, false)
        + 2 * matrix(intermediate, d, false)
        + matrix(d, intermediate, false);
    let norms = (4 * d + 2 * text.head_dim) * size_of::<f32>();
    let tables = if text.tie_word_embeddings { 1 } else { 2 };
    text.num_hidden_layers as u64 * (layer + norms as u64)
        + tables * matrix(text.vocab_size, d, true)
}

/// Bytes of f32 numbers alive at once in the widest step, and of results that are kept from the steps before it.
///
/// A step of the decoder has for each row, be they of a chunk or one of each conversation, the residual stream, its
/// norm, gate, up and their product. It has logits for one position of each conversation, and once more those that a
/// token is being chosen from; where given answers are scored, for `scored` rows and for the token before them. A step
/// of the tower has the same of its MLP for all patches, and pixels and patches of the picture.
fn activation_bytes(config: &ModelConfig, workload: Workload, scored: usize) -> u64 {
    let text = &config.text;
    let rows = workload.prefill_chunk.min(workload.context);
    let rows = rows.max(workload.conversations);
    let row = 4 * text.hidden_size + 3 * text.intermediate_size;
    let step = |rows: usize, positions: usize| {
        let logits = bytes(positions.saturating_add(1), text.vocab_size);
        bytes(rows, row).saturating_add(logits)
    };
    let decoder = step(rows, workload.conversations.max(1)).max(step(scored, scored));
    let kept = reused_bytes(rows, text.hidden_size, text.num_hidden_layers);
    let vision = config.multimodal.as_ref().filter(|_| workload.images > 0);
    let Some(vision) = vision.map(|multimodal| &multimodal.vision) else {
        return decoder.saturating_add(kept);
    };
    let patches = vision.num_patches();
    let tower = bytes(
        patches,
        5 * vision.hidden_size + 2 * vision.intermediate_size,
    ) + bytes(
        2 * vision.num_channels,
        vision.image_size * vision.image_size,
    );
    let kept = kept + reused_bytes(patches, vision.hidden_size, vision.num_hidden_layers);
    decoder
        .max(tower)
        .saturating_add(kept.min(KEPT_BYTES as u64))
}

/// Results kept for the next ones: with bf16 weights up to two a layer were seen, which later ones did not fit into.
fn reused_bytes(rows: usize, width: usize, layers: usize) -> u64 {
    bytes(rows, width)
        .saturating_mul(2 * layers as u64)
        .min(KEPT_BYTES as u64)
}

/// Bytes of f32 numbers, so many rows of so many.
fn bytes(rows: usize, width: usize) -> u64 {
    [rows, width, size_of::<f32>()]
        .into_iter()
        .fold(1, |bytes, n| bytes.saturating_mul(n as u64))
}

#[cfg(test)]
mod tests;
