//! The decoder's configuration, from `text_config` (or the whole `config.json` of a text model) in
//! the 2025 dialect (`rope_theta`, `rope_local_base_freq`, `rope_scaling`,
//! `sliding_window_pattern`) and that of transformers 5 (`rope_parameters`, `layer_types`).
//!
//! Defaults and the precedence between the dialects are those of `Gemma3TextConfig` in transformers
//! 5.23. One deviation: where the reference silently drops a value that would have changed the
//! mathematics (such as `rope_scaling` with the old key `type`), this is an error instead.

mod rope;

use std::path::Path;

use medgemma_tensor::Result;
use medgemma_tensor::checkpoint::{ConfigObject, MAX_CONFIG_LAYERS};
use serde_json::Value;

use rope::rope;

pub use rope::RopeParameters;

/// Which keys a layer sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LayerType {
    /// The last `sliding_window` positions ("local", `sliding_attention`).
    Sliding,
    /// All positions ("global", `full_attention`).
    Full,
}

/// A validated Gemma 3 decoder configuration. Fields carry the names of `config.json`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TextConfig {
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width between the feed-forward projections.
    pub intermediate_size: usize,
    /// Count of layers.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; divides `num_attention_heads`.
    pub num_key_value_heads: usize,
    /// Width of one head; even. Not `hidden_size / num_attention_heads` in general.
    pub head_dim: usize,
    /// Scores are multiplied by this to the power −1/2 (168 for 27B, whose `head_dim` is 128).
    pub query_pre_attn_scalar: f64,
    /// Positions that a sliding layer sees, its own included.
    pub sliding_window: usize,
    /// The kind of every layer; `num_hidden_layers` long.
    pub layer_types: Vec<LayerType>,
    /// Rotary embedding of sliding layers.
    pub rope_sliding: RopeParameters,
    /// Rotary embedding of full layers.
    pub rope_full: RopeParameters,
    /// Added to the mean square in every RMS norm.
    pub rms_norm_eps: f64,
    /// Longest context.
    pub max_position_embeddings: usize,
    /// Whether logits reuse the embedding. In a multimodal config the outer value rules.
    pub tie_word_embeddings: bool,
    /// Begins every text.
    pub bos_token_id: Option<u32>,
    /// Ends generation.
    pub eos_token_ids: Vec<u32>,
    /// Fills up shorter rows of a batch.
    pub pad_token_id: Option<u32>,
    /// Keys of the file that have no known meaning, for a log.
    pub unknown_keys: Vec<String>,
}

/// One sliding-window pattern: every sixth layer is full (report §2).
const SLIDING_WINDOW_PATTERN: usize = 6;

/// The tanh approximation of GELU under the names that the reference knows for it.
const GELU_TANH: [&str; 5] = [
    "gelu_pytorch_tanh",
    "gelu_python_tanh",
    "gelu_new",
    "gelu_fast",
    "gelu_accurate",
];

/// Keys that have no influence on inference.
const WITHOUT_INFLUENCE: [&str; 27] = [
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "cache_implementation",
    "chunk_size_feed_forward",
    "dtype",
    "id2label",
    "initializer_range",
    "is_decoder",
    "is_encoder_decoder",
    "label2id",
    "model_type",
    "output_attentions",
    "output_hidden_states",
    "problem_type",
    "return_dict",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "transformers.js_config",
    "unsloth_fixed",
    "unsloth_version",
    "use_cache",
    "use_return_dict",
    "pruned_heads",
];

impl TextConfig {
    /// Reads the decoder's part of a config, already parsed: `value` stands in `file` under
    /// `prefix` (`"text_config."`, or `""` for a text model).
    ///
    /// # Errors
    /// [`medgemma_tensor::Error::Config`], naming the key, for values of the wrong kind, sizes
    /// that do not fit together, and everything that this decoder would compute differently.
    pub fn from_json(file: &Path, prefix: &str, value: &Value) -> Result<Self> {
        let mut raw = ConfigObject::new(file, prefix, value)?;
        refuse_other_mathematics(&mut raw)?;
        raw.ignore(&WITHOUT_INFLUENCE);
        let num_hidden_layers = raw.count("num_hidden_layers", 26, MAX_CONFIG_LAYERS)?;
        let layer_types = layer_types(&mut raw, num_hidden_layers)?;
        let mut unknown_keys = Vec::new();
        let (rope_full, rope_sliding) = rope(&mut raw, &mut unknown_keys)?;
        let config = Self {
            vocab_size: raw.size("vocab_size", 262_208)?,
            hidden_size: raw.size("hidden_size", 2304)?,
            intermediate_size: raw.size("intermediate_size", 9216)?,
            num_hidden_layers,
            num_attention_heads: raw.size("num_attention_heads", 8)?,
            num_key_value_heads: raw.size("num_key_value_heads", 4)?,
            head_dim: raw.size("head_dim", 256)?,
            query_pre_attn_scalar: raw.positive("query_pre_attn_scalar", 256.0)?,
            sliding_window: sliding_window(&mut raw, &layer_types)?,
            layer_types,
            rope_sliding,
            rope_full,
            rms_norm_eps: raw.positive("rms_norm_eps", 1e-6)?,
            max_position_embeddings: raw.size("max_position_embeddings", 131_072)?,
            tie_word_embeddings: raw.flag("tie_word_embeddings", true)?,
            bos_token_id: raw.id("bos_token_id", Some(2))?,
            eos_token_ids: match raw.get("eos_token_id") {
                None => vec![1],
                Some(_) => raw.ids("eos_token_id")?.unwrap_or_default(),
            },
            pad_token_id: pad_token_id(&mut raw)?,
            unknown_keys,
        };
        config.check(&raw)?;
        let mut unknown_keys = raw.unknown();
        unknown_keys.extend(config.unknown_keys);
        Ok(Self {
            unknown_keys,
            ..config
        })
    }

