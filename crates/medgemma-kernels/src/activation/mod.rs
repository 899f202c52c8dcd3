//! GELU in its tanh form, plain and gated.

use crate::cpu::Cpu;
use crate::elementwise::for_numbers;

/// `2·√(2/π)`.
const SLOPE: f32 = 1.595_769;
/// The share of the cube in the tanh form of GELU.
const CUBE: f32 = 0.044_715;

/// The tanh form of GELU, `x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³)))` (Hendrycks and Gimpel 2016,
/// arXiv 1606.08415), for every number.
///
/// The result is within `10⁻⁶ · max(1, |x|)`. As in the formula, NaN and −∞ give NaN.
///
/// # Panics
/// When lengths differ.
pub fn gelu_tanh(cpu: &Cpu, x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "length of x");
    for_numbers(cpu, out, &|first, out| {
        for (out, &x) in out.iter_mut().zip(&x[first..]) {
            *out = gelu(x);
        }
    });
}

/// `gelu_tanh(gate) · up` for every pair of numbers: the gated unit of Gemma's feed-forward layers.
///
/// # Panics
/// When lengths differ.
pub fn geglu(cpu: &Cpu, gate: &[f32], up: &[f32], out: &mut [f32]) {
    assert_eq!(gate.len(), out.len(), "length of the gate");
    assert_eq!(up.len(), out.len(), "length of what is gated");
    for_numbers(cpu, out, &|first, out| {
        let (gate, up) = (&gate[first..], &up[first..]);
        for ((out, &gate), &up) in out.iter_mut().zip(gate).zip(up) {
            *out = gelu(gate) * up;
        }
    });
}

/// `(1 + tanh z) / 2 = 1 / (1 + exp(−2z))`: no difference of close numbers anywhere.
fn gelu(x: f32) -> f32 {
    x / (1.0 + (-SLOPE * x * (1.0 + CUBE * x * x)).exp())
}
