//! GELU in its tanh form, and the gated unit of Gemma's MLP.
//!
//! `gelu_pytorch_tanh`: 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) (Hendrycks & Gimpel 2016, §2).

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use burn::tensor::Tensor;

#[cfg(feature = "cpu")]
use crate::extension;

/// GELU, tanh form, element by element.
///
/// # Shapes
/// - `x`: any, f32; the result has the same.
#[must_use]
pub fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "cpu")]
    if let Some(y) = extension::gelu_tanh(&x) {
        extension::recycle(x);
        return y;
    }
    // x·x·x and not powf: WGSL leaves pow of a negative base undefined.
    let cubed = x.clone() * x.clone() * x.clone();
    let inner = (cubed * 0.044_715 + x.clone()) * (FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
    (inner.tanh() + 1.0) * x * 0.5
}

/// The gated GELU of Gemma's MLP: `gelu_tanh(gate) ⊙ up`.
///
/// # Shapes
/// - `gate`, `up`: `[t, intermediate]`, f32; the result has the same.
#[must_use]
pub fn geglu(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "cpu")]
    if let Some(y) = extension::geglu(&gate, &up) {
        extension::recycle(gate);
        extension::recycle(up);
        return y;
    }
    gelu_tanh(gate) * up
}
