//! Advanced SIMD: one row of weights times a few rows of activations.

use core::arch::aarch64::*;
use std::hint::black_box;

use crate::matrix::Format;

use super::activations::{GROUP, Rounded};
use super::decode::{factors, format_of, group_len, of_format, zero};

/// The sums of a row of weights with each of the rows of activations: `out[..x.len()]`.
///
/// # Panics
/// When there are more than 8, or they have other columns than the weights.
#[target_feature(enable = "neon")]
pub(super) fn row(format: Format, row: &[u8], x: &[Rounded], out: &mut [f32; 8]) {
    macro_rules! of {
        ($format:ident) => {{
            const FORMAT: u8 = Format::$format as u8;
            if std::arch::is_aarch64_feature_detected!("dotprod") {
                dot::<FORMAT, true>(row, x, out)
            } else {
                dot::<FORMAT, false>(row, x, out)
            }
        }};
    }
    of_format!(format, of)
}

#[target_feature(enable = "neon")]
fn dot<const FORMAT: u8, const DOTPROD: bool>(row: &[u8], x: &[Rounded], out: &mut [f32; 8]) {
    let format = const { format_of(FORMAT) };
    let (len, size) = (format.block_len(), format.block_bytes());
    let offsets = matches!(
        format,
        Format::Q4_1 | Format::Q5_1 | Format::Q4K | Format::Q5K
    );
    let mut sums = [vdupq_n_f32(0.0); 8];
    let mut constant = [0.0f32; 8];
    let (mut scale, mut offset) = ([0.0; 16], [0.0; 16]);
    for (index, bytes) in row.chunks_exact(size).enumerate() {
        factors(format, bytes, &mut scale, &mut offset);
        let q = unpack(format, bytes);
        for (token, x) in x.iter().enumerate() {
            for group in 0..len / GROUP {
                let at = index * len + group * GROUP;
                let integers: &[i8; GROUP] = x.integers[at..].first_chunk().expect("a group");
                // SAFETY: it is twice 16 bytes.
                let [x0, x1] = [0, 16].map(|half| unsafe { vld1q_s8(integers[half..].as_ptr()) });
                let [q0, q1] = [q[2 * group], q[2 * group + 1]];
                let a = x.scales[at / GROUP];
                let none = vdupq_n_s32(0);
                let first = add_products::<DOTPROD>(none, q0, x0);
                if group_len(format) == 16 {
                    let second = add_products::<DOTPROD>(none, q1, x1);
                    let sum = vfmaq_n_f32(sums[token], vcvtq_f32_s32(first), scale[2 * group] * a);
                    let factor = scale[2 * group + 1] * a;
                    sums[token] = vfmaq_n_f32(sum, vcvtq_f32_s32(second), factor);
                } else {
                    let both = vcvtq_f32_s32(add_products::<DOTPROD>(first, q1, x1));
                    sums[token] = vfmaq_n_f32(sums[token], both, scale[group] * a);
                }
                if offsets {
                    constant[token] += offset[group] * a * f32::from(x.totals[at / GROUP]);
                }
            }
        }
    }
    for (token, out) in out.iter_mut().enumerate().take(x.len()) {
        *out = vaddvq_f32(sums[token]) - constant[token];
    }
}

