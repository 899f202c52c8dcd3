//! AVX-512: a chunk of 256 weights as unsigned bytes in four registers, with its scales.

use core::arch::x86_64::*;

/// The weights of a chunk, in the order of [`super::packed::Order`].
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    /// The integers, `z` included.
    pub(super) q: [__m512i; 4],
    /// Eight scales, then eight offsets, of the groups in the order of the row; of `Q6_K` 16
    /// scales.
    pub(super) factors: __m512,
}

/// A load that has no alignment to respect.
macro_rules! load {
    ($name:ident, $bytes:ident, $at:expr) => {{
        // SAFETY: the caller of the enclosing function says that the whole chunk is readable, and
        // the offset is within it by as much as is read.
        unsafe { $name($bytes.add($at).cast()) }
    }};
}

/// A 16-bit word, zero-extended.
macro_rules! word {
    ($bytes:ident, $at:expr) => {{
        // SAFETY: as for `load`.
        u64::from(unsafe { $bytes.add($at).cast::<u16>().read_unaligned() })
    }};
}

/// Four pieces of 16 bytes, `$step` apart.
macro_rules! pieces {
    ($bytes:ident, $at:expr, $step:expr) => {{
        let low = _mm256_inserti128_si256::<1>(
            _mm256_castsi128_si256(load!(_mm_loadu_si128, $bytes, $at)),
            load!(_mm_loadu_si128, $bytes, $at + $step),
        );
        let high = _mm256_inserti128_si256::<1>(
            _mm256_castsi128_si256(load!(_mm_loadu_si128, $bytes, $at + 2 * $step)),
            load!(_mm_loadu_si128, $bytes, $at + 3 * $step),
        );
        _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
    }};
}

/// A table of words for a permutation; the places after it are not used.
const fn words<const N: usize>(indices: [u16; N]) -> [u16; 32] {
    let mut table = [0; 32];
    let mut index = 0;
    while index < N {
        table[index] = indices[index];
        index += 1;
    }
    table
}

/// Eight blocks of `Q8_0`.
///
/// # Safety
/// 272 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
pub(super) unsafe fn q8_0(bytes: *const u8) -> Chunk {
    const SCALES: [u16; 32] = words([0, 17, 34, 51, 4, 21, 38, 55]);
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
    let table = table(&SCALES);
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

/// Eight blocks of `Q4_0`.
///
/// # Safety
/// 144 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
pub(super) unsafe fn q4_0(bytes: *const u8) -> Chunk {
    const SCALES: [u16; 32] = words([0, 9, 18, 27, 36, 45, 54, 63]);
    let halves = _mm512_permutex2var_epi16(
        load!(_mm512_loadu_si512, bytes, 0),
        table(&SCALES),
        load!(_mm512_loadu_si512, bytes, 64),
    );
    Chunk {
        q: nibbles(pieces!(bytes, 2, 18), pieces!(bytes, 74, 18)),
        factors: _mm512_zextps256_ps512(_mm256_cvtph_ps(_mm512_castsi512_si128(halves))),
    }
}

/// Eight blocks of `Q4_1`.
///
/// # Safety
/// 160 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
pub(super) unsafe fn q4_1(bytes: *const u8) -> Chunk {
    const SCALES: [u16; 32] = words([0, 10, 20, 30, 32, 42, 52, 62, 1, 11, 21, 31, 33, 43, 53, 63]);
    let halves = _mm512_permutex2var_epi16(
        load!(_mm512_loadu_si512, bytes, 0),
        table(&SCALES),
        load!(_mm512_loadu_si512, bytes, 80),
    );
    Chunk {
        q: nibbles(pieces!(bytes, 4, 20), pieces!(bytes, 84, 20)),
        factors: _mm512_cvtph_ps(_mm512_castsi512_si256(halves)),
    }
}

/// The fifth bits of four blocks, `$step` apart: of their first or their second halves.
macro_rules! fifths {
    ($bytes:ident, $at:expr, $step:expr) => {
        word!($bytes, $at)
            | word!($bytes, $at + $step) << 16
            | word!($bytes, $at + 2 * $step) << 32
            | word!($bytes, $at + 3 * $step) << 48
    };
}

/// Adds fifth bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn with_fifths(q: [__m512i; 4], bits: [u64; 4]) -> [__m512i; 4] {
    let bit = _mm512_set1_epi8(16);
    [
        _mm512_mask_add_epi8(q[0], bits[0], q[0], bit),
        _mm512_mask_add_epi8(q[1], bits[1], q[1], bit),
        _mm512_mask_add_epi8(q[2], bits[2], q[2], bit),
        _mm512_mask_add_epi8(q[3], bits[3], q[3], bit),
    ]
}

