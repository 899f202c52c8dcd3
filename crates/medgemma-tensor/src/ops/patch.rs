//! Patch embedding: a convolution whose stride equals its kernel is one matrix product.

use burn::tensor::Tensor;

use super::linear::linear;
use crate::weight::Weight;

/// Cuts a picture into patches and projects each.
///
/// # Shapes
/// - `pixels`: `[c, H, W]`, f32, H and W multiples of `patch`
/// - `weight`: `[d, c·patch·patch]`, the published `[d, c, patch, patch]` with its last axes joined
/// - `bias`: `[d]`, f32
/// - result: `[(H/patch)·(W/patch), d]`, patches row by row
#[must_use]
pub fn patch_embed(
    pixels: Tensor<3>,
    weight: &Weight,
    bias: &Tensor<1>,
    patch: usize,
) -> Tensor<2> {
    let [c, height, width] = pixels.dims();
    let (rows, columns) = (height / patch, width / patch);
    let patches = pixels
        .reshape([c, rows, patch, columns, patch])
        .permute([1, 3, 0, 2, 4])
        .reshape([rows * columns, c * patch * patch]);
    linear(patches, weight, Some(bias))
}
