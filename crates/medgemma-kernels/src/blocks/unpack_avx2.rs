//! AVX2: rows of blocks as floats.

use core::arch::x86_64::*;

use crate::matrix::Format;

use super::avx2::{halves_of, unpack};
use super::decode::{format_of, group_len, of_format};
use super::packed::{CHUNK, LONGEST, Order, chunk_bytes};

/// A row as f32, exactly as the plain Rust code has it.
///
/// # Panics
/// When `out` has more numbers than `row` in chunks.
#[target_feature(enable = "avx2,f16c")]
pub(super) fn row_f32(format: Format, row: &[u8], out: &mut [f32]) {
    let store = |place: &mut [f32; 16], [low, high]: [__m256; 2]| {
        // SAFETY: it is twice 32 bytes.
        unsafe {
            _mm256_storeu_ps(place.as_mut_ptr(), low);
            _mm256_storeu_ps(place[8..].as_mut_ptr(), high);
        }
    };
    any(format, row, out, store);
}

/// A row as the bits of bf16, rounded to nearest, ties to even.
///
/// # Panics
/// When `out` has more numbers than `row` in chunks.
#[target_feature(enable = "avx2,f16c")]
pub(super) fn row_bf16(format: Format, row: &[u8], out: &mut [u16]) {
    let round = |x: __m256| {
        // Half of the last place less one, and one more if the last place is odd. What is no number
        // keeps its upper half, with the bit that keeps it from becoming infinite.
        let bits = _mm256_castps_si256(x);
        let upper = _mm256_srli_epi32::<16>(bits);
        let odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
        let half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
        let rounded = _mm256_srli_epi32::<16>(_mm256_add_epi32(bits, half));
        let quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
        let nan = _mm256_cmp_ps::<_CMP_UNORD_Q>(x, x);
        _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(nan))
    };
    let store = |place: &mut [u16; 16], [low, high]: [__m256; 2]| {
        let words = _mm256_packus_epi32(round(low), round(high));
        let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
        // SAFETY: it is 32 bytes.
        unsafe { _mm256_storeu_si256(place.as_mut_ptr().cast(), words) };
    };
    any(format, row, out, store);
}

#[target_feature(enable = "avx2,f16c")]
fn any<T: Copy + Default>(
    format: Format,
    row: &[u8],
    out: &mut [T],
    store: impl Fn(&mut [T; 16], [__m256; 2]),
) {
    macro_rules! of {
        ($format:ident) => {{
            const FORMAT: u8 = Format::$format as u8;
            chunks::<FORMAT, T>(row, out, store)
        }};
    }
    of_format!(format, of)
}

#[target_feature(enable = "avx2,f16c")]
fn chunks<const FORMAT: u8, T: Copy + Default>(
    row: &[u8],
    out: &mut [T],
    store: impl Fn(&mut [T; 16], [__m256; 2]),
) {
    let size = const { chunk_bytes(format_of(FORMAT)) };
    let mut rest = out.chunks_exact_mut(CHUNK);
    let mut at = 0;
    for out in &mut rest {
        let out = out.first_chunk_mut().expect("a whole chunk");
        // SAFETY: a whole chunk, by the slice's bounds.
        unsafe { chunk::<FORMAT, T>(row[at..at + size].as_ptr(), out, &store) };
        at += size;
    }
    let rest = rest.into_remainder();
    if !rest.is_empty() {
        let mut last = [0; LONGEST];
        last[..row.len() - at].copy_from_slice(&row[at..]);
        let mut whole = [T::default(); CHUNK];
        // SAFETY: the longest chunk fits.
        unsafe { chunk::<FORMAT, T>(last.as_ptr(), &mut whole, &store) };
        rest.copy_from_slice(&whole[..rest.len()]);
    }
}

/// One chunk: the integers by way of memory, 16 at a time.
///
/// # Safety
/// A whole chunk is readable.
#[inline]
#[target_feature(enable = "avx2,f16c")]
unsafe fn chunk<const FORMAT: u8, T>(
    bytes: *const u8,
    out: &mut [T; CHUNK],
    store: &impl Fn(&mut [T; 16], [__m256; 2]),
) {
    let format = const { format_of(FORMAT) };
    let order = const { Order::new(format_of(FORMAT)) };
    // SAFETY: the caller's word.
    let chunk = unsafe { unpack(format, halves_of(format, bytes)) };
    let mut halves = [[0u8; 32]; 8];
    for (half, q) in halves.iter_mut().zip(chunk.q) {
        // SAFETY: it is 32 bytes.
        unsafe { _mm256_storeu_si256(half.as_mut_ptr().cast(), q) };
    }
    let mut factors = [[0.0f32; 8]; 2];
    for (factors, loaded) in factors.iter_mut().zip(chunk.factors) {
        // SAFETY: it is 32 bytes.
        unsafe { _mm256_storeu_ps(factors.as_mut_ptr(), loaded) };
    }
    let signed = matches!(format, Format::Q8_0);
    let zero = _mm256_set1_epi32(order.zero);
    for (place, &piece) in order.pieces.iter().enumerate() {
        let q: &[u8; 16] = halves[place / 2][place % 2 * 16..]
            .first_chunk()
            .expect("two pieces");
        // SAFETY: it is 16 bytes.
        let q = unsafe { _mm_loadu_si128(q.as_ptr().cast()) };
        let piece = usize::from(piece);
        let group = piece * 16 / group_len(format);
        let scale = _mm256_set1_ps(factors[group / 8][group % 8]);
        let value = |q: __m128i| {
            let q = if signed {
                _mm256_cvtepi8_epi32(q)
            } else {
                _mm256_sub_epi32(_mm256_cvtepu8_epi32(q), zero)
            };
            let product = _mm256_mul_ps(_mm256_cvtepi32_ps(q), scale);
            if order.offsets {
                _mm256_add_ps(product, _mm256_set1_ps(order.sign * factors[1][group]))
            } else {
                product
            }
        };
        let out = out[piece * 16..].first_chunk_mut().expect("16 pieces");
        store(out, [value(q), value(_mm_srli_si128::<8>(q))]);
    }
}
