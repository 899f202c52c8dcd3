//! The norms in plain Rust, with sums in `f64`: their specification.

/// `1 / sqrt(mean(x²) + eps)`.
pub(crate) fn inverse_rms(x: &[f32], eps: f32) -> f32 {
    let sum: f64 = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    to_f32(1.0 / (sum / count(x) + f64::from(eps)).sqrt())
}

pub(super) fn rms_norm(x: &[f32], gain: &[f32], eps: f32, out: &mut [f32]) {
    let scale = inverse_rms(x, eps);
    for ((out, x), gain) in out.iter_mut().zip(x).zip(gain) {
        *out = x * scale * gain;
    }
}

pub(super) fn add_rms_norm(x: &[f32], gain: &[f32], eps: f32, residual: &[f32], out: &mut [f32]) {
    rms_norm(x, gain, eps, out);
    for (out, residual) in out.iter_mut().zip(residual) {
        *out += residual;
    }
}

pub(super) fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / count(x);
    let square = |x: &f32| (f64::from(*x) - mean).powi(2);
    let variance = x.iter().map(square).sum::<f64>() / count(x);
    let scale = 1.0 / (variance + f64::from(eps)).sqrt();
    for ((out, &x), (&weight, &bias)) in out.iter_mut().zip(x).zip(weight.iter().zip(bias)) {
        *out = to_f32((f64::from(x) - mean) * scale) * weight + bias;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a row is shorter than 2^53")]
fn count(x: &[f32]) -> f64 {
    x.len() as f64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding is what is wanted"
)]
fn to_f32(x: f64) -> f32 {
    x as f32
}
