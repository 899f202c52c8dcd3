//! The transformer encoder that SigLIP's image and text towers share: pre-norm blocks, every row
//! attends to every row (Vaswani et al. 2017, §3.2; Dosovitskiy et al. 2021, eq. 2 and 3).
//!
//! Reference: `SiglipEncoderLayer` of transformers 5.23, `models/siglip/modeling_siglip.py`.
//! Differences from a plain decoder block such as Llama's:
//!
//! | here | instead of |
//! |---|---|
//! | layer norm with bias | RMS norm |
//! | biases on all projections | none |
//! | no mask, in the text tower not even for padding | causal mask |
//! | positions are added once, to the embeddings | rotary embedding in every layer |
//! | MLP of two matrices with GELU-tanh | gated MLP of three |

use medgemma_tensor::checkpoint::Scope;
use medgemma_tensor::{KvPrecision, Tensor, ops};

use crate::affine::{LayerNorm, Linear};
use crate::error::Result;

/// What both towers' configurations say of their encoder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EncoderShape {
    /// d, a multiple of `heads`.
    pub(crate) width: usize,
    /// Width of the MLP's hidden layer.
    pub(crate) intermediate: usize,
    /// n, heads of attention.
    pub(crate) heads: usize,
    /// Added to the variance in every layer norm.
    pub(crate) eps: f64,
}

/// One block: `h = x + attention(norm1(x))`, `y = h + mlp(norm2(h))`.
#[derive(Debug, Clone)]
pub(crate) struct EncoderLayer {
    layer_norm1: LayerNorm,
    self_attn: Attention,
    layer_norm2: LayerNorm,
    mlp: Mlp,
}

impl EncoderLayer {
    /// Loads one block; `scope` stands at `encoder.layers.N` of its tower.
    pub(crate) fn load(scope: &mut Scope<'_, '_>, shape: EncoderShape) -> Result<Self> {
        let EncoderShape {
            width,
            intermediate,
            heads,
            eps,
        } = shape;
        Ok(Self {
            layer_norm1: LayerNorm::load(scope, "layer_norm1", width, eps)?,
            self_attn: Attention::load(&mut scope.scope("self_attn"), width, heads)?,
            layer_norm2: LayerNorm::load(scope, "layer_norm2", width, eps)?,
            mlp: Mlp::load(&mut scope.scope("mlp"), width, intermediate)?,
        })
    }

    /// `[t, d]` → `[t, d]`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let attended = self.self_attn.forward(self.layer_norm1.forward(x.clone()));
        let h = ops::add(x, attended);
        let mixed = self.mlp.forward(self.layer_norm2.forward(h.clone()));
        ops::add(h, mixed)
    }
}

/// Multi-head attention without a mask.
#[derive(Debug, Clone)]
struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    heads: usize,
}

impl Attention {
    fn load(scope: &mut Scope<'_, '_>, width: usize, heads: usize) -> Result<Self> {
        let mut projection = |name| Linear::load(scope, name, width, width);
        Ok(Self {
            q_proj: projection("q_proj")?,
            k_proj: projection("k_proj")?,
            v_proj: projection("v_proj")?,
            out_proj: projection("out_proj")?,
            heads,
        })
    }

    /// `[t, d]` → `[t, d]`; never holds t × t scores of all heads at once, see [`ops::attention`].
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let [t, d] = x.dims();
        let (n, h) = (self.heads, d / self.heads);
        let q = self.q_proj.forward(x.clone()).reshape([t, n, h]);
        let k = self.k_proj.forward(x.clone()).reshape([t, n, h]);
        let v = self.v_proj.forward(x).reshape([t, n, h]);
        let arithmetic = self.k_proj.arithmetic();
        // Read once and not kept, so there is nothing to be saved by fewer bits.
        let rounded =
            |x: Tensor<3>| ops::rounded(x, arithmetic, KvPrecision::AsWeights).swap_heads();
        let (keys, values) = (rounded(k), rounded(v));
        let attended = ops::attention(q, &keys, &values, scale(h), None);
        self.out_proj.forward(attended)
    }
}

/// `h^(−1/2)`: 0.117851 for the 72-wide heads of so400m.
#[allow(
    clippy::cast_precision_loss,
    reason = "a head has fewer than 2⁵² lanes"
)]
fn scale(head_width: usize) -> f64 {
    (head_width as f64).sqrt().recip()
}

/// `fc2(gelu_tanh(fc1(x)))`.
#[derive(Debug, Clone)]
struct Mlp {
    fc1: Linear,
    fc2: Linear,
}

impl Mlp {
    fn load(scope: &mut Scope<'_, '_>, width: usize, intermediate: usize) -> Result<Self> {
        Ok(Self {
            fc1: Linear::load(scope, "fc1", intermediate, width)?,
            fc2: Linear::load(scope, "fc2", width, intermediate)?,
        })
    }

    /// `[t, d]` → `[t, d]`.
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.fc2.forward(ops::gelu_tanh(self.fc1.forward(x)))
    }
}
