//! AVX2: four bits are a byte without a sign, as the instruction wants it that multiplies bytes and adds
//! pairs of products up in 16 bits.

use core::arch::x86_64::*;

use super::avx2::total;
use super::scalar::products_u4;

/// Bytes of a row that a register holds.
const LINE: usize = 32;
/// Lines whose products are added up in 16 bits. A pair is at most 2 · 15 · 128 = 3840, each line has
/// two of them for a lane: 8 · 3840 is below 2¹⁵.
const LINES: usize = 4;
/// Bytes that rows are fetched ahead, into the second cache: the processor's own fetching ends at each
/// page of 4 KiB.
const AHEAD: usize = 4 << 10;

/// See [`super::dot_u4`]: one query, its columns of the low bits and those of the high ones.
///
/// # Safety
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn dot(query: [&[i8]; 2], rows: &[u8], sums: &mut [i32]) {
    for (row, sum) in rows.chunks_exact(query[0].len()).zip(sums) {
        *sum = one(query, row);
    }
}

/// The product of a query with one row.
#[inline]
#[target_feature(enable = "avx2")]
fn one([low, high]: [&[i8]; 2], row: &[u8]) -> i32 {
    let (lines, rest) = row.as_chunks::<LINE>();
    let (low, low_rest) = low.as_chunks::<LINE>();
    let (high, high_rest) = high.as_chunks::<LINE>();
    let mut sum = _mm256_setzero_si256();
    let queries = low.chunks(LINES).zip(high.chunks(LINES));
    for (lines, (low, high)) in lines.chunks(LINES).zip(queries) {
        let mut pairs = _mm256_setzero_si256();
        for (line, (low, high)) in lines.iter().zip(low.iter().zip(high)) {
            pairs = _mm256_add_epi16(pairs, products(line, low, high));
        }
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    total(sum).wrapping_add(products_u4([low_rest, high_rest], rest))
}

/// The products of a line, both columns of a byte and of its neighbour's added up in a lane.
#[inline]
#[target_feature(enable = "avx2")]
fn products(line: &[u8; LINE], low: &[i8; LINE], high: &[i8; LINE]) -> __m256i {
    // Fetching from an address that is not readable does nothing.
    _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().wrapping_add(AHEAD).cast());
    // SAFETY: each is 32 bytes.
    let [line, low, high] = unsafe {
        [
            _mm256_loadu_si256(line.as_ptr().cast()),
            _mm256_loadu_si256(low.as_ptr().cast()),
            _mm256_loadu_si256(high.as_ptr().cast()),
        ]
    };
    let four = _mm256_set1_epi8(15);
    let lower = _mm256_and_si256(line, four);
    let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(line), four);
    _mm256_add_epi16(
        _mm256_maddubs_epi16(lower, low),
        _mm256_maddubs_epi16(upper, high),
    )
}
