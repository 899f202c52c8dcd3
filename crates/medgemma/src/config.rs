//! `config.json` and `generation_config.json` of a model directory.
//!
//! Defaults are those of `Gemma3Config` in transformers 5.23. The rule for a tied head is too: in a
//! multimodal config the outer `tie_word_embeddings` counts and the one in `text_config` does not.

use std::path::Path;

use medgemma_gemma3::TextConfig;
use medgemma_projector::ProjectorConfig;
use medgemma_siglip::VisionConfig;
use medgemma_tensor::checkpoint::{ConfigObject, read_json};
use medgemma_tensor::{FloatFormat, Result};
use medgemma_tokenizer::SpecialTokens;
use serde_json::Value;

/// Everything that a model directory says of its model before the weights.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelConfig {
    /// The decoder.
    pub text: TextConfig,
    /// How pictures enter it; `None` for a text model.
    pub multimodal: Option<MultimodalConfig>,
    /// What the checkpoint's authors propose for generation.
    pub generation: GenerationConfig,
    /// The format that the reference would compute in. Weights carry their own.
    pub dtype: Option<FloatFormat>,
    /// Keys of the files that have no known meaning, for a log.
    pub unknown_keys: Vec<String>,
}

/// The vision tower and the tokens that stand for pictures.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MultimodalConfig {
    /// The vision tower.
    pub vision: VisionConfig,
    /// Soft tokens per picture: a square to whose side the tower's grid can be pooled.
    pub mm_tokens_per_image: usize,
    /// `<start_of_image>`, before the soft tokens.
    pub boi_token_id: u32,
    /// `<end_of_image>`, after them.
    pub eoi_token_id: u32,
    /// `<image_soft_token>`, where the soft tokens go.
    pub image_token_id: u32,
}

/// Generation as the checkpoint proposes it. Kept as data: greedy decoding stays the default, as in
/// all official examples of MedGemma.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct GenerationConfig {
    /// Ids that end generation, from the first of `generation_config.json`, the outer config and
    /// `text_config` that has any.
    pub eos_token_ids: Vec<u32>,
    /// Whether the authors sample.
    pub do_sample: bool,
    /// Their temperature.
    pub temperature: Option<f64>,
    /// Their top-k.
    pub top_k: Option<usize>,
    /// Their top-p.
    pub top_p: Option<f64>,
}

/// Outer keys that have no influence on inference.
const WITHOUT_INFLUENCE: [&str; 14] = [
    "_attn_implementation_autoset",
    "_name_or_path",
    "architectures",
    "bos_token_id",
    "initializer_range",
    "is_encoder_decoder",
    "pad_token_id",
    "problem_type",
    "return_dict",
    "transformers_version",
    "unsloth_fixed",
    "unsloth_version",
    "use_cache",
    "vocab_size",
];

/// Keys of `generation_config.json` that do not change which tokens are chosen.
const GENERATION_WITHOUT_INFLUENCE: [&str; 8] = [
    "_from_model_config",
    "bos_token_id",
    "cache_implementation",
    "max_length",
    "max_new_tokens",
    "pad_token_id",
    "transformers_version",
    "use_cache",
];

impl ModelConfig {
    /// Reads the files in `dir`; `generation_config.json` may be missing.
    ///
    /// # Errors
    /// [`medgemma_tensor::Error`]: a file that cannot be read or is no JSON, or a key whose value
    /// this library cannot follow, by file and key.
    pub fn read(dir: &Path) -> Result<Self> {
        let file = dir.join("config.json");
        let mut config = Self::from_json(&file, &read_json(&file)?)?;
        let file = dir.join("generation_config.json");
        if file.exists() {
            config.read_generation(&file, &read_json(&file)?)?;
        }
        Ok(config)
    }

    /// Reads `config.json`, already parsed.
    pub(crate) fn from_json(file: &Path, value: &Value) -> Result<Self> {
        let mut raw = ConfigObject::new(file, "", value)?;
        match raw.text("model_type")? {
            Some("gemma3") => Self::of_multimodal(file, raw),
            Some("gemma3_text") => {
                let mut text = TextConfig::from_json(file, "", value)?;
                let unknown_keys = std::mem::take(&mut text.unknown_keys);
                let dtype = dtype(&mut raw)?;
                Ok(Self::new(text, None, dtype, unknown_keys))
            }
            _ => Err(raw.error("model_type", "`gemma3` or `gemma3_text`")),
        }
    }

