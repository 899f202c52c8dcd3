//! The vision tower: patches with learned positions, encoder blocks, one last layer norm.
//!
//! Paper: ViT (Dosovitskiy et al. 2021, §3.1) as SigLIP trains it (Zhai et al. 2023, so400m shape
//! of Alabdulmohsin et al. 2023). Reference: `SiglipVisionTransformer` of transformers 5.23,
//! `models/siglip/modeling_siglip.py`. Differences from the ViT of the paper:
//!
//! - no class token: every row of the result is a patch;
//! - a last layer norm (`post_layernorm`) follows the blocks, and the pooling head, where a
//!   checkpoint has one, is a separate part;
//! - the GELU is the tanh form.

use medgemma_tensor::checkpoint::Scope;
use medgemma_tensor::{Device, Tensor, Weight, ops};

use crate::affine::LayerNorm;
use crate::config::VisionConfig;
use crate::encoder::{EncoderLayer, EncoderShape};
use crate::error::{Error, Result};

/// A point of the forward pass whose value [`VisionTower::forward_observed`] shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Projected patches plus their positions.
    Embeddings,
    /// The output of the encoder block with this index.
    Layer(usize),
    /// The result: after the last layer norm.
    PostLayernorm,
}

/// SigLIP's image encoder without a pooling head.
///
/// Immutable, cheap to clone, usable from several threads.
#[derive(Debug, Clone)]
pub struct VisionTower {
    embeddings: Embeddings,
    layers: Vec<EncoderLayer>,
    post_layernorm: LayerNorm,
    pixel_shape: [usize; 3],
    device: Device,
}

impl VisionTower {
    /// Loads the tower; `scope` stands where the keys `embeddings.…`, `encoder.…` and
    /// `post_layernorm.…` begin: `vision_tower` in Gemma 3.
    ///
    /// # Errors
    /// [`Error::Tensor`] if a weight is missing, misshaped or of a kind that cannot be loaded.
    pub fn load(scope: &mut Scope<'_, '_>, config: &VisionConfig) -> Result<Self> {
        let d = config.hidden_size;
        let shape = EncoderShape {
            width: d,
            intermediate: config.intermediate_size,
            heads: config.num_attention_heads,
            eps: config.layer_norm_eps,
        };
        let embeddings = Embeddings::load(&mut scope.scope("embeddings"), config)?;
        let layers = (0..config.num_hidden_layers)
            .map(|i| EncoderLayer::load(&mut scope.scope(&format!("encoder.layers.{i}")), shape))
            .collect::<Result<_>>()?;
        Ok(Self {
            embeddings,
            layers,
            post_layernorm: LayerNorm::load(scope, "post_layernorm", d, shape.eps)?,
            pixel_shape: [config.num_channels, config.image_size, config.image_size],
            device: scope.device().clone(),
        })
    }

    /// The device of the weights; pixels must lie there too.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Encodes one picture.
    ///
    /// # Shapes
    /// - `pixels`: `[c, H, W]`, f32, normalised as the checkpoint's processor says (−1 to 1)
    /// - result: `[patches, d]`, f32, patches row by row
    ///
    /// # Errors
    /// [`Error::PixelShape`] and [`Error::PixelDevice`] if `pixels` do not fit the model.
    pub fn forward(&self, pixels: Tensor<3>) -> Result<Tensor<2>> {
        self.forward_observed(pixels, &mut |_, _| {})
    }

    /// [`forward`](Self::forward), showing every [`Stage`] to `observe` on the way. All values are
    /// `[patches, d]`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_observed(
        &self,
        pixels: Tensor<3>,
        observe: &mut dyn FnMut(Stage, &Tensor<2>),
    ) -> Result<Tensor<2>> {
        self.check(&pixels)?;
        let mut x = self.embeddings.forward(pixels);
        observe(Stage::Embeddings, &x);
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(x);
            observe(Stage::Layer(i), &x);
        }
        let x = self.post_layernorm.forward(x);
        observe(Stage::PostLayernorm, &x);
        Ok(x)
    }

    /// Whether `pixels` can be encoded at all.
    fn check(&self, pixels: &Tensor<3>) -> Result<()> {
        if pixels.dims() != self.pixel_shape {
            return Err(Error::PixelShape {
                expected: self.pixel_shape,
                found: pixels.dims(),
            });
        }
        let found = pixels.device();
        if found != *self.device.as_burn() {
            return Err(Error::PixelDevice {
                expected: self.device.to_string(),
                found: format!("{found:?}"),
            });
        }
        Ok(())
    }
}

/// Patches to vectors, and where each patch lay.
#[derive(Debug, Clone)]
struct Embeddings {
    /// The published kernel `[d, c, patch, patch]` as `[d, c·patch·patch]`.
    patch_embedding: Weight,
    patch_embedding_bias: Tensor<1>,
    /// `[patches, d]`.
    position_embedding: Tensor<2>,
    patch_size: usize,
}

impl Embeddings {
    fn load(scope: &mut Scope<'_, '_>, config: &VisionConfig) -> Result<Self> {
        let (d, p) = (config.hidden_size, config.patch_size);
        let kernel = [d, config.num_channels, p, p];
        Ok(Self {
            patch_embedding: scope.weight_flattened("patch_embedding.weight", kernel)?,
            patch_embedding_bias: scope.vector("patch_embedding.bias", d)?,
            position_embedding: scope
                .tensor("position_embedding.weight", [config.num_patches(), d])?,
            patch_size: p,
        })
    }

    /// `[c, H, W]` → `[patches, d]`.
    fn forward(&self, pixels: Tensor<3>) -> Tensor<2> {
        let patches = ops::patch_embed(
            pixels,
            &self.patch_embedding,
            &self.patch_embedding_bias,
            self.patch_size,
        );
        patches + self.position_embedding.clone()
    }
}
