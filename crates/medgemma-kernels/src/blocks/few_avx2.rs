//! AVX2: one row of weights times a few rows of activations.

use core::arch::x86_64::*;

use crate::matrix::Format;

use super::avx2::{Chunk, unpack};
use super::decode::format_of;
use super::few::Row;
use super::packed::{CHUNK, LONGEST, Line, Order};

/// How far ahead of the weights in use memory is asked for more, in bytes.
const AHEAD: usize = 8 << 10;

/// The sums of a row of weights with each of `m` rows of activations: `out[..m]`.
///
/// # Panics
/// When `m` is more than 8, or `lines` are not of as many chunks as the row has.
///
/// # Safety
/// The processor has what [`crate::Path::Avx2`] says.
pub(super) unsafe fn row(
    format: Format,
    row: Row<'_>,
    lines: &[Line],
    m: usize,
    out: &mut [f32; 8],
) {
    macro_rules! by_rows {
        ($format:ident) => {{
            const FORMAT: u8 = Format::$format as u8;
            let mut first = 0;
            while first < m {
                // SAFETY: the caller's word.
                unsafe {
                    match m - first {
                        1 => dot::<FORMAT, 1>(row, lines, m, first, out),
                        2 => dot::<FORMAT, 2>(row, lines, m, first, out),
                        3 => dot::<FORMAT, 3>(row, lines, m, first, out),
                        _ => dot::<FORMAT, 4>(row, lines, m, first, out),
                    }
                }
                first += 4;
            }
        }};
    }
    match format {
        Format::Q8_0 => by_rows!(Q8_0),
        Format::Q4_0 => by_rows!(Q4_0),
        Format::Q4_1 => by_rows!(Q4_1),
        Format::Q5_0 => by_rows!(Q5_0),
        Format::Q5_1 => by_rows!(Q5_1),
        Format::Q4K => by_rows!(Q4K),
        Format::Q5K => by_rows!(Q5K),
        Format::Q6K => by_rows!(Q6K),
        Format::F32 | Format::F16 | Format::Bf16 => panic!("{format} has no blocks"),
    }
}

/// A row of weights times `M` of `m` rows of activations, from `first` on.
#[target_feature(enable = "avx2,fma,f16c")]
fn dot<const FORMAT: u8, const M: usize>(
    row: Row<'_>,
    lines: &[Line],
    m: usize,
    first: usize,
    out: &mut [f32; 8],
) {
    let size = const { CHUNK / format_of(FORMAT).block_len() * format_of(FORMAT).block_bytes() };
    let stride = const { Order::new(format_of(FORMAT)).lines() };
    assert!(
        first + M <= m && lines.len() == row.len.div_ceil(size) * stride * m,
        "activations of as many chunks as a row has"
    );
    let mut sums = [_mm256_setzero_ps(); M];
    let whole = row.len / size;
    for chunk in 0..whole {
        let bytes = row.bytes[chunk * size..][..size].as_ptr();
        ask_ahead(bytes, size);
        let lines = &raw const lines[(chunk * m + first) * stride];
        // SAFETY: a whole chunk is left of the row, and the lines of it, by the assertion.
        unsafe { step::<FORMAT, M>(bytes, lines, &mut sums) };
    }
    if whole * size < row.len {
        ask_ahead(row.bytes[whole * size..].as_ptr(), row.len - whole * size);
        let mut copied = [0; LONGEST];
        let bytes = row.last(whole * size, size, &mut copied).as_ptr();
        let own = (row.len - whole * size) / const { format_of(FORMAT).block_bytes() };
        // SAFETY: a whole chunk is readable.
        let mut chunk = unsafe { unpack(const { format_of(FORMAT) }, bytes) };
        // Scales and offsets of the row's own groups. What follows meets zeros, but may not be
        // finite.
        chunk.factors = chunk.factors.map(|factors| first_lanes(factors, own));
        let lines = &raw const lines[(whole * m + first) * stride];
        // SAFETY: the activations have a last chunk.
        unsafe { add_row::<FORMAT, M>(&chunk, lines, &mut sums) };
    }
    for (out, sums) in out[first..].iter_mut().zip(sums) {
        *out = total(sums);
    }
}

/// Asks memory for what comes [`AHEAD`] of `count` bytes of a row.
#[inline]
#[target_feature(enable = "avx2")]
fn ask_ahead(row: *const u8, count: usize) {
    for line in 0..count.div_ceil(64) {
        _mm_prefetch::<_MM_HINT_T1>(row.wrapping_add(AHEAD + line * 64).cast());
    }
}

/// Adds one chunk to the sums.
///
/// # Safety
/// `bytes` and `lines` are of one whole chunk.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn step<const FORMAT: u8, const M: usize>(
    bytes: *const u8,
    lines: *const Line,
    sums: &mut [__m256; M],
) {
    // SAFETY: a whole chunk is readable.
    let chunk = unsafe { unpack(const { format_of(FORMAT) }, bytes) };
    // SAFETY: the caller's word.
    unsafe { add_row::<FORMAT, M>(&chunk, lines, sums) };
}

