//! Attention with Advanced SIMD, in f32.

use core::arch::aarch64::*;

use half::bf16;

use super::few::reading::Widened;
use super::few::{self, Few, Order, steps};
use super::lanes::{EXP2, Halves, Lanes};
use super::tile::online::{self, Online, online};
use super::tile::pack;
use super::tile::product::{self, Product, product};
use super::tile::{Kernels, Steps};

/// The proof that the processor has what [`crate::Path::Neon`] promises.
#[derive(Clone, Copy)]
struct Neon(());

/// The kernels; to be called on processors that have [`crate::Path::Neon`].
pub(super) static KERNELS: Kernels = Kernels {
    width: 2 * Neon::LANES,
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
#[target_feature(enable = "neon")]
#[inline]
fn exp2(x: float32x4_t) -> float32x4_t {
    // −127 is the exponent of zero; this maximum keeps a NaN.
    let x = vmaxq_f32(vdupq_n_f32(-127.0), x);
    let n = vrndnq_f32(x);
    let fraction = vsubq_f32(x, n);
    let mut p = vdupq_n_f32(EXP2[6]);
    for coefficient in EXP2[..6].iter().rev() {
        p = vfmaq_f32(vdupq_n_f32(*coefficient), p, fraction);
    }
    let exponent = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));
    vmulq_f32(p, vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent)))
}

/// See [`Lanes::sums`].
#[target_feature(enable = "neon")]
#[inline]
fn sums(v: [float32x4_t; 8]) -> [f32; 8] {
    let first = vpaddq_f32(vpaddq_f32(v[0], v[1]), vpaddq_f32(v[2], v[3]));
    let second = vpaddq_f32(vpaddq_f32(v[4], v[5]), vpaddq_f32(v[6], v[7]));
    let mut out = [0.0; 8];
    // SAFETY: eight numbers.
    unsafe {
        vst1q_f32(out.as_mut_ptr(), first);
        vst1q_f32(out.as_mut_ptr().add(4), second);
    }
    out
}

impl Lanes for Neon {
    type V = float32x4_t;
    const LANES: usize = 4;
    const MANY: bool = true;

    #[inline(always)]
    fn splat(self, x: f32) -> float32x4_t {
        // SAFETY: `self` proves the instructions.
        unsafe { vdupq_n_f32(x) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> float32x4_t {
        // SAFETY: `self` proves the instructions, the caller the place.
        unsafe { vld1q_f32(from) }
    }

    #[inline(always)]
    unsafe fn load_bytes(self, from: *const i8) -> float32x4_t {
        // SAFETY: `self` proves the instructions, the caller the place.
        unsafe {
            let bytes = vcreate_s8(u64::from(from.cast::<u32>().read_unaligned()));
            vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes))))
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: float32x4_t) {
        // SAFETY: `self` proves the instructions, the caller the place.
        unsafe { vst1q_f32(to, v) }
    }

    #[inline(always)]
    fn prefetch(self, from: *const u8) {
        // SAFETY: a hint, which reads nothing and cannot fault.
        unsafe {
            core::arch::asm!(
                "prfm pldl2keep, [{}]",
                in(reg) from,
                options(nostack, readonly, preserves_flags)
            );
        }
    }

    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves the instructions.
        unsafe { vaddq_f32(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves the instructions.
        unsafe { vmulq_f32(a, b) }
    }

    #[inline(always)]
    fn max(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves the instructions.
        unsafe { vmaxq_f32(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves the instructions.
        unsafe { vfmaq_f32(c, a, b) }
    }

    #[inline(always)]
    fn exp2(self, x: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves the instructions.
        unsafe { exp2(x) }
    }

    #[inline(always)]
    fn within(
        self,
        x: float32x4_t,
        at: float32x4_t,
        low: float32x4_t,
        high: float32x4_t,
    ) -> float32x4_t {
        // SAFETY: `self` proves the instructions.
        unsafe {
            let seen = vandq_u32(vcgeq_f32(at, low), vcltq_f32(at, high));
            vbslq_f32(seen, x, vdupq_n_f32(f32::NEG_INFINITY))
        }
    }

    #[inline(always)]
    fn largest(self, v: float32x4_t) -> f32 {
        // SAFETY: `self` proves the instructions.
        unsafe { vmaxvq_f32(v) }
    }

    #[inline(always)]
    fn sum(self, v: float32x4_t) -> f32 {
        // SAFETY: `self` proves the instructions.
        unsafe { vaddvq_f32(v) }
    }

    #[inline(always)]
    fn sums(self, v: [float32x4_t; 8]) -> [f32; 8] {
        // SAFETY: `self` proves the instructions.
        unsafe { sums(v) }
    }
}

impl Halves for Neon {
    #[inline(always)]
    fn low_halves(self, bits: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves the instructions.
        unsafe { vreinterpretq_f32_u32(vshlq_n_u32::<16>(vreinterpretq_u32_f32(bits))) }
    }

    #[inline(always)]
    fn high_halves(self, bits: float32x4_t) -> float32x4_t {
        // SAFETY: `self` proves the instructions.
        unsafe {
            let high = vdupq_n_u32(0xffff_0000);
            vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(bits), high))
        }
    }
}

// SAFETY of calling what follows: the processor has `crate::Path::Neon`, and the operands are as
// their types say.

#[target_feature(enable = "neon")]
unsafe fn product_singles(task: &Product) {
    // SAFETY: the caller's promise.
    unsafe { product::<_, product::Singles>(Neon(()), task) }
}

#[target_feature(enable = "neon")]
unsafe fn online_singles(task: &Online) {
    // SAFETY: the caller's promise.
    unsafe { online::<_, online::Singles>(Neon(()), task) }
}

#[target_feature(enable = "neon")]
unsafe fn few_f32(task: &mut Few<'_, f32>) {
    // SAFETY: the caller's promise.
    unsafe { steps::few::<_, Widened<f32>>(Neon(()), task) }
}

#[target_feature(enable = "neon")]
unsafe fn few_int8(task: &mut Few<'_, i8>) {
    // SAFETY: the caller's promise.
    unsafe { steps::few::<_, Widened<i8>>(Neon(()), task) }
}

#[target_feature(enable = "neon")]
unsafe fn few_bf16(task: &mut Few<'_, bf16>) {
    // SAFETY: the caller's promise.
    unsafe { steps::few::<_, Widened<bf16>>(Neon(()), task) }
}

#[target_feature(enable = "neon")]
fn widen(from: &[bf16], to: &mut [f32]) {
    pack::widen(from, to);
}

#[target_feature(enable = "neon")]
fn widen_bytes(from: &[i8], scale: f32, to: &mut [f32]) {
    pack::widen_bytes(from, scale, to);
}
