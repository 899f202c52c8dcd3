//! Grouped-query attention with normalised queries and keys.
//!
//! Differs from Llama's: queries and keys pass an RMS norm per head before rotation (Gemma 3
//! report §2.1, replacing Gemma 2's soft-capping), and scores are scaled by
//! `query_pre_attn_scalar^-0.5`, which is not `head_dim^-0.5` on the 27B. Reference:
//! `Gemma3Attention` in transformers 5.23.

use medgemma_tensor::{Arithmetic, Tensor, Weight, ops};

use crate::block::last;
use crate::cache::joint_arithmetic;
use crate::norm::RmsNorm;
use crate::pass::Pass;

/// Weights of one attention layer.
#[derive(Debug, Clone)]
pub(crate) struct Attention {
    /// `[n·h, d]`
    pub(crate) q_proj: Weight,
    /// `[k·h, d]`
    pub(crate) k_proj: Weight,
    /// `[k·h, d]`
    pub(crate) v_proj: Weight,
    /// `[d, n·h]`
    pub(crate) o_proj: Weight,
    /// Over h.
    pub(crate) q_norm: RmsNorm,
    /// Over h.
    pub(crate) k_norm: RmsNorm,
    /// Head size h.
    pub(crate) head_dim: usize,
    /// `query_pre_attn_scalar^-0.5`
    pub(crate) scale: f64,
}

impl Attention {
    /// `x` `[t, d]`: the rows of every lane of `pass`; the result is that of the last `rows`,
    /// `[rows, d]`, which are all where there are several lanes.
    pub(crate) fn forward(
        &self,
        x: Tensor<2>,
        rows: usize,
        layer: usize,
        pass: &mut Pass<'_>,
    ) -> Tensor<2> {
        let [q, k, v] = self.project(x, rows).map(|x| self.heads(x));
        let rotation = pass.rotation(layer);
        let q = self.q_norm.forward_rotated(q, &rotation.last(rows));
        let k = self.k_norm.forward_rotated(k, rotation);
        let attended = pass.attend(layer, q, k, v, self.scale);
        ops::linear(attended, &self.o_proj, None)
    }

    /// What this layer's keys and values are cached for.
    pub(crate) fn kv_arithmetic(&self) -> Arithmetic {
        joint_arithmetic([&self.k_proj, &self.v_proj].map(Weight::arithmetic))
    }

    /// Queries of the last `rows` rows of `x`, keys and values of all.
    fn project(&self, x: Tensor<2>, rows: usize) -> [Tensor<2>; 3] {
        let [q_proj, k_proj, v_proj] =
            [&self.q_proj, &self.k_proj, &self.v_proj].map(|weight| (weight, None));
        if rows == x.dims()[0] {
            return ops::linear_each(x, [q_proj, k_proj, v_proj]);
        }
        let q = ops::linear(last(x.clone(), rows), q_proj.0, q_proj.1);
        let [k, v] = ops::linear_each(x, [k_proj, v_proj]);
        [q, k, v]
    }

    /// `[t, heads·h]` → `[t, heads, h]`
    fn heads(&self, x: Tensor<2>) -> Tensor<3> {
        let [t, width] = x.dims();
        x.reshape([t, width / self.head_dim, self.head_dim])
    }
}
