//! The text tower: tokens with learned positions, encoder blocks, one vector from the last position.
//!
//! Paper: SigLIP (Zhai et al. 2023, §3). Reference: `SiglipTextModel` of transformers 5.23,
//! `models/siglip/modeling_siglip.py`. Differences from CLIP's text tower, which it is often taken
//! for:
//!
//! - every text is padded to the full length, and the padding is seen: there is no mask at all;
//! - the vector comes from the last position, be it padding, and not from where the text ends;
//! - the projection that follows has a bias.

use medgemma_tensor::checkpoint::Scope;
use medgemma_tensor::{Device, Tensor, Weight, ops};

use crate::affine::{LayerNorm, Linear};
use crate::config::TextConfig;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::stage::Stage;

/// SigLIP's text encoder with its projection.
///
/// Immutable, cheap to clone, usable from several threads.
#[derive(Debug, Clone)]
pub struct TextTower {
    embeddings: Embeddings,
    encoder: Encoder,
    final_layer_norm: LayerNorm,
    head: Linear,
    config: TextConfig,
    device: Device,
}

impl TextTower {
    /// Texts that run through the blocks together: 16 of 64 tokens are as many rows as the patches of
    /// MedSigLIP's picture, enough to read each weight once for many products.
    pub const TEXTS_AT_ONCE: usize = 16;

    /// Loads the tower; `scope` stands where the keys `embeddings.…`, `encoder.…`,
    /// `final_layer_norm.…` and `head.…` begin: `text_model`.
    ///
    /// # Errors
    /// [`Error::Tensor`] if a weight is missing, misshaped or of a kind that cannot be loaded.
    pub fn load(scope: &mut Scope<'_, '_>, config: &TextConfig) -> Result<Self> {
        let d = config.hidden_size;
        Ok(Self {
            embeddings: Embeddings::load(&mut scope.scope("embeddings"), config)?,
            encoder: Encoder::load(&mut scope.scope("encoder"), config.encoder())?,
            final_layer_norm: LayerNorm::load(scope, "final_layer_norm", d, config.layer_norm_eps)?,
            head: Linear::load(scope, "head", config.projection_size, d)?,
            config: config.clone(),
            device: scope.device().clone(),
        })
    }

    /// The device of the weights.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Encodes texts. Each is padded with [`TextConfig::pad_token_id`] to
    /// [`TextConfig::max_position_embeddings`] tokens (1 and 64): the model was trained on nothing
    /// else, so there is no way to leave the padding out. Ids that already have the full length are
    /// taken as they are, whatever they are padded with.
    ///
    /// # Shapes
    /// - `texts`: m lists of token ids, the end of text included
    /// - result: `[m, projection_size]`, f32, not of unit length
    ///
    /// # Errors
    /// [`Error::NoTexts`], [`Error::TextTooLong`] and [`Error::TokenOutOfRange`], before any work.
    pub fn forward(&self, texts: &[Vec<u32>]) -> Result<Tensor<2>> {
        self.forward_observed(texts, &mut |_, _| {})
    }

    /// [`forward`](Self::forward), showing [`Stage`]s on the way. Texts are encoded 16 at a time,
    /// and each group shows its stages, the rows of its texts one after the other.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_observed(
        &self,
        texts: &[Vec<u32>],
        observe: &mut dyn FnMut(Stage, &Tensor<2>),
    ) -> Result<Tensor<2>> {
        self.check(texts)?;
        let groups = texts.chunks(Self::TEXTS_AT_ONCE);
        let pooled = groups.map(|group| self.encode(group, observe)).collect();
        Ok(Tensor::cat(pooled, 0))
    }

    /// A group of texts → `[b, projection_size]`.
    fn encode(&self, texts: &[Vec<u32>], observe: &mut dyn FnMut(Stage, &Tensor<2>)) -> Tensor<2> {
        let (b, t) = (texts.len(), self.config.max_position_embeddings);
        let x = self
            .embeddings
            .forward(&self.padded(texts), b, &self.device);
        observe(Stage::Embeddings, &x);
        let x = self.encoder.forward(x, b, observe);
        let x = self.final_layer_norm.forward(x);
        observe(Stage::FinalLayerNorm, &x);
        let [_, d] = x.dims();
        let last = x.reshape([b, t, d]).narrow(1, t - 1, 1).reshape([b, d]);
        let pooled = self.head.forward(last);
        observe(Stage::Pooled, &pooled);
        pooled
    }

    /// The ids of all texts in full length, one after the other.
    fn padded(&self, texts: &[Vec<u32>]) -> Vec<u32> {
        let (pad, length) = (
            self.config.pad_token_id,
            self.config.max_position_embeddings,
        );
        let padded = |text: &Vec<u32>| {
            let padding = std::iter::repeat_n(pad, length - text.len());
            text.iter().copied().chain(padding).collect::<Vec<_>>()
        };
        texts.iter().flat_map(padded).collect()
    }

    /// Whether `texts` can be encoded at all.
    fn check(&self, texts: &[Vec<u32>]) -> Result<()> {
        let limit = self.config.max_position_embeddings;
        let vocab_size = self.config.vocab_size;
        if texts.is_empty() {
            return Err(Error::NoTexts);
        }
        for (text, ids) in texts.iter().enumerate() {
            if ids.len() > limit {
                let tokens = ids.len();
                return Err(Error::TextTooLong {
                    text,
                    tokens,
                    limit,
                });
            }
            if let Some(position) = ids.iter().position(|&id| id as usize >= vocab_size) {
                return Err(Error::TokenOutOfRange {
                    text,
                    position,
                    id: ids[position],
                    vocab_size,
                });
            }
        }
        Ok(())
    }
}

/// Tokens to vectors, and where in the text each stood.
#[derive(Debug, Clone)]
struct Embeddings {
    /// `[v, d]`.
    token_embedding: Weight,
    /// `[t, d]`, t the full length.
    position_embedding: Tensor<2>,
}

impl Embeddings {
    fn load(scope: &mut Scope<'_, '_>, config: &TextConfig) -> Result<Self> {
        let (v, t, d) = (
            config.vocab_size,
            config.max_position_embeddings,
            config.hidden_size,
        );
        Ok(Self {
            token_embedding: scope.weight("token_embedding.weight", [v, d])?,
            position_embedding: scope.tensor("position_embedding.weight", [t, d])?,
        })
    }

    /// b·t ids of b texts → `[b·t, d]`.
    fn forward(&self, ids: &[u32], b: usize, device: &Device) -> Tensor<2> {
        let tokens = ops::embed_rows(&self.token_embedding, ids, device);
        let [t, d] = self.position_embedding.dims();
        let positions = self.position_embedding.clone().unsqueeze::<3>();
        (tokens.reshape([b, t, d]) + positions).reshape([b * t, d])
    }
}
