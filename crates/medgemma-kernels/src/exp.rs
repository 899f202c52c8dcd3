//! The exponential of a vector of f32, for each set of instructions; plain Rust has `f32::exp`.
//!
//! The usual way: x = n·ln 2 + r with n whole and |r| ≤ ln 2 / 2, then 2ⁿ · p(r). The polynomial is
//! the minimax one of degree 6 on that interval with the first two coefficients kept at 1 (relative
//! error 3e-9, fitted by Lawson's iteration), so what is left is the rounding of f32: 2 units in
//! the last place. Results below the normal range are subnormal, then 0; −∞ gives 0, NaN gives NaN,
//! and above ln of the largest f32 stands +∞.

/// ln 2 in two parts; products of the first with whole numbers up to 2¹⁵ are exact.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const LN_2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);

/// Coefficients of r² to r⁶.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const POLYNOMIAL: [f32; 5] = [
    0.499_999_94,
    0.166_665_21,
    0.041_668_39,
    0.008_368_71,
    0.001_381_461_3,
];

/// Beyond these the result is 0 and +∞ whatever the argument; they keep n within what the scaling
/// steps can take.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const ENDS: (f32, f32) = (-110.0, 90.0);

/// With AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) fn exp_avx512(x: core::arch::x86_64::__m512) -> core::arch::x86_64::__m512 {
    use core::arch::x86_64::*;
    // A minimum or maximum with a NaN is its second operand here.
    let x = _mm512_max_ps(_mm512_set1_ps(ENDS.0), x);
    let x = _mm512_min_ps(_mm512_set1_ps(ENDS.1), x);
    let n = _mm512_mul_ps(x, _mm512_set1_ps(core::f32::consts::LOG2_E));
    let n = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(n);
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN_2.0), x);
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN_2.1), r);
    let mut p = _mm512_set1_ps(POLYNOMIAL[4]);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(POLYNOMIAL[3]));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(POLYNOMIAL[2]));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(POLYNOMIAL[1]));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(POLYNOMIAL[0]));
    let one = _mm512_set1_ps(1.0);
    p = _mm512_fmadd_ps(p, r, one);
    p = _mm512_fmadd_ps(p, r, one);
    _mm512_scalef_ps(p, n)
}

/// With AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[inline]
pub(crate) fn exp_avx2(x: core::arch::x86_64::__m256) -> core::arch::x86_64::__m256 {
    use core::arch::x86_64::*;
    // A minimum or maximum with a NaN is its second operand here.
    let x = _mm256_max_ps(_mm256_set1_ps(ENDS.0), x);
    let x = _mm256_min_ps(_mm256_set1_ps(ENDS.1), x);
    let n = _mm256_mul_ps(x, _mm256_set1_ps(core::f32::consts::LOG2_E));
    let n = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(n);
    let r = _mm256_fnmadd_ps(n, _mm256_set1_ps(LN_2.0), x);
    let r = _mm256_fnmadd_ps(n, _mm256_set1_ps(LN_2.1), r);
    let mut p = _mm256_set1_ps(POLYNOMIAL[4]);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(POLYNOMIAL[3]));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(POLYNOMIAL[2]));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(POLYNOMIAL[1]));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(POLYNOMIAL[0]));
    let one = _mm256_set1_ps(1.0);
    p = _mm256_fmadd_ps(p, r, one);
    p = _mm256_fmadd_ps(p, r, one);
    // 2ⁿ in two factors: n reaches beyond the exponents of f32 on both sides.
    let n = _mm256_cvtps_epi32(n);
    let half = _mm256_srai_epi32::<1>(n);
    let rest = _mm256_sub_epi32(n, half);
    let bias = _mm256_set1_epi32(127);
    let half = _mm256_slli_epi32::<23>(_mm256_add_epi32(half, bias));
    let rest = _mm256_slli_epi32::<23>(_mm256_add_epi32(rest, bias));
    let p = _mm256_mul_ps(p, _mm256_castsi256_ps(half));
    _mm256_mul_ps(p, _mm256_castsi256_ps(rest))
}

