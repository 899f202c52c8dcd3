//! Attention with AVX2 and FMA, in f32.

use core::arch::x86_64::*;

use half::bf16;

use super::few::reading::Widened;
use super::few::{self, Few, Order, steps};
use super::lanes::{EXP2, Halves, Lanes};
use super::tile::online::{self, Online, online};
use super::tile::pack;
use super::tile::product::{self, Product, product};
use super::tile::{Kernels, Steps};

/// The proof that the processor has what [`crate::Path::Avx2`] promises.
#[derive(Clone, Copy)]
struct Avx2(());

/// The kernels; to be called on processors that have [`crate::Path::Avx2`].
pub(super) static KERNELS: Kernels = Kernels {
    width: 2 * Avx2::LANES,
    singles: Steps {
        product: product_singles,
        online: online_singles,
    },
    widen,
    widen_bytes,
    pairs: None,
    many: None,
    few_f32: few::Steps {
        run: few_f32,
        order: Order::Lanes,
    },
    few_int8: few::Steps {
        run: few_int8,
        order: Order::Lanes,
    },
    few_bf16: few::Steps {
        run: few_bf16,
        order: Order::Halves,
    },
};

/// See [`Lanes::exp2`].
#[target_feature(enable = "avx2,fma")]
#[inline]
fn exp2(x: __m256) -> __m256 {
    // −127 is the exponent of zero; a maximum with a NaN is its second operand here.
    let x = _mm256_max_ps(_mm256_set1_ps(-127.0), x);
    let n = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
    let fraction = _mm256_sub_ps(x, n);
    let mut p = _mm256_set1_ps(EXP2[6]);
    for coefficient in EXP2[..6].iter().rev() {
        p = _mm256_fmadd_ps(p, fraction, _mm256_set1_ps(*coefficient));
    }
    let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent)))
}

/// See [`Lanes::sums`].
#[target_feature(enable = "avx2,fma")]
#[inline]
fn sums(v: [__m256; 8]) -> [f32; 8] {
    // Each half holds the four vectors' sums over that half.
    let first = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
    let second = _mm256_hadd_ps(_mm256_hadd_ps(v[4], v[5]), _mm256_hadd_ps(v[6], v[7]));
    let low = _mm256_permute2f128_ps::<0x20>(first, second);
    let high = _mm256_permute2f128_ps::<0x31>(first, second);
    let mut out = [0.0; 8];
    // SAFETY: eight numbers.
    unsafe { _mm256_storeu_ps(out.as_mut_ptr(), _mm256_add_ps(low, high)) };
    out
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn largest(v: __m256) -> f32 {
    let v = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    let v = _mm_max_ps(v, _mm_movehl_ps(v, v));
    _mm_cvtss_f32(_mm_max_ss(v, _mm_movehdup_ps(v)))
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn sum(v: __m256) -> f32 {
    let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
}

impl Lanes for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    const MANY: bool = false;

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: `self` proves the instructions, the caller the place.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_bytes(self, from: *const i8) -> __m256 {
        // SAFETY: `self` proves the instructions, the caller the place.
        unsafe { _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast()))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: __m256) {
        // SAFETY: `self` proves the instructions, the caller the place.
        unsafe { _mm256_storeu_ps(to, v) }
    }

    #[inline(always)]
    fn prefetch(self, from: *const u8) {
        // SAFETY: a hint, which reads nothing and cannot fault.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm256_max_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn exp2(self, x: __m256) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe { exp2(x) }
    }

    #[inline(always)]
    fn within(self, x: __m256, at: __m256, low: __m256, high: __m256) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe {
            let seen = _mm256_and_ps(
                _mm256_cmp_ps::<_CMP_GE_OQ>(at, low),
                _mm256_cmp_ps::<_CMP_LT_OQ>(at, high),
            );
            _mm256_blendv_ps(_mm256_set1_ps(f32::NEG_INFINITY), x, seen)
        }
    }

    #[inline(always)]
    fn largest(self, v: __m256) -> f32 {
        // SAFETY: `self` proves the instructions.
        unsafe { largest(v) }
    }

    #[inline(always)]
    fn sum(self, v: __m256) -> f32 {
        // SAFETY: `self` proves the instructions.
        unsafe { sum(v) }
    }

    #[inline(always)]
    fn sums(self, v: [__m256; 8]) -> [f32; 8] {
        // SAFETY: `self` proves the instructions.
        unsafe { sums(v) }
    }
}

impl Halves for Avx2 {
    #[inline(always)]
    fn low_halves(self, bits: __m256) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_castps_si256(bits))) }
    }

    #[inline(always)]
    fn high_halves(self, bits: __m256) -> __m256 {
        // SAFETY: `self` proves the instructions.
        unsafe {
            let high = _mm256_set1_epi32(i32::MIN >> 15);
            _mm256_castsi256_ps(_mm256_and_si256(_mm256_castps_si256(bits), high))
        }
    }
}

// SAFETY of calling what follows: the processor has `crate::Path::Avx2`, and the operands are as
// their types say.

#[target_feature(enable = "avx2,fma")]
unsafe fn product_singles(task: &Product) {
    // SAFETY: the caller's promise.
    unsafe { product::<_, product::Singles>(Avx2(()), task) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn online_singles(task: &Online) {
    // SAFETY: the caller's promise.
    unsafe { online::<_, online::Singles>(Avx2(()), task) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn few_f32(task: &mut Few<'_, f32>) {
    // SAFETY: the caller's promise.
    unsafe { steps::few::<_, Widened<f32>>(Avx2(()), task) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn few_int8(task: &mut Few<'_, i8>) {
    // SAFETY: the caller's promise.
    unsafe { steps::few::<_, Widened<i8>>(Avx2(()), task) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn few_bf16(task: &mut Few<'_, bf16>) {
    // SAFETY: the caller's promise.
    unsafe { steps::few::<_, Widened<bf16>>(Avx2(()), task) }
}

#[target_feature(enable = "avx2,fma")]
fn widen(from: &[bf16], to: &mut [f32]) {
    pack::widen(from, to);
}

#[target_feature(enable = "avx2,fma")]
fn widen_bytes(from: &[i8], scale: f32, to: &mut [f32]) {
    pack::widen_bytes(from, scale, to);
}
