//! The attention-pooling head: a learned query, the probe, gathers one vector from all patches.
//!
//! Source: `MAPHead` of big_vision (`models/vit.py`), after Set Transformer (Lee et al. 2019, §3.2).
//! Reference: `SiglipMultiheadAttentionPoolingHead` of transformers 5.23, which is torch's
//! `MultiheadAttention` followed by a block's MLP. Differences from a block of the encoder:
//!
//! - queries come from the probe, keys and values from the patches, none of them normed first;
//! - the three projections are one tensor, `in_proj_weight`: queries, then keys, then values;
//! - nothing of the probe itself is added to what it gathered; the only residual is the MLP's.

use medgemma_tensor::Tensor;
use medgemma_tensor::checkpoint::Scope;

use crate::affine::{LayerNorm, Linear};
use crate::attention::attend;
use crate::config::VisionConfig;
use crate::encoder::Mlp;
use crate::error::Result;
use crate::stage::Stage;

/// From the rows of a [`VisionTower`](crate::VisionTower) to one vector a picture.
///
/// Immutable, cheap to clone, usable from several threads.
#[derive(Debug, Clone)]
pub struct PoolingHead {
    /// `[1, d]`, published as `[1, 1, d]`.
    probe: Tensor<2>,
    attention: PoolingAttention,
    layernorm: LayerNorm,
    mlp: Mlp,
}

impl PoolingHead {
    /// Loads the head; `scope` stands where the keys `probe`, `attention.…`, `layernorm.…` and
    /// `mlp.…` begin: `vision_model.head`.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) if a weight is missing, misshaped or of a kind that
    /// cannot be loaded.
    pub fn load(scope: &mut Scope<'_, '_>, config: &VisionConfig) -> Result<Self> {
        let d = config.hidden_size;
        let heads = config.num_attention_heads;
        let probe: Tensor<3> = scope.tensor("probe", [1, 1, d])?;
        Ok(Self {
            probe: probe.reshape([1, d]),
            attention: PoolingAttention::load(&mut scope.scope("attention"), d, heads)?,
            layernorm: LayerNorm::load(scope, "layernorm", d, config.layer_norm_eps)?,
            mlp: Mlp::load(&mut scope.scope("mlp"), d, config.intermediate_size)?,
        })
    }

    /// Pools the patches of one picture.
    ///
    /// # Shapes
    /// - `patches`: `[patches, d]`, f32, after the tower's last layer norm
    /// - result: `[1, d]`, f32, not of unit length
    #[must_use]
    pub fn forward(&self, patches: Tensor<2>) -> Tensor<2> {
        self.forward_observed(patches, &mut |_, _| {})
    }

    /// [`forward`](Self::forward), showing [`Stage::Attended`] and [`Stage::Pooled`] on the way.
    #[must_use]
    pub fn forward_observed(
        &self,
        patches: Tensor<2>,
        observe: &mut dyn FnMut(Stage, &Tensor<2>),
    ) -> Tensor<2> {
        let attended = self.attention.forward(self.probe.clone(), patches);
        observe(Stage::Attended, &attended);
        let mixed = self.mlp.forward(self.layernorm.forward(attended.clone()));
        let pooled = attended + mixed;
        observe(Stage::Pooled, &pooled);
        pooled
    }
}

/// Torch's `MultiheadAttention`.
#[derive(Debug, Clone)]
struct PoolingAttention {
    /// Queries, keys, values: `in_proj_weight` `[3·d, d]` and `in_proj_bias` `[3·d]`.
    in_proj: [Linear; 3],
    out_proj: Linear,
    heads: usize,
}

impl PoolingAttention {
    fn load(scope: &mut Scope<'_, '_>, width: usize, heads: usize) -> Result<Self> {
        Ok(Self {
            in_proj: Linear::load_stack(scope, "in_proj_weight", "in_proj_bias", width)?,
            out_proj: Linear::load(scope, "out_proj", width, width)?,
            heads,
        })
    }

    /// Probe `[1, d]` and patches `[s, d]` → `[1, d]`.
    fn forward(&self, probe: Tensor<2>, patches: Tensor<2>) -> Tensor<2> {
        let [queries, keys, values] = &self.in_proj;
        let q = queries.forward(probe);
        let k = keys.forward(patches.clone());
        let v = values.forward(patches);
        let attended = attend(q, k, v, self.heads, keys.arithmetic());
        self.out_proj.forward(attended)
    }
}
