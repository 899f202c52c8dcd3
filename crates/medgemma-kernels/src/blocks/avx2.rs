//! AVX2: a chunk of 256 weights as bytes in eight registers, with its scales.

use core::arch::x86_64::*;

use crate::matrix::Format;

use super::packed::CHUNK;

/// The weights of a chunk, in the order of [`super::packed::Order`].
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    /// The integers, `z` included; of `Q8_0` signed instead. A line is two registers.
    pub(super) q: [__m256i; 8],
    /// Eight scales and eight offsets of the groups in the order of the row; of `Q6_K` 16 scales.
    pub(super) factors: [__m256; 2],
}

/// The chunk of a block format, of which the halves may lie apart; of formats with one block to a chunk the
/// first place has all of it.
///
/// # Safety
/// Half a chunk is readable at each place, or the one block.
#[inline]
#[target_feature(enable = "avx2,f16c")]
pub(super) unsafe fn unpack(format: Format, halves: [*const u8; 2]) -> Chunk {
    // SAFETY: the caller's word.
    unsafe {
        match format {
            Format::Q8_0 => q8_0(halves),
            Format::Q4_0 => blocks::<18>(halves),
            Format::Q4_1 => blocks::<20>(halves),
            Format::Q5_0 => blocks::<22>(halves),
            Format::Q5_1 => blocks::<24>(halves),
            Format::Q4K => q4_k(halves[0]),
            Format::Q5K => q5_k(halves[0]),
            Format::Q6K => q6_k(halves[0]),
            Format::F32 | Format::F16 | Format::Bf16 => unreachable!("blocks"),
        }
    }
}

/// Where the halves of the chunk at `bytes` are, or twice where its one block is.
#[inline]
pub(super) fn halves_of(format: Format, bytes: *const u8) -> [*const u8; 2] {
    let half = CHUNK / 2 / format.block_len() * format.block_bytes();
    [bytes, bytes.wrapping_add(half)]
}

/// A load that has no alignment to respect.
macro_rules! load {
    ($name:ident, $bytes:ident, $at:expr) => {{
        // SAFETY: the caller of the enclosing function says what is readable, and the offset is within it
        // by as much as is read.
        unsafe { $name($bytes.add($at).cast()) }
    }};
}

/// The f16 at the same place `$at` of twice four blocks of `$size` bytes.
macro_rules! f16s {
    ($halves:ident, $at:expr, $size:expr) => {{
        // SAFETY: as for `load`.
        let word = |block: usize| unsafe {
            $halves[block / 4]
                .add($at + block % 4 * $size)
                .cast::<i16>()
                .read_unaligned()
        };
        _mm256_cvtph_ps(_mm_set_epi16(
            word(7),
            word(6),
            word(5),
            word(4),
            word(3),
            word(2),
            word(1),
            word(0),
        ))
    }};
}

/// Twice four blocks of `Q8_0`; the integers are signed.
///
/// # Safety
/// 136 bytes are readable at each place.
#[inline]
#[target_feature(enable = "avx2,f16c")]
unsafe fn q8_0(halves: [*const u8; 2]) -> Chunk {
    let mut q = [_mm256_setzero_si256(); 8];
    for pair in 0..4 {
        let bytes = halves[pair / 2];
        let first = load!(_mm256_loadu_si256, bytes, 2 + pair % 2 * 68);
        let second = load!(_mm256_loadu_si256, bytes, 36 + pair % 2 * 68);
        let line = pair / 2 * 4 + pair % 2;
        q[line] = _mm256_permute2x128_si256::<0x20>(first, second);
        q[line + 2] = _mm256_permute2x128_si256::<0x31>(first, second);
    }
    Chunk {
        q,
        factors: [f16s!(halves, 0, 34), _mm256_setzero_ps()],
    }
}

