//! RMS norm and layer norm over rows.

mod layer;
mod rms;
#[cfg(test)]
mod tests;

use crate::cpu::Cpu;
use crate::elementwise::{for_rows, for_rows_of_both, run};
use layer::{AddLayerNorm, LayerNorm};
use rms::{AddRmsNorms, RmsNorm};
pub(crate) use rms::{inverse_rms, inverse_rms_scalar};

/// RMS norm of every row: `x / sqrt(mean(x²) + eps) · gain`.
///
/// - `x`, `out`: `[rows, d]`
/// - `gain`: `[d]`, what a row is multiplied with: where a checkpoint stores `w` for `1 + w`, the sum
///
/// Vectors sum squares in f32: a row whose squares are beyond it together, as with one number of 1.9e19,
/// becomes zeros there, where [`Path::Scalar`](crate::Path::Scalar) norms it.
///
/// # Panics
/// When lengths do not fit each other.
pub fn rms_norm(cpu: &Cpu, x: &[f32], gain: &[f32], eps: f32, out: &mut [f32]) {
    rms(cpu, x, (gain, eps), false, out);
}

/// `sum += `[`rms_norm`]`(x)`: a norm after a sublayer and the residual sum in one pass.
///
/// - `x`, `sum`: `[rows, d]`
/// - `gain`: `[d]`
///
/// # Panics
/// When lengths do not fit each other.
pub fn add_rms_norm(cpu: &Cpu, x: &[f32], gain: &[f32], eps: f32, sum: &mut [f32]) {
    rms(cpu, x, (gain, eps), true, sum);
}

fn rms(cpu: &Cpu, x: &[f32], norm: (&[f32], f32), add: bool, out: &mut [f32]) {
    let d = norm.0.len();
    check_rows(x, d, out);
    for_rows(cpu, out, d, &|first, out| {
        let x = &x[first * d..first * d + out.len()];
        run(cpu.path(), RmsNorm::new(x, norm, add, out));
    });
}

/// [`add_rms_norm`] with the first of two norms, gain and epsilon, and then the second of the sums:
/// `sum += first(x)`, `x = second(sum)`, the same numbers as in two passes.
///
/// - `x`, `sum`: `[rows, d]`
/// - gains: `[d]`
///
/// # Panics
/// When lengths do not fit each other.
pub fn add_rms_norms(cpu: &Cpu, x: &mut [f32], norms: [(&[f32], f32); 2], sum: &mut [f32]) {
    let d = norms[0].0.len();
    check_rows(x, d, sum);
    assert_eq!(norms[1].0.len(), d, "length of the second gain");
    for_rows_of_both(cpu, [sum, x], d, &|sum, x| {
        run(cpu.path(), AddRmsNorms { x, norms, sum });
    });
}

/// Layer norm of every row: `(x − mean) / sqrt(variance + eps) · weight + bias`, with the variance
/// that divides by `d`, summed from the differences to the mean.
///
/// - `x`, `out`: `[rows, d]`
/// - `weight`, `bias`: `[d]`
///
/// Vectors sum in f32: a row whose squared differences to the mean are beyond it together, as with one
/// number of 2e19 among small ones, becomes the bias there, and one whose own sum is, as with numbers of 1e38,
/// NaN, where [`Path::Scalar`](crate::Path::Scalar) norms both.
///
/// # Panics
/// When lengths do not fit each other.
pub fn layer_norm(cpu: &Cpu, x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    let d = weight.len();
    check_rows(x, d, out);
    assert_eq!(bias.len(), d, "length of the bias");
    for_rows(cpu, out, d, &|first, out| {
        let x = &x[first * d..first * d + out.len()];
        let kernel = LayerNorm {
            x,
            weight,
            bias,
            eps,
            out,
        };
        run(cpu.path(), kernel);
    });
}

/// `sum += x`, `x = `[`layer_norm`]`(sum)`: a residual sum and the norm after it, the same numbers as
/// in two passes.
///
/// - `x`, `sum`: `[rows, d]`
/// - `weight`, `bias`: `[d]`
///
/// # Panics
/// When lengths do not fit each other.
pub fn add_layer_norm(
    cpu: &Cpu,
    x: &mut [f32],
    weight: &[f32],
    bias: &[f32],
    eps: f32,
    sum: &mut [f32],
) {
    let d = weight.len();
    check_rows(x, d, sum);
    assert_eq!(bias.len(), d, "length of the bias");
    for_rows_of_both(cpu, [sum, x], d, &|sum, x| {
        let kernel = AddLayerNorm {
            x,
            weight,
            bias,
            eps,
            sum,
        };
        run(cpu.path(), kernel);
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