    fn of_multimodal(file: &Path, mut raw: ConfigObject<'_>) -> Result<Self> {
        raw.ignore(&WITHOUT_INFLUENCE);
        if raw.some("quantization_config").is_some() {
            return Err(raw.error("quantization_config", "an unquantised checkpoint"));
        }
        check_part(&mut raw, "text_config", "gemma3_text")?;
        check_part(&mut raw, "vision_config", "siglip_vision_model")?;
        let defaults = Value::Object(serde_json::Map::new());
        let part = raw.some("text_config").unwrap_or(&defaults);
        let mut text = TextConfig::from_json(file, "text_config.", part)?;
        let part = raw.some("vision_config").unwrap_or(&defaults);
        let mut vision = VisionConfig::from_json(file, "vision_config.", part)?;
        text.tie_word_embeddings = raw.flag("tie_word_embeddings", true)?;
        if let Some(ids) = raw.ids("eos_token_id")? {
            text.eos_token_ids = ids;
        }
        let dtype = dtype(&mut raw)?;
        let mut unknown_keys = std::mem::take(&mut text.unknown_keys);
        unknown_keys.append(&mut vision.unknown_keys);
        let published = SpecialTokens::GEMMA3;
        let multimodal = MultimodalConfig {
            mm_tokens_per_image: tokens_per_image(&mut raw, &text, &vision)?,
            boi_token_id: image_id(
                &mut raw,
                ["boi_token_index", "boi_token_id"],
                published.start_of_image,
            )?,
            eoi_token_id: image_id(
                &mut raw,
                ["eoi_token_index", "eoi_token_id"],
                published.end_of_image,
            )?,
            image_token_id: image_id(
                &mut raw,
                ["image_token_index", "image_token_id"],
                published.image_soft_token,
            )?,
            vision,
        };
        unknown_keys.extend(raw.unknown());
        Ok(Self::new(text, Some(multimodal), dtype, unknown_keys))
    }

    fn new(
        text: TextConfig,
        multimodal: Option<MultimodalConfig>,
        dtype: Option<FloatFormat>,
        unknown_keys: Vec<String>,
    ) -> Self {
        let generation = GenerationConfig {
            eos_token_ids: text.eos_token_ids.clone(),
            ..GenerationConfig::default()
        };
        Self {
            text,
            multimodal,
            generation,
            dtype,
            unknown_keys,
        }
    }

    /// Takes over `generation_config.json`, already parsed.
    fn read_generation(&mut self, file: &Path, value: &Value) -> Result<()> {
        let mut raw = ConfigObject::new(file, "", value)?;
        raw.ignore(&GENERATION_WITHOUT_INFLUENCE);
        if let Some(ids) = raw.ids("eos_token_id")? {
            self.generation.eos_token_ids = ids;
        }
        self.generation.do_sample = raw.flag("do_sample", false)?;
        self.generation.temperature = not_negative(&mut raw, "temperature")?;
        self.generation.top_p = not_negative(&mut raw, "top_p")?;
        self.generation.top_k = match raw.some("top_k").and_then(Value::as_u64) {
            // 0 is how the reference writes "no limit".
            Some(0) => None,
            _ if raw.some("top_k").is_none() => None,
            _ => Some(raw.size("top_k", 1)?),
        };
        let unknown = raw.unknown().into_iter();
        self.unknown_keys
            .extend(unknown.map(|key| format!("generation_config.json: {key}")));
        Ok(())
    }

    /// The count of weights, as the published files total them.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let pictures = self.multimodal.as_ref().map_or(0, |mm| {
            let width = mm.vision.hidden_size as u64;
            let projector = width * self.text.hidden_size as u64 + width;
            mm.vision.parameters() + projector
        });
        self.text.parameters() + pictures
    }

    /// The published model that has this architecture, if any; weights may still be others.
    #[must_use]
    pub fn preset(&self) -> Option<&'static Preset> {
        PRESETS.iter().find(|preset| {
            preset.parameters == self.parameters()
                && preset.layers == self.text.num_hidden_layers
                && preset.multimodal == self.multimodal.is_some()
        })
    }
}

