//! RMS norm (Zhang & Sennrich 2019) and layer norm (Ba et al. 2016), in f32 throughout.

use burn::tensor::Tensor;

#[cfg(feature = "cpu")]
use crate::extension;

/// `x · rsqrt(mean(x²) + eps) · gain` over the last axis.
///
/// Gemma multiplies by `1 + weight`; the caller folds that sum into `gain` once, at load.
///
/// # Shapes
/// - `x`: `[..., d]`, f32; the result has the same
/// - `gain`: `[d]`, f32
#[must_use]
pub fn rms_norm<const D: usize>(x: Tensor<D>, gain: &Tensor<1>, eps: f64) -> Tensor<D> {
    #[cfg(feature = "cpu")]
    if let Some(y) = extension::rms_norm(&x, gain, eps) {
        extension::recycle(x);
        return y;
    }
    let mean_square = x.clone().square().mean_dim(D - 1);
    let scale = (mean_square + eps).sqrt().recip();
    x * scale * gain.clone().unsqueeze::<D>()
}

/// `residual + rms_norm(x)`: a sandwich norm and the sum that follows it.
///
/// # Shapes
/// - `residual`, `x`: `[t, d]`, f32; the result has the same
/// - `gain`: `[d]`, f32
#[must_use]
pub fn add_rms_norm(residual: Tensor<2>, x: Tensor<2>, gain: &Tensor<1>, eps: f64) -> Tensor<2> {
    #[cfg(feature = "cpu")]
    if let Some(y) = extension::add_rms_norm(&residual, &x, gain, eps) {
        extension::recycle(residual);
        extension::recycle(x);
        return y;
    }
    residual + rms_norm(x, gain, eps)
}

/// `(x − mean) · rsqrt(var + eps) · weight + bias` over the last axis, biased variance.
///
/// # Shapes
/// - `x`: `[t, d]`, f32; the result has the same
/// - `weight`, `bias`: `[d]`, f32
#[must_use]
pub fn layer_norm(x: Tensor<2>, weight: &Tensor<1>, bias: &Tensor<1>, eps: f64) -> Tensor<2> {
    #[cfg(feature = "cpu")]
    if let Some(y) = extension::layer_norm(&x, weight, bias, eps) {
        extension::recycle(x);
        return y;
    }
    let centred = x.clone() - x.mean_dim(1);
    let variance = centred.clone().square().mean_dim(1);
    let scale = (variance + eps).sqrt().recip();
    centred * scale * weight.clone().unsqueeze::<2>() + bias.clone().unsqueeze::<2>()
}
