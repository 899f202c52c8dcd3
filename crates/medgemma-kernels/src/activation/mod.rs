//! GELU in its tanh form, plain and gated.

#[cfg(test)]
mod tests;

use crate::cpu::{Cpu, Path};
use crate::elementwise::{Kernel, Simd, for_numbers, run};

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
        let x = &x[first..first + out.len()];
        run(cpu.path(), Gelu { x, out });
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
        let here = first..first + out.len();
        let (gate, up) = (&gate[here.clone()], &up[here]);
        run(cpu.path(), Geglu { gate, up, out });
    });
}

/// [`gelu_tanh`] of a block in place, on this thread.
#[cfg_attr(
    not(any(test, all(target_arch = "x86_64", target_os = "linux"))),
    expect(dead_code, reason = "only the tile unit's products end in it")
)]
pub(crate) fn gelu_block(path: Path, x: &mut [f32]) {
    run(path, GeluInPlace { x });
}

/// [`geglu`] of a block in place of its gate, on this thread.
#[cfg_attr(
    not(any(test, all(target_arch = "x86_64", target_os = "linux"))),
    expect(dead_code, reason = "only the tile unit's products end in it")
)]
pub(crate) fn gated_block(path: Path, gate: &mut [f32], up: &[f32]) {
    run(path, GegluInPlace { gate, up });
}

struct GeluInPlace<'a> {
    x: &'a mut [f32],
}

impl Kernel for GeluInPlace<'_> {
    fn scalar(self) {
        self.x.iter_mut().for_each(|x| *x = gelu_scalar(*x));
    }

    #[inline(always)]
    fn vectors<S: Simd>(self, s: S) {
        for x in self.x.chunks_mut(S::LANES) {
            s.store(gelu(s, s.load(x)), x);
        }
    }
}

struct GegluInPlace<'a> {
    gate: &'a mut [f32],
    up: &'a [f32],
}

impl Kernel for GegluInPlace<'_> {
    fn scalar(self) {
        for (gate, &up) in self.gate.iter_mut().zip(self.up) {
            *gate = gelu_scalar(*gate) * up;
        }
    }

    #[inline(always)]
    fn vectors<S: Simd>(self, s: S) {
        let pairs = self.gate.chunks_mut(S::LANES).zip(self.up.chunks(S::LANES));
        for (gate, up) in pairs {
            s.store(s.mul(gelu(s, s.load(gate)), s.load(up)), gate);
        }
    }
}

struct Gelu<'a> {
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Gelu<'_> {
    fn scalar(self) {
        for (out, &x) in self.out.iter_mut().zip(self.x) {
            *out = gelu_scalar(x);
        }
    }

    #[inline(always)]
    fn vectors<S: Simd>(self, s: S) {
        let inputs = self.x.chunks(S::LANES);
        for (out, x) in self.out.chunks_mut(S::LANES).zip(inputs) {
            s.store(gelu(s, s.load(x)), out);
        }
    }
}

struct Geglu<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Geglu<'_> {
    fn scalar(self) {
        for ((out, &gate), &up) in self.out.iter_mut().zip(self.gate).zip(self.up) {
            *out = gelu_scalar(gate) * up;
        }
    }

    #[inline(always)]
    fn vectors<S: Simd>(self, s: S) {
        let inputs = self.gate.chunks(S::LANES).zip(self.up.chunks(S::LANES));
        for (out, (gate, up)) in self.out.chunks_mut(S::LANES).zip(inputs) {
            s.store(s.mul(gelu(s, s.load(gate)), s.load(up)), out);
        }
    }
}

/// `(1 + tanh z) / 2 = 1 / (1 + exp(−2z))`: no difference of close numbers anywhere.
fn gelu_scalar(x: f32) -> f32 {
    x / (1.0 + (-SLOPE * x * (1.0 + CUBE * x * x)).exp())
}

/// [`gelu_scalar`] of a vector.
#[inline(always)]
fn gelu<S: Simd>(s: S, x: S::V) -> S::V {
    let one = s.splat(1.0);
    let bend = s.mul_add(s.mul(s.splat(CUBE), x), x, one);
    let exponent = s.mul(s.mul(s.splat(-SLOPE), x), bend);
    s.div(x, s.add(one, s.exp(exponent)))
}
