//! Vectors of AVX2 and FMA.

use core::arch::x86_64::*;

use half::bf16;

use super::simd::{Kernel, Simd, padded, shortened};
use crate::exp::exp_avx2;

/// Runs a kernel in vectors of 8.
#[target_feature(enable = "avx2,fma")]
pub(super) fn run(kernel: impl Kernel) {
    kernel.vectors(Avx2(()));
}

#[derive(Clone, Copy)]
struct Avx2(());

impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: an `Avx2` exists only where the processor has AVX2 and FMA.
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    fn load_or(self, x: &[f32], fill: f32) -> __m256 {
        // SAFETY: as in `splat`; the 8 numbers read lie in `x` or in the array.
        unsafe {
            if x.len() >= 8 {
                _mm256_loadu_ps(x.as_ptr())
            } else {
                _mm256_loadu_ps(padded::<8>(x, fill).as_ptr())
            }
        }
    }

    #[inline(always)]
    fn store(self, v: __m256, out: &mut [f32]) {
        if out.len() >= 8 {
            // SAFETY: as in `splat`; `out` has the 8 numbers written.
            unsafe { _mm256_storeu_ps(out.as_mut_ptr(), v) };
        } else {
            let mut whole = [0.0; 8];
            // SAFETY: as in `splat`; the array has the 8 numbers written.
            unsafe { _mm256_storeu_ps(whole.as_mut_ptr(), v) };
            shortened(&whole, out);
        }
    }

    #[inline(always)]
    fn store_bf16(self, v: __m256, out: &mut [bf16]) {
        // SAFETY: as in `splat`.
        let numbers = unsafe {
            let bits = _mm256_castps_si256(v);
            let high = _mm256_srli_epi32::<16>(bits);
            let odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
            let half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
            let rounded = _mm256_srli_epi32::<16>(_mm256_add_epi32(bits, half));
            let quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
            let nan = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_UNORD_Q>(v, v));
            let words = _mm256_blendv_epi8(rounded, quiet, nan);
            let upper = _mm256_extracti128_si256::<1>(words);
            _mm_packus_epi32(_mm256_castsi256_si128(words), upper)
        };
        if out.len() >= 8 {
            // SAFETY: as in `splat`; `out` has the 8 numbers written, 16 bits each.
            unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), numbers) };
        } else {
            let mut whole = [bf16::ZERO; 8];
            // SAFETY: as in `splat`; the array has the 8 numbers written, 16 bits each.
            unsafe { _mm_storeu_si128(whole.as_mut_ptr().cast(), numbers) };
            shortened(&whole, out);
        }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: as in `splat`.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: as in `splat`.
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: as in `splat`.
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: as in `splat`.
        unsafe { _mm256_div_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: as in `splat`.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: as in `splat`.
        unsafe { _mm256_max_ps(a, b) }
    }

    #[inline(always)]
    fn exp(self, x: __m256) -> __m256 {
        // SAFETY: as in `splat`.
        unsafe { exp_avx2(x) }
    }

    #[inline(always)]
    fn sum(self, v: __m256) -> f32 {
        // SAFETY: as in `splat`.
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }

    #[inline(always)]
    fn highest(self, v: __m256) -> f32 {
        // SAFETY: as in `splat`.
        unsafe {
            let four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }
}
