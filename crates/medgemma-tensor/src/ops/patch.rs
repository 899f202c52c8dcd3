//! Patch embedding: a convolution whose stride equals its kernel is one matrix product.

use burn::tensor::Tensor;

use super::linear::linear;
use crate::weight::Weight;

/// Cuts a picture into patches and projects each.
///
/// # Shapes
/// - `pixels`: `[c, H, W]`, f32, H and W at least `patch`; what is left over at the right and at the
///   bottom belongs to no patch, as in a convolution without padding
/// - `weight`: `[d, c·patch·patch]`, the published `[d, c, patch, patch]` with its last axes joined
/// - `bias`: `[d]`, f32
/// - result: `[⌊H/patch⌋·⌊W/patch⌋, d]`, patches row by row
#[must_use]
pub fn patch_embed(
    pixels: Tensor<3>,
    weight: &Weight,
    bias: &Tensor<1>,
    patch: usize,
) -> Tensor<2> {
    let [c, height, width] = pixels.dims();
    let (rows, columns) = (height / patch, width / patch);
    let patches = whole_patches(pixels, [rows * patch, columns * patch])
        .reshape([c, rows, patch, columns, patch])
        .permute([1, 3, 0, 2, 4])
        .reshape([rows * columns, c * patch * patch]);
    linear(patches, weight, Some(bias))
}

/// The upper left `[c, height, width]` of `pixels`.
fn whole_patches(pixels: Tensor<3>, [height, width]: [usize; 2]) -> Tensor<3> {
    let [_, h, w] = pixels.dims();
    if [h, w] == [height, width] {
        return pixels;
    }
    pixels.narrow(1, 0, height).narrow(2, 0, width)
}
