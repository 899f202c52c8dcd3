//! RMS norm (Zhang & Sennrich 2019) and layer norm (Ba et al. 2016), in f32 throughout.

use burn::tensor::Tensor;

use super::add::add;
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
    if [&residual, &x].into_iter().all(extension::is_plain) && extension::is_plain(gain) {
        return extension::add_rms_norm(residual, x, gain, eps);
    }
    residual + rms_norm(x, gain, eps)
}

/// [`add_rms_norm`] with the first norm, a gain and an epsilon, and the second norm of that sum: both
/// in one pass.
///
/// # Shapes
/// - `residual`, `x`: `[t, d]`, f32; the sum and its norm have the same
/// - gains: `[d]`, f32
#[must_use]
pub fn add_rms_norms(
    residual: Tensor<2>,
    x: Tensor<2>,
    norms: [(&Tensor<1>, f64); 2],
) -> (Tensor<2>, Tensor<2>) {
    #[cfg(feature = "cpu")]
    if [&residual, &x].into_iter().all(extension::is_plain)
        && norms.iter().all(|(gain, _)| extension::is_plain(gain))
    {
        return extension::add_rms_norms(residual, x, norms);
    }
    let [first, second] = norms;
    let sum = add_rms_norm(residual, x, first.0, first.1);
    (sum.clone(), rms_norm(sum, second.0, second.1))
}

/// `residual + x` and [`layer_norm`] of that sum, in one pass.
///
/// # Shapes
/// - `residual`, `x`: `[t, d]`, f32; the sum and its norm have the same
/// - `weight`, `bias`: `[d]`, f32
#[must_use]
pub fn add_layer_norm(
    residual: Tensor<2>,
    x: Tensor<2>,
    weight: &Tensor<1>,
    bias: &Tensor<1>,
    eps: f64,
) -> (Tensor<2>, Tensor<2>) {
    #[cfg(feature = "cpu")]
    if [&residual, &x].into_iter().all(extension::is_plain)
        && [weight, bias].into_iter().all(extension::is_plain)
    {
        return extension::add_layer_norm(residual, x, weight, bias, eps);
    }
    let sum = add(residual, x);
    (sum.clone(), layer_norm(sum, weight, bias, eps))
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
