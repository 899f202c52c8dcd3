//! Advanced SIMD: four bits are a positive byte, whose products are added up in 16 bits.

use core::arch::aarch64::*;

use super::scalar::products_u4;

/// Bytes of a row that a register holds.
const LINE: usize = 16;
/// Lines whose products are added up in 16 bits. One is at most 15 · 128 = 1920, each line has four of
/// them for a lane: 16 · 1920 is below 2¹⁵.
const LINES: usize = 4;

/// See [`super::dot_u4`]: one query, its columns of the low bits and those of the high ones.
///
/// # Safety
/// The processor has Advanced SIMD.
#[target_feature(enable = "neon")]
pub(super) unsafe fn dot(query: [&[i8]; 2], rows: &[u8], sums: &mut [i32]) {
    for (row, sum) in rows.chunks_exact(query[0].len()).zip(sums) {
        *sum = one(query, row);
    }
}

/// The product of a query with one row.
#[inline]
#[target_feature(enable = "neon")]
fn one([low, high]: [&[i8]; 2], row: &[u8]) -> i32 {
    let (lines, rest) = row.as_chunks::<LINE>();
    let (low, low_rest) = low.as_chunks::<LINE>();
    let (high, high_rest) = high.as_chunks::<LINE>();
    let mut sum = vdupq_n_s32(0);
    let queries = low.chunks(LINES).zip(high.chunks(LINES));
    for (lines, (low, high)) in lines.chunks(LINES).zip(queries) {
        let mut pairs = vdupq_n_s16(0);
        for (line, (low, high)) in lines.iter().zip(low.iter().zip(high)) {
            // SAFETY: each is 16 bytes.
            let (line, low, high) = unsafe {
                (
                    vld1q_u8(line.as_ptr()),
                    vld1q_s8(low.as_ptr()),
                    vld1q_s8(high.as_ptr()),
                )
            };
            let lower = vreinterpretq_s8_u8(vandq_u8(line, vdupq_n_u8(15)));
            let upper = vreinterpretq_s8_u8(vshrq_n_u8::<4>(line));
            pairs = vmlal_s8(pairs, vget_low_s8(lower), vget_low_s8(low));
            pairs = vmlal_high_s8(pairs, lower, low);
            pairs = vmlal_s8(pairs, vget_low_s8(upper), vget_low_s8(high));
            pairs = vmlal_high_s8(pairs, upper, high);
        }
        sum = vpadalq_s16(sum, pairs);
    }
    vaddvq_s32(sum).wrapping_add(products_u4([low_rest, high_rest], rest))
}
