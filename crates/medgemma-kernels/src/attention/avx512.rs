//! Attention with AVX-512: f32, and pairs of bf16 multiplied and summed by one instruction.

use core::arch::x86_64::*;

use half::bf16;

use super::few::reading::{Reading, Widened};
use super::few::{self, Few, Order, steps};
use super::lanes::Lanes;
use super::tile::online::{self, Numerators, Online, online};
use super::tile::pack;
use super::tile::product::{self, Multiply, Product, product};
use super::tile::{self, Kernels, Steps};

/// The proof that the processor has what [`crate::Path::Avx512`] promises.
#[derive(Clone, Copy)]
struct Avx512(());

/// The kernels; to be called on processors that have [`crate::Path::Avx512`].
pub(super) const KERNELS: Kernels = Kernels {
    width: 2 * Avx512::LANES,
    singles: Steps {
        product: product_singles,
        online: online_singles,
    },
    widen,
    widen_bytes,
    pairs: Some(PAIRS),
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
        order: Order::Pairs,
    },
};

/// Its part for pairs of bf16.
pub(super) const PAIRS: tile::Pairs = tile::Pairs {
    steps: Steps {
        product: product_pairs,
        online: online_pairs,
    },
    interleave,
    turn: None,
    narrow,
    round_bytes,
};

/// Relative error 2.6e-6 on [0, 1], fitted by Lawson's iteration: far below the rounding to bf16
/// that follows it.
const EXP2_ROUGH: [f32; 5] = [
    1.000_002_6,
    0.693_003_8,
    0.241_442_75,
    0.052_011_464,
    0.013_534_168,
];

/// Relative error 2e-9 on [0, 1], fitted likewise with the first coefficient kept at 1.
const EXP2_FLOOR: [f32; 7] = [
    1.0,
    0.693_147_06,
    0.240_229_31,
    0.055_485_282,
    0.009_675_452,
    0.001_246_784_6,
    0.000_216_129_19,
];

#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
fn exp2<const DEGREE: usize>(x: __m512, coefficients: &[f32]) -> __m512 {
    // The fraction above the whole number below; 0 for −∞.
    let fraction = _mm512_reduce_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(x);
    let mut p = _mm512_set1_ps(coefficients[DEGREE]);
    let mut degree = DEGREE;
    while degree > 0 {
        degree -= 1;
        p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(coefficients[degree]));
    }
    // Scales by 2 to the whole number below.
    _mm512_scalef_ps(p, x)
}

/// 2^x for what is rounded to bf16 then.
#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
pub(super) fn exp2_rough(x: __m512) -> __m512 {
    exp2::<4>(x, &EXP2_ROUGH)
}

/// See [`Lanes::sums`].
#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
fn sums(v: [__m512; 8]) -> [f32; 8] {
    let pair = |a, b| _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    let quad = |a, b| {
        let (a, b) = (_mm512_castps_pd(a), _mm512_castps_pd(b));
        let (low, high) = (_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
        _mm512_add_ps(_mm512_castpd_ps(low), _mm512_castpd_ps(high))
    };
    // Each quarter holds the four vectors' sums over that quarter.
    let first = quad(pair(v[0], v[1]), pair(v[2], v[3]));
    let second = quad(pair(v[4], v[5]), pair(v[6], v[7]));
    let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(first, second);
    let odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(first, second);
    let both = _mm512_add_ps(even, odd);
    let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(both, both);
    let odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(both, both);
    let sums = _mm512_castps512_ps256(_mm512_add_ps(even, odd));
    let mut out = [0.0; 8];
    // SAFETY: eight numbers.
    unsafe { _mm256_storeu_ps(out.as_mut_ptr(), sums) };
    out
}

impl Lanes for Avx512 {
    type V = __m512;
    const LANES: usize = 16;
    const MANY: bool = true;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: `self` proves the instructions, the caller the place.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_bytes(self, from: *const i8) -> __m512 {
        // SAFETY: `self` proves the instructions, the caller the place.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast()))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: __m512) {
        // SAFETY: `self` proves the instructions, the caller the place.
        unsafe { _mm512_storeu_ps(to, v) }
    }

    #[inline(always)]
    fn prefetch(self, from: *const u8) {
        // SAFETY: a hint, which reads nothing and cannot fault.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_max_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn exp2(self, x: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe { exp2::<6>(x, &EXP2_FLOOR) }
    }

    #[inline(always)]
    fn within(self, x: __m512, at: __m512, low: __m512, high: __m512) -> __m512 {
        // SAFETY: `self` proves the instructions.
        unsafe {
            let seen = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(at, low);
            let seen = _mm512_mask_cmp_ps_mask::<_CMP_LT_OQ>(seen, at, high);
            _mm512_mask_mov_ps(_mm512_set1_ps(f32::NEG_INFINITY), seen, x)
        }
    }

    #[inline(always)]
    fn largest(self, v: __m512) -> f32 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_reduce_max_ps(v) }
    }

    #[inline(always)]
    fn sum(self, v: __m512) -> f32 {
        // SAFETY: `self` proves the instructions.
        unsafe { _mm512_reduce_add_ps(v) }
    }

    #[inline(always)]
    fn sums(self, v: [__m512; 8]) -> [f32; 8] {
        // SAFETY: `self` proves the instructions.
        unsafe { sums(v) }
    }
}

/// Elements are pairs of bf16.
struct Pairs;

