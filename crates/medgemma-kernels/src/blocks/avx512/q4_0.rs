//! `Q4_0`: eight blocks of 18 bytes, out of three loads.

use core::arch::x86_64::*;

use super::{Chunk, nibbles, table};

/// Where in three loads the words of eight blocks of `Q4_0` are: the first load begins with the first
/// block, the second, 64 bytes behind, is numbered from 32, and the third, which ends with the last block,
/// from 64.
const fn q4_0_word(index: u16) -> u16 {
    if index < 64 { index } else { index + 64 - 40 }
}

/// The words of nibbles of blocks `first` to `first + 4`, in two loads of which the earlier is `load`.
const fn q4_0_nibbles(first: u16, load: u16) -> [u16; 32] {
    let mut table = [0; 32];
    let mut index = 0;
    while index < 32 {
        let word = 9 * (first + index / 8) + 1 + index % 8;
        table[index as usize] = q4_0_word(word) - 32 * load;
        index += 1;
    }
    table
}

/// The words of the scales that 16 lanes want, each of one of eight blocks, in the first two loads.
#[expect(clippy::cast_possible_truncation, reason = "there are eight blocks")]
pub(in crate::blocks) const fn q4_0_scales(lanes: [i32; 16]) -> [u16; 32] {
    let mut table = [0; 32];
    let mut index = 0;
    while index < 16 {
        table[index] = q4_0_word(9 * lanes[index] as u16);
        index += 1;
    }
    table
}

/// The 128 bytes of nibbles of eight blocks of `Q4_0`, and 16 scales, those of a table of
/// [`q4_0_scales`].
///
/// # Safety
/// 144 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,f16c")]
pub(in crate::blocks) unsafe fn q4_0_and_scales(
    bytes: *const u8,
    scales: &[u16; 32],
) -> ([__m512i; 2], __m512) {
    let first = load!(_mm512_loadu_si512, bytes, 0);
    let second = load!(_mm512_loadu_si512, bytes, 64);
    let third = load!(_mm512_loadu_si512, bytes, 80);
    let halves = [
        _mm512_permutex2var_epi16(first, table(const { &q4_0_nibbles(0, 0) }), second),
        _mm512_permutex2var_epi16(second, table(const { &q4_0_nibbles(4, 1) }), third),
    ];
    let words = _mm512_permutex2var_epi16(first, table(scales), second);
    (halves, _mm512_cvtph_ps(_mm512_castsi512_si256(words)))
}

/// Eight blocks of `Q4_0`.
///
/// # Safety
/// 144 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
pub(super) unsafe fn q4_0(bytes: *const u8) -> Chunk {
    const SCALES: [u16; 32] = q4_0_scales([0, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
    // SAFETY: the caller's word.
    let ([first, second], scales) = unsafe { q4_0_and_scales(bytes, &SCALES) };
    Chunk {
        q: nibbles(first, second),
        factors: _mm512_maskz_mov_ps(0xff, scales),
    }
}
