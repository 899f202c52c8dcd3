//! RMS norm, alone and as part of a residual sum.

use super::{count, to_f32};
use crate::elementwise::{Kernel, Simd};

pub(super) struct RmsNorm<'a> {
    x: &'a [f32],
    gain: &'a [f32],
    eps: f32,
    /// Whether to add to what `out` holds.
    add: bool,
    out: &'a mut [f32],
}

impl<'a> RmsNorm<'a> {
    pub(super) fn new(
        x: &'a [f32],
        (gain, eps): (&'a [f32], f32),
        add: bool,
        out: &'a mut [f32],
    ) -> Self {
        Self {
            x,
            gain,
            eps,
            add,
            out,
        }
    }
}

impl Kernel for RmsNorm<'_> {
    fn scalar(self) {
        let d = self.gain.len();
        for (x, out) in self.x.chunks_exact(d).zip(self.out.chunks_exact_mut(d)) {
            let scale = inverse_rms_scalar(x, self.eps);
            for ((out, x), gain) in out.iter_mut().zip(x).zip(self.gain) {
                let normed = x * scale * gain;
                *out = if self.add { *out + normed } else { normed };
            }
        }
    }

    #[inline(always)]
    fn vectors<S: Simd>(self, s: S) {
        let d = self.gain.len();
        for (x, out) in self.x.chunks_exact(d).zip(self.out.chunks_exact_mut(d)) {
            let scale = s.splat(inverse_rms(s, x, self.eps));
            let inputs = x.chunks(S::LANES).zip(self.gain.chunks(S::LANES));
            let outs = out.chunks_mut(S::LANES);
            if self.add {
                for (out, (x, gain)) in outs.zip(inputs) {
                    let x = s.mul(s.load(x), scale);
                    s.store(s.mul_add(x, s.load(gain), s.load(out)), out);
                }
            } else {
                for (out, (x, gain)) in outs.zip(inputs) {
                    s.store(s.mul(s.mul(s.load(x), scale), s.load(gain)), out);
                }
            }
        }
    }
}

/// `sum += first(x)`, `x = second(sum)`, row by row.
pub(super) struct AddRmsNorms<'a> {
    pub(super) x: &'a mut [f32],
    pub(super) norms: [(&'a [f32], f32); 2],
    pub(super) sum: &'a mut [f32],
}

impl Kernel for AddRmsNorms<'_> {
    fn scalar(self) {
        let d = self.norms[0].0.len();
        let rows = self.x.chunks_exact_mut(d);
        for (x, sum) in rows.zip(self.sum.chunks_exact_mut(d)) {
            RmsNorm::new(x, self.norms[0], true, sum).scalar();
            RmsNorm::new(sum, self.norms[1], false, x).scalar();
        }
    }

    #[inline(always)]
    fn vectors<S: Simd>(self, s: S) {
        let d = self.norms[0].0.len();
        let rows = self.x.chunks_exact_mut(d);
        for (x, sum) in rows.zip(self.sum.chunks_exact_mut(d)) {
            RmsNorm::new(x, self.norms[0], true, sum).vectors(s);
            RmsNorm::new(sum, self.norms[1], false, x).vectors(s);
        }
    }
}

/// `1 / sqrt(mean(x²) + eps)`, summed in `f64`.
pub(crate) fn inverse_rms_scalar(x: &[f32], eps: f32) -> f32 {
    let sum: f64 = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    to_f32(1.0 / (sum / count(x) + f64::from(eps)).sqrt())
}

/// `1 / sqrt(mean(x²) + eps)`, summed in four vectors, whose additions do not wait for each other.
#[inline(always)]
pub(crate) fn inverse_rms<S: Simd>(s: S, x: &[f32], eps: f32) -> f32 {
    let mut sums = [s.splat(0.0); 4];
    let (blocks, rest) = x.split_at(x.len() - x.len() % (4 * S::LANES));
    for block in blocks.chunks_exact(4 * S::LANES) {
        for (sum, x) in sums.iter_mut().zip(block.chunks_exact(S::LANES)) {
            *sum = s.mul_add(s.load(x), s.load(x), *sum);
        }
    }
    for x in rest.chunks(S::LANES) {
        sums[0] = s.mul_add(s.load(x), s.load(x), sums[0]);
    }
    let sum = s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3]));
    1.0 / (s.sum(sum) / to_f32(count(x)) + eps).sqrt()
}
