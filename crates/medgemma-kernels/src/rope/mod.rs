//! RMS norm of each head and its rotation by position, in one pass.

#[cfg(test)]
mod tests;

use crate::cpu::Cpu;
use crate::elementwise::{Kernel, Simd, for_rows, run};
use crate::norm::{inverse_rms, inverse_rms_scalar};

/// RMS norm of every head, then the rotary embedding that turns the halves `(a, b)` of a head into
/// `(a·cos − b·sin, b·cos + a·sin)` (Su et al. 2021, arXiv 2104.09864, in the layout of Gemma).
///
/// - `x`, `out`: `[tokens, heads, h]`, `h` even
/// - `gain`: `[h]`, as in [`rms_norm`](crate::rms_norm)
/// - `cos`, `sin`: `[tokens, h / 2]`, of each token's position
///
/// Vectors sum squares in f32, as in [`rms_norm`](crate::rms_norm): a head with a number of 1.9e19 becomes
/// zeros there.
///
/// # Panics
/// When lengths do not fit each other, or `h` is odd.
#[expect(
    clippy::too_many_arguments,
    reason = "one array each, as the formula has them"
)]
pub fn qk_norm_rope(
    cpu: &Cpu,
    x: &[f32],
    heads: usize,
    gain: &[f32],
    eps: f32,
    cos: &[f32],
    sin: &[f32],
    out: &mut [f32],
) {
    let h = gain.len();
    let token = heads.checked_mul(h).unwrap_or(0);
    assert!(token > 0 && h.is_multiple_of(2), "{heads} heads of {h}");
    assert_eq!(x.len(), out.len(), "lengths of input and output");
    assert!(
        x.len().is_multiple_of(token),
        "{} numbers of {heads} heads of {h}",
        x.len()
    );
    let angles = x.len() / token * (h / 2);
    assert_eq!(
        (cos.len(), sin.len()),
        (angles, angles),
        "lengths of cos and sin"
    );
    for_rows(cpu, out, h, &|first, out| {
        let x = &x[first * h..first * h + out.len()];
        let kernel = NormRope {
            x,
            first,
            heads,
            gain,
            eps,
            cos,
            sin,
            out,
        };
        run(cpu.path(), kernel);
    });
}

/// A block of heads, which may begin within a token.
struct NormRope<'a> {
    x: &'a [f32],
    /// Number of the first head, counted through all tokens.
    first: usize,
    heads: usize,
    gain: &'a [f32],
    eps: f32,
    cos: &'a [f32],
    sin: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for NormRope<'_> {
    fn scalar(self) {
        let h = self.gain.len();
        let half = h / 2;
        let rows = self.x.chunks_exact(h).zip(self.out.chunks_exact_mut(h));
        for (row, (x, out)) in (self.first..).zip(rows) {
            let angles = row / self.heads * half..;
            let (cos, sin) = (&self.cos[angles.clone()], &self.sin[angles]);
            let scale = inverse_rms_scalar(x, self.eps);
            for i in 0..half {
                let a = x[i] * scale * self.gain[i];
                let b = x[half + i] * scale * self.gain[half + i];
                out[i] = a * cos[i] - b * sin[i];
                out[half + i] = b * cos[i] + a * sin[i];
            }
        }
    }

    #[inline(always)]
    fn vectors<S: Simd>(self, s: S) {
        let h = self.gain.len();
        let half = h / 2;
        let (gain_a, gain_b) = self.gain.split_at(half);
        let rows = self.x.chunks_exact(h).zip(self.out.chunks_exact_mut(h));
        for (row, (x, out)) in (self.first..).zip(rows) {
            let scale = s.splat(inverse_rms(s, x, self.eps));
            let token = row / self.heads * half..(row / self.heads + 1) * half;
            let cos = self.cos[token.clone()].chunks(S::LANES);
            let angles = cos.zip(self.sin[token].chunks(S::LANES));
            let gains = gain_a.chunks(S::LANES).zip(gain_b.chunks(S::LANES));
            let (a, b) = x.split_at(half);
            let inputs = a.chunks(S::LANES).zip(b.chunks(S::LANES));
            let (out_a, out_b) = out.split_at_mut(half);
            let outs = out_a.chunks_mut(S::LANES).zip(out_b.chunks_mut(S::LANES));
            for ((((a, b), (gain_a, gain_b)), (cos, sin)), (out_a, out_b)) in
                inputs.zip(gains).zip(angles).zip(outs)
            {
                let a = s.mul(s.mul(s.load(a), scale), s.load(gain_a));
                let b = s.mul(s.mul(s.load(b), scale), s.load(gain_b));
                let (cos, sin) = (s.load(cos), s.load(sin));
                s.store(s.sub(s.mul(a, cos), s.mul(b, sin)), out_a);
                s.store(s.mul_add(b, cos, s.mul(a, sin)), out_b);
            }
        }
    }
}