/// Fails if the sub-config `key` is there and of another kind than `kind`.
fn check_part(raw: &mut ConfigObject<'_>, key: &str, kind: &str) -> Result<()> {
    let Some(mut part) = raw.object(key)? else {
        return Ok(());
    };
    match part.text("model_type")? {
        Some(found) if found != kind => Err(part.error("model_type", format!("`{kind}`"))),
        _ => Ok(()),
    }
}

/// `dtype`, or `torch_dtype` as it was called until 2025.
fn dtype(raw: &mut ConfigObject<'_>) -> Result<Option<FloatFormat>> {
    let old = raw.text("torch_dtype")?;
    let (key, name) = match raw.text("dtype")? {
        None => ("torch_dtype", old),
        new => ("dtype", new),
    };
    match name {
        None | Some("auto") => Ok(None),
        Some("float32") => Ok(Some(FloatFormat::F32)),
        Some("float16") => Ok(Some(FloatFormat::F16)),
        Some("bfloat16") => Ok(Some(FloatFormat::Bf16)),
        Some(_) => Err(raw.error(key, "`float32`, `float16` or `bfloat16`")),
    }
}

/// A special token under the first of its two spellings that is there.
fn image_id(raw: &mut ConfigObject<'_>, keys: [&str; 2], default: Option<u32>) -> Result<u32> {
    let [index, id] = keys;
    // Looked at in any case: the other spelling of a known key is not an unknown key.
    let key = if raw.get(index).is_none() && raw.get(id).is_some() {
        id
    } else {
        index
    };
    raw.id(key, default)?
        .ok_or_else(|| raw.error(key, "a token id"))
}

/// `mm_tokens_per_image`, which the pooling must be able to produce.
fn tokens_per_image(
    raw: &mut ConfigObject<'_>,
    text: &TextConfig,
    vision: &VisionConfig,
) -> Result<usize> {
    let tokens = raw.size("mm_tokens_per_image", 256)?;
    let grid = vision.patches_per_side();
    let (width, eps) = (vision.hidden_size, vision.layer_norm_eps);
    match ProjectorConfig::new(width, text.hidden_size, grid, tokens, eps) {
        Ok(_) => Ok(tokens),
        Err(_) => Err(raw.error(
            "mm_tokens_per_image",
            format!("a square number to whose root the {grid} patches of a side can be pooled"),
        )),
    }
}

/// A number from 0, which files of greedy models have, or `None` for `null` or nothing.
fn not_negative(raw: &mut ConfigObject<'_>, key: &str) -> Result<Option<f64>> {
    match raw.some(key).map(Value::as_f64) {
        None => Ok(None),
        Some(Some(number)) if number >= 0.0 => Ok(Some(number)),
        Some(_) => Err(raw.error(key, "a number from 0")),
    }
}

/// A published model: what its config must add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preset {
    /// The names it is published under, on the Hugging Face hub.
    pub names: &'static [&'static str],
    /// Its count of weights.
    pub parameters: u64,
    /// Its count of decoder layers.
    pub layers: usize,
    /// Whether it takes pictures.
    pub multimodal: bool,
}

/// MedGemma as published, and the small Gemma 3 models of text. The counts of the MedGemmas agree with
/// the sizes of the published files (4B: 8 600 158 944 bytes in bf16).
pub const PRESETS: &[Preset] = &[
    Preset {
        names: &[
            "google/medgemma-4b-pt",
            "google/medgemma-4b-it",
            "google/medgemma-1.5-4b-it",
        ],
        parameters: 4_300_079_472,
        layers: 34,
        multimodal: true,
    },
    Preset {
        names: &["google/medgemma-27b-it"],
        parameters: 27_432_406_640,
        layers: 62,
        multimodal: true,
    },
    Preset {
        names: &["google/medgemma-27b-text-it"],
        parameters: 27_009_346_304,
        layers: 62,
        multimodal: false,
    },
    Preset {
        names: &["google/gemma-3-1b-pt", "google/gemma-3-1b-it"],
        parameters: 999_885_952,
        layers: 26,
        multimodal: false,
    },
    Preset {
        names: &["google/gemma-3-270m", "google/gemma-3-270m-it"],
        parameters: 268_098_176,
        layers: 18,
        multimodal: false,
    },
];

#[cfg(test)]
mod tests;
