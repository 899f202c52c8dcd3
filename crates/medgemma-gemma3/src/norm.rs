//! Gemma's RMS norm: `x · rsqrt(mean(x²) + eps) · (1 + weight)`, the whole expression in f32.
//!
//! Differs from Llama's by the `1 +`: a published weight of zero leaves the normalised value as it
//! is. Reference: `Gemma3RMSNorm` in transformers 5.23 (`modeling_gemma3.py`).

use medgemma_tensor::{Tensor, ops};

/// One norm with its weight already turned into a gain.
#[derive(Debug, Clone)]
pub(crate) struct RmsNorm {
    gain: Tensor<1>,
    eps: f64,
}

impl RmsNorm {
    /// From the gain `1 + weight`, `[d]`, as the loader gives it.
    pub(crate) fn new(gain: Tensor<1>, eps: f64) -> Self {
        Self { gain, eps }
    }

    /// `x` `[t, d]`; the result has the same shape.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        ops::rms_norm(x, &self.gain, self.eps)
    }

    /// `residual + norm(x)`, both `[t, d]`: a norm behind a half of a block, and the sum after it.
    pub(crate) fn forward_added(&self, residual: Tensor<2>, x: Tensor<2>) -> Tensor<2> {
        ops::add_rms_norm(residual, x, &self.gain, self.eps)
    }

    /// `h = residual + norm(x)` and `next(h)`, all `[t, d]`: the norms between the halves of a block.
    pub(crate) fn forward_added_then(
        &self,
        next: &Self,
        residual: Tensor<2>,
        x: Tensor<2>,
    ) -> (Tensor<2>, Tensor<2>) {
        let norms = [self, next].map(|norm| (&norm.gain, norm.eps));
        ops::add_rms_norms(residual, x, norms)
    }

    /// Norm over each head of `x` `[t, n, h]`, then rotation by position.
    pub(crate) fn forward_rotated(&self, x: Tensor<3>, rotation: &ops::Rotation) -> Tensor<3> {
        ops::qk_norm_rope(x, &self.gain, self.eps, rotation)
    }
}