    /// Sizes that must fit together.
    fn check(&self, raw: &ConfigObject<'_>) -> Result<()> {
        if !self
            .num_attention_heads
            .is_multiple_of(self.num_key_value_heads)
        {
            return Err(raw.error(
                "num_key_value_heads",
                format!("a divisor of {} attention heads", self.num_attention_heads),
            ));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(raw.error("head_dim", "an even number, whose halves are rotated"));
        }
        let widest = medgemma_tensor::checkpoint::MAX_CONFIG_SIZE;
        if self.num_attention_heads * self.head_dim > widest {
            return Err(raw.error(
                "num_attention_heads",
                format!(
                    "at most {widest} query columns in heads of {}",
                    self.head_dim
                ),
            ));
        }
        Ok(())
    }

    /// The positions that a layer of this kind sees; `None` for all.
    pub(crate) fn window(&self, kind: LayerType) -> Option<usize> {
        match kind {
            LayerType::Sliding => Some(self.sliding_window),
            LayerType::Full => None,
        }
    }

    /// The count of weights, the head's only if it is not tied.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let (h, hd) = (self.hidden_size as u64, self.head_dim as u64);
        let q = self.num_attention_heads as u64 * hd;
        let kv = self.num_key_value_heads as u64 * hd;
        let attention = 2 * h * q + 2 * h * kv + 2 * hd;
        let mlp = 3 * h * self.intermediate_size as u64;
        let layers = self.num_hidden_layers as u64 * (attention + mlp + 4 * h);
        let embedding = self.vocab_size as u64 * h;
        let head = if self.tie_word_embeddings {
            0
        } else {
            embedding
        };
        embedding + layers + h + head
    }
}

/// Keys whose other values would need another decoder.
fn refuse_other_mathematics(raw: &mut ConfigObject<'_>) -> Result<()> {
    for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
        if raw.some(key).is_some() {
            return Err(raw.error(key, "null: Gemma 3 has no soft-capping"));
        }
    }
    for key in ["attention_bias", "use_bidirectional_attention"] {
        if raw.flag(key, false)? {
            return Err(raw.error(key, "false: the decoder has no such variant"));
        }
    }
    // `hidden_act` is no key of this class, but a file that has it means something by it.
    for key in ["hidden_activation", "hidden_act"] {
        let name = raw.text(key)?.unwrap_or(GELU_TANH[0]);
        if !GELU_TANH.contains(&name) {
            return Err(raw.error(key, format!("`{}`", GELU_TANH[0])));
        }
    }
    if raw.some("quantization_config").is_some() {
        return Err(raw.error("quantization_config", "an unquantised checkpoint"));
    }
    Ok(())
}

/// `pad_token_id`; -1 is how some exporters write that there is none.
fn pad_token_id(raw: &mut ConfigObject<'_>) -> Result<Option<u32>> {
    match raw.get("pad_token_id").and_then(Value::as_i64) {
        Some(-1) => Ok(None),
        _ => raw.id("pad_token_id", Some(0)),
    }
}

/// `layer_types`, else the pattern.
fn layer_types(raw: &mut ConfigObject<'_>, layers: usize) -> Result<Vec<LayerType>> {
    let pattern = window_pattern(raw, "sliding_window_pattern", SLIDING_WINDOW_PATTERN)?;
    let saved_pattern = window_pattern(raw, "_sliding_window_pattern", pattern)?;
    let Some(list) = raw.some("layer_types") else {
        if saved_pattern != pattern {
            // The reference reads this key only to write it again.
            return Err(raw.error(
                "_sliding_window_pattern",
                format!("{pattern}, or the layers one by one in `layer_types`"),
            ));
        }
        let kind = |i: usize| {
            if i.is_multiple_of(pattern) {
                LayerType::Full
            } else {
                LayerType::Sliding
            }
        };
        return Ok((1..=layers).map(kind).collect());
    };
    let kind = |value: &Value| match value.as_str() {
        Some("sliding_attention") => Some(LayerType::Sliding),
        Some("full_attention") => Some(LayerType::Full),
        _ => None,
    };
    list.as_array()
        .filter(|list| list.len() == layers)
        .and_then(|list| list.iter().map(kind).collect())
        .ok_or_else(|| {
            raw.error(
                "layer_types",
                format!("{layers} times `sliding_attention` or `full_attention`"),
            )
        })
}

/// A pattern under `key`, which may be `null` only where the layers are listed.
fn window_pattern(raw: &mut ConfigObject<'_>, key: &str, default: usize) -> Result<usize> {
    let listed = raw.some("layer_types").is_some();
    if listed && raw.get(key).is_some_and(Value::is_null) {
        return Ok(default);
    }
    raw.size(key, default)
}

/// `sliding_window`, which may be `null` only where nothing slides.
fn sliding_window(raw: &mut ConfigObject<'_>, layer_types: &[LayerType]) -> Result<usize> {
    let nothing_slides = !layer_types.contains(&LayerType::Sliding);
    if nothing_slides && raw.get("sliding_window").is_some_and(Value::is_null) {
        return raw.size("max_position_embeddings", 131_072);
    }
    raw.size("sliding_window", 4096)
}

#[cfg(test)]
mod tests;
