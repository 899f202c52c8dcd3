//! The vision tower's configuration, from `vision_config`.
//!
//! Gemma 3 publishes a minimal one; what it leaves out has the defaults of `SiglipVisionConfig` in
//! transformers 5.23 (those of SigLIP base, not of the tower that Gemma uses).

use std::path::Path;

use medgemma_tensor::Result;
use medgemma_tensor::checkpoint::{ConfigObject, MAX_CONFIG_LAYERS};
use serde_json::Value;

use super::{WITHOUT_INFLUENCE, check_activation, check_encoder};
use crate::encoder::{EncoderShape, Mlp};

/// Colour channels beyond any picture's.
const MOST_CHANNELS: usize = 1 << 10;

/// A validated SigLIP vision configuration. Fields carry the names of `config.json`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct VisionConfig {
    /// Width of a patch's vector.
    pub hidden_size: usize,
    /// Width between the feed-forward projections.
    pub intermediate_size: usize,
    /// Count of layers.
    pub num_hidden_layers: usize,
    /// Attention heads; divides `hidden_size`.
    pub num_attention_heads: usize,
    /// Colour channels.
    pub num_channels: usize,
    /// Side of the square image, in pixels.
    pub image_size: usize,
    /// Side of a square patch, in pixels, at most `image_size`. What it leaves over of a picture at
    /// the right and at the bottom is not seen: 384 pixels are 27 patches of 14, and 6 pixels.
    pub patch_size: usize,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
    /// Whether the tower ends in the attention-pooling head. Gemma 3 never uses it, and says so.
    pub vision_use_head: bool,
    /// Keys of the file that have no known meaning, for a log.
    pub unknown_keys: Vec<String>,
}

impl VisionConfig {
    /// Reads the tower's part of a config, already parsed: `value` stands in `file` under `prefix`
    /// (`"vision_config."`).
    ///
    /// # Errors
    /// [`medgemma_tensor::Error::Config`], naming the key, for values of the wrong kind, sizes
    /// that do not fit together, and an activation other than GELU's tanh approximation.
    pub fn from_json(file: &Path, prefix: &str, value: &Value) -> Result<Self> {
        let mut raw = ConfigObject::new(file, prefix, value)?;
        raw.ignore(&WITHOUT_INFLUENCE);
        check_activation(&mut raw)?;
        let config = Self {
            hidden_size: raw.size("hidden_size", 768)?,
            intermediate_size: raw.size("intermediate_size", 3072)?,
            num_hidden_layers: raw.count("num_hidden_layers", 12, MAX_CONFIG_LAYERS)?,
            num_attention_heads: raw.size("num_attention_heads", 12)?,
            num_channels: raw.count("num_channels", 3, MOST_CHANNELS)?,
            image_size: side(&mut raw, "image_size", 224)?,
            patch_size: side(&mut raw, "patch_size", 16)?,
            layer_norm_eps: raw.positive("layer_norm_eps", 1e-6)?,
            vision_use_head: raw.flag("vision_use_head", true)?,
            unknown_keys: raw.unknown(),
        };
        config.check(&raw)?;
        Ok(config)
    }

    /// Sizes that must fit together.
    fn check(&self, raw: &ConfigObject<'_>) -> Result<()> {
        check_encoder(raw, self.encoder())?;
        if self.patch_size > self.image_size {
            let expected = format!("at most the image's side {}", self.image_size);
            return Err(raw.error("patch_size", expected));
        }
        Ok(())
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

    /// Patches along one side of the image (64 for Gemma 3).
    #[must_use]
    pub fn patches_per_side(&self) -> usize {
        self.image_size / self.patch_size
    }

    /// Patches of an image, which is also the count of vectors that the tower gives.
    #[must_use]
    pub fn num_patches(&self) -> usize {
        self.patches_per_side() * self.patches_per_side()
    }

    /// Width of one attention head.
    #[must_use]
    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// The count of weights, without the attention-pooling head.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let h = self.hidden_size as u64;
        let pixels = (self.patch_size * self.patch_size) as u64 * self.num_channels as u64;
        let patches = self.num_patches() as u64;
        h * pixels + h + patches * h + self.encoder().parameters() + 2 * h
    }

