//! The decoder: scaled embeddings, the blocks, the final norm, the tied head.
//!
//! Differences from a plain Llama decoder, each where it lives:
//! - embeddings times √d, rounded to the weights' format: here, [`embedding_scale`]
//! - five local layers to one global, two rotary bases, factor 8 on global ones: `rope.rs`
//! - norms of queries and keys, scale from `query_pre_attn_scalar`: `attention.rs`
//! - four norms a layer, `1 + weight`: `block.rs`, `norm.rs`
//! - GELU (tanh) in the gate: `mlp.rs`
//! - rows of an image see each other both ways: `pass.rs`
//!
//! Reference: `Gemma3TextModel` and `Gemma3ForCausalLM` in transformers 5.23; Gemma 3 technical
//! report (arXiv 2503.19786) §2.

use medgemma_tensor::{Device, FloatFormat, KvPrecision, Tensor, Weight, ops};

use crate::block::Block;
use crate::cache::KvCache;
use crate::config::TextConfig;
use crate::error::Result;
use crate::norm::RmsNorm;
use crate::pass::{Lane, Pass};
use crate::rope::Rope;
use crate::segment::{Chunk, Segment, check, chunks};

/// Rows of one prefill pass unless asked otherwise: enough to make products compute-bound, small
/// enough that activations of the 27B stay below 100 MB.
pub const DEFAULT_CHUNK: usize = 512;

/// Rows at the end of a chunk for which the last block is computed whole where only the last one is
/// asked for: its other rows' keys and values are all that anything reads. So many, since fewer would
/// be multiplied in other kernels, which take block weights for less exact.
const LAST_ROWS: usize = 32;

/// A named point of the forward pass, for comparison with the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Scaled embeddings, with given embeddings in place.
    Embeddings,
    /// The residual stream after the layer with this index.
    Layer(usize),
    /// After the final norm.
    Norm,
}

/// The Gemma 3 decoder. Immutable, `Send + Sync`; all state is in [`KvCache`].
#[derive(Debug, Clone)]
pub struct Decoder {
    pub(crate) config: TextConfig,
    pub(crate) embed_tokens: Weight,
    pub(crate) layers: Vec<Block>,
    pub(crate) norm: RmsNorm,
    /// `None` when tied to `embed_tokens`.
    pub(crate) lm_head: Option<Weight>,
    pub(crate) rope: Rope,
    pub(crate) device: Device,
    pub(crate) kv_precision: KvPrecision,
}

impl Decoder {
    /// The configuration that the weights were loaded with.
    #[must_use]
    pub fn config(&self) -> &TextConfig {
        &self.config
    }

    /// Where the weights are.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Caches keys and values in this precision from now on; caches that exist stay as they are.
    #[must_use]
    pub fn with_kv_precision(mut self, precision: KvPrecision) -> Self {
        self.kv_precision = precision;
        self
    }

    /// How [`Decoder::new_cache`] holds keys and values.
    #[must_use]
    pub fn kv_precision(&self) -> KvPrecision {
        self.kv_precision
    }

    /// A fresh, empty state. It allocates nothing until the first token.
    #[must_use]
    pub fn new_cache(&self) -> KvCache {
        let layers = self.layers.iter();
        let arithmetic = layers.map(|block| block.self_attn.kv_arithmetic());
        KvCache::new(&self.config, arithmetic, self.kv_precision)
    }

