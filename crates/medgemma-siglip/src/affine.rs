//! The two parameterised maps that SigLIP is made of: a linear layer and a layer norm, each with a
//! bias. (SigLIP, Zhai et al. 2023, uses the plain ViT of Dosovitskiy et al. 2021.)

use medgemma_tensor::checkpoint::Scope;
use medgemma_tensor::{Arithmetic, Tensor, Weight, ops};

use crate::error::Result;

/// `x · Wᵀ + b`, the checkpoint's `<name>.weight` `[out, in]` and `<name>.bias` `[out]`.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    weight: Weight,
    bias: Tensor<1>,
}

impl Linear {
    /// Loads the layer `name` that maps `inputs` numbers to `outputs`.
    pub(crate) fn load(
        scope: &mut Scope<'_, '_>,
        name: &str,
        outputs: usize,
        inputs: usize,
    ) -> Result<Self> {
        Ok(Self {
            weight: scope.weight(&format!("{name}.weight"), [outputs, inputs])?,
            bias: scope.vector(&format!("{name}.bias"), outputs)?,
        })
    }

    /// Loads `N` layers of `width` to `width` numbers that the file holds below each other.
    pub(crate) fn load_stack<const N: usize>(
        scope: &mut Scope<'_, '_>,
        weight: &str,
        bias: &str,
        width: usize,
    ) -> Result<[Self; N]> {
        let mut biases = scope.vector(bias, N * width)?.chunk(N, 0).into_iter();
        let weights = scope.weight_stack::<N>(weight, [width, width])?;
        Ok(weights.map(|weight| Self {
            weight,
            bias: biases.next().expect("a chunk for each of N"),
        }))
    }

    /// What products with its weight are computed in.
    pub(crate) fn arithmetic(&self) -> Arithmetic {
        self.weight.arithmetic()
    }

    /// Its weight `[out, in]` and bias `[out]`.
    pub(crate) fn parts(&self) -> (&Weight, &Tensor<1>) {
        (&self.weight, &self.bias)
    }

    /// `[t, in]` → `[t, out]`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        ops::linear(x, &self.weight, Some(&self.bias))
    }
}

/// Layer norm with a gain and a bias, the checkpoint's `<name>.weight` and `<name>.bias` `[d]`.
#[derive(Debug, Clone)]
pub(crate) struct LayerNorm {
    weight: Tensor<1>,
    bias: Tensor<1>,
    eps: f64,
}

impl LayerNorm {
    /// Loads the norm `name` over `width` numbers.
    pub(crate) fn load(
        scope: &mut Scope<'_, '_>,
        name: &str,
        width: usize,
        eps: f64,
    ) -> Result<Self> {
        Ok(Self {
            weight: scope.vector(&format!("{name}.weight"), width)?,
            bias: scope.vector(&format!("{name}.bias"), width)?,
            eps,
        })
    }

    /// `[t, d]` → `[t, d]`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        ops::layer_norm(x, &self.weight, &self.bias, self.eps)
    }
    /// `residual + x`, both `[t, d]`, and its norm: the sum after one half of a block and the norm
    /// before the next.
    pub(crate) fn forward_added(
        &self,
        residual: Tensor<2>,
        x: Tensor<2>,
    ) -> (Tensor<2>, Tensor<2>) {
        ops::add_layer_norm(residual, x, &self.weight, &self.bias, self.eps)
    }
}
