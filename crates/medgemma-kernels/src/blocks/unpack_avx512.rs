//! AVX-512: rows of blocks as floats.

use core::arch::x86_64::*;

use crate::matrix::Format;

use super::avx512::unpack;
use super::decode::{format_of, group_len, of_format};
use super::packed::{CHUNK, LONGEST, Order, chunk_bytes};

/// A row as f32, exactly as the plain Rust code has it.
///
/// # Panics
/// When `out` has more numbers than `row` in chunks.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,f16c")]
pub(super) fn row_f32(format: Format, row: &[u8], out: &mut [f32]) {
    let store = |place: &mut [f32; 32], [low, high]: [__m512; 2]| {
        // SAFETY: it is twice 64 bytes.
        unsafe {
            _mm512_storeu_ps(place.as_mut_ptr(), low);
            _mm512_storeu_ps(place[16..].as_mut_ptr(), high);
        }
    };
    any(format, row, out, store);
}

/// A row as the bits of bf16, rounded to nearest, ties to even.
///
/// # Panics
/// When `out` has more numbers than `row` in chunks.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,f16c")]
pub(super) fn row_bf16(format: Format, row: &[u8], out: &mut [u16]) {
    let store = |place: &mut [u16; 32], [low, high]: [__m512; 2]| {
        // The instruction takes subnormal numbers for zero, but there are none: products of f16
        // and small integers, and their sums, are multiples of 2⁻²⁴.
        // SAFETY: it is 64 bytes.
        unsafe {
            let rounded = _mm512_cvtne2ps_pbh(high, low);
            place
                .as_mut_ptr()
                .cast::<__m512bh>()
                .write_unaligned(rounded);
        }
    };
    any(format, row, out, store);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,f16c")]
fn any<T: Copy + Default>(
    format: Format,
    row: &[u8],
    out: &mut [T],
    store: impl Fn(&mut [T; 32], [__m512; 2]),
) {
    macro_rules! of {
        ($format:ident) => {{
            const FORMAT: u8 = Format::$format as u8;
            chunks::<FORMAT, T>(row, out, store)
        }};
    }
    of_format!(format, of)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,f16c")]
fn chunks<const FORMAT: u8, T: Copy + Default>(
    row: &[u8],
    out: &mut [T],
    store: impl Fn(&mut [T; 32], [__m512; 2]),
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

/// One chunk: the integers by way of memory, 32 at a time.
///
/// # Safety
/// A whole chunk is readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,f16c")]
unsafe fn chunk<const FORMAT: u8, T>(
    bytes: *const u8,
    out: &mut [T; CHUNK],
    store: &impl Fn(&mut [T; 32], [__m512; 2]),
) {
    let format = const { format_of(FORMAT) };
    let order = const { Order::new(format_of(FORMAT)) };
    // SAFETY: the caller's word.
    let chunk = unsafe { unpack(format, bytes) };
    let mut lines = [[0u8; 64]; 4];
    for (line, q) in lines.iter_mut().zip(chunk.q) {
        // SAFETY: it is 64 bytes.
        unsafe { _mm512_storeu_si512(line.as_mut_ptr().cast(), q) };
    }
    let mut factors = [0.0f32; 16];
    // SAFETY: it is 64 bytes.
    unsafe { _mm512_storeu_ps(factors.as_mut_ptr(), chunk.factors) };
    let zero = _mm512_set1_epi32(order.zero);
    let values = |piece: usize| {
        let place = const { order_of(Order::new(format_of(FORMAT))) }[piece];
        let q: &[u8; 16] = lines[place / 4][place % 4 * 16..]
            .first_chunk()
            .expect("four pieces");
        // SAFETY: it is 16 bytes.
        let q = unsafe { _mm_loadu_si128(q.as_ptr().cast()) };
        let q = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_cvtepu8_epi32(q), zero));
        let group = piece * 16 / group_len(format);
        let product = _mm512_mul_ps(q, _mm512_set1_ps(factors[group]));
        if order.offsets {
            _mm512_add_ps(product, _mm512_set1_ps(order.sign * factors[group + 8]))
        } else {
            product
        }
    };
    for (pair, out) in out.as_chunks_mut().0.iter_mut().enumerate() {
        store(out, [values(2 * pair), values(2 * pair + 1)]);
    }
}

/// Where each piece of the row is.
const fn order_of(order: Order) -> [usize; 16] {
    let mut places = [0; 16];
    let mut place = 0;
    while place < 16 {
        places[order.pieces[place] as usize] = place;
        place += 1;
    }
    places
}
