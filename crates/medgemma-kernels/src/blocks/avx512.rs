//! AVX-512: a chunk of 256 weights as unsigned bytes in four registers, with its scales.

use core::arch::x86_64::*;

use crate::matrix::Format;

use super::avx2::sixes;

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
            Format::Q8_0 => q8_0(bytes),
            Format::Q4_0 => q4_0(bytes),
            Format::Q4_1 => q4_1(bytes),
            Format::Q5_0 => q5_0(bytes),
            Format::Q5_1 => q5_1(bytes),
            Format::Q4K => q4_k(bytes),
            Format::Q5K => q5_k(bytes),
            Format::Q6K => q6_k(bytes),
            Format::F32 | Format::F16 | Format::Bf16 => unreachable!("blocks"),
        }
    }
}

/// A load that has no alignment to respect.
macro_rules! load {
    ($name:ident, $bytes:ident, $at:expr) => {{
        // SAFETY: the caller of the enclosing function says that the whole chunk is readable, and
        // the offset is within it by as much as is read.
        unsafe { $name($bytes.add($at).cast()) }
    }};
}

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

#[inline]
#[target_feature(enable = "avx512f")]
fn table(words: &[u16; 32]) -> __m512i {
    // SAFETY: it is 64 bytes.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
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
unsafe fn q8_0(bytes: *const u8) -> Chunk {
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
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "there are eight blocks"
)]
pub(super) const fn q4_0_scales(lanes: [i32; 16]) -> [u16; 32] {
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
pub(super) unsafe fn q4_0_and_scales(
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

/// The 128 bytes of nibbles of eight blocks of `Q4_1`, and their scales and offsets.
///
/// # Safety
/// 160 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
pub(super) unsafe fn q4_1_and_factors(bytes: *const u8) -> ([__m512i; 2], __m512) {
    // SAFETY: the caller's word.
    let (halves, lead) = unsafe { blocks::<2>(bytes) };
    (halves, scales_and_offsets(lead))
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

/// As [`super::crossed_avx512::cross`] of [`nibbles`], with half the instructions: bytes are crossed before they are halved.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn crossed_nibbles([first, second]: [__m512i; 2]) -> [__m512i; 4] {
    let low = _mm512_unpacklo_epi64(first, second);
    let high = _mm512_unpackhi_epi64(first, second);
    let [a, c, b, d] = nibbles(low, high);
    [a, b, c, d]
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

/// Eight blocks of `Q4_0`.
///
/// # Safety
/// 144 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
unsafe fn q4_0(bytes: *const u8) -> Chunk {
    const SCALES: [u16; 32] = q4_0_scales([0, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
    // SAFETY: the caller's word.
    let ([first, second], scales) = unsafe { q4_0_and_scales(bytes, &SCALES) };
    Chunk {
        q: nibbles(first, second),
        factors: _mm512_maskz_mov_ps(0xff, scales),
    }
}

/// Eight blocks of `Q4_1`.
///
/// # Safety
/// 160 bytes are readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
unsafe fn q4_1(bytes: *const u8) -> Chunk {
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
unsafe fn q5_0(bytes: *const u8) -> Chunk {
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
unsafe fn q5_1(bytes: *const u8) -> Chunk {
    // SAFETY: the caller's word.
    let ([first, second], lead) = unsafe { blocks::<4>(bytes) };
    Chunk {
        q: with_fifths::<2, 3>(nibbles(first, second), lead),
        factors: scales_and_offsets(lead),
    }
}

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
unsafe fn q4_k(bytes: *const u8) -> Chunk {
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
unsafe fn q5_k(bytes: *const u8) -> Chunk {
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
unsafe fn q6_k(bytes: *const u8) -> Chunk {
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
