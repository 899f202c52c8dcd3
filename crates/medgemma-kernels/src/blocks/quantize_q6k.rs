//! Q6_K: 16 groups of 16 numbers, each group's scale an 8-bit multiple of the block's.

use super::quantize::{Fit, finite, inverse, stored};

/// Scales tried for a group, as the integer that the largest magnitude would become.
const REACH: [f32; 9] = [27.0, 28.0, 29.0, 30.0, 30.5, 31.0, 31.5, 32.0, 33.0];

const FIT: Fit = Fit {
    least: -32.0,
    most: 31.0,
};

/// Quantises 256 numbers to 210 bytes.
#[inline(always)]
pub(super) fn block(x: &[f32], out: &mut [u8]) {
    let x: [f32; 256] = finite(x);
    let mut scales = [0.0f32; 16];
    for (scale, x) in scales.iter_mut().zip(x.as_chunks().0) {
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
            q[index] = FIT.integer(x[index] * inverse);
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
#[inline(always)]
fn search(x: &[f32; 16]) -> f32 {
    let (least, most) = x.iter().fold((0.0f32, 0.0f32), |(least, most), &x| {
        (least.min(x), most.max(x))
    });
    let largest = if -least > most { least } else { most };
    let (mut best, mut scale) = (-1.0, largest / FIT.least);
    for reach in REACH {
        for trial in [largest / reach, largest / -reach] {
            let (gain, fitted) = FIT.gain(x, trial);
            if gain > best {
                (best, scale) = (gain, fitted);
            }
        }
    }
    scale
}

/// The multiple of the block's scale that a group is stored with.
#[expect(clippy::cast_possible_truncation, reason = "clamped")]
fn multiple(scale: f32) -> i8 {
    scale.round_ties_even().clamp(-128.0, 127.0) as i8
}
