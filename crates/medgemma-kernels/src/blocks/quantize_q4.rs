//! Q4_0: the scale with the least squared error among many.

use half::f16;

use super::quantize::finite;

/// Scales tried on each side, as the integer that the largest magnitude would become: from 5.5 to
/// 10.
const FIRST: f32 = 5.5;
const STEP: f32 = 0.125;
const STEPS: u8 = 36;

/// Quantises 32 numbers to 18 bytes.
pub(super) fn block(x: &[f32], out: &mut [u8]) {
    let x: [f32; 32] = finite(x);
    let scale = search(&x);
    let inverse = inverse(scale.to_f32());
    out[..2].copy_from_slice(&scale.to_le_bytes());
    for index in 0..16 {
        out[2 + index] = integer(x[index] * inverse) | integer(x[index + 16] * inverse) << 4;
    }
}

/// The scale to store.
fn search(x: &[f32; 32]) -> f16 {
    let largest = x.iter().fold(
        0.0f32,
        |largest, &x| {
            if x.abs() > largest.abs() { x } else { largest }
        },
    );
    let mut best = (f32::INFINITY, f16::ZERO);
    // The integers reach from −8 to 7, so the sign of the scale matters: −8 for the largest
    // magnitude is the usual choice, and the other sign is tried too.
    for step in 0..=STEPS {
        for sign in [-1.0, 1.0] {
            let reach = sign * (FIRST + STEP * f32::from(step));
            let mut scale = stored(largest / reach);
            // With the integers fixed, the best scale is that of a least-squares line.
            for _ in 0..2 {
                let error = error(x, scale.to_f32());
                if error < best.0 {
                    best = (error, scale);
                }
                scale = stored(fit(x, scale.to_f32()));
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
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

/// The stored integer, 8 for zero.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within 0..=15 by the clamp"
)]
fn integer(x: f32) -> u8 {
    (x.round_ties_even().clamp(-8.0, 7.0) + 8.0) as u8
}

/// The squared error of `scale`.
fn error(x: &[f32; 32], scale: f32) -> f32 {
    let inverse = inverse(scale);
    let errors = x.iter().map(|&x| {
        let difference = x - scale * (x * inverse).round_ties_even().clamp(-8.0, 7.0);
        difference * difference
    });
    errors.sum()
}

/// The scale that fits the integers of `scale` best.
fn fit(x: &[f32; 32], scale: f32) -> f32 {
    let inverse = inverse(scale);
    let (mut product, mut square) = (0.0, 0.0);
    for &x in x {
        let integer = (x * inverse).round_ties_even().clamp(-8.0, 7.0);
        product += x * integer;
        square += integer * integer;
    }
    if square > 0.0 {
        product / square
    } else {
        scale
    }
}
