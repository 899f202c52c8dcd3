//! AVX-512: one row of weights times a few rows of activations.

use core::arch::x86_64::*;

use crate::matrix::Format;

use super::avx512::{Chunk, q4_0, q4_1, q4_k, q5_0, q5_1, q5_k, q6_k, q8_0};
use super::decode::zero;
use super::packed::{CHUNK, Line, Order};

/// How far ahead of the weights in use memory is asked for more, in bytes.
const AHEAD: usize = 2048;

/// Bytes of the longest chunk.
const LONGEST: usize = 272;

/// The sums of one row of weights with each row of activations: `out[..m]`.
///
/// # Panics
/// When `m` is not 1 to 8, or `lines` are not of as many chunks as the row has.
///
/// # Safety
/// The processor has what [`crate::Path::Avx512`] says.
pub(super) unsafe fn row(format: Format, row: &[u8], lines: &[Line], m: usize, out: &mut [f32; 8]) {
    macro_rules! by_rows {
        ($format:ident) => {{
            const FORMAT: u8 = Format::$format as u8;
            // SAFETY: the caller's word.
            unsafe {
                match m {
                    1 => dot::<FORMAT, 1>(row, lines, out),
                    2 => dot::<FORMAT, 2>(row, lines, out),
                    3 => dot::<FORMAT, 3>(row, lines, out),
                    4 => dot::<FORMAT, 4>(row, lines, out),
                    5 => dot::<FORMAT, 5>(row, lines, out),
                    6 => dot::<FORMAT, 6>(row, lines, out),
                    7 => dot::<FORMAT, 7>(row, lines, out),
                    8 => dot::<FORMAT, 8>(row, lines, out),
                    _ => panic!("{m} rows of activations"),
                }
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

/// The format that a constant stands for.
const fn format_of(code: u8) -> Format {
    const BLOCKS: [Format; 8] = [
        Format::Q8_0,
        Format::Q4_0,
        Format::Q4_1,
        Format::Q5_0,
        Format::Q5_1,
        Format::Q4K,
        Format::Q5K,
        Format::Q6K,
    ];
    let mut index = 0;
    while BLOCKS[index] as u8 != code {
        index += 1;
    }
    BLOCKS[index]
}

/// One row of weights times `M` rows of activations.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c")]
fn dot<const FORMAT: u8, const M: usize>(row: &[u8], lines: &[Line], out: &mut [f32; 8]) {
    let format = const { format_of(FORMAT) };
    let size = const { CHUNK / format_of(FORMAT).block_len() * format_of(FORMAT).block_bytes() };
    let stride = const { Order::new(format_of(FORMAT)).lines() };
    assert_eq!(
        lines.len(),
        row.len().div_ceil(size) * stride * M,
        "activations of as many chunks as a row of {format} has"
    );
    let mut sums = [_mm512_setzero_ps(); M];
    let whole = row.len() / size;
    for chunk in 0..whole {
        let bytes = row[chunk * size..].as_ptr();
        for line in 0..size.div_ceil(64) {
            _mm_prefetch::<_MM_HINT_T0>(bytes.wrapping_add(AHEAD + line * 64).cast());
        }
        // SAFETY: a whole chunk is left of the row, and its lines of the activations.
        unsafe { step::<FORMAT, M>(bytes, &raw const lines[chunk * stride * M], &mut sums) };
    }
    if whole * size < row.len() {
        let mut last = [0; LONGEST];
        last[..row.len() - whole * size].copy_from_slice(&row[whole * size..]);
        // SAFETY: the longest chunk fits, and the activations have a last one.
        unsafe {
            step::<FORMAT, M>(
                last.as_ptr(),
                &raw const lines[whole * stride * M],
                &mut sums,
            )
        };
    }
    for (out, sums) in out.iter_mut().zip(sums) {
        *out = _mm512_reduce_add_ps(sums);
    }
}

/// Adds one chunk to the sums.
///
/// # Safety
/// `bytes` and `lines` are of one whole chunk.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c")]
unsafe fn step<const FORMAT: u8, const M: usize>(
    bytes: *const u8,
    lines: *const Line,
    sums: &mut [__m512; M],
) {
    let format = const { format_of(FORMAT) };
    let stride = const { Order::new(format_of(FORMAT)).lines() };
    // SAFETY: a whole chunk is readable.
    let chunk = unsafe { unpack(format, bytes) };
    for (token, sums) in sums.iter_mut().enumerate() {
        // SAFETY: within the lines of the chunk, which are aligned.
        let line =
            |index: usize| unsafe { _mm512_load_si512(lines.add(token * stride + index).cast()) };
        let begin = |index: usize| {
            if zero(format) == 0 {
                _mm512_setzero_si512()
            } else {
                line(4 + index)
            }
        };
        let [q0, q1, q2, q3] = chunk.q;
        let factors = _mm512_mul_ps(chunk.factors, _mm512_castsi512_ps(line(stride - 1)));
        if matches!(format, Format::Q6K) {
            for (index, q) in chunk.q.into_iter().enumerate() {
                let product = _mm512_dpbusd_epi32(begin(index), q, line(index));
                *sums = scaled(product, factors, spread(1, index * 4), *sums);
            }
            continue;
        }
        let first = _mm512_dpbusd_epi32(begin(0), q0, line(0));
        let first = _mm512_dpbusd_epi32(first, q1, line(1));
        let second = _mm512_dpbusd_epi32(begin(1), q2, line(2));
        let second = _mm512_dpbusd_epi32(second, q3, line(3));
        let (of_first, of_second) = match format {
            Format::Q4K | Format::Q5K => (spread(2, 0), spread(2, 1)),
            _ => (spread(1, 0), spread(1, 4)),
        };
        *sums = scaled(first, factors, of_first, *sums);
        *sums = scaled(second, factors, of_second, *sums);
        if has_offsets(format) {
            *sums = _mm512_mask_add_ps(*sums, 0xff00, *sums, factors);
        }
    }
}

/// Whether groups have an offset.
const fn has_offsets(format: Format) -> bool {
    matches!(
        format,
        Format::Q4_1 | Format::Q5_1 | Format::Q4K | Format::Q5K
    )
}

/// Indices of the factors of the groups whose sums lie in the four lanes of a register.
#[inline]
#[target_feature(enable = "avx512f")]
#[expect(clippy::cast_possible_truncation, reason = "indices below 16")]
#[expect(clippy::cast_possible_wrap, reason = "indices below 16")]
fn spread(step: usize, first: usize) -> __m512i {
    let [a, b, c, d] = [0, 1, 2, 3].map(|lane| (first + lane * step) as i32);
    _mm512_set_epi32(d, d, d, d, c, c, c, c, b, b, b, b, a, a, a, a)
}

/// `sums + products · factors[indices]`.
#[inline]
#[target_feature(enable = "avx512f")]
fn scaled(products: __m512i, factors: __m512, indices: __m512i, sums: __m512) -> __m512 {
    _mm512_fmadd_ps(
        _mm512_cvtepi32_ps(products),
        _mm512_permutexvar_ps(indices, factors),
        sums,
    )
}

/// # Safety
/// A whole chunk is readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
unsafe fn unpack(format: Format, bytes: *const u8) -> Chunk {
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
