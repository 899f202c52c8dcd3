//! RMS norm and layer norm over rows.

pub(crate) mod scalar;

use crate::cpu::Cpu;
use crate::elementwise::for_rows;

/// RMS norm of every row: `x / sqrt(mean(x²) + eps) · gain`.
///
/// - `x`, `out`: `[rows, d]`
/// - `gain`: `[d]`, what a row is multiplied with: where a checkpoint stores `w` for `1 + w`, the sum
///
/// # Panics
/// When lengths do not fit each other.
pub fn rms_norm(cpu: &Cpu, x: &[f32], gain: &[f32], eps: f32, out: &mut [f32]) {
    let d = gain.len();
    check_rows(x, d, out);
    for_rows(cpu, out, d, &|first, out| {
        let x = x[first * d..].chunks_exact(d);
        for (x, out) in x.zip(out.chunks_exact_mut(d)) {
            scalar::rms_norm(x, gain, eps, out);
        }
    });
}

/// `residual + `[`rms_norm`]`(x)`: a norm after a sublayer and the residual sum in one pass.
///
/// - `x`, `residual`, `out`: `[rows, d]`
/// - `gain`: `[d]`
///
/// # Panics
/// When lengths do not fit each other.
pub fn add_rms_norm(
    cpu: &Cpu,
    x: &[f32],
    gain: &[f32],
    eps: f32,
    residual: &[f32],
    out: &mut [f32],
) {
    let d = gain.len();
    check_rows(x, d, out);
    assert_eq!(residual.len(), out.len(), "length of the residual");
    for_rows(cpu, out, d, &|first, out| {
        let x = x[first * d..].chunks_exact(d);
        let residual = residual[first * d..].chunks_exact(d);
        for ((x, residual), out) in x.zip(residual).zip(out.chunks_exact_mut(d)) {
            scalar::add_rms_norm(x, gain, eps, residual, out);
        }
    });
}

/// Layer norm of every row: `(x − mean) / sqrt(variance + eps) · weight + bias`, with the variance
/// that divides by `d`, summed from the differences to the mean.
///
/// - `x`, `out`: `[rows, d]`
/// - `weight`, `bias`: `[d]`
///
/// # Panics
/// When lengths do not fit each other.
pub fn layer_norm(cpu: &Cpu, x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    let d = weight.len();
    check_rows(x, d, out);
    assert_eq!(bias.len(), d, "length of the bias");
    for_rows(cpu, out, d, &|first, out| {
        let x = x[first * d..].chunks_exact(d);
        for (x, out) in x.zip(out.chunks_exact_mut(d)) {
            scalar::layer_norm(x, weight, bias, eps, out);
        }
    });
}

fn check_rows(x: &[f32], d: usize, out: &[f32]) {
    assert!(d > 0, "a row has at least one number");
    assert_eq!(x.len(), out.len(), "lengths of input and output");
    assert!(
        x.len().is_multiple_of(d),
        "{} numbers in rows of {d}",
        x.len()
    );
}
