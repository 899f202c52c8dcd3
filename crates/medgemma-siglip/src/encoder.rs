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
use medgemma_tensor::{Tensor, ops};

use crate::affine::{LayerNorm, Linear};
use crate::attention::Attention;
use crate::error::Result;
use crate::stage::Stage;

/// What both towers' configurations say of their encoder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EncoderShape {
    /// Count of blocks.
    pub(crate) layers: usize,
    /// d, a multiple of `heads`.
    pub(crate) width: usize,
    /// Width of the MLP's hidden layer.
    pub(crate) intermediate: usize,
    /// n, heads of attention.
    pub(crate) heads: usize,
    /// Added to the variance in every layer norm.
    pub(crate) eps: f64,
}

impl EncoderShape {
    /// The count of weights of all blocks.
    pub(crate) fn parameters(&self) -> u64 {
        let [layers, h, i] = [self.layers, self.width, self.intermediate].map(|n| n as u64);
        let (attention, norms) = (4 * (h * h + h), 4 * h);
        layers * (attention + Mlp::parameters(h, i) + norms)
    }
}

/// The blocks of one tower.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    layers: Vec<EncoderLayer>,
}

impl Encoder {
    /// Loads the blocks; `scope` stands at `encoder` of its tower.
    pub(crate) fn load(scope: &mut Scope<'_, '_>, shape: EncoderShape) -> Result<Self> {
        let layers = (0..shape.layers)
            .map(|i| EncoderLayer::load(&mut scope.scope(&format!("layers.{i}")), shape))
            .collect::<Result<_>>()?;
        Ok(Self { layers })
    }

    /// `[b·t, d]` → `[b·t, d]` for b `sequences` of t rows, showing every block's output.
    pub(crate) fn forward(
        &self,
        mut x: Tensor<2>,
        sequences: usize,
        observe: &mut dyn FnMut(Stage, &Tensor<2>),
    ) -> Tensor<2> {
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(x, sequences);
            observe(Stage::Layer(i), &x);
        }
        x
    }
}

/// One block: `h = x + attention(norm1(x))`, `y = h + mlp(norm2(h))`.
#[derive(Debug, Clone)]
struct EncoderLayer {
    layer_norm1: LayerNorm,
    self_attn: Attention,
    layer_norm2: LayerNorm,
    mlp: Mlp,
}

impl EncoderLayer {
    fn load(scope: &mut Scope<'_, '_>, shape: EncoderShape) -> Result<Self> {
        let (d, eps) = (shape.width, shape.eps);
        Ok(Self {
            layer_norm1: LayerNorm::load(scope, "layer_norm1", d, eps)?,
            self_attn: Attention::load(&mut scope.scope("self_attn"), d, shape.heads)?,
            layer_norm2: LayerNorm::load(scope, "layer_norm2", d, eps)?,
            mlp: Mlp::load(&mut scope.scope("mlp"), d, shape.intermediate)?,
        })
    }

    /// `[b·t, d]` → `[b·t, d]`.
    fn forward(&self, x: Tensor<2>, sequences: usize) -> Tensor<2> {
        let normed = self.layer_norm1.forward(x.clone());
        let attended = self.self_attn.forward(normed, sequences);
        let (h, normed) = self.layer_norm2.forward_added(x, attended);
        ops::add(h, self.mlp.forward(normed))
    }
}

/// `fc2(gelu_tanh(fc1(x)))`.
#[derive(Debug, Clone)]
pub(crate) struct Mlp {
    fc1: Linear,
    fc2: Linear,
}

impl Mlp {
    /// Loads the two layers, `width` → `intermediate` → `width`.
    pub(crate) fn load(
        scope: &mut Scope<'_, '_>,
        width: usize,
        intermediate: usize,
    ) -> Result<Self> {
        Ok(Self {
            fc1: Linear::load(scope, "fc1", intermediate, width)?,
            fc2: Linear::load(scope, "fc2", width, intermediate)?,
        })
    }

    /// The count of weights.
    pub(crate) fn parameters(width: u64, intermediate: u64) -> u64 {
        2 * width * intermediate + intermediate + width
    }

    /// `[t, d]` → `[t, d]`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        ops::mlp(x, self.fc1.parts(), self.fc2.parts())
    }
}
