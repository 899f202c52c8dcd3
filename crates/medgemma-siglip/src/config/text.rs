//! The text tower's configuration, from `text_config`.
//!
//! Published files say little; what they leave out has the defaults of `SiglipTextConfig` in
//! transformers 5.23.

use std::path::Path;

use medgemma_tensor::Result;
use medgemma_tensor::checkpoint::{ConfigObject, MAX_CONFIG_LAYERS};
use serde_json::Value;

use super::{WITHOUT_INFLUENCE, check_activation, check_encoder};
use crate::encoder::EncoderShape;

/// A validated SigLIP text configuration. Fields carry the names of `config.json`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TextConfig {
    /// Rows of the embedding table.
    pub vocab_size: usize,
    /// Width of a token's vector.
    pub hidden_size: usize,
    /// Width between the feed-forward projections.
    pub intermediate_size: usize,
    /// Count of layers.
    pub num_hidden_layers: usize,
    /// Attention heads; divides `hidden_size`.
    pub num_attention_heads: usize,
    /// Tokens of a text, padding included.
    pub max_position_embeddings: usize,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
    /// Width of a text's embedding; `hidden_size` unless said otherwise.
    pub projection_size: usize,
    /// The id that fills a text up. In SigLIP it is the end of text, too.
    pub pad_token_id: u32,
    /// Keys of the file that have no known meaning, for a log.
    pub unknown_keys: Vec<String>,
}

/// Ids that the class took over from CLIP: the tokenizer has others, and the tower asks for neither.
const OF_CLIP: [&str; 2] = ["bos_token_id", "eos_token_id"];

/// `pad_token_id` of the class.
const PAD: u32 = 1;

/// Rows of SigLIP 2's embedding table, whose tokenizer is Gemma's: the class's padding is not its own.
/// Models of it for one resolution have SigLIP 1's towers, and may call themselves `siglip`.
const SIGLIP_2_VOCABULARY: usize = 256_000;

impl TextConfig {
    /// Reads the tower's part of a config, already parsed: `value` stands in `file` under `prefix`
    /// (`"text_config."`).
    ///
    /// # Errors
    /// [`medgemma_tensor::Error::Config`], naming the key, for values of the wrong kind, sizes
    /// that do not fit together, a padding outside of the vocabulary or, for SigLIP 2's vocabulary of
    /// 256 000, none, and an activation other than GELU's tanh approximation.
    pub fn from_json(file: &Path, prefix: &str, value: &Value) -> Result<Self> {
        let mut raw = ConfigObject::new(file, prefix, value)?;
        raw.ignore(&WITHOUT_INFLUENCE);
        raw.ignore(&OF_CLIP);
        check_activation(&mut raw)?;
        let hidden_size = raw.size("hidden_size", 768)?;
        let projection_size = match raw.some("projection_size") {
            Some(_) => raw.size("projection_size", hidden_size)?,
            None => hidden_size,
        };
        let config = Self {
            vocab_size: raw.size("vocab_size", 32_000)?,
            hidden_size,
            intermediate_size: raw.size("intermediate_size", 3072)?,
            num_hidden_layers: raw.count("num_hidden_layers", 12, MAX_CONFIG_LAYERS)?,
            num_attention_heads: raw.size("num_attention_heads", 12)?,
            max_position_embeddings: raw.size("max_position_embeddings", 64)?,
            layer_norm_eps: raw.positive("layer_norm_eps", 1e-6)?,
            projection_size,
            pad_token_id: raw.id("pad_token_id", Some(PAD))?.unwrap_or(PAD),
            unknown_keys: raw.unknown(),
        };
        if config.vocab_size == SIGLIP_2_VOCABULARY && raw.some("pad_token_id").is_none() {
            let expected = "another size, or `pad_token_id` beside it: this is SigLIP 2's vocabulary, \
                            which pads texts with 0, not with SigLIP 1's 1";
            return Err(raw.error("vocab_size", expected));
        }
        check_encoder(&raw, config.encoder())?;
        if config.pad_token_id as usize >= config.vocab_size {
            let expected = format!("an id below the vocabulary's {}", config.vocab_size);
            return Err(raw.error("pad_token_id", expected));
        }
        Ok(config)
    }

    /// What the blocks need to know.
    pub(crate) fn encoder(&self) -> EncoderShape {
        EncoderShape {
            layers: self.num_hidden_layers,
            width: self.hidden_size,
            intermediate: self.intermediate_size,
            heads: self.num_attention_heads,
            eps: self.layer_norm_eps,
        }
    }

    /// The count of weights.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let [h, p] = [self.hidden_size, self.projection_size].map(|n| n as u64);
        let rows = (self.vocab_size + self.max_position_embeddings) as u64;
        rows * h + self.encoder().parameters() + 2 * h + p * h + p
    }
}
