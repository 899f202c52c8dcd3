//! Vectors of Advanced SIMD.

use core::arch::aarch64::*;

use half::bf16;

use super::simd::{Kernel, Simd, padded, shortened};
use crate::exp::exp_neon;

/// Runs a kernel in vectors of 4.
#[target_feature(enable = "neon")]
pub(super) fn run(kernel: impl Kernel) {
    kernel.vectors(Neon(()));
}

#[derive(Clone, Copy)]
struct Neon(());

impl Simd for Neon {
    type V = float32x4_t;
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(self, x: f32) -> float32x4_t {
        // SAFETY: a `Neon` exists only where the processor has Advanced SIMD.
        unsafe { vdupq_n_f32(x) }
    }

    #[inline(always)]
    fn load_or(self, x: &[f32], fill: f32) -> float32x4_t {
        // SAFETY: as in `splat`; the 4 numbers read lie in `x` or in the array.
        unsafe {
            if x.len() >= 4 {
                vld1q_f32(x.as_ptr())
            } else {
                vld1q_f32(padded::<4>(x, fill).as_ptr())
            }
        }
    }

    #[inline(always)]
    fn store(self, v: float32x4_t, out: &mut [f32]) {
        if out.len() >= 4 {
            // SAFETY: as in `splat`; `out` has the 4 numbers written.
            unsafe { vst1q_f32(out.as_mut_ptr(), v) };
        } else {
            let mut whole = [0.0; 4];
            // SAFETY: as in `splat`; the array has the 4 numbers written.
            unsafe { vst1q_f32(whole.as_mut_ptr(), v) };
            shortened(&whole, out);
        }
    }

    #[inline(always)]
    fn store_bf16(self, v: float32x4_t, out: &mut [bf16]) {
        // SAFETY: as in `splat`.
        let numbers = unsafe {
            let bits = vreinterpretq_u32_f32(v);
            let high = vshrq_n_u32::<16>(bits);
            let odd = vandq_u32(high, vdupq_n_u32(1));
            let half = vaddq_u32(odd, vdupq_n_u32(0x7fff));
            let rounded = vshrq_n_u32::<16>(vaddq_u32(bits, half));
            let quiet = vorrq_u32(high, vdupq_n_u32(0x40));
            vmovn_u32(vbslq_u32(vceqq_f32(v, v), rounded, quiet))
        };
        if out.len() >= 4 {
            // SAFETY: as in `splat`; `out` has the 4 numbers written, 16 bits each.
            unsafe { vst1_u16(out.as_mut_ptr().cast(), numbers) };
        } else {
            let mut whole = [bf16::ZERO; 4];
            // SAFETY: as in `splat`; the array has the 4 numbers written, 16 bits each.
            unsafe { vst1_u16(whole.as_mut_ptr().cast(), numbers) };
            shortened(&whole, out);
        }
    }

    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: as in `splat`.
        unsafe { vaddq_f32(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: as in `splat`.
        unsafe { vsubq_f32(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: as in `splat`.
        unsafe { vmulq_f32(a, b) }
    }

    #[inline(always)]
    fn div(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: as in `splat`.
        unsafe { vdivq_f32(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        // SAFETY: as in `splat`.
        unsafe { vfmaq_f32(c, a, b) }
    }

    #[inline(always)]
    fn max(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: as in `splat`.
        unsafe { vmaxq_f32(a, b) }
    }

    #[inline(always)]
    fn exp(self, x: float32x4_t) -> float32x4_t {
        // SAFETY: as in `splat`.
        unsafe { exp_neon(x) }
    }

    #[inline(always)]
    fn sum(self, v: float32x4_t) -> f32 {
        // SAFETY: as in `splat`.
        unsafe { vaddvq_f32(v) }
    }

    #[inline(always)]
    fn highest(self, v: float32x4_t) -> f32 {
        // SAFETY: as in `splat`.
        unsafe { vmaxvq_f32(v) }
    }
}
