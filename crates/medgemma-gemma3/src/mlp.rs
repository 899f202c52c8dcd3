//! The gated MLP: `down_proj(gelu_tanh(gate_proj(x)) ⊙ up_proj(x))` (Gemma 3 report §2;
//! `Gemma3MLP` in transformers 5.23).

use medgemma_tensor::{Tensor, Weight, ops};

/// Weights of one MLP.
#[derive(Debug, Clone)]
pub(crate) struct Mlp {
    /// `[intermediate, d]`
    pub(crate) gate_proj: Weight,
    /// `[intermediate, d]`
    pub(crate) up_proj: Weight,
    /// `[d, intermediate]`
    pub(crate) down_proj: Weight,
}

impl Mlp {
    /// `x` `[t, d]`; the result has the same shape.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        ops::gated_mlp(x, &self.gate_proj, &self.up_proj, &self.down_proj)
    }
}
