//! RMS norm of each head and its rotation by position, in one pass.

use crate::cpu::Cpu;
use crate::elementwise::for_rows;
use crate::norm::scalar::inverse_rms;

/// RMS norm of every head, then the rotary embedding that turns the halves `(a, b)` of a head into
/// `(a·cos − b·sin, b·cos + a·sin)` (Su et al. 2021, arXiv 2104.09864, in the layout of Gemma).
///
/// - `x`, `out`: `[tokens, heads, h]`, `h` even
/// - `gain`: `[h]`, as in [`rms_norm`](crate::rms_norm)
/// - `cos`, `sin`: `[tokens, h / 2]`, of each token's position
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
    let token = heads * h;
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
        let x = x[first * h..].chunks_exact(h);
        for (row, (x, out)) in (first..).zip(x.zip(out.chunks_exact_mut(h))) {
            let angles = row / heads * (h / 2)..(row / heads + 1) * (h / 2);
            scalar(x, gain, eps, &cos[angles.clone()], &sin[angles], out);
        }
    });
}

/// One head: the specification.
fn scalar(x: &[f32], gain: &[f32], eps: f32, cos: &[f32], sin: &[f32], out: &mut [f32]) {
    let half = x.len() / 2;
    let scale = inverse_rms(x, eps);
    for i in 0..half {
        let a = x[i] * scale * gain[i];
        let b = x[half + i] * scale * gain[half + i];
        out[i] = a * cos[i] - b * sin[i];
        out[half + i] = b * cos[i] + a * sin[i];
    }
}
