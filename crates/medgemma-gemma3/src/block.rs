//! One decoder layer, with norms before and after each half ("sandwich" norms).
//!
//! `h = x + post_attention(attn(input(x)))`, `out = h + post_feedforward(mlp(pre_feedforward(h)))`.
//! Llama has only the two norms in front. Reference: `Gemma3DecoderLayer` in transformers 5.23.

use medgemma_tensor::Tensor;

use crate::attention::Attention;
use crate::mlp::Mlp;
use crate::norm::RmsNorm;
use crate::pass::Pass;

/// Weights of one layer; fields bear the checkpoint's names.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) input_layernorm: RmsNorm,
    pub(crate) self_attn: Attention,
    pub(crate) post_attention_layernorm: RmsNorm,
    pub(crate) pre_feedforward_layernorm: RmsNorm,
    pub(crate) mlp: Mlp,
    pub(crate) post_feedforward_layernorm: RmsNorm,
}

impl Block {
    /// `x` `[t, d]`, the residual stream; the result is that of its last `rows`, `[rows, d]`.
    pub(crate) fn forward(
        &self,
        x: Tensor<2>,
        rows: usize,
        layer: usize,
        pass: &mut Pass<'_>,
    ) -> Tensor<2> {
        let normed = self.input_layernorm.forward(x.clone());
        let attended = self.self_attn.forward(normed, rows, layer, pass);
        let x = last(x, rows);
        let (h, normed) = self.post_attention_layernorm.forward_added_then(
            &self.pre_feedforward_layernorm,
            x,
            attended,
        );
        self.post_feedforward_layernorm
            .forward_added(h, self.mlp.forward(normed))
    }
}

/// The last `rows` of `x` `[t, d]`.
pub(crate) fn last(x: Tensor<2>, rows: usize) -> Tensor<2> {
    match x.dims()[0] - rows {
        0 => x,
        first => x.narrow(0, first, rows),
    }
}
