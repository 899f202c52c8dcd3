//! AVX2: one number of the eight lanes of a register.

use core::arch::x86_64::*;

/// What `combine` makes of the lanes of each register: of neighbours, of pairs, then of the halves.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn across(registers: [__m256; 8], combine: impl Fn(__m256, __m256) -> __m256) -> __m256 {
    let [a, b, c, d, e, f, g, h] = registers;
    let mut pairs = [_mm256_setzero_ps(); 4];
    for (pairs, [first, second]) in pairs.iter_mut().zip([[a, b], [c, d], [e, f], [g, h]]) {
        let even = _mm256_shuffle_ps::<0b10_00_10_00>(first, second);
        *pairs = combine(even, _mm256_shuffle_ps::<0b11_01_11_01>(first, second));
    }
    let [a, b, c, d] = pairs;
    let mut halves = [_mm256_setzero_ps(); 2];
    for (halves, [first, second]) in halves.iter_mut().zip([[a, b], [c, d]]) {
        let even = _mm256_shuffle_ps::<0b10_00_10_00>(first, second);
        *halves = combine(even, _mm256_shuffle_ps::<0b11_01_11_01>(first, second));
    }
    let [low, high] = halves;
    combine(
        _mm256_permute2f128_ps::<0x20>(low, high),
        _mm256_permute2f128_ps::<0x31>(low, high),
    )
}

/// The sum of all lanes, in the order of [`across`]: a row comes out the same by either.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn total(sums: __m256) -> f32 {
    let pairs = _mm256_add_ps(sums, _mm256_permute_ps::<0b10_11_00_01>(sums));
    let halves = _mm256_add_ps(pairs, _mm256_permute_ps::<0b01_00_11_10>(pairs));
    _mm_cvtss_f32(_mm_add_ss(
        _mm256_castps256_ps128(halves),
        _mm256_extractf128_ps::<1>(halves),
    ))
}
