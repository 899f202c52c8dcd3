//! AVX-512 with VNNI: four bits are a byte without a sign, as `vpdpbusd` wants it, and products are added up
//! in 32 bits at once.
//!
//! A single query waits for memory, with AVX2 as well; several at once are bound by arithmetic.

use core::arch::x86_64::*;

use super::scalar::products_u4;

/// Bytes of a row that a register holds.
const LINE: usize = 64;
/// Bytes that rows are fetched ahead, into the second cache: the processor's own fetching ends at each
/// page of 4 KiB.
const AHEAD: usize = 4 << 10;

/// See [`super::dot_u4`]: one query, its columns of the low bits and those of the high ones.
///
/// # Safety
/// The processor has these instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn dot(query: [&[i8]; 2], rows: &[u8], sums: &mut [i32]) {
    for (row, sum) in rows.chunks_exact(query[0].len()).zip(sums) {
        *sum = one(query, row);
    }
}

/// The product of a query with one row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn one([low, high]: [&[i8]; 2], row: &[u8]) -> i32 {
    let (lines, rest) = row.as_chunks::<LINE>();
    let (low, low_rest) = low.as_chunks::<LINE>();
    let (high, high_rest) = high.as_chunks::<LINE>();
    let four = _mm512_set1_epi8(15);
    let mut sums = [_mm512_setzero_si512(); 2];
    for (line, (low, high)) in lines.iter().zip(low.iter().zip(high)) {
        // Fetching from an address that is not readable does nothing.
        _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().wrapping_add(AHEAD).cast());
        // SAFETY: each is 64 bytes.
        let [line, low, high] = unsafe {
            [
                _mm512_loadu_si512(line.as_ptr().cast()),
                _mm512_loadu_si512(low.as_ptr().cast()),
                _mm512_loadu_si512(high.as_ptr().cast()),
            ]
        };
        let lower = _mm512_and_si512(line, four);
        let upper = _mm512_and_si512(_mm512_srli_epi16::<4>(line), four);
        sums[0] = _mm512_dpbusd_epi32(sums[0], lower, low);
        sums[1] = _mm512_dpbusd_epi32(sums[1], upper, high);
    }
    let sum = _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1]));
    sum.wrapping_add(products_u4([low_rest, high_rest], rest))
}
