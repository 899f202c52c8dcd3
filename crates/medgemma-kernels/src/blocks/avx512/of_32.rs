//! Blocks of 32 with 16-bit scales; `Q4_0` has a file of its own.

use core::arch::x86_64::*;

use super::{Chunk, nibbles, table};

/// The words of two loads that four blocks of a format are put together from: those of the first
/// load are numbered from 0, those of the second, which begins at word `second`, from 32.
///
/// `lead` words precede the 8 words of nibbles of each block.
const fn nibble_words(lead: u16) -> [u16; 32] {
    let mut table = [0; 32];
    let mut index = 0;
    while index < 32 {
        table[index as usize] = word(lead, index / 8 * (lead + 8) + lead + index % 8);
        index += 1;
    }
    table
}

/// As [`nibble_words`], of the words before the nibbles: the first words of the four blocks, then
/// their second words, and so on.
const fn lead_words(lead: u16) -> [u16; 32] {
    let mut table = [0; 32];
    let mut index = 0;
    while index < 4 * lead {
        table[index as usize] = word(lead, index % 4 * (lead + 8) + index / 4);
        index += 1;
    }
    table
}

/// Where word `index` of four blocks is: the second load ends with them.
const fn word(lead: u16, index: u16) -> u16 {
    let second = 4 * (lead + 8) - 32;
    if index < 32 {
        index
    } else {
        32 + index - second
    }
}

/// The nibbles of eight blocks, and the words before them of four and four blocks.
///
/// # Safety
/// Eight blocks of `2 * (LEAD + 8)` bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn blocks<const LEAD: u16>(bytes: *const u8) -> ([__m512i; 2], [__m512i; 2]) {
    let four_blocks = 8 * usize::from(LEAD + 8);
    let nibbles = table(const { &nibble_words(LEAD) });
    let lead = table(const { &lead_words(LEAD) });
    let four = |at: usize| {
        let first = load!(_mm512_loadu_si512, bytes, at);
        let second = load!(_mm512_loadu_si512, bytes, at + four_blocks - 64);
        (
            _mm512_permutex2var_epi16(first, nibbles, second),
            _mm512_permutex2var_epi16(first, lead, second),
        )
    };
    let ((q0, lead0), (q1, lead1)) = (four(0), four(four_blocks));
    ([q0, q1], [lead0, lead1])
}

/// The same address, where the compiler cannot know it: else it turns overlapping loads of one
/// chunk into shuffles of each other, which are slower.
#[inline]
fn again(bytes: *const u8) -> *const u8 {
    let mut same = bytes.addr();
    // SAFETY: there is no instruction.
    unsafe {
        std::arch::asm!("/* {0} */", inout(reg) same, options(pure, nomem, nostack, preserves_flags));
    }
    bytes.with_addr(same)
}

/// Eight blocks of `Q8_0`.
///
/// # Safety
/// 272 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
pub(super) unsafe fn q8_0(bytes: *const u8) -> Chunk {
    const SCALES: [u16; 32] = {
        let words = [0, 17, 34, 51, 4, 21, 38, 55];
        let mut table = [0; 32];
        let mut index = 0;
        while index < words.len() {
            table[index] = words[index];
            index += 1;
        }
        table
    };
    let sign = _mm512_set1_epi8(-128);
    let pair = |first: __m256i, second: __m256i| {
        _mm512_inserti64x4::<1>(_mm512_castsi256_si512(first), second)
    };
    let q01 = pair(
        load!(_mm256_loadu_si256, bytes, 2),
        load!(_mm256_loadu_si256, bytes, 36),
    );
    let q23 = pair(
        load!(_mm256_loadu_si256, bytes, 70),
        load!(_mm256_loadu_si256, bytes, 104),
    );
    let q45 = pair(
        load!(_mm256_loadu_si256, bytes, 138),
        load!(_mm256_loadu_si256, bytes, 172),
    );
    let q67 = pair(
        load!(_mm256_loadu_si256, bytes, 206),
        load!(_mm256_loadu_si256, bytes, 240),
    );
    let q = [
        _mm512_shuffle_i32x4::<0x88>(q01, q23),
        _mm512_shuffle_i32x4::<0xdd>(q01, q23),
        _mm512_shuffle_i32x4::<0x88>(q45, q67),
        _mm512_shuffle_i32x4::<0xdd>(q45, q67),
    ];
    let (table, bytes) = (table(&SCALES), again(bytes));
    let low = _mm512_permutex2var_epi16(
        load!(_mm512_loadu_si512, bytes, 0),
        table,
        load!(_mm512_loadu_si512, bytes, 64),
    );
    let high = _mm512_permutex2var_epi16(
        load!(_mm512_loadu_si512, bytes, 128),
        table,
        load!(_mm512_loadu_si512, bytes, 192),
    );
    let halves = _mm_blend_epi16::<0xf0>(_mm512_castsi512_si128(low), _mm512_castsi512_si128(high));
    Chunk {
        q: q.map(|q| _mm512_xor_si512(q, sign)),
        factors: _mm512_zextps256_ps512(_mm256_cvtph_ps(halves)),
    }
}

