//! Configurations: both towers' and that of the dual encoder which they make, from `config.json`.
//!
//! Reference: `configuration_siglip.py` of transformers 5.23, whose defaults fill in what a file
//! leaves out.

mod text;
mod vision;

use std::path::Path;

use medgemma_tensor::Result;
use medgemma_tensor::checkpoint::{ConfigObject, read_json};
use serde_json::{Map, Value};

pub use self::text::TextConfig;
pub use self::vision::VisionConfig;
use crate::encoder::EncoderShape;

/// A validated configuration of a SigLIP 1 dual encoder. Fields carry the names of `config.json`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SiglipConfig {
    /// The text tower.
    pub text_config: TextConfig,
    /// The vision tower and its pooling head.
    pub vision_config: VisionConfig,
    /// Keys of the file that have no known meaning, for a log.
    pub unknown_keys: Vec<String>,
}

/// The tanh approximation of GELU under the names that the reference knows for it.
const GELU_TANH: [&str; 5] = [
    "gelu_pytorch_tanh",
    "gelu_accurate",
    "gelu_python_tanh",
    "gelu_new",
    "gelu_fast",
];

/// Keys that have no influence on inference; `projection_dim` is left over from CLIP.
const WITHOUT_INFLUENCE: [&str; 13] = [
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "dtype",
    "initializer_factor",
    "initializer_range",
    "model_type",
    "projection_dim",
    "skip_vision",
    "torch_dtype",
    "transformers_version",
];

/// `model_type` of a SigLIP 1 model.
const MODEL_TYPE: &str = "siglip";

impl SiglipConfig {
    /// Reads `config.json` in `dir`.
    ///
    /// # Errors
    /// [`medgemma_tensor::Error::Io`] and its like for the file, and as
    /// [`from_json`](Self::from_json).
    pub fn read(dir: &Path) -> Result<Self> {
        let file = dir.join("config.json");
        Self::from_json(&file, &read_json(&file)?)
    }

    /// Reads a config, already parsed; `file` is where it stands, for messages.
    ///
    /// # Errors
    /// [`medgemma_tensor::Error::Config`], naming the key: as those of the towers; for another
    /// `model_type` than `siglip`; for a vision tower without its head, and for towers whose
    /// embeddings differ in width, since then nothing can be compared.
    pub fn from_json(file: &Path, value: &Value) -> Result<Self> {
        let mut raw = ConfigObject::new(file, "", value)?;
        if raw.text("model_type")?.is_some_and(|t| t != MODEL_TYPE) {
            return Err(raw.error("model_type", format!("`{MODEL_TYPE}` (SigLIP 1)")));
        }
        raw.ignore(&WITHOUT_INFLUENCE);
        // Without one, a tower is that of the class.
        let empty = Value::Object(Map::new());
        let text = raw.some("text_config").unwrap_or(&empty);
        let text_config = TextConfig::from_json(file, "text_config.", text)?;
        let vision = raw.some("vision_config").unwrap_or(&empty);
        let vision_config = VisionConfig::from_json(file, "vision_config.", vision)?;
        if !vision_config.vision_use_head {
            let raw = ConfigObject::new(file, "vision_config.", vision)?;
            let expected = "true: a picture's embedding is what the pooling head gives";
            return Err(raw.error("vision_use_head", expected));
        }
        if text_config.projection_size != vision_config.hidden_size {
            let raw = ConfigObject::new(file, "text_config.", text)?;
            let width = vision_config.hidden_size;
            let expected = format!("the width of a picture's embedding, {width}");
            return Err(raw.error("projection_size", expected));
        }
        let mut unknown_keys = raw.unknown();
        unknown_keys.extend_from_slice(&text_config.unknown_keys);
        unknown_keys.extend_from_slice(&vision_config.unknown_keys);
        Ok(Self {
            text_config,
            vision_config,
            unknown_keys,
        })
    }

    /// e, the width of both towers' embeddings: 1152 for MedSigLIP.
    #[must_use]
    pub fn embedding_size(&self) -> usize {
        self.text_config.projection_size
    }

    /// The count of weights, the two numbers of the logits included.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let vision = self.vision_config.parameters() + self.vision_config.head_parameters();
        vision + self.text_config.parameters() + 2
    }
}

/// The only activation that SigLIP was trained with.
fn check_activation(raw: &mut ConfigObject<'_>) -> Result<()> {
    match raw.text("hidden_act")? {
        Some(other) if !GELU_TANH.contains(&other) => {
            Err(raw.error("hidden_act", format!("`{}`", GELU_TANH[0])))
        }
        _ => Ok(()),
    }
}

