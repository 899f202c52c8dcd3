//! RMS norm, with a residual or without.

use super::{count, to_f32};
use crate::elementwise::{Kernel, Simd};

pub(super) struct RmsNorm<'a> {
    pub(super) x: &'a [f32],
    pub(super) gain: &'a [f32],
    pub(super) eps: f32,
    pub(super) residual: Option<&'a [f32]>,
    pub(super) out: &'a mut [f32],
}

impl Kernel for RmsNorm<'_> {
    fn scalar(self) {
        let d = self.gain.len();
        let rows = self.x.chunks_exact(d).zip(self.out.chunks_exact_mut(d));
        for (row, (x, out)) in rows.enumerate() {
            let scale = inverse_rms_scalar(x, self.eps);
            for ((out, x), gain) in out.iter_mut().zip(x).zip(self.gain) {
                *out = x * scale * gain;
            }
            if let Some(residual) = self.residual {
                for (out, residual) in out.iter_mut().zip(&residual[row * d..]) {
                    *out += residual;
                }
            }
        }
    }

    #[inline(always)]
    fn vectors<S: Simd>(self, s: S) {
        let d = self.gain.len();
        let rows = self.x.chunks_exact(d).zip(self.out.chunks_exact_mut(d));
        for (row, (x, out)) in rows.enumerate() {
            let scale = s.splat(inverse_rms(s, x, self.eps));
            let inputs = x.chunks(S::LANES).zip(self.gain.chunks(S::LANES));
            let outs = out.chunks_mut(S::LANES);
            if let Some(residual) = self.residual {
                let residual = residual[row * d..][..d].chunks(S::LANES);
                for ((out, (x, gain)), residual) in outs.zip(inputs).zip(residual) {
                    let x = s.mul(s.load(x), scale);
                    s.store(s.mul_add(x, s.load(gain), s.load(residual)), out);
                }
            } else {
                for (out, (x, gain)) in outs.zip(inputs) {
                    s.store(s.mul(s.mul(s.load(x), scale), s.load(gain)), out);
                }
            }
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
