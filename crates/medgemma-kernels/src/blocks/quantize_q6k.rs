//! Q6_K: 16 groups of 16 numbers, each group's scale an 8-bit multiple of the block's.

use half::f16;

use super::quantize::finite;

/// Scales tried for a group, as the integer that the largest magnitude would become.
const REACH: [f32; 9] = [27.0, 28.0, 29.0, 30.0, 30.5, 31.0, 31.5, 32.0, 33.0];

/// Quantises 256 numbers to 210 bytes.
pub(super) fn block(x: &[f32], out: &mut [u8]) {
    let x: [f32; 256] = finite(x);
    let mut scales = [0.0f32; 16];
    for (scale, x) in scales.iter_mut().zip(x.chunks_exact(16)) {
        *scale = search(x);
    }
    let largest = scales.iter().fold(0.0f32, |largest, &scale| {
        if scale.abs() > largest.abs() {
            scale
        } else {
            largest
        }
    });
    // The largest scale becomes −128, the end of i8 that reaches further.
    let d = stored(largest / -128.0);
    let mut q = [0u8; 256];
    for (group, &scale) in scales.iter().enumerate() {
        let multiple = multiple(scale * inverse(d.to_f32()));
        out[192 + group] = multiple.cast_unsigned();
        let inverse = inverse(d.to_f32() * f32::from(multiple));
        for index in group * 16..group * 16 + 16 {
            q[index] = integer(x[index] * inverse);
        }
    }
    out[208..210].copy_from_slice(&d.to_le_bytes());
    pack(&q, out);
}

/// Lays 256 six-bit integers out in the format's order.
fn pack(q: &[u8; 256], out: &mut [u8]) {
    for half in 0..2 {
        let q = &q[half * 128..][..128];
        for index in 0..64 {
            out[half * 64 + index] = q[index] & 15 | (q[index + 64] & 15) << 4;
        }
        for index in 0..32 {
            out[128 + half * 32 + index] = q[index] >> 4
                | q[index + 32] >> 4 << 2
                | q[index + 64] >> 4 << 4
                | q[index + 96] >> 4 << 6;
        }
    }
}

/// The scale of one group with the least squared error.
fn search(x: &[f32]) -> f32 {
    let largest = x.iter().fold(
        0.0f32,
        |largest, &x| {
            if x.abs() > largest.abs() { x } else { largest }
        },
    );
    let mut best = (f32::INFINITY, 0.0);
    for reach in REACH {
        for sign in [-1.0, 1.0] {
            let mut scale = largest / (sign * reach);
            for _ in 0..2 {
                let error = error(x, scale);
                if error < best.0 {
                    best = (error, scale);
                }
                scale = fit(x, scale);
            }
        }
    }
    best.1
}

/// `scale` as an f16, finite.
fn stored(scale: f32) -> f16 {
    let most = f16::MAX.to_f32();
    f16::from_f32(scale.clamp(-most, most))
}

fn inverse(scale: f32) -> f32 {
    let inverse = 1.0 / scale;
    if inverse.is_finite() { inverse } else { 0.0 }
}

/// The multiple of the block's scale that a group is stored with.
#[expect(clippy::cast_possible_truncation, reason = "clamped")]
fn multiple(scale: f32) -> i8 {
    scale.round_ties_even().clamp(-128.0, 127.0) as i8
}

/// The stored integer, 32 for zero.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within 0..=63 by the clamp"
)]
fn integer(x: f32) -> u8 {
    (x.round_ties_even().clamp(-32.0, 31.0) + 32.0) as u8
}

/// The squared error of `scale`.
fn error(x: &[f32], scale: f32) -> f32 {
    let inverse = inverse(scale);
    let errors = x.iter().map(|&x| {
        let difference = x - scale * (x * inverse).round_ties_even().clamp(-32.0, 31.0);
        difference * difference
    });
    errors.sum()
}

/// The scale that fits the integers of `scale` best.
fn fit(x: &[f32], scale: f32) -> f32 {
    let inverse = inverse(scale);
    let (mut product, mut square) = (0.0, 0.0);
    for &x in x {
        let integer = (x * inverse).round_ties_even().clamp(-32.0, 31.0);
        product += x * integer;
        square += integer * integer;
    }
    if square > 0.0 {
        product / square
    } else {
        scale
    }
}