/// The nibbles of each two of twice four blocks of `Q4_0`, `Q4_1`, `Q5_0` or `Q5_1`, told apart by their size, and
/// the factors of all.
///
/// # Safety
/// `4 * SIZE` bytes are readable at each place.
#[inline]
#[target_feature(enable = "avx2,f16c")]
pub(super) unsafe fn nibbles<const SIZE: usize>(
    halves: [*const u8; 2],
) -> ([__m256i; 4], [__m256; 2]) {
    let mut pairs = [_mm256_setzero_si256(); 4];
    for (pair, both) in pairs.iter_mut().enumerate() {
        let (bytes, at) = (halves[pair / 2], pair % 2 * 2 * SIZE);
        *both = _mm256_inserti128_si256::<1>(
            _mm256_castsi128_si256(load!(_mm_loadu_si128, bytes, at + SIZE - 16)),
            load!(_mm_loadu_si128, bytes, at + 2 * SIZE - 16),
        );
    }
    let offsets = if matches!(SIZE, 20 | 24) {
        f16s!(halves, 2, SIZE)
    } else {
        _mm256_setzero_ps()
    };
    (pairs, [f16s!(halves, 0, SIZE), offsets])
}

/// The chunk that [`nibbles`] are of.
///
/// # Safety
/// `4 * SIZE` bytes are readable at each place.
#[inline]
#[target_feature(enable = "avx2,f16c")]
unsafe fn blocks<const SIZE: usize>(halves: [*const u8; 2]) -> Chunk {
    // SAFETY: the caller's word.
    let (pairs, factors) = unsafe { nibbles::<SIZE>(halves) };
    let mut q = [_mm256_setzero_si256(); 8];
    for (pair, both) in pairs.into_iter().enumerate() {
        let line = pair / 2 * 4 + pair % 2;
        [q[line], q[line + 2]] = split(both);
        if SIZE > 20 {
            let (bytes, at) = (halves[pair / 2], pair % 2 * 2 * SIZE);
            // SAFETY: the four bytes before the nibbles.
            let bits = |block: usize| unsafe {
                let place = bytes.add(at + block * SIZE + SIZE - 20);
                i64::from(place.cast::<u32>().read_unaligned())
            };
            let [low, high] = fifths(bits(0) | bits(1) << 32);
            q[line] = _mm256_or_si256(q[line], low);
            q[line + 2] = _mm256_or_si256(q[line + 2], high);
        }
    }
    Chunk { q, factors }
}

/// The low nibbles of all bytes, and the high ones.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn split(nibbles: __m256i) -> [__m256i; 2] {
    let mask = _mm256_set1_epi8(15);
    [
        _mm256_and_si256(nibbles, mask),
        _mm256_and_si256(_mm256_srli_epi16::<4>(nibbles), mask),
    ]
}

/// The fifth bits of two blocks at their place in bytes: of the first halves, and of the second.
#[inline]
#[target_feature(enable = "avx2")]
fn fifths(bits: i64) -> [__m256i; 2] {
    let bits = _mm256_set1_epi64x(bits);
    let each = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64.cast_signed());
    // Eight copies of each byte, to test a bit of it in each.
    let first = _mm256_set_epi64x(
        0x0505_0505_0505_0505,
        0x0404_0404_0404_0404,
        0x0101_0101_0101_0101,
        0,
    );
    let second = _mm256_add_epi8(first, _mm256_set1_epi8(2));
    [first, second].map(|table| {
        let tested = _mm256_and_si256(_mm256_shuffle_epi8(bits, table), each);
        _mm256_and_si256(_mm256_cmpeq_epi8(tested, each), _mm256_set1_epi8(16))
    })
}

/// The 16 six-bit numbers of a block of `Q4_K` or `Q5_K` whose first 16 bytes are `head`: eight
/// scales, then eight minima.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sixes(head: __m128i) -> __m128i {
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
    _mm_or_si128(low, high)
}

/// The scales and minima of a block of `Q4_K` or `Q5_K`.
#[inline]
#[target_feature(enable = "avx2,f16c")]
fn scales_and_minima(head: __m128i) -> [__m256; 2] {
    let sixes = sixes(head);
    let both = _mm_cvtph_ps(head);
    let d = _mm256_broadcastss_ps(both);
    let dmin = _mm256_broadcastss_ps(_mm_movehdup_ps(both));
    [
        _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(sixes)), d),
        _mm256_mul_ps(
            _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128::<8>(sixes))),
            dmin,
        ),
    ]
}

