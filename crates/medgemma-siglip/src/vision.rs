//! The vision tower: patches with learned positions, encoder blocks, one last layer norm.
//!
//! Paper: ViT (Dosovitskiy et al. 2021, §3.1) as SigLIP trains it (Zhai et al. 2023, so400m shape
//! of Alabdulmohsin et al. 2023). Reference: `SiglipVisionTransformer` of transformers 5.23,
//! `models/siglip/modeling_siglip.py`. Differences from the ViT of the paper:
//!
//! - no class token: every row of the result is a patch;
//! - a last layer norm (`post_layernorm`) follows the blocks, and the pooling head, where a
//!   checkpoint has one, is a separate part (`pooling.rs`);
//! - the GELU is the tanh form.

use medgemma_tensor::checkpoint::Scope;
use medgemma_tensor::{Device, Tensor, Weight, check_f32, ops};

use crate::affine::LayerNorm;
use crate::config::VisionConfig;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::stage::Stage;

/// SigLIP's image encoder without a pooling head.
///
/// Immutable, cheap to clone, usable from several threads.
#[derive(Debug, Clone)]
pub struct VisionTower {
    embeddings: Embeddings,
    encoder: Encoder,
    post_layernorm: LayerNorm,
    pixel_shape: [usize; 3],
    interpolate: bool,
    device: Device,
}

impl VisionTower {
    /// Loads the tower; `scope` stands where the keys `embeddings.…`, `encoder.…` and
    /// `post_layernorm.…` begin: `vision_tower` in Gemma 3, `vision_model` in SigLIP.
    ///
    /// # Errors
    /// [`Error::Tensor`] if a weight is missing, misshaped or of a kind that cannot be loaded.
    pub fn load(scope: &mut Scope<'_, '_>, config: &VisionConfig) -> Result<Self> {
        let (d, eps) = (config.hidden_size, config.layer_norm_eps);
        Ok(Self {
            embeddings: Embeddings::load(&mut scope.scope("embeddings"), config)?,
            encoder: Encoder::load(&mut scope.scope("encoder"), config.encoder())?,
            post_layernorm: LayerNorm::load(scope, "post_layernorm", d, eps)?,
            pixel_shape: [config.num_channels, config.image_size, config.image_size],
            interpolate: false,
            device: scope.device().clone(),
        })
    }

    /// Whether pictures may have any size and side ratio: the learned positions are then
    /// interpolated to their grid of patches, bicubically (`interpolate_pos_encoding` of the
    /// reference). The weights are shared. Pixels at the right and at the bottom that fill no patch
    /// are not seen. Not by default.
    #[must_use]
    pub fn with_interpolation(mut self, interpolate: bool) -> Self {
        self.interpolate = interpolate;
        self
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
    /// [`Error::PixelShape`], [`Error::TooFewPixels`], [`Error::PixelDevice`] and
    /// [`medgemma_tensor::Error::NotF32`] if `pixels` do not fit the model.
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
        let x = self.embeddings.forward(pixels, &self.device);
        observe(Stage::Embeddings, &x);
        let x = self.encoder.forward(x, 1, observe);
        let x = self.post_layernorm.forward(x);
        observe(Stage::PostLayernorm, &x);
        Ok(x)
    }

    /// Whether `pixels` can be encoded at all.
    fn check(&self, pixels: &Tensor<3>) -> Result<()> {
        let found = pixels.dims();
        let (channels, patch) = (self.pixel_shape[0], self.embeddings.patch_size);
        if !self.interpolate && found != self.pixel_shape {
            return Err(Error::PixelShape {
                expected: self.pixel_shape,
                found,
            });
        }
        if found[0] != channels || found[1] < patch || found[2] < patch {
            return Err(Error::TooFewPixels {
                channels,
                patch,
                found,
            });
        }
        let found = pixels.device();
        if found != *self.device.as_burn() {
            return Err(Error::PixelDevice {
                expected: self.device.to_string(),
                found: format!("{found:?}"),
            });
        }
        Ok(check_f32("pixels", pixels)?)
    }
}

/// Patches to vectors, and where each patch lay.
#[derive(Debug, Clone)]
struct Embeddings {
    /// The published kernel `[d, c, patch, patch]` as `[d, c·patch·patch]`.
    patch_embedding: Weight,
    patch_embedding_bias: Tensor<1>,
    /// `[side·side, d]`.
    position_embedding: Tensor<2>,
    /// Patches along one side of the picture that the model was trained on.
    side: usize,
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
            side: config.patches_per_side(),
            patch_size: p,
        })
    }

    /// `[c, H, W]` → `[patches, d]`.
    fn forward(&self, pixels: Tensor<3>, device: &Device) -> Tensor<2> {
        let [_, height, width] = pixels.dims();
        let grid = [height, width].map(|pixels| pixels / self.patch_size);
        let patches = ops::patch_embed(
            pixels,
            &self.patch_embedding,
            &self.patch_embedding_bias,
            self.patch_size,
        );
        patches + self.positions(grid, device)
    }

    /// The positions of a grid of `[rows, columns]` patches, `[rows·columns, d]`.
    fn positions(&self, grid: [usize; 2], device: &Device) -> Tensor<2> {
        let learned = self.position_embedding.clone();
        if grid == [self.side, self.side] {
            return learned;
        }
        ops::interpolate_grid(learned, self.side, grid, device)
    }
}
