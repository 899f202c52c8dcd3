//! Both towers and what makes them one model: unit vectors, whose cosine is scaled and shifted to a
//! logit.
//!
//! Paper: SigLIP (Zhai et al. 2023, §3.2): a pair matches with probability σ(exp(t′) · x·y + b), each
//! pair on its own. Reference: `SiglipModel` of transformers 5.23, `models/siglip/modeling_siglip.py`.
//! Differences from CLIP: the logit has a bias, the image's vector comes from an attention-pooling
//! head without a projection, and only the text's is projected.

use medgemma_tensor::checkpoint::{Loader, Scope};
use medgemma_tensor::{Device, Tensor, check_f32, ops, vec_from};

use crate::config::SiglipConfig;
use crate::error::{Error, Result};
use crate::pooling::PoolingHead;
use crate::stage::Stage;
use crate::text::TextTower;
use crate::vision::VisionTower;

/// A SigLIP 1 model such as MedSigLIP: pictures and texts to vectors of one space.
///
/// Immutable, cheap to clone, usable from several threads.
#[derive(Debug, Clone)]
pub struct DualEncoder {
    config: SiglipConfig,
    vision_model: VisionTower,
    vision_head: PoolingHead,
    text_model: TextTower,
    logit_scale: f32,
    logit_bias: f32,
}

impl DualEncoder {
    /// Loads the model from the canonical keys of `loader`, which [`DUAL_RENAMES`] makes of the
    /// names in a file: `vision_model.…`, `text_model.…`, `logit_scale`, `logit_bias`.
    ///
    /// [`DUAL_RENAMES`]: crate::DUAL_RENAMES
    ///
    /// # Errors
    /// [`Error::Tensor`] if a weight is missing, misshaped or of a kind that cannot be loaded.
    pub fn load(loader: &mut Loader<'_>, config: SiglipConfig) -> Result<Self> {
        let mut scope = loader.scope("");
        let mut vision = scope.scope("vision_model");
        let vision_model = VisionTower::load(&mut vision, &config.vision_config)?;
        let vision_head = PoolingHead::load(&mut vision.scope("head"), &config.vision_config)?;
        let text_model = TextTower::load(&mut scope.scope("text_model"), &config.text_config)?;
        Ok(Self {
            vision_model,
            vision_head,
            text_model,
            logit_scale: number(&mut scope, "logit_scale")?,
            logit_bias: number(&mut scope, "logit_bias")?,
            config,
        })
    }

    /// Whether the model takes pictures of any size, see [`VisionTower::with_interpolation`].
    #[must_use]
    pub fn with_interpolation(mut self, interpolate: bool) -> Self {
        self.vision_model = self.vision_model.with_interpolation(interpolate);
        self
    }

    /// The configuration that the weights were loaded with.
    #[must_use]
    pub fn config(&self) -> &SiglipConfig {
        &self.config
    }

    /// The device of the weights; pixels must lie there too.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.vision_model.device()
    }

    /// What a cosine is multiplied by: `exp` of the checkpoint's `logit_scale`, about 110 in the
    /// published models.
    #[must_use]
    pub fn logit_scale(&self) -> f32 {
        self.logit_scale.exp()
    }

    /// What is added to the scaled cosine: the checkpoint's `logit_bias`, about −13 in the published
    /// models.
    #[must_use]
    pub fn logit_bias(&self) -> f32 {
        self.logit_bias
    }

    /// The vector of one picture.
    ///
    /// # Shapes
    /// - `pixels`: `[c, H, W]`, f32, normalised as the checkpoint's processor says (−1 to 1)
    /// - result: `[1, e]`, f32, of unit length; e is [`SiglipConfig::embedding_size`]
    ///
    /// # Errors
    /// As [`VisionTower::forward`].
    pub fn embed_image(&self, pixels: Tensor<3>) -> Result<Tensor<2>> {
        self.embed_image_observed(pixels, &mut |_, _| {})
    }

    /// [`embed_image`](Self::embed_image), showing the [`Stage`]s of tower and head on the way.
    ///
    /// # Errors
    /// As [`embed_image`](Self::embed_image).
    pub fn embed_image_observed(
        &self,
        pixels: Tensor<3>,
        observe: &mut dyn FnMut(Stage, &Tensor<2>),
    ) -> Result<Tensor<2>> {
        let patches = self.vision_model.forward_observed(pixels, observe)?;
        Ok(unit(self.vision_head.forward_observed(patches, observe)))
    }

    /// The vectors of texts.
    ///
    /// # Shapes
    /// - `texts`: m lists of token ids, padded as [`TextTower::forward`] says
    /// - result: `[m, e]`, f32, rows of unit length
    ///
    /// # Errors
    /// As [`TextTower::forward`].
    pub fn embed_texts(&self, texts: &[Vec<u32>]) -> Result<Tensor<2>> {
        self.embed_texts_observed(texts, &mut |_, _| {})
    }

    /// [`embed_texts`](Self::embed_texts), showing the [`Stage`]s as
    /// [`TextTower::forward_observed`] does.
    ///
    /// # Errors
    /// As [`embed_texts`](Self::embed_texts).
    pub fn embed_texts_observed(
        &self,
        texts: &[Vec<u32>],
        observe: &mut dyn FnMut(Stage, &Tensor<2>),
    ) -> Result<Tensor<2>> {
        Ok(unit(self.text_model.forward_observed(texts, observe)?))
    }

    /// How well each text fits each picture: `exp(logit_scale) · cosine + logit_bias`. Its sigmoid is
    /// the probability that the model was trained for, each pair on its own.
    ///
    /// # Shapes
    /// - `images`: `[n, e]`; `texts`: `[m, e]`; f32, rows of unit length, on this device
    /// - result: `[n, m]`, f32
    ///
    /// # Errors
    /// [`Error::EmbeddingShape`] for vectors of another width or none at all,
    /// [`Error::EmbeddingDevice`] for vectors of another device.
    pub fn logits_per_image(&self, images: Tensor<2>, texts: Tensor<2>) -> Result<Tensor<2>> {
        self.check(&images)?;
        self.check(&texts)?;
        let cosine = ops::inner_products(images, texts);
        Ok(cosine * self.logit_scale.exp() + self.logit_bias)
    }

    /// Whether `embeddings` can be compared at all.
    fn check(&self, embeddings: &Tensor<2>) -> Result<()> {
        let [rows, width] = embeddings.dims();
        let expected = self.config.embedding_size();
        if rows == 0 || width != expected {
            return Err(Error::EmbeddingShape {
                expected,
                found: [rows, width],
            });
        }
        let found = embeddings.device();
        if found != *self.device().as_burn() {
            return Err(Error::EmbeddingDevice {
                expected: self.device().to_string(),
                found: format!("{found:?}"),
            });
        }
        Ok(check_f32("embeddings", embeddings)?)
    }
}

/// The one number of the tensor `key`, published as `[1]`.
fn number(scope: &mut Scope<'_, '_>, key: &'static str) -> Result<f32> {
    let numbers = vec_from(scope.vector(key, 1)?, key)?;
    Ok(numbers[0])
}

/// Rows `[n, e]` divided by their length.
fn unit(x: Tensor<2>) -> Tensor<2> {
    let length = x.clone().square().sum_dim(1).sqrt();
    x / length
}