/// Adds the products of 16 numbers to the four sums, whose total alone matters.
#[inline]
#[target_feature(enable = "neon")]
fn add_products<const DOTPROD: bool>(sums: int32x4_t, q: int8x16_t, x: int8x16_t) -> int32x4_t {
    if DOTPROD {
        let mut sums = sums;
        // SAFETY: the processor has the instruction, `row` and `super::spin` have asked.
        unsafe {
            core::arch::asm!(
                ".arch_extension dotprod",
                "sdot {sums:v}.4s, {q:v}.16b, {x:v}.16b",
                ".arch_extension nodotprod",
                sums = inout(vreg) sums,
                q = in(vreg) q,
                x = in(vreg) x,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
        return sums;
    }
    // A product is at most 128 · 127, which i16 holds.
    let low = vmull_s8(vget_low_s8(q), vget_low_s8(x));
    vpadalq_s16(vpadalq_s16(sums, low), vmull_high_s8(q, x))
}

/// See [`super::spin::spin`]: 16 products at a time.
///
/// # Safety
/// With `DOTPROD` the processor has the instruction.
#[target_feature(enable = "neon")]
pub(super) unsafe fn spin<const DOTPROD: bool>(q: i8, x: i8, turns: usize) -> (usize, i32) {
    const SUMS: usize = 12;
    let (q, mut x) = (vdupq_n_s8(q), vdupq_n_s8(x));
    // The compiler is not to know that they are alike.
    let mut sums = black_box([vdupq_n_s32(0); SUMS]);
    for _ in 0..turns {
        for sum in &mut sums {
            // SAFETY: there is no instruction in it. It makes `x` another one for the compiler, so that its products
            // are not those of before.
            unsafe {
                core::arch::asm!(
                    "/* {x:v} */",
                    x = inout(vreg) x,
                    options(nomem, nostack, preserves_flags)
                );
            }
            *sum = add_products::<DOTPROD>(*sum, q, x);
        }
    }
    let sums = sums.map(|sum| vaddvq_s32(sum));
    (2 * SUMS * 16, sums.into_iter().fold(0, i32::wrapping_add))
}

/// Sixteen bytes from `at` on.
#[inline]
#[target_feature(enable = "neon")]
fn load(bytes: &[u8], at: usize) -> uint8x16_t {
    let bytes: &[u8; 16] = bytes[at..].first_chunk().expect("bytes of a block");
    // SAFETY: it is 16 bytes.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

/// The integers of a block less `z`, in the order of the row; the first `block_len` are used.
#[inline]
#[target_feature(enable = "neon")]
fn unpack(format: Format, bytes: &[u8]) -> [int8x16_t; 16] {
    let mut q = [vdupq_n_u8(0); 16];
    match format {
        Format::Q8_0 => {
            // Signed in the file.
            (q[0], q[1]) = (load(bytes, 2), load(bytes, 18));
            return q.map(|q| vreinterpretq_s8_u8(q));
        }
        Format::Q4_0 => (q[0], q[1]) = nibbles(load(bytes, 2)),
        Format::Q4_1 => (q[0], q[1]) = nibbles(load(bytes, 4)),
        Format::Q5_0 => {
            (q[0], q[1]) = nibbles(load(bytes, 6));
            (q[0], q[1]) = (fifths(q[0], &bytes[2..4]), fifths(q[1], &bytes[4..6]));
        }
        Format::Q5_1 => {
            (q[0], q[1]) = nibbles(load(bytes, 8));
            (q[0], q[1]) = (fifths(q[0], &bytes[4..6]), fifths(q[1], &bytes[6..8]));
        }
        Format::Q4K | Format::Q5K => {
            let start = if matches!(format, Format::Q4K) {
                16
            } else {
                48
            };
            for piece in 0..8 {
                // Pieces of 16 bytes: low halves are of one group of 32, high halves of the next.
                let at = piece / 2 * 4 + piece % 2;
                (q[at], q[at + 2]) = nibbles(load(bytes, start + piece * 16));
            }
            if matches!(format, Format::Q5K) {
                let high = [load(bytes, 16), load(bytes, 32)];
                for (index, q) in q.iter_mut().enumerate() {
                    *q = with_bits(*q, high[index % 2], 4 - shift(index / 2), 16);
                }
            }
        }
        _ => {
            for half in 0..2 {
                let high = [load(bytes, 128 + half * 32), load(bytes, 144 + half * 32)];
                let q = &mut q[half * 8..][..8];
                for piece in 0..4 {
                    (q[piece], q[piece + 4]) = nibbles(load(bytes, half * 64 + piece * 16));
                }
                for (index, q) in q.iter_mut().enumerate() {
                    *q = with_bits(*q, high[index % 2], 4 - 2 * shift(index / 2), 0x30);
                }
            }
        }
    }
    q.map(|q| {
        vsubq_s8(
            vreinterpretq_s8_u8(q),
            vdupq_n_s8(zero(format).cast_signed()),
        )
    })
}

/// A small number as a shift.
#[expect(clippy::cast_possible_truncation, reason = "below 8")]
fn shift(index: usize) -> i8 {
    index as i8
}

/// The low and the high halves of all bytes.
#[inline]
#[target_feature(enable = "neon")]
fn nibbles(bytes: uint8x16_t) -> (uint8x16_t, uint8x16_t) {
    (vandq_u8(bytes, vdupq_n_u8(15)), vshrq_n_u8::<4>(bytes))
}

/// Adds the bits `mask` of `high`, shifted to the left, or to the right by a negative number.
#[inline]
#[target_feature(enable = "neon")]
fn with_bits(q: uint8x16_t, high: uint8x16_t, left: i8, mask: u8) -> uint8x16_t {
    let shifted = vshlq_u8(high, vdupq_n_s8(left));
    vorrq_u8(q, vandq_u8(shifted, vdupq_n_u8(mask)))
}

/// Adds bit `i` of two bytes to integer `i` as its fifth.
#[inline]
#[target_feature(enable = "neon")]
fn fifths(q: uint8x16_t, bits: &[u8]) -> uint8x16_t {
    let each = vcreate_u8(0x8040_2010_0804_0201);
    let bits = vcombine_u8(vdup_n_u8(bits[0]), vdup_n_u8(bits[1]));
    let set = vtstq_u8(bits, vcombine_u8(each, each));
    vorrq_u8(q, vandq_u8(set, vdupq_n_u8(16)))
}
