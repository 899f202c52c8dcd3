//! The MLPs of both models. What lies between the halves of one is wider than anything else in a
//! model, so devices that need not write it out do not.

use burn::tensor::Tensor;

use super::{geglu, gelu_tanh, linear, linear_each};
#[cfg(feature = "cpu")]
use crate::extension;
use crate::weight::Weight;

/// Gemma's gated MLP, `down(gelu_tanh(gate(x)) ⊙ up(x))`.
///
/// # Shapes
/// - `x`: `[t, d]`, f32; the result has the same
/// - `gate`, `up`: `[intermediate, d]`; `down`: `[d, intermediate]`
#[must_use]
pub fn gated_mlp(x: Tensor<2>, gate: &Weight, up: &Weight, down: &Weight) -> Tensor<2> {
    #[cfg(feature = "cpu")]
    if let Some(y) = extension::gated_mlp(&x, gate, up, down) {
        extension::recycle(x);
        return y;
    }
    let [gate, up] = linear_each(x, [(gate, None), (up, None)]);
    linear(geglu(gate, up), down, None)
}

/// SigLIP's MLP, `fc2(gelu_tanh(fc1(x)))`, of two layers that are each a weight and a bias.
///
/// # Shapes
/// - `x`: `[t, d]`, f32; the result has the same
/// - `fc1`: `[intermediate, d]` and `[intermediate]`; `fc2`: `[d, intermediate]` and `[d]`
#[must_use]
pub fn mlp(x: Tensor<2>, fc1: (&Weight, &Tensor<1>), fc2: (&Weight, &Tensor<1>)) -> Tensor<2> {
    let [fc1, fc2] = [fc1, fc2].map(|(weight, bias)| (weight, Some(bias)));
    #[cfg(feature = "cpu")]
    if let Some(y) = extension::mlp(&x, fc1, fc2) {
        extension::recycle(x);
        return y;
    }
    let hidden = gelu_tanh(linear(x, fc1.0, fc1.1));
    linear(hidden, fc2.0, fc2.1)
}
