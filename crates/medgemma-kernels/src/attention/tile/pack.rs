//! Keys and values in the form that the instructions read: widened to f32, or as pairs of bf16.

use half::bf16;

/// Widens a row.
#[inline(always)]
pub(in crate::attention) fn widen(from: &[bf16], to: &mut [f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = f32::from_bits(u32::from(from.to_bits()) << 16);
    }
}

/// Widens a row of whole numbers with a scale.
#[inline(always)]
pub(in crate::attention) fn widen_bytes(from: &[i8], scale: f32, to: &mut [f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = f32::from(*from) * scale;
    }
}

/// A row of whole numbers with a scale, rounded to bf16.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(in crate::attention) fn round_bytes(from: &[i8], scale: f32, to: &mut [bf16]) {
    for (to, from) in to.iter_mut().zip(from) {
        let [_, _, low, high] = rounded(f32::from(*from) * scale).to_le_bytes();
        *to = bf16::from_le_bytes([low, high]);
    }
}

/// Pairs two rows lane by lane; the bits of `to` are the pairs.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(in crate::attention) fn interleave(first: &[bf16], second: &[bf16], to: &mut [f32]) {
    for (to, (first, second)) in to.iter_mut().zip(first.iter().zip(second)) {
        *to = pair(*first, *second);
    }
}

/// Pairs a row with zeros.
pub(super) fn alone(first: &[bf16], to: &mut [f32]) {
    for (to, first) in to.iter_mut().zip(first) {
        *to = pair(*first, bf16::ZERO);
    }
}

/// Pairs a row's neighbours, the last of an odd number with 0.
pub(super) fn neighbours(from: &[bf16], to: &mut [f32]) {
    let (pairs, rest) = from.as_chunks::<2>();
    let rest = rest.iter().map(|last| pair(*last, bf16::ZERO));
    let pairs = pairs.iter().map(|[first, second]| pair(*first, *second));
    for (to, pair) in to.iter_mut().zip(pairs.chain(rest)) {
        *to = pair;
    }
}

#[inline(always)]
pub(in crate::attention) fn pair(first: bf16, second: bf16) -> f32 {
    f32::from_bits(u32::from(first.to_bits()) | u32::from(second.to_bits()) << 16)
}

/// Rounds a row to bf16, to nearest and ties to even, and pairs neighbours, the last of an odd
/// number with 0.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(in crate::attention) fn narrow(from: &[f32], to: &mut [f32]) {
    let (pairs, rest) = from.as_chunks::<2>();
    for (to, [first, second]) in to.iter_mut().zip(pairs) {
        *to = f32::from_bits(rounded(*first) >> 16 | rounded(*second) & 0xffff_0000);
    }
    for (to, last) in to[pairs.len()..].iter_mut().zip(rest) {
        *to = f32::from_bits(rounded(*last) >> 16);
    }
}

/// The bits of a bf16 in the upper half; no branch, so that rows are rounded many at once.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn rounded(number: f32) -> u32 {
    let bits = number.to_bits();
    let even = bits >> 16 & 1;
    if number.is_nan() {
        bits | 1 << 22
    } else {
        bits + 0x7fff + even
    }
}
