//! RMS norm and layer norm over rows.

mod layer;
mod rms;
#[cfg(test)]
mod tests;

use crate::cpu::Cpu;
use crate::elementwise::{for_rows, run};
use layer::LayerNorm;
use rms::RmsNorm;
pub(crate) use rms::{inverse_rms, inverse_rms_scalar};

/// RMS norm of every row: `x / sqrt(mean(x²) + eps) · gain`.
///
/// - `x`, `out`: `[rows, d]`
/// - `gain`: `[d]`, what a row is multiplied with: where a checkpoint stores `w` for `1 + w`, the sum
///
/// # Panics
/// When lengths do not fit each other.
pub fn rms_norm(cpu: &Cpu, x: &[f32], gain: &[f32], eps: f32, out: &mut [f32]) {
    rms(cpu, x, gain, eps, None, out);
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
    assert_eq!(residual.len(), out.len(), "length of the residual");
    rms(cpu, x, gain, eps, Some(residual), out);
}

fn rms(cpu: &Cpu, x: &[f32], gain: &[f32], eps: f32, residual: Option<&[f32]>, out: &mut [f32]) {
    let d = gain.len();
    check_rows(x, d, out);
    for_rows(cpu, out, d, &|first, out| {
        let here = first * d..first * d + out.len();
        let kernel = RmsNorm {
            x: &x[here.clone()],
            gain,
            eps,
            residual: residual.map(|residual| &residual[here]),
            out,
        };
        run(cpu.path(), kernel);
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

fn check_rows(x: &[f32], d: usize, out: &[f32]) {
    assert!(d > 0, "a row has at least one number");
    assert_eq!(x.len(), out.len(), "lengths of input and output");
    assert!(
        x.len().is_multiple_of(d),
        "{} numbers in rows of {d}",
        x.len()
    );
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
