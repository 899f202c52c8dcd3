//! Matrix products with published weights `[out, in]`.

use burn::tensor::Tensor;

use super::concat::concat;
use super::matmul::{matmul, rounds_to_tf32};
#[cfg(feature = "cpu")]
use crate::extension;
use crate::weight::Weight;

/// Vocabulary rows that [`logits`] widens at a time: bounds the f32 copy of a half-precision head
/// to 32768·d·4 bytes (336 MB at d = 2560) instead of the whole table.
const HEAD_ROWS: usize = 32_768;

/// `x · Wᵀ + bias`.
///
/// # Shapes
/// - `x`: `[t, in]`, f32
/// - `weight`: `[out, in]`
/// - `bias`: `[out]`, f32
/// - result: `[t, out]`, f32
#[must_use]
pub fn linear(x: Tensor<2>, weight: &Weight, bias: Option<&Tensor<1>>) -> Tensor<2> {
    #[cfg(feature = "cpu")]
    if let Some(y) = extension::linear(&x, weight, bias) {
        extension::recycle(x);
        return y;
    }
    let y = product(&x, weight, usize::MAX);
    match bias {
        Some(bias) => y + bias.clone().unsqueeze::<2>(),
        None => y,
    }
}

/// [`linear`] for several layers, each a weight and a bias if it has one, with one input: which is
/// prepared for the products once.
///
/// # Shapes
/// - `x`: `[t, in]`, f32
/// - weights: `[out, in]`, with an `out` for each layer; biases: `[out]`, f32
/// - results: `[t, out]`, f32
#[must_use]
pub fn linear_each<const N: usize>(
    x: Tensor<2>,
    layers: [(&Weight, Option<&Tensor<1>>); N],
) -> [Tensor<2>; N] {
    #[cfg(feature = "cpu")]
    if let Some(ys) = extension::linear_each(&x, layers) {
        extension::recycle(x);
        return ys;
    }
    layers.map(|(weight, bias)| linear(x.clone(), weight, bias))
}

/// Scores of every vocabulary entry: `h · Wᵀ` with the (usually tied) embedding table.
///
/// # Shapes
/// - `h`: `[t, d]`, f32, after the final norm
/// - `weight`: `[v, d]`
/// - result: `[t, v]`, f32
#[must_use]
pub fn logits(h: Tensor<2>, weight: &Weight) -> Tensor<2> {
    #[cfg(feature = "cpu")]
    if let Some(y) = extension::linear(&h, weight, None) {
        return y;
    }
    product(&h, weight, HEAD_ROWS)
}

/// The inner product of each row with each.
///
/// # Shapes
/// - `a`: `[m, k]`, `b`: `[n, k]`, f32
/// - result: `[m, n]`, f32
#[must_use]
pub fn inner_products(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    matmul(a, b.transpose(), false)
}

/// `x · Wᵀ`, widening at most `most` rows of the weight at a time.
fn product(x: &Tensor<2>, weight: &Weight, most: usize) -> Tensor<2> {
    let [t, _] = x.dims();
    // One row is multiplied faster with blocks. These cannot be split.
    let packed = t == 1 && !rounds_to_tf32(x);
    let parts = weight
        .factors(packed, most)
        .map(|rows| matmul(x.clone(), rows.transpose(), weight.is_bf16()));
    concat(parts.collect(), 1)
}