/// Eight blocks of `Q5_0`.
///
/// # Safety
/// 176 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
pub(super) unsafe fn q5_0(bytes: *const u8) -> Chunk {
    const SIX: [u16; 32] = words([0, 11, 22, 32, 43, 54]);
    const TWO: [u16; 32] = words([0, 1, 2, 3, 4, 5, 42, 53]);
    let six = _mm512_permutex2var_epi16(
        load!(_mm512_loadu_si512, bytes, 0),
        table(&SIX),
        load!(_mm512_loadu_si512, bytes, 66),
    );
    let halves = _mm512_permutex2var_epi16(six, table(&TWO), load!(_mm512_loadu_si512, bytes, 112));
    let q = nibbles(pieces!(bytes, 6, 22), pieces!(bytes, 94, 22));
    let bits = [
        fifths!(bytes, 2, 22),
        fifths!(bytes, 4, 22),
        fifths!(bytes, 90, 22),
        fifths!(bytes, 92, 22),
    ];
    Chunk {
        q: with_fifths(q, bits),
        factors: _mm512_zextps256_ps512(_mm256_cvtph_ps(_mm512_castsi512_si128(halves))),
    }
}

/// Eight blocks of `Q5_1`.
///
/// # Safety
/// 192 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
pub(super) unsafe fn q5_1(bytes: *const u8) -> Chunk {
    const SIX: [u16; 32] = words([0, 12, 24, 32, 44, 56, 0, 0, 1, 13, 25, 33, 45, 57]);
    const TWO: [u16; 32] = words([0, 1, 2, 3, 4, 5, 40, 52, 8, 9, 10, 11, 12, 13, 41, 53]);
    let six = _mm512_permutex2var_epi16(
        load!(_mm512_loadu_si512, bytes, 0),
        table(&SIX),
        load!(_mm512_loadu_si512, bytes, 72),
    );
    let halves = _mm512_permutex2var_epi16(six, table(&TWO), load!(_mm512_loadu_si512, bytes, 128));
    let q = nibbles(pieces!(bytes, 8, 24), pieces!(bytes, 104, 24));
    let bits = [
        fifths!(bytes, 4, 24),
        fifths!(bytes, 6, 24),
        fifths!(bytes, 100, 24),
        fifths!(bytes, 102, 24),
    ];
    Chunk {
        q: with_fifths(q, bits),
        factors: _mm512_cvtph_ps(_mm512_castsi512_si256(halves)),
    }
}

/// The scales and minima of a block of `Q4_K` or `Q5_K` from its first 16 bytes: 16 numbers of six
/// bits times `d` or `dmin`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
fn scales_and_minima(head: __m128i) -> __m512 {
    // Dwords 1 to 3 hold scales 0–3, minima 0–3, and the low halves of the others, whose high
    // halves are the upper two bits of the former.
    let low = _mm_srlv_epi32(
        _mm_shuffle_epi32::<0b11_10_11_01>(head),
        _mm_set_epi32(4, 0, 0, 0),
    );
    let low = _mm_and_si128(
        low,
        _mm_set_epi32(0x0f0f_0f0f, 0x3f3f_3f3f, 0x0f0f_0f0f, 0x3f3f_3f3f),
    );
    let high = _mm_srli_epi32::<2>(_mm_shuffle_epi32::<0b10_10_01_01>(head));
    let high = _mm_and_si128(high, _mm_set_epi32(0x3030_3030, 0, 0x3030_3030, 0));
    let sixes = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_or_si128(low, high)));
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
