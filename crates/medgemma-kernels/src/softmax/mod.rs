//! Softmax over rows.

#[cfg(test)]
mod tests;

use crate::cpu::Cpu;
use crate::elementwise::{Kernel, Simd, for_rows, run};

/// `exp(x − max) / Σ exp(x − max)` over every row of `cols` numbers.
///
/// For scores that lie in memory whole, as a caller's own. Attention has no such rows: its softmax is part of
/// [`attention`](crate::attention).
///
/// Numbers of −∞ get 0. A row of nothing else, or with a NaN or +∞, becomes NaN.
///
/// # Panics
/// When lengths differ or are no whole number of rows.
pub fn softmax(cpu: &Cpu, x: &[f32], cols: usize, out: &mut [f32]) {
    assert!(cols > 0, "a row has at least one number");
    assert_eq!(x.len(), out.len(), "lengths of input and output");
    assert!(
        x.len().is_multiple_of(cols),
        "{} numbers in rows of {cols}",
        x.len()
    );
    for_rows(cpu, out, cols, &|first, out| {
        let x = &x[first * cols..first * cols + out.len()];
        run(cpu.path(), Softmax { x, cols, out });
    });
}

struct Softmax<'a> {
    x: &'a [f32],
    cols: usize,
    out: &'a mut [f32],
}

impl Kernel for Softmax<'_> {
    fn scalar(self) {
        let outs = self.out.chunks_exact_mut(self.cols);
        for (x, out) in self.x.chunks_exact(self.cols).zip(outs) {
            let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut sum = 0.0;
            for (out, x) in out.iter_mut().zip(x) {
                *out = (x - max).exp();
                sum += f64::from(*out);
            }
            #[expect(
                clippy::cast_possible_truncation,
                reason = "rounding is what is wanted"
            )]
            let scale = (1.0 / sum) as f32;
            for out in out {
                *out *= scale;
            }
        }
    }

    #[inline(always)]
    fn vectors<S: Simd>(self, s: S) {
        let outs = self.out.chunks_exact_mut(self.cols);
        for (x, out) in self.x.chunks_exact(self.cols).zip(outs) {
            let mut max = s.splat(f32::NEG_INFINITY);
            for x in x.chunks(S::LANES) {
                max = s.max(max, s.load_or(x, f32::NEG_INFINITY));
            }
            let max = s.splat(s.highest(max));
            let mut sum = s.splat(0.0);
            for (x, out) in x.chunks(S::LANES).zip(out.chunks_mut(S::LANES)) {
                // Lanes beyond the row's end become 0.
                let x = s.exp(s.sub(s.load_or(x, f32::NEG_INFINITY), max));
                sum = s.add(sum, x);
                s.store(x, out);
            }
            let scale = s.splat(1.0 / s.sum(sum));
            for out in out.chunks_mut(S::LANES) {
                s.store(s.mul(s.load(out), scale), out);
            }
        }
    }
}
