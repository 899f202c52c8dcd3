//! AVX2: one number of the eight lanes of a register.

use core::arch::x86_64::*;

/// What `combine` makes of the lanes of each register: of lanes four apart, then two, then of neighbours.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn across(
    [a, b, c, d, e, f, g, h]: [__m256; 8],
    combine: impl Fn(__m256, __m256) -> __m256,
) -> __m256 {
    let mut halves = [_mm256_setzero_ps(); 4];
    for (halves, [low, high]) in halves.iter_mut().zip([[a, e], [b, f], [c, g], [d, h]]) {
        let first = _mm256_permute2f128_ps::<0x20>(low, high);
        *halves = combine(first, _mm256_permute2f128_ps::<0x31>(low, high));
    }
    let [a, b, c, d] = halves;
    let mut pairs = [_mm256_setzero_ps(); 2];
    for (pairs, [low, high]) in pairs.iter_mut().zip([[a, b], [c, d]]) {
        let first = _mm256_shuffle_ps::<0b01_00_01_00>(low, high);
        *pairs = combine(first, _mm256_shuffle_ps::<0b11_10_11_10>(low, high));
    }
    let [low, high] = pairs;
    combine(
        _mm256_shuffle_ps::<0b10_00_10_00>(low, high),
        _mm256_shuffle_ps::<0b11_01_11_01>(low, high),
    )
}

/// The sum of all lanes, in the order of [`across`]: a row comes out the same by either.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn total(sums: __m256) -> f32 {
    let four = _mm_add_ps(
        _mm256_castps256_ps128(sums),
        _mm256_extractf128_ps::<1>(sums),
    );
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}