/// The 128 bytes of nibbles of a block of `Q4_K` or `Q5_K`, as lines.
macro_rules! super_nibbles {
    ($bytes:ident, $at:expr) => {{
        let mask = _mm256_set1_epi8(15);
        let mut q = [_mm256_setzero_si256(); 8];
        for half in 0..2 {
            let first = load!(_mm256_loadu_si256, $bytes, $at + half * 64);
            let second = load!(_mm256_loadu_si256, $bytes, $at + half * 64 + 32);
            let a = _mm256_permute2x128_si256::<0x20>(first, second);
            let b = _mm256_permute2x128_si256::<0x31>(first, second);
            q[half] = _mm256_and_si256(a, mask);
            q[half + 2] = _mm256_and_si256(b, mask);
            q[half + 4] = _mm256_and_si256(_mm256_srli_epi16::<4>(a), mask);
            q[half + 6] = _mm256_and_si256(_mm256_srli_epi16::<4>(b), mask);
        }
        q
    }};
}

/// A block of `Q4_K`.
///
/// # Safety
/// 144 bytes are readable.
#[inline]
#[target_feature(enable = "avx2,f16c")]
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
#[target_feature(enable = "avx2,f16c")]
unsafe fn q5_k(bytes: *const u8) -> Chunk {
    let mut q = super_nibbles!(bytes, 48);
    let bit = _mm256_set1_epi8(16);
    let counts = |low, high| _mm256_set_epi64x(high, high, low, low);
    for side in 0..2 {
        let high = _mm256_broadcastsi128_si256(load!(_mm_loadu_si128, bytes, 16 + side * 16));
        // Bit `g` of a byte belongs to group `g`: 0 and 2, 4 and 6, 1 and 3, 5 and 7.
        let shifted = [
            _mm256_sllv_epi64(high, counts(4, 2)),
            _mm256_srlv_epi64(high, counts(0, 2)),
            _mm256_sllv_epi64(high, counts(3, 1)),
            _mm256_srlv_epi64(high, counts(1, 3)),
        ];
        for (index, shifted) in shifted.into_iter().enumerate() {
            let line = index / 2 * 4 + side * 2 + index % 2;
            q[line] = _mm256_or_si256(q[line], _mm256_and_si256(shifted, bit));
        }
    }
    Chunk {
        q,
        factors: scales_and_minima(load!(_mm_loadu_si128, bytes, 0)),
    }
}

/// A block of `Q6_K`.
///
/// # Safety
/// 210 bytes are readable.
#[inline]
#[target_feature(enable = "avx2,f16c")]
unsafe fn q6_k(bytes: *const u8) -> Chunk {
    let (mask, bits) = (_mm256_set1_epi8(15), _mm256_set1_epi8(0x30));
    let mut q = [_mm256_setzero_si256(); 8];
    for half in 0..2 {
        let first = load!(_mm256_loadu_si256, bytes, half * 64);
        let second = load!(_mm256_loadu_si256, bytes, half * 64 + 32);
        let high = load!(_mm256_loadu_si256, bytes, 128 + half * 32);
        let with =
            |low, high| _mm256_or_si256(_mm256_and_si256(low, mask), _mm256_and_si256(high, bits));
        let q = &mut q[half * 4..][..4];
        q[0] = with(first, _mm256_slli_epi16::<4>(high));
        q[1] = with(second, _mm256_slli_epi16::<2>(high));
        q[2] = with(_mm256_srli_epi16::<4>(first), high);
        q[3] = with(_mm256_srli_epi16::<4>(second), _mm256_srli_epi16::<2>(high));
    }
    let scales = load!(_mm_loadu_si128, bytes, 192);
    // SAFETY: within the block.
    let d = unsafe { bytes.add(208).cast::<i16>().read_unaligned() };
    let d = _mm256_cvtph_ps(_mm_set1_epi16(d));
    let scaled = |scales| _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(scales)), d);
    Chunk {
        q,
        factors: [scaled(scales), scaled(_mm_srli_si128::<8>(scales))],
    }
}
