//! Patch features to soft tokens: average pooling, RMS norm, projection into the decoder's width.
//!
//! Paper: Gemma 3 technical report (2025), §2.1 ("vision encoder", 256 soft tokens a picture).
//! Reference: `Gemma3MultiModalProjector` of transformers 5.23, `models/gemma3/modeling_gemma3.py`.
//! Differences from the usual linear adapter: the grid is pooled before it is projected, the norm
//! multiplies by `1 + w`, and the weight is published `[in, out]`.

use medgemma_tensor::checkpoint::Scope;
use medgemma_tensor::{Device, Tensor, Weight, check_f32, ops};

use crate::config::ProjectorConfig;
use crate::error::{Error, Result};

/// A point of the forward pass whose value [`Projector::forward_observed`] shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Means of the pooling windows, `[tokens, vision d]`.
    Pooled,
    /// After the norm, `[tokens, vision d]`.
    Normed,
    /// The result, `[tokens, text d]`.
    SoftTokens,
}

/// Gemma 3's multimodal projector.
///
/// Immutable, cheap to clone, usable from several threads.
#[derive(Debug, Clone)]
pub struct Projector {
    /// `[vision d, text d]`, used as `x · W`.
    mm_input_projection_weight: Weight,
    /// `1 + mm_soft_emb_norm.weight`, `[vision d]`, summed in f32 as the reference does.
    mm_soft_emb_norm: Tensor<1>,
    config: ProjectorConfig,
    device: Device,
}

impl Projector {
    /// Loads the projector; `scope` stands at `multi_modal_projector`.
    ///
    /// # Errors
    /// Those of [`ProjectorConfig::check`], and [`Error::Tensor`] if a weight is missing,
    /// misshaped or of a kind that cannot be loaded.
    pub fn load(scope: &mut Scope<'_, '_>, config: &ProjectorConfig) -> Result<Self> {
        config.check()?;
        let (vision, text) = (config.vision_hidden_size, config.text_hidden_size);
        Ok(Self {
            mm_input_projection_weight: scope
                .weight("mm_input_projection_weight", [vision, text])?,
            mm_soft_emb_norm: scope.norm_gain("mm_soft_emb_norm.weight", vision)?,
            config: *config,
            device: scope.device().clone(),
        })
    }

    /// The sizes it was loaded with.
    #[must_use]
    pub fn config(&self) -> &ProjectorConfig {
        &self.config
    }

    /// The device of the weights; features must lie there too.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Soft tokens of one picture.
    ///
    /// # Shapes
    /// - `features`: `[patches, vision d]`, f32, patches row by row
    /// - result: `[mm_tokens_per_image, text d]`, f32, windows row by row
    ///
    /// # Errors
    /// [`Error::FeatureShape`], [`Error::FeatureDevice`] and [`medgemma_tensor::Error::NotF32`] if
    /// `features` do not fit.
    pub fn forward(&self, features: Tensor<2>) -> Result<Tensor<2>> {
        self.forward_observed(features, &mut |_, _| {})
    }

    /// [`forward`](Self::forward), showing every [`Stage`] to `observe` on the way.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_observed(
        &self,
        features: Tensor<2>,
        observe: &mut dyn FnMut(Stage, &Tensor<2>),
    ) -> Result<Tensor<2>> {
        self.check(&features)?;
        let (side, kernel) = (self.config.patches_per_side, self.config.kernel());
        let pooled = ops::pool_patches(features, side, kernel);
        observe(Stage::Pooled, &pooled);
        let normed = ops::rms_norm(pooled, &self.mm_soft_emb_norm, self.config.eps);
        observe(Stage::Normed, &normed);
        let tokens = ops::project(normed, &self.mm_input_projection_weight);
        observe(Stage::SoftTokens, &tokens);
        Ok(tokens)
    }

    /// Whether `features` are those of one picture on the right device.
    fn check(&self, features: &Tensor<2>) -> Result<()> {
        let side = self.config.patches_per_side;
        let expected = [side * side, self.config.vision_hidden_size];
        if features.dims() != expected {
            return Err(Error::FeatureShape {
                expected,
                found: features.dims(),
            });
        }
        let found = features.device();
        if found != *self.device.as_burn() {
            return Err(Error::FeatureDevice {
                expected: self.device.to_string(),
                found: format!("{found:?}"),
            });
        }
        Ok(check_f32("features", features)?)
    }
}