/// The 128 bytes of nibbles of eight blocks of `Q4_1`, and their scales and offsets.
///
/// # Safety
/// 160 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
pub(in crate::blocks) unsafe fn q4_1_and_factors(bytes: *const u8) -> ([__m512i; 2], __m512) {
    // SAFETY: the caller's word.
    let (halves, lead) = unsafe { blocks::<2>(bytes) };
    (halves, scales_and_offsets(lead))
}

/// Eight scales.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,f16c")]
fn scales(lead: [__m512i; 2]) -> __m512 {
    let [first, second] = lead.map(|lead| _mm512_castsi512_si128(lead));
    _mm512_zextps256_ps512(_mm256_cvtph_ps(_mm_unpacklo_epi64(first, second)))
}

/// Eight scales, then eight offsets.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,f16c")]
fn scales_and_offsets(lead: [__m512i; 2]) -> __m512 {
    let [first, second] = lead.map(|lead| _mm512_castsi512_si128(lead));
    _mm512_cvtph_ps(_mm256_set_m128i(
        _mm_unpackhi_epi64(first, second),
        _mm_unpacklo_epi64(first, second),
    ))
}

/// Adds the fifth bits: of the low halves of the bytes of four blocks, 64 bits at `LOW`, then of
/// the high halves, 64 bits at `HIGH`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn with_fifths<const LOW: i32, const HIGH: i32>(
    q: [__m512i; 4],
    lead: [__m512i; 2],
) -> [__m512i; 4] {
    let bit = _mm512_set1_epi8(16);
    let add = |q, bits: i64| _mm512_mask_add_epi8(q, bits.cast_unsigned(), q, bit);
    let [first, second] = lead.map(|lead| _mm512_castsi512_si256(lead));
    [
        add(q[0], _mm256_extract_epi64::<LOW>(first)),
        add(q[1], _mm256_extract_epi64::<HIGH>(first)),
        add(q[2], _mm256_extract_epi64::<LOW>(second)),
        add(q[3], _mm256_extract_epi64::<HIGH>(second)),
    ]
}

/// Eight blocks of `Q4_1`.
///
/// # Safety
/// 160 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
pub(super) unsafe fn q4_1(bytes: *const u8) -> Chunk {
    // SAFETY: the caller's word.
    let ([first, second], factors) = unsafe { q4_1_and_factors(bytes) };
    Chunk {
        q: nibbles(first, second),
        factors,
    }
}

/// Eight blocks of `Q5_0`.
///
/// # Safety
/// 176 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
pub(super) unsafe fn q5_0(bytes: *const u8) -> Chunk {
    // SAFETY: the caller's word.
    let ([first, second], lead) = unsafe { blocks::<3>(bytes) };
    Chunk {
        q: with_fifths::<1, 2>(nibbles(first, second), lead),
        factors: scales(lead),
    }
}

/// Eight blocks of `Q5_1`.
///
/// # Safety
/// 192 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
pub(super) unsafe fn q5_1(bytes: *const u8) -> Chunk {
    // SAFETY: the caller's word.
    let ([first, second], lead) = unsafe { blocks::<4>(bytes) };
    Chunk {
        q: with_fifths::<2, 3>(nibbles(first, second), lead),
        factors: scales_and_offsets(lead),
    }
}