    /// The count of weights of the attention-pooling head.
    #[must_use]
    pub fn head_parameters(&self) -> u64 {
        let [h, i] = [self.hidden_size, self.intermediate_size].map(|n| n as u64);
        let (probe, attention, norm) = (h, 4 * (h * h + h), 2 * h);
        probe + attention + norm + Mlp::parameters(h, i)
    }
}

/// A side in pixels, given as one number or as two equal ones.
fn side(raw: &mut ConfigObject<'_>, key: &str, default: usize) -> Result<usize> {
    /// A side beyond any image that a tower takes; the weights of its patches stay inside 64 bits.
    const LONGEST: u64 = 1 << 13;
    let Some(value) = raw.get(key) else {
        return Ok(default);
    };
    let one = match value.as_array().map(Vec::as_slice) {
        Some([a, b]) if a == b => a,
        _ => value,
    };
    one.as_u64()
        .filter(|n| (1..=LONGEST).contains(n))
        .and_then(|n| usize::try_from(n).ok())
        .ok_or_else(|| raw.error(key, "the side of a square, in pixels"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::path::Path;

    use medgemma_tensor::Error;
    use serde_json::{Value, json};

    use super::VisionConfig;

    fn read(value: &Value) -> Result<VisionConfig, Error> {
        VisionConfig::from_json(Path::new("config.json"), "vision_config.", value)
    }

    fn refused(value: Value, key: &str) {
        let error = read(&value).expect_err(&value.to_string());
        let message = error.to_string();
        assert!(
            message.contains(&format!("`vision_config.{key}`")),
            "{message}"
        );
    }

    /// Values of `SiglipVisionConfig()` in transformers 5.23.0.
    #[test]
    fn an_empty_config_has_the_class_defaults() {
        let config = read(&json!({})).unwrap();
        assert_eq!((config.hidden_size, config.intermediate_size), (768, 3072));
        assert_eq!(
            (config.num_hidden_layers, config.num_attention_heads),
            (12, 12)
        );
        assert_eq!(
            (config.image_size, config.patch_size, config.num_channels),
            (224, 16, 3)
        );
        assert!(config.vision_use_head);
        assert_eq!(config.layer_norm_eps, 1e-6);
    }

    #[test]
    fn the_tower_of_gemma_3_has_its_published_size() {
        let config = read(&json!({
            "hidden_size": 1152, "image_size": 896, "intermediate_size": 4304,
            "model_type": "siglip_vision_model", "num_attention_heads": 16,
            "num_hidden_layers": 27, "patch_size": 14, "vision_use_head": false
        }))
        .unwrap();
        assert_eq!(config.parameters(), 416_866_032);
        assert_eq!((config.num_patches(), config.head_dim()), (4096, 72));
        assert!(!config.vision_use_head);
        assert!(config.unknown_keys.is_empty());
    }

    #[test]
    fn a_square_may_be_given_by_both_sides() {
        let config = read(&json!({"image_size": [448, 448], "patch_size": [14, 14]})).unwrap();
        assert_eq!(config.patches_per_side(), 32);
        refused(json!({"image_size": [8, 9]}), "image_size");
        refused(json!({"image_size": 1 << 20}), "image_size");
    }

    #[test]
    fn pixels_that_fill_no_patch_are_left_over() {
        let config = read(&json!({"image_size": 384, "patch_size": 14})).unwrap();
        assert_eq!((config.patches_per_side(), config.num_patches()), (27, 729));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        refused(json!({"num_attention_heads": 5}), "num_attention_heads");
        refused(json!({"patch_size": 225}), "patch_size");
        refused(json!({"patch_size": 0}), "patch_size");
        refused(json!({"hidden_act": "gelu"}), "hidden_act");
        refused(json!({"num_hidden_layers": 1 << 20}), "num_hidden_layers");
        refused(json!({"layer_norm_eps": -1.0}), "layer_norm_eps");
    }

    #[test]
    fn unknown_keys_are_told() {
        let config = read(&json!({"surprise": 1})).unwrap();
        assert_eq!(config.unknown_keys, ["vision_config.surprise"]);
    }
}
