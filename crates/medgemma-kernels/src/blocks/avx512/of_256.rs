//! Blocks of 256, with scales of their own for each part.

use core::arch::x86_64::*;

use super::{Chunk, nibbles};
use crate::blocks::avx2::sixes;

/// The scales and minima of a block of `Q4_K` or `Q5_K` from its first 16 bytes: 16 numbers of six
/// bits times `d` or `dmin`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
fn scales_and_minima(head: __m128i) -> __m512 {
    let sixes = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(sixes(head)));
    let halves = _mm256_shuffle_epi8(
        _mm256_broadcastd_epi32(head),
        _mm256_set_epi64x(
            0x0302_0302_0302_0302,
            0x0302_0302_0302_0302,
            0x0100_0100_0100_0100,
            0x0100_0100_0100_0100,
        ),
    );
    _mm512_mul_ps(sixes, _mm512_cvtph_ps(halves))
}

/// The 128 bytes of nibbles of a block of `Q4_K` or `Q5_K`, as lines.
macro_rules! super_nibbles {
    ($bytes:ident, $at:expr) => {{
        let first = load!(_mm512_loadu_si512, $bytes, $at);
        let second = load!(_mm512_loadu_si512, $bytes, $at + 64);
        let [a0, a1, b0, b1] = nibbles(
            _mm512_shuffle_i32x4::<0x88>(first, second),
            _mm512_shuffle_i32x4::<0xdd>(first, second),
        );
        [a0, b0, a1, b1]
    }};
}

/// A block of `Q4_K`.
///
/// # Safety
/// 144 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
pub(super) unsafe fn q4_k(bytes: *const u8) -> Chunk {
    Chunk {
        q: super_nibbles!(bytes, 16),
        factors: scales_and_minima(load!(_mm_loadu_si128, bytes, 0)),
    }
}

/// A block of `Q5_K`.
///
/// # Safety
/// 176 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
pub(super) unsafe fn q5_k(bytes: *const u8) -> Chunk {
    let [a0, b0, a1, b1] = super_nibbles!(bytes, 48);
    let first = _mm512_broadcast_i32x4(load!(_mm_loadu_si128, bytes, 16));
    let second = _mm512_broadcast_i32x4(load!(_mm_loadu_si128, bytes, 32));
    // Bit `g` of a byte belongs to group `g`; the lanes of a line are groups 0, 2, 4, 6 or
    // 1, 3, 5, 7. What rotates in from the neighbouring byte is masked.
    let even = _mm512_set_epi64(62, 62, 0, 0, 2, 2, 4, 4);
    let odd = _mm512_set_epi64(61, 61, 63, 63, 1, 1, 3, 3);
    let bit = _mm512_set1_epi8(16);
    // q | (high & bit)
    let with = |q, high| _mm512_ternarylogic_epi64::<0b1111_1000>(q, high, bit);
    Chunk {
        q: [
            with(a0, _mm512_rolv_epi64(first, even)),
            with(b0, _mm512_rolv_epi64(second, even)),
            with(a1, _mm512_rolv_epi64(first, odd)),
            with(b1, _mm512_rolv_epi64(second, odd)),
        ],
        factors: scales_and_minima(load!(_mm_loadu_si128, bytes, 0)),
    }
}

/// A block of `Q6_K`.
///
/// # Safety
/// 210 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
pub(super) unsafe fn q6_k(bytes: *const u8) -> Chunk {
    let [a0, a1, b0, b1] = nibbles(
        load!(_mm512_loadu_si512, bytes, 0),
        load!(_mm512_loadu_si512, bytes, 64),
    );
    let first = _mm512_broadcast_i64x4(load!(_mm256_loadu_si256, bytes, 128));
    let second = _mm512_broadcast_i64x4(load!(_mm256_loadu_si256, bytes, 160));
    // Each byte holds the upper two bits of four integers that are 32 apart.
    let low = _mm512_set_epi64(2, 2, 2, 2, 4, 4, 4, 4);
    let high = _mm512_set_epi64(62, 62, 62, 62, 0, 0, 0, 0);
    let bits = _mm512_set1_epi8(0x30);
    // q | (high & bits)
    let with = |q, high| _mm512_ternarylogic_epi64::<0b1111_1000>(q, high, bits);
    let scales = _mm512_cvtepi8_epi32(load!(_mm_loadu_si128, bytes, 192));
    // SAFETY: within the block.
    let d = unsafe { bytes.add(208).cast::<i16>().read_unaligned() };
    Chunk {
        q: [
            with(a0, _mm512_rolv_epi64(first, low)),
            with(a1, _mm512_rolv_epi64(first, high)),
            with(b0, _mm512_rolv_epi64(second, low)),
            with(b1, _mm512_rolv_epi64(second, high)),
        ],
        factors: _mm512_mul_ps(
            _mm512_cvtepi32_ps(scales),
            _mm512_cvtph_ps(_mm256_set1_epi16(d)),
        ),
    }
}
