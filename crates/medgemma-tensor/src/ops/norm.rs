//! RMS norm (Zhang & Sennrich 2019) and layer norm (Ba et al. 2016), in f32 throughout.

use burn::tensor::Tensor;

/// `x · rsqrt(mean(x²) + eps) · gain` over the last axis.
///
/// Gemma multiplies by `1 + weight`; the caller folds that sum into `gain` once, at load.
///
/// # Shapes
/// - `x`: `[..., d]`, f32; the result has the same
/// - `gain`: `[d]`, f32
#[must_use]
pub fn rms_norm<const D: usize>(x: Tensor<D>, gain: &Tensor<1>, eps: f64) -> Tensor<D> {
    let mean_square = x.clone().square().mean_dim(D - 1);
    let scale = (mean_square + eps).sqrt().recip();
    x * scale * gain.clone().unsqueeze::<D>()
}

/// `(x − mean) · rsqrt(var + eps) · weight + bias` over the last axis, biased variance.
///
/// # Shapes
/// - `x`: `[t, d]`, f32; the result has the same
/// - `weight`, `bias`: `[d]`, f32
#[must_use]
pub fn layer_norm(x: Tensor<2>, weight: &Tensor<1>, bias: &Tensor<1>, eps: f64) -> Tensor<2> {
    let centred = x.clone() - x.mean_dim(1);
    let variance = centred.clone().square().mean_dim(1);
    let scale = (variance + eps).sqrt().recip();
    centred * scale * weight.clone().unsqueeze::<2>() + bias.clone().unsqueeze::<2>()
}