impl Multiply<Avx512> for Pairs {
    #[inline(always)]
    fn multiply_add(_: Avx512, acc: __m512, a: __m512, b: __m512) -> __m512 {
        #[target_feature(enable = "avx512f,avx512bf16")]
        #[inline]
        fn pairs(acc: __m512, a: __m512, b: __m512) -> __m512 {
            // SAFETY: plain bits on both sides.
            let (a, b) = unsafe {
                (
                    core::mem::transmute::<__m512, __m512bh>(a),
                    core::mem::transmute::<__m512, __m512bh>(b),
                )
            };
            _mm512_dpbf16_ps(acc, a, b)
        }
        // SAFETY: the value of type Avx512 proves the instructions.
        unsafe { pairs(acc, a, b) }
    }
}

impl Numerators<Avx512> for Pairs {
    const KEYS: usize = 2;

    #[inline(always)]
    fn exp2(_: Avx512, x: __m512) -> __m512 {
        // SAFETY: the value of type Avx512 proves the instructions.
        unsafe { exp2_rough(x) }
    }

    #[inline(always)]
    unsafe fn store(_: Avx512, to: *mut f32, [first, second]: [__m512; 2]) {
        /// Rounds both to the nearest bf16, ties upwards, and puts them side by side.
        #[target_feature(enable = "avx512f,avx512bw")]
        #[inline]
        fn pack(first: __m512, second: __m512) -> __m512i {
            let half = _mm512_set1_epi32(1 << 15);
            let first = _mm512_add_epi32(_mm512_castps_si512(first), half);
            let second = _mm512_add_epi32(_mm512_castps_si512(second), half);
            _mm512_mask_blend_epi16(0xaaaa_aaaa, _mm512_srli_epi32::<16>(first), second)
        }
        // SAFETY: the value of type Avx512 proves the instructions, the caller the place.
        unsafe { _mm512_storeu_si512(to.cast(), pack(first, second)) }
    }
}

impl Reading<Avx512> for Pairs {
    type Number = bf16;
    const PARTS: usize = 1;
    const KEYS: usize = 2;

    #[inline(always)]
    unsafe fn key(lanes: Avx512, from: *const bf16) -> [__m512; 2] {
        // SAFETY: the caller's promise; 32 bf16 are as many bits.
        unsafe { [lanes.load(from.cast()), lanes.splat(0.0)] }
    }

    #[inline(always)]
    unsafe fn values(_: Avx512, [first, second]: [*const bf16; 2]) -> [__m512; 2] {
        // SAFETY: the value of type Avx512 proves the instructions, the caller the places.
        unsafe {
            let first = _mm512_loadu_si512(first.cast());
            let second = _mm512_loadu_si512(second.cast());
            [
                _mm512_castsi512_ps(_mm512_unpacklo_epi16(first, second)),
                _mm512_castsi512_ps(_mm512_unpackhi_epi16(first, second)),
            ]
        }
    }

    #[inline(always)]
    fn multiply_add(lanes: Avx512, acc: __m512, a: __m512, b: __m512) -> __m512 {
        <Self as Multiply<Avx512>>::multiply_add(lanes, acc, a, b)
    }

    #[inline(always)]
    unsafe fn store(_: Avx512, to: *mut f32, numerators: __m512) {
        #[target_feature(enable = "avx512f,avx512bf16")]
        #[inline]
        fn round(numerators: __m512) -> __m256i {
            // SAFETY: plain bits on both sides.
            unsafe { core::mem::transmute(_mm512_cvtneps_pbh(numerators)) }
        }
        // SAFETY: the value of type Avx512 proves the instructions, the caller the place.
        unsafe { _mm256_storeu_si256(to.cast(), round(numerators)) }
    }
}

// SAFETY of calling what follows: the processor has `crate::Path::Avx512`, and the operands are as
// their types say.

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn product_singles(task: &Product) {
    // SAFETY: the caller's promise.
    unsafe { product::<_, product::Singles>(Avx512(()), task) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
unsafe fn product_pairs(task: &Product) {
    // SAFETY: the caller's promise.
    unsafe { product::<_, Pairs>(Avx512(()), task) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn online_singles(task: &Online) {
    // SAFETY: the caller's promise.
    unsafe { online::<_, online::Singles>(Avx512(()), task) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
pub(super) unsafe fn online_pairs(task: &Online) {
    // SAFETY: the caller's promise.
    unsafe { online::<_, Pairs>(Avx512(()), task) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn few_f32(task: &mut Few<'_, f32>) {
    // SAFETY: the caller's promise.
    unsafe { steps::few::<_, Widened<f32>>(Avx512(()), task) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
unsafe fn few_int8(task: &mut Few<'_, i8>) {
    // SAFETY: the caller's promise.
    unsafe { steps::few::<_, Widened<i8>>(Avx512(()), task) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
unsafe fn few_bf16(task: &mut Few<'_, bf16>) {
    // SAFETY: the caller's promise.
    unsafe { steps::few::<_, Pairs>(Avx512(()), task) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn widen(from: &[bf16], to: &mut [f32]) {
    pack::widen(from, to);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn interleave(first: &[bf16], second: &[bf16], to: &mut [f32]) {
    pack::interleave(first, second, to);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn narrow(from: &[f32], to: &mut [f32]) {
    pack::narrow(from, to);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn widen_bytes(from: &[i8], scale: f32, to: &mut [f32]) {
    pack::widen_bytes(from, scale, to);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn round_bytes(from: &[i8], scale: f32, to: &mut [bf16]) {
    pack::round_bytes(from, scale, to);
}
