//! Vectors of AVX-512.

use core::arch::x86_64::*;

use half::bf16;

use super::simd::{Kernel, Simd};
use crate::exp::exp_avx512;

/// Runs a kernel in vectors of 16.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
pub(super) fn run(kernel: impl Kernel) {
    kernel.vectors(Avx512(()));
}

#[derive(Clone, Copy)]
struct Avx512(());

/// The lanes that `len` numbers fill.
#[inline(always)]
fn mask(len: usize) -> __mmask16 {
    if len >= 16 { u16::MAX } else { (1 << len) - 1 }
}

impl Simd for Avx512 {
    type V = __m512;
    const LANES: usize = 16;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: an `Avx512` exists only where the processor has AVX-512.
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    fn load_or(self, x: &[f32], fill: f32) -> __m512 {
        // SAFETY: as in `splat`; what is read lies in `x`, as its length or the mask says.
        unsafe {
            if x.len() >= 16 {
                _mm512_loadu_ps(x.as_ptr())
            } else {
                _mm512_mask_loadu_ps(_mm512_set1_ps(fill), mask(x.len()), x.as_ptr())
            }
        }
    }

    #[inline(always)]
    fn store(self, v: __m512, out: &mut [f32]) {
        // SAFETY: as in `splat`; what is written lies in `out`, as its length or the mask says.
        unsafe {
            if out.len() >= 16 {
                _mm512_storeu_ps(out.as_mut_ptr(), v);
            } else {
                _mm512_mask_storeu_ps(out.as_mut_ptr(), mask(out.len()), v);
            }
        }
    }

    #[inline(always)]
    fn store_bf16(self, v: __m512, out: &mut [bf16]) {
        // SAFETY: as in `splat`; what is written lies in `out`, whose numbers are 16 bits each, as its
        // length or the mask says.
        unsafe {
            let bits = _mm512_castps_si512(v);
            let high = _mm512_srli_epi32::<16>(bits);
            let odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
            let half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
            let rounded = _mm512_srli_epi32::<16>(_mm512_add_epi32(bits, half));
            let quiet = _mm512_or_si512(high, _mm512_set1_epi32(0x40));
            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(v, v);
            let numbers = _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(rounded, nan, quiet));
            if out.len() >= 16 {
                _mm256_storeu_si256(out.as_mut_ptr().cast(), numbers);
            } else {
                _mm256_mask_storeu_epi16(out.as_mut_ptr().cast(), mask(out.len()), numbers);
            }
        }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_div_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_max_ps(a, b) }
    }

    #[inline(always)]
    fn exp(self, x: __m512) -> __m512 {
        // SAFETY: as in `splat`.
        unsafe { exp_avx512(x) }
    }

    #[inline(always)]
    fn sum(self, v: __m512) -> f32 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_reduce_add_ps(v) }
    }

    #[inline(always)]
    fn highest(self, v: __m512) -> f32 {
        // SAFETY: as in `splat`.
        unsafe { _mm512_reduce_max_ps(v) }
    }
}