    /// Reads a prompt into `cache`, in chunks of about `chunk` rows, and predicts its next token.
    ///
    /// `progress` is told (rows done, rows in all) after each chunk; returning `false` stops there,
    /// and the result is `None`.
    ///
    /// # Shapes
    /// - result: `[1, v]`, logits of the last position
    ///
    /// # Errors
    /// [`crate::Error::EmptyPrompt`], [`crate::Error::TokenOutOfRange`], [`crate::Error::EmbeddingShape`],
    /// [`crate::Error::EmbeddingDevice`], [`medgemma_tensor::Error::NotF32`] of embeddings,
    /// [`crate::Error::ForeignCache`] and [`crate::Error::ContextOverflow`], all before any work.
    pub fn prefill(
        &self,
        prompt: &[Segment],
        cache: &mut KvCache,
        chunk: usize,
        progress: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Tensor<2>>> {
        self.check_prompt(prompt, cache, 0)?;
        let (mut done, total) = (0, Segment::total(prompt));
        let mut last = None;
        for chunk in chunks(prompt, chunk.max(1)) {
            let asked = chunk.rows.min(LAST_ROWS);
            let hidden = self.run(&chunk, cache, asked, &mut |_, _| {});
            done += chunk.rows;
            last = Some(hidden.narrow(0, asked - 1, 1));
            if !progress(done, total) {
                return Ok(None);
            }
        }
        Ok(last.map(|hidden| self.head(hidden)))
    }

    /// Reads a prompt into `cache` and returns the logits of every position of it.
    ///
    /// # Shapes
    /// - result: `[t, v]`; v is large, so ask only where each position matters
    ///
    /// # Errors
    /// As [`Decoder::prefill`].
    pub fn logits_of_all(
        &self,
        prompt: &[Segment],
        cache: &mut KvCache,
        chunk: usize,
    ) -> Result<Tensor<2>> {
        self.observe(prompt, cache, chunk, &mut |_, _| {})
    }

    /// As [`Decoder::logits_of_all`], showing each [`Stage`] `[t, d]` of each chunk on the way.
    ///
    /// # Errors
    /// As [`Decoder::prefill`].
    pub fn observe(
        &self,
        prompt: &[Segment],
        cache: &mut KvCache,
        chunk: usize,
        observer: &mut dyn FnMut(Stage, &Tensor<2>),
    ) -> Result<Tensor<2>> {
        self.check_prompt(prompt, cache, 0)?;
        let chunks = chunks(prompt, chunk.max(1));
        let logits = chunks
            .iter()
            .map(|chunk| self.head(self.run(chunk, cache, chunk.rows, observer)));
        Ok(Tensor::cat(logits.collect(), 0))
    }

    /// Reads one token into each of several caches and predicts the next of each.
    ///
    /// # Shapes
    /// - `ids`: b ids, one for each of the b `caches`
    /// - result: `[b, v]`
    ///
    /// # Errors
    /// [`crate::Error::TokenOutOfRange`]; [`crate::Error::ForeignCache`]; [`crate::Error::ContextOverflow`] when a cache is
    /// full.
    ///
    /// # Panics
    /// When there are not as many ids as caches.
    pub fn decode(&self, ids: &[u32], caches: &mut [&mut KvCache]) -> Result<Tensor<2>> {
        assert_eq!(ids.len(), caches.len(), "one token for each cache");
        let tokens = [Segment::Tokens(ids.to_vec())];
        self.check_segments(&tokens)?;
        for cache in caches.iter() {
            self.check_context(cache, 1, 0)?;
        }
        let lanes = caches.iter_mut().map(|cache| Lane {
            cache,
            rows: 1,
            spans: Vec::new(),
        });
        let x = self.embed(&tokens);
        Ok(self.head(self.blocks(x, lanes.collect(), ids.len(), &mut |_, _| {})))
    }

    /// Reads `ids` into `cache` in one pass and predicts what follows each of them: `[t, v]`.
    pub(crate) fn read_each(&self, ids: &[u32], cache: &mut KvCache) -> Result<Tensor<2>> {
        let rows = [Segment::Tokens(ids.to_vec())];
        self.check_prompt(&rows, cache, 0)?;
        let lane = Lane {
            rows: ids.len(),
            spans: Vec::new(),
            cache,
        };
        let x = self.embed(&rows);
        Ok(self.head(self.blocks(x, vec![lane], ids.len(), &mut |_, _| {})))
    }

    /// Refuses a prompt that is malformed or, with its answer, too long: before any work.
    pub(crate) fn check_prompt(
        &self,
        prompt: &[Segment],
        cache: &KvCache,
        max_new_tokens: usize,
    ) -> Result<()> {
        self.check_segments(prompt)?;
        self.check_context(cache, Segment::total(prompt), max_new_tokens)
    }

    fn check_segments(&self, prompt: &[Segment]) -> Result<()> {
        let [vocab_size, width] = self.embed_tokens.dims();
        check(prompt, vocab_size, width, &self.device)
    }

    /// Refuses a cache of another decoder, and one that has no room for so much.
    fn check_context(&self, cache: &KvCache, prompt: usize, max_new_tokens: usize) -> Result<()> {
        cache.check(&self.config, &self.device)?;
        let config = &self.config;
        config.check_context(cache.len(), prompt, max_new_tokens)
    }

    /// One chunk through embeddings, blocks and final norm: its last rows, `[asked, d]`.
    fn run(
        &self,
        chunk: &Chunk,
        cache: &mut KvCache,
        asked: usize,
        observer: &mut dyn FnMut(Stage, &Tensor<2>),
    ) -> Tensor<2> {
        let lane = Lane {
            rows: chunk.rows,
            spans: chunk.spans(cache.len()),
            cache,
        };
        let x = self.embed(&chunk.segments);
        self.blocks(x, vec![lane], asked, observer)
    }

    /// Scaled rows of the tokens; given embeddings enter as they are.
    fn embed(&self, segments: &[Segment]) -> Tensor<2> {
        let scale = embedding_scale(self.config.hidden_size, self.embed_tokens.published());
        let parts = segments.iter().map(|segment| match segment {
            Segment::Tokens(ids) => ops::embed_rows(&self.embed_tokens, ids, &self.device) * scale,
            Segment::Embeddings(rows) => rows.clone(),
        });
        ops::concat(parts.collect(), 0)
    }

    /// The blocks and the final norm: the last rows, `[asked, d]`; of several lanes all.
    fn blocks(
        &self,
        x: Tensor<2>,
        lanes: Vec<Lane<'_>>,
        asked: usize,
        observer: &mut dyn FnMut(Stage, &Tensor<2>),
    ) -> Tensor<2> {
        let mut pass = Pass::new(lanes, &self.config, &self.rope, &self.device);
        observer(Stage::Embeddings, &x);
        let mut x = x;
        for (index, block) in self.layers.iter().enumerate() {
            let is_last = index + 1 == self.layers.len();
            let rows = if is_last { asked } else { x.dims()[0] };
            x = block.forward(x, rows, index, &mut pass);
            observer(Stage::Layer(index), &x);
        }
        pass.finish();
        let x = self.norm.forward(x);
        observer(Stage::Norm, &x);
        x
    }

    fn head(&self, hidden: Tensor<2>) -> Tensor<2> {
        ops::logits(hidden, self.lm_head.as_ref().unwrap_or(&self.embed_tokens))
    }
}

/// √d rounded to the format of the published embedding table, as the reference rounds it: 50.5 for
/// bf16 at d = 2560, where √2560 = 50.596.
///
/// Reference: `Gemma3TextScaledWordEmbedding` in transformers 5.23.
pub(crate) fn embedding_scale(width: usize, published: FloatFormat) -> f32 {
    published.round((width as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use medgemma_tensor::FloatFormat;

    use super::embedding_scale;

    #[test]
    fn the_embedding_scale_is_rounded_as_the_weights_are() {
        assert_eq!(
            embedding_scale(2560, FloatFormat::Bf16).to_bits(),
            50.5_f32.to_bits()
        );
        assert_eq!(
            embedding_scale(5376, FloatFormat::Bf16).to_bits(),
            73.5_f32.to_bits()
        );
        assert!((embedding_scale(2560, FloatFormat::F32) - 50.596_443).abs() < 1e-5);
    }
}
