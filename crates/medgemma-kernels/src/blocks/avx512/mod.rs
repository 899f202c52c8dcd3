//! AVX-512: a chunk of 256 weights as unsigned bytes in four registers, with its scales.

/// A load that has no alignment to respect.
macro_rules! load {
    ($name:ident, $bytes:ident, $at:expr) => {{
        // SAFETY: the caller of the enclosing function says that the whole chunk is readable, and
        // the offset is within it by as much as is read.
        unsafe { $name($bytes.add($at).cast()) }
    }};
}

mod of_256;
mod of_32;
mod q4_0;

use core::arch::x86_64::*;

use crate::matrix::Format;

pub(super) use of_32::q4_1_and_factors;
pub(super) use q4_0::{q4_0_and_scales, q4_0_scales};

/// The weights of a chunk, in the order of [`super::packed::Order`].
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    /// The integers, `z` included.
    pub(super) q: [__m512i; 4],
    /// Eight scales, then eight offsets, of the groups in the order of the row; of `Q6_K` 16
    /// scales.
    pub(super) factors: __m512,
}

/// The chunk of a block format.
///
/// # Safety
/// A whole chunk is readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
pub(super) unsafe fn unpack(format: Format, bytes: *const u8) -> Chunk {
    // SAFETY: the caller's word.
    unsafe {
        match format {
            Format::Q8_0 => of_32::q8_0(bytes),
            Format::Q4_0 => q4_0::q4_0(bytes),
            Format::Q4_1 => of_32::q4_1(bytes),
            Format::Q5_0 => of_32::q5_0(bytes),
            Format::Q5_1 => of_32::q5_1(bytes),
            Format::Q4K => of_256::q4_k(bytes),
            Format::Q5K => of_256::q5_k(bytes),
            Format::Q6K => of_256::q6_k(bytes),
            Format::F32 | Format::F16 | Format::Bf16 => unreachable!("blocks"),
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn table(words: &[u16; 32]) -> __m512i {
    // SAFETY: it is 64 bytes.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

/// The low and the high halves of all bytes of two registers: lines 0 and 1, 2 and 3 of blocks.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn nibbles(first: __m512i, second: __m512i) -> [__m512i; 4] {
    let mask = _mm512_set1_epi8(15);
    [
        _mm512_and_si512(first, mask),
        _mm512_and_si512(_mm512_srli_epi16::<4>(first), mask),
        _mm512_and_si512(second, mask),
        _mm512_and_si512(_mm512_srli_epi16::<4>(second), mask),
    ]
}

/// As [`super::crossed_avx512::cross`] of [`nibbles`], with half the instructions: bytes are crossed
/// before they are halved.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn crossed_nibbles([first, second]: [__m512i; 2]) -> [__m512i; 4] {
    let low = _mm512_unpacklo_epi64(first, second);
    let high = _mm512_unpackhi_epi64(first, second);
    let [a, c, b, d] = nibbles(low, high);
    [a, b, c, d]
}