/// The first `count` of eight lanes, zeros in the others.
#[inline]
#[target_feature(enable = "avx2")]
fn first_lanes(lanes: __m256, count: usize) -> __m256 {
    let index = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    let count = _mm256_set1_epi32(i32::try_from(count).unwrap_or(8));
    _mm256_and_ps(lanes, _mm256_castsi256_ps(_mm256_cmpgt_epi32(count, index)))
}

/// Adds the products of a chunk of weights with one of activations.
///
/// # Safety
/// `lines` are of one whole chunk.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn add_row<const FORMAT: u8, const M: usize>(
    chunk: &Chunk,
    lines: *const Line,
    sums: &mut [__m256; M],
) {
    let stride = const { Order::new(format_of(FORMAT)).lines() };
    for (token, sums) in sums.iter_mut().enumerate() {
        // SAFETY: half a line of the chunk, aligned.
        let half = |index: usize| unsafe {
            _mm256_load_si256(lines.add(token * stride).cast::<__m256i>().add(index))
        };
        if const { Order::new(format_of(FORMAT)).sums_each } {
            add_pieces(chunk, half, sums);
        } else {
            add_groups::<FORMAT>(chunk, half, sums);
        }
    }
}

/// Adds the product of a chunk of `Q6_K`, whose halves of lines `half` gives.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn add_pieces(chunk: &Chunk, half: impl Fn(usize) -> __m256i, sums: &mut __m256) {
    let factors = [0, 1]
        .map(|index| _mm256_mul_ps(chunk.factors[index], _mm256_castsi256_ps(half(16 + index))));
    for (index, q) in chunk.q.into_iter().enumerate() {
        let pairs = _mm256_maddubs_epi16(q, half(index));
        let fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
        let fours = _mm256_add_epi32(fours, half(8 + index));
        let indices = spread(index % 4 * 2, index % 4 * 2 + 1);
        *sums = scaled(fours, factors[index / 4], indices, *sums);
    }
}

/// Adds the product of a chunk with groups of 32, whose halves of lines `half` gives.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn add_groups<const FORMAT: u8>(chunk: &Chunk, half: impl Fn(usize) -> __m256i, sums: &mut __m256) {
    let format = const { format_of(FORMAT) };
    let order = const { Order::new(format_of(FORMAT)) };
    let one = _mm256_set1_epi16(1);
    let factors = _mm256_mul_ps(chunk.factors[0], _mm256_castsi256_ps(half(12)));
    for index in 0..4 {
        // Each register of the first of two lines goes with one of the second.
        let at = index / 2 * 4 + index % 2;
        let (q, x) = ([chunk.q[at], chunk.q[at + 2]], [half(at), half(at + 2)]);
        let fours = if matches!(format, Format::Q8_0) {
            // Magnitudes times signed activations: a pair is at most 2 · 128 · 127, which i16 holds.
            let [low, high] = [0, 1].map(|side| {
                let x = _mm256_sign_epi8(x[side], q[side]);
                _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_abs_epi8(q[side]), x), one)
            });
            _mm256_add_epi32(low, high)
        } else {
            // At most 4 · 31 · 127.
            let pairs = _mm256_add_epi16(
                _mm256_maddubs_epi16(q[0], x[0]),
                _mm256_maddubs_epi16(q[1], x[1]),
            );
            let fours = _mm256_madd_epi16(pairs, one);
            if order.zero == 0 {
                fours
            } else {
                _mm256_add_epi32(fours, half(8 + index))
            }
        };
        let indices = match format {
            Format::Q4K | Format::Q5K => {
                spread(index % 2 * 4 + index / 2, index % 2 * 4 + 2 + index / 2)
            }
            _ => spread(index * 2, index * 2 + 1),
        };
        *sums = scaled(fours, factors, indices, *sums);
    }
    if order.offsets {
        *sums = _mm256_fmadd_ps(chunk.factors[1], _mm256_castsi256_ps(half(13)), *sums);
    }
}

/// Indices of the factors of the two groups whose sums lie in the lanes of a register.
#[inline]
#[target_feature(enable = "avx2")]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "indices below 8"
)]
fn spread(low: usize, high: usize) -> __m256i {
    let (low, high) = (low as i32, high as i32);
    _mm256_set_epi32(high, high, high, high, low, low, low, low)
}

/// `sums + products · factors[indices]`.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn scaled(products: __m256i, factors: __m256, indices: __m256i, sums: __m256) -> __m256 {
    _mm256_fmadd_ps(
        _mm256_cvtepi32_ps(products),
        _mm256_permutevar8x32_ps(factors, indices),
        sums,
    )
}

/// The sum of all lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn total(sums: __m256) -> f32 {
    let four = _mm_add_ps(
        _mm256_castps256_ps128(sums),
        _mm256_extractf128_ps::<1>(sums),
    );
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}
