//! Multi-head attention without a mask (Vaswani et al. 2017, §3.2.2): every row of a sequence sees
//! every other. The blocks of both towers and the pooling head share it.

use medgemma_tensor::checkpoint::Scope;
use medgemma_tensor::{Arithmetic, KvPrecision, Tensor, ops};

use crate::affine::Linear;
use crate::error::Result;

/// `softmax(q · kᵀ · h^(−1/2)) · v` for each head on its own, side by side; never holds t × s scores
/// of all heads at once, see [`ops::attention`].
///
/// # Shapes
/// - `q`: `[t, d]`; `k`, `v`: `[s, d]`; result: `[t, d]`
/// - `heads`: n, a divisor of d; head i has the lanes from i·d/n on
pub(crate) fn attend(
    q: Tensor<2>,
    k: Tensor<2>,
    v: Tensor<2>,
    heads: usize,
    arithmetic: Arithmetic,
) -> Tensor<2> {
    let ([t, d], [s, _]) = (q.dims(), k.dims());
    let (n, h) = (heads, d / heads);
    // Read once and not kept, so there is nothing to be saved by fewer bits.
    let rounded = |x: Tensor<2>| {
        let x = x.reshape([s, n, h]);
        ops::rounded(x, arithmetic, KvPrecision::AsWeights).swap_heads()
    };
    let (keys, values) = (rounded(k), rounded(v));
    ops::attention(q.reshape([t, n, h]), keys, values, scale(h), None)
}

/// `h^(−1/2)`: 0.117851 for the 72-wide heads of so400m.
fn scale(head_width: usize) -> f64 {
    (head_width as f64).sqrt().recip()
}

/// Attention of a block to itself, with its projections.
#[derive(Debug, Clone)]
pub(crate) struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    heads: usize,
}

impl Attention {
    /// Loads the four projections of `width` numbers each.
    pub(crate) fn load(scope: &mut Scope<'_, '_>, width: usize, heads: usize) -> Result<Self> {
        let mut projection = |name| Linear::load(scope, name, width, width);
        Ok(Self {
            q_proj: projection("q_proj")?,
            k_proj: projection("k_proj")?,
            v_proj: projection("v_proj")?,
            out_proj: projection("out_proj")?,
            heads,
        })
    }

    /// `[b·t, d]` → `[b·t, d]`, where b is `sequences`: the rows of one never see those of another.
    pub(crate) fn forward(&self, x: Tensor<2>, sequences: usize) -> Tensor<2> {
        let projections = [&self.q_proj, &self.k_proj, &self.v_proj].map(|layer| {
            let (weight, bias) = layer.parts();
            (weight, Some(bias))
        });
        let [q, k, v] = ops::linear_each(x, projections);
        let arithmetic = self.k_proj.arithmetic();
        let attended = if sequences == 1 {
            attend(q, k, v, self.heads, arithmetic)
        } else {
            let [q, k, v] = [q, k, v].map(|x| x.chunk(sequences, 0));
            let each = q.into_iter().zip(k).zip(v);
            let parts = each.map(|((q, k), v)| attend(q, k, v, self.heads, arithmetic));
            Tensor::cat(parts.collect(), 0)
        };
        self.out_proj.forward(attended)
    }
}
