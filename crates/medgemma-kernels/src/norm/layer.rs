//! Layer norm.

use super::{count, to_f32};
use crate::elementwise::{Add, Kernel, Simd};

pub(super) struct LayerNorm<'a> {
    pub(super) x: &'a [f32],
    pub(super) weight: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) eps: f32,
    pub(super) out: &'a mut [f32],
}

impl Kernel for LayerNorm<'_> {
    fn scalar(self) {
        let d = self.weight.len();
        for (x, out) in self.x.chunks_exact(d).zip(self.out.chunks_exact_mut(d)) {
            let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / count(x);
            let square = |x: &f32| (f64::from(*x) - mean).powi(2);
            let variance = x.iter().map(square).sum::<f64>() / count(x);
            let scale = 1.0 / (variance + f64::from(self.eps)).sqrt();
            let affine = self.weight.iter().zip(self.bias);
            for ((out, &x), (&weight, &bias)) in out.iter_mut().zip(x).zip(affine) {
                *out = to_f32((f64::from(x) - mean) * scale) * weight + bias;
            }
        }
    }

    #[inline(always)]
    fn vectors<S: Simd>(self, s: S) {
        let d = self.weight.len();
        for (x, out) in self.x.chunks_exact(d).zip(self.out.chunks_exact_mut(d)) {
            let mean = mean(s, x);
            let variance = variance(s, x, mean);
            let scale = s.splat(1.0 / (variance + self.eps).sqrt());
            let mean = s.splat(mean);
            let affine = self.weight.chunks(S::LANES).zip(self.bias.chunks(S::LANES));
            let rows = out.chunks_mut(S::LANES).zip(x.chunks(S::LANES));
            for ((out, x), (weight, bias)) in rows.zip(affine) {
                let x = s.mul(s.sub(s.load(x), mean), scale);
                s.store(s.mul_add(x, s.load(weight), s.load(bias)), out);
            }
        }
    }
}

/// `sum += x`, `x = norm(sum)`, row by row.
pub(super) struct AddLayerNorm<'a> {
    pub(super) x: &'a mut [f32],
    pub(super) weight: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) eps: f32,
    pub(super) sum: &'a mut [f32],
}

impl Kernel for AddLayerNorm<'_> {
    fn scalar(self) {
        let (weight, bias, eps) = (self.weight, self.bias, self.eps);
        let rows = self.x.chunks_exact_mut(weight.len());
        for (out, sum) in rows.zip(self.sum.chunks_exact_mut(weight.len())) {
            Add { x: out, sum }.scalar();
            let norm = LayerNorm {
                x: sum,
                weight,
                bias,
                eps,
                out,
            };
            norm.scalar();
        }
    }

    #[inline(always)]
    fn vectors<S: Simd>(self, s: S) {
        let (weight, bias, eps) = (self.weight, self.bias, self.eps);
        let rows = self.x.chunks_exact_mut(weight.len());
        for (out, sum) in rows.zip(self.sum.chunks_exact_mut(weight.len())) {
            Add { x: out, sum }.vectors(s);
            let norm = LayerNorm {
                x: sum,
                weight,
                bias,
                eps,
                out,
            };
            norm.vectors(s);
        }
    }
}

/// The mean, summed in four vectors, whose additions do not wait for each other.
#[inline(always)]
fn mean<S: Simd>(s: S, x: &[f32]) -> f32 {
    let mut sums = [s.splat(0.0); 4];
    let (blocks, rest) = x.split_at(x.len() - x.len() % (4 * S::LANES));
    for block in blocks.chunks_exact(4 * S::LANES) {
        for (sum, x) in sums.iter_mut().zip(block.chunks_exact(S::LANES)) {
            *sum = s.add(s.load(x), *sum);
        }
    }
    for x in rest.chunks(S::LANES) {
        sums[0] = s.add(s.load(x), sums[0]);
    }
    let sum = s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3]));
    s.sum(sum) / to_f32(count(x))
}

/// The mean square of the differences to `mean`, in the same way.
#[inline(always)]
fn variance<S: Simd>(s: S, x: &[f32], mean: f32) -> f32 {
    let center = s.splat(mean);
    let mut sums = [s.splat(0.0); 4];
    let (blocks, rest) = x.split_at(x.len() - x.len() % (4 * S::LANES));
    for block in blocks.chunks_exact(4 * S::LANES) {
        for (sum, x) in sums.iter_mut().zip(block.chunks_exact(S::LANES)) {
            let x = s.sub(s.load(x), center);
            *sum = s.mul_add(x, x, *sum);
        }
    }
    for x in rest.chunks(S::LANES) {
        // Lanes beyond the row's end count nothing.
        let x = s.sub(s.load_or(x, mean), center);
        sums[0] = s.mul_add(x, x, sums[0]);
    }
    let sum = s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3]));
    s.sum(sum) / to_f32(count(x))
}
