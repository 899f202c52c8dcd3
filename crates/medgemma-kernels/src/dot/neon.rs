//! Advanced SIMD: products of bytes in 16 bits, added in pairs to sums of 32.

use core::arch::aarch64::*;

use super::scalar::products;

/// See [`super::dot_i8`].
///
/// # Safety
/// Queries and rows are whole, at least one of each, and `sums` has a number for each pair.
#[target_feature(enable = "neon")]
pub(super) unsafe fn dot(queries: &[i8], rows: &[u8], cols: usize, sums: &mut [i32]) {
    let count = rows.len() / cols;
    for (query, sums) in queries.chunks_exact(cols).zip(sums.chunks_exact_mut(count)) {
        for (row, sum) in rows.chunks_exact(cols).zip(sums) {
            *sum = one(query, row);
        }
    }
}

/// The product of a query with one row.
#[inline]
#[target_feature(enable = "neon")]
fn one(query: &[i8], row: &[u8]) -> i32 {
    let (queries, query_rest) = query.as_chunks::<16>();
    let (rows, row_rest) = row.as_chunks::<16>();
    let mut sums = [vdupq_n_s32(0); 2];
    for (q, r) in queries.iter().zip(rows) {
        // SAFETY: both are 16 bytes.
        let (q, r) = unsafe {
            (
                vld1q_s8(q.as_ptr()),
                vreinterpretq_s8_u8(vld1q_u8(r.as_ptr())),
            )
        };
        // A product is at most 128 · 128, which i16 holds.
        sums[0] = vpadalq_s16(sums[0], vmull_s8(vget_low_s8(q), vget_low_s8(r)));
        sums[1] = vpadalq_s16(sums[1], vmull_high_s8(q, r));
    }
    let all = vaddvq_s32(vaddq_s32(sums[0], sums[1]));
    all.wrapping_add(products(query_rest, row_rest))
}
