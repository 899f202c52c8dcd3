//! Q8_0: the largest magnitude of a block becomes 127.

use half::f16;

use super::quantize::{finite, inverse, nearest};

/// Quantises 32 numbers to 34 bytes.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the integers are within −127..=127"
)]
#[inline(always)]
pub(super) fn block(x: &[f32], out: &mut [u8]) {
    let x: [f32; 32] = finite(x);
    let largest = x.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    // Rounding to the scale that is stored, not to the one before rounding, saves a little error;
    // f16 ends at 65504.
    let scale = f16::from_f32((largest / 127.0).min(f16::MAX.to_f32()));
    let inverse = inverse(scale.to_f32());
    out[..2].copy_from_slice(&scale.to_le_bytes());
    for (out, x) in out[2..].iter_mut().zip(&x) {
        let integer = nearest((x * inverse).clamp(-127.0, 127.0));
        *out = (integer as i8).cast_unsigned();
    }
}