/// Sizes of a tower's blocks that must fit together.
fn check_encoder(raw: &ConfigObject<'_>, shape: EncoderShape) -> Result<()> {
    if !shape.width.is_multiple_of(shape.heads) {
        let expected = format!("a divisor of the width {}", shape.width);
        return Err(raw.error("num_attention_heads", expected));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::path::Path;

    use medgemma_tensor::Error;
    use serde_json::{Value, json};

    use super::SiglipConfig;

    fn read(value: &Value) -> Result<SiglipConfig, Error> {
        SiglipConfig::from_json(Path::new("config.json"), value)
    }

    fn refused(value: Value, key: &str) {
        let message = read(&value).expect_err(&value.to_string()).to_string();
        assert!(message.contains(&format!("`{key}`")), "{message}");
    }

    /// Values of `SiglipConfig()` in transformers 5.23.0; google/siglip-base-patch16-224 says no
    /// more than this of itself.
    #[test]
    fn an_empty_config_is_siglip_base() {
        let sparse = json!({
            "model_type": "siglip",
            "text_config": {"model_type": "siglip_text_model"},
            "vision_config": {"model_type": "siglip_vision_model"},
        });
        for value in [
            json!({}),
            sparse,
            json!({"text_config": null, "vision_config": null}),
        ] {
            let config = read(&value).unwrap();
            let text = &config.text_config;
            assert_eq!((text.vocab_size, text.hidden_size), (32_000, 768));
            assert_eq!((text.intermediate_size, text.projection_size), (3072, 768));
            assert_eq!((text.num_hidden_layers, text.num_attention_heads), (12, 12));
            assert_eq!((text.max_position_embeddings, text.pad_token_id), (64, 1));
            assert_eq!(text.layer_norm_eps, 1e-6);
            assert!(config.unknown_keys.is_empty());
            assert_eq!(config.embedding_size(), 768);
        }
        // What the reference counts in `SiglipModel(SiglipConfig())`.
        assert_eq!(read(&json!({})).unwrap().parameters(), 203_155_970);
    }

    #[test]
    fn medsiglip_has_its_published_size() {
        let tower = json!({
            "hidden_size": 1152, "intermediate_size": 4304,
            "num_attention_heads": 16, "num_hidden_layers": 27,
        });
        let mut vision = tower.clone();
        vision["image_size"] = 448.into();
        vision["patch_size"] = 14.into();
        let config = read(&json!({"text_config": tower, "vision_config": vision})).unwrap();
        assert_eq!(config.text_config.parameters(), 449_734_896);
        assert_eq!(config.parameters(), 878_300_338);
    }

    #[test]
    fn what_is_no_siglip_1_or_does_not_fit_is_refused() {
        refused(json!([]), "");
        refused(json!({"model_type": "siglip2"}), "model_type");
        refused(json!({"text_config": 3}), "text_config");
        refused(
            json!({"vision_config": {"vision_use_head": false}}),
            "vision_config.vision_use_head",
        );
        let narrow = json!({"projection_size": 512});
        refused(
            json!({"text_config": narrow}),
            "text_config.projection_size",
        );
        let text = |key: &str, value: Value| {
            refused(
                json!({"text_config": {key: value}}),
                &format!("text_config.{key}"),
            );
        };
        text("num_attention_heads", json!(5));
        text("num_hidden_layers", json!(1 << 20));
        text("hidden_act", json!("gelu"));
        // Another approximation, by a sigmoid.
        text("hidden_act", json!("quick_gelu"));
        text("layer_norm_eps", json!(0));
        text("vocab_size", json!(0));
        text("max_position_embeddings", json!(null));
        text("pad_token_id", json!(32_000));
        text("projection_size", json!("wide"));
    }

    #[test]
    fn the_vocabulary_of_siglip_2_says_how_it_is_padded() {
        let config = |pad: Value| {
            json!({
                "model_type": "siglip",
                "text_config": {"vocab_size": 256_000, "pad_token_id": pad},
            })
        };
        for unsaid in [
            json!({"text_config": {"vocab_size": 256_000}}),
            config(json!(null)),
        ] {
            let message = read(&unsaid).unwrap_err().to_string();
            for part in ["`text_config.vocab_size`", "256000", "`pad_token_id`"] {
                assert!(message.contains(part), "`{part}` is not in: {message}");
            }
        }
        for pad in [0, 1] {
            let config = read(&config(json!(pad))).unwrap();
            assert_eq!(config.text_config.pad_token_id, pad);
        }
    }

    /// The classes of `activations.py` whose formula is the tanh approximation.
    #[test]
    fn the_activation_has_all_names_of_the_reference() {
        for name in [
            "gelu_pytorch_tanh",
            "gelu_accurate",
            "gelu_python_tanh",
            "gelu_new",
            "gelu_fast",
        ] {
            let config = json!({
                "text_config": {"hidden_act": name}, "vision_config": {"hidden_act": name},
            });
            assert!(read(&config).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_projection_may_have_its_own_width_and_null_is_none() {
        let config = json!({
            "text_config": {"hidden_size": 512, "num_attention_heads": 8, "projection_size": 768},
        });
        let config = read(&config).unwrap();
        assert_eq!(
            (config.text_config.hidden_size, config.embedding_size()),
            (512, 768)
        );
        let none = json!({"text_config": {"projection_size": null, "pad_token_id": null}});
        let none = read(&none).unwrap();
        assert_eq!(
            (none.embedding_size(), none.text_config.pad_token_id),
            (768, 1)
        );
    }

    #[test]
    fn unknown_keys_are_told_with_their_places() {
        let config = json!({
            "a": 1, "initializer_factor": 1.0,
            "text_config": {"b": 1, "eos_token_id": 49407}, "vision_config": {"c": 1},
        });
        let unknown = read(&config).unwrap().unknown_keys;
        assert_eq!(unknown, ["a", "text_config.b", "vision_config.c"]);
    }
}