/// With Advanced SIMD.
#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
#[inline]
pub(crate) fn exp_neon(x: core::arch::aarch64::float32x4_t) -> core::arch::aarch64::float32x4_t {
    use core::arch::aarch64::*;
    // These keep a NaN.
    let x = vmaxq_f32(vdupq_n_f32(ENDS.0), x);
    let x = vminq_f32(vdupq_n_f32(ENDS.1), x);
    let n = vrndnq_f32(vmulq_f32(x, vdupq_n_f32(core::f32::consts::LOG2_E)));
    let r = vfmsq_f32(x, n, vdupq_n_f32(LN_2.0));
    let r = vfmsq_f32(r, n, vdupq_n_f32(LN_2.1));
    let mut p = vdupq_n_f32(POLYNOMIAL[4]);
    p = vfmaq_f32(vdupq_n_f32(POLYNOMIAL[3]), p, r);
    p = vfmaq_f32(vdupq_n_f32(POLYNOMIAL[2]), p, r);
    p = vfmaq_f32(vdupq_n_f32(POLYNOMIAL[1]), p, r);
    p = vfmaq_f32(vdupq_n_f32(POLYNOMIAL[0]), p, r);
    let one = vdupq_n_f32(1.0);
    p = vfmaq_f32(one, p, r);
    p = vfmaq_f32(one, p, r);
    // 2ⁿ in two factors: n reaches beyond the exponents of f32 on both sides.
    let n = vcvtq_s32_f32(n);
    let half = vshrq_n_s32::<1>(n);
    let rest = vsubq_s32(n, half);
    let bias = vdupq_n_s32(127);
    let half = vshlq_n_s32::<23>(vaddq_s32(half, bias));
    let rest = vshlq_n_s32::<23>(vaddq_s32(rest, bias));
    let p = vmulq_f32(p, vreinterpretq_f32_s32(half));
    vmulq_f32(p, vreinterpretq_f32_s32(rest))
}

#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use crate::Path;

    /// e^x by `path`, or `None` if that has no code of its own.
    fn exp(path: Path, x: f32) -> Option<f32> {
        match path {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => {
                #[target_feature(enable = "avx512f")]
                fn one(x: f32) -> f32 {
                    use core::arch::x86_64::*;
                    _mm512_cvtss_f32(super::exp_avx512(_mm512_set1_ps(x)))
                }
                // SAFETY: the path is available.
                Some(unsafe { one(x) })
            }
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => {
                #[target_feature(enable = "avx2,fma")]
                fn one(x: f32) -> f32 {
                    use core::arch::x86_64::*;
                    _mm256_cvtss_f32(super::exp_avx2(_mm256_set1_ps(x)))
                }
                // SAFETY: the path is available.
                Some(unsafe { one(x) })
            }
            #[cfg(target_arch = "aarch64")]
            Path::Neon => {
                #[target_feature(enable = "neon")]
                fn one(x: f32) -> f32 {
                    use core::arch::aarch64::*;
                    vgetq_lane_f32::<0>(super::exp_neon(vdupq_n_f32(x)))
                }
                // SAFETY: the path is available.
                Some(unsafe { one(x) })
            }
            _ => None,
        }
    }

    #[test]
    fn two_units_in_the_last_place_over_the_whole_range() {
        for path in Path::tested() {
            // Steps that hit no pattern of the rounding; 3 million values between −104 and 88.7.
            let mut x = -104.0_f64;
            while x < 88.72 {
                #[expect(clippy::cast_possible_truncation, reason = "rounded on purpose")]
                let x32 = x as f32;
                let expected = f64::from(x32).exp();
                let Some(got) = exp(path, x32) else { break };
                let unit = (expected * 2f64.powi(-23)).max(2f64.powi(-149));
                let error = (f64::from(got) - expected).abs() / unit;
                assert!(error <= 2.0, "{path}: exp({x32}) = {got}: {error} units");
                x += 6.437e-5;
            }
        }
    }

    #[test]
    fn ends_of_the_range() {
        for path in Path::tested() {
            let Some(zero) = exp(path, f32::NEG_INFINITY) else {
                continue;
            };
            assert_eq!(zero.to_bits(), 0, "{path}");
            assert_eq!(exp(path, -1e30), Some(0.0), "{path}");
            assert_eq!(exp(path, -104.0), Some(0.0), "{path}");
            assert_eq!(exp(path, 0.0), Some(1.0), "{path}");
            assert_eq!(exp(path, 89.0), Some(f32::INFINITY), "{path}");
            assert_eq!(exp(path, f32::INFINITY), Some(f32::INFINITY), "{path}");
            assert!(exp(path, f32::NAN).is_some_and(f32::is_nan), "{path}");
        }
    }
}
