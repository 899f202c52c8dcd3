//! From scores to powers of 2, relative to the largest of them.
//!
//! Usually `score · factor − largest · factor`, one fused instruction for each score, with the second
//! product rounded once for all. Rounded, a product of 2³¹ is off by up to 2⁷, and such a power is 0 or
//! infinite; so where products are large, the difference is taken first.

use super::lanes::Lanes;

/// Products from here on are large. Below, they are rounded by less than 2⁻⁸, no more than sums so large
/// are off by themselves; those of models are some hundreds.
const LARGE: f32 = 65536.0;

/// Whether the largest score's product is not large. One that is infinite, as of a row that has seen no
/// key yet, is.
#[inline(always)]
pub(super) fn is_ordinary(product: f32) -> bool {
    product.abs() < LARGE
}

/// What is gathered relative to the score `before` is to be multiplied by, to be relative to `now`.
pub(super) fn fade(before: f32, now: f32, factor: f32) -> f32 {
    let product = now * factor;
    let power = if is_ordinary(product) {
        before * factor - product
    } else {
        (before - now) * factor
    };
    power.exp2()
}

/// The powers of a vector of scores. `minus` is the negative of the largest score where that is large, else
/// of its product.
#[inline(always)]
pub(super) fn relative<L: Lanes, const LARGE: bool>(
    lanes: L,
    score: L::V,
    factor: L::V,
    minus: L::V,
) -> L::V {
    if LARGE {
        lanes.mul(lanes.add(score, minus), factor)
    } else {
        lanes.mul_add(score, factor, minus)
    }
}
