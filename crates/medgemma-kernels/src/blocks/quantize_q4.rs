//! Q4_0: the scale with the least squared error among many.

use half::f16;

use super::quantize::{Fit, finite, inverse, stored};

/// What the largest magnitude may become, in steps: from 6 to 9. The integers reach from −8 to
/// 7, so the sign of the scale matters: −8 for the largest magnitude is the usual choice, and the
/// other sign is tried too.
const FIRST: f32 = 6.0;
const STEP: f32 = 0.5;
const STEPS: u8 = 6;

const FIT: Fit = Fit {
    least: -8.0,
    most: 7.0,
};

/// Quantises 32 numbers to 18 bytes.
#[inline(always)]
pub(super) fn block(x: &[f32], out: &mut [u8]) {
    let x: [f32; 32] = finite(x);
    let scale = search(&x);
    let inverse = inverse(scale.to_f32());
    out[..2].copy_from_slice(&scale.to_le_bytes());
    let q = x.map(|x| FIT.integer(x * inverse));
    for index in 0..16 {
        out[2 + index] = q[index] | q[index + 16] << 4;
    }
}

/// The scale to store.
#[inline(always)]
fn search(x: &[f32; 32]) -> f16 {
    let (least, most) = x.iter().fold((0.0f32, 0.0f32), |(least, most), &x| {
        (least.min(x), most.max(x))
    });
    let largest = if -least > most { least } else { most };
    let plain = largest / FIT.least;
    let (mut best, mut scale) = (-1.0, plain);
    for step in 0..=STEPS {
        let reach = FIRST + STEP * f32::from(step);
        for trial in [largest / reach, largest / -reach] {
            let (gain, fitted) = FIT.gain(x, trial);
            if gain > best {
                (best, scale) = (gain, fitted);
            }
        }
    }
    // What is stored is rounded, and integers follow from it: only now is the error the true one.
    let (plain, scale) = (stored(plain), stored(scale));
    if FIT.error(x, scale.to_f32()) <= FIT.error(x, plain.to_f32()) {
        scale
    } else {
        plain
    }
}
