//! AVX-512: two rows of weights times a few rows of activations.

use core::arch::x86_64::*;

use crate::lines::Line;
use crate::matrix::Format;

use super::crossed_avx512::Crossed;
use super::decode::{format_of, of_format};
use super::few::Row;
use super::packed::{CROSSED, LONGEST, chunk_bytes};
use super::stretches::{Kept, Stretch};

/// How far ahead of the weights in use memory is asked for more, in bytes of each of two rows: with one
/// row of activations about what a thread gets in the time that memory takes to answer; with more, more is
/// better, perhaps because the processor by itself then looks less far ahead. Measured, see
/// `docs/performance.md`.
pub(super) const fn ahead(m: usize) -> isize {
    if m == 1 { 1 << 10 } else { 3 << 10 }
}

/// The sums of two rows of weights with each of `m` rows of activations, `out[..][..m]`, after the last of
/// the stretches. Two, because then each load of activations serves twice. Which function it is, is asked
/// for each two rows: with these loops in one function with its products, the sums were kept in memory, and
/// all took 1.1 to 1.4 times as long.
///
/// # Panics
/// When `m` is more than 8, or `lines` are not of as many chunks as the rows have.
///
/// # Safety
/// The processor has what [`crate::Path::Avx512`] says.
pub(super) unsafe fn two_rows(
    format: Format,
    rows: &[Row<'_>; 2],
    lines: &[Line],
    m: usize,
    stretch: &mut Stretch<'_>,
    out: &mut [[f32; 8]; 2],
) {
    macro_rules! by_rows {
        ($format:ident) => {{
            const FORMAT: u8 = Format::$format as u8;
            // SAFETY: the caller's word.
            unsafe {
                match m {
                    0 => {}
                    1 => dot::<FORMAT, 1>(rows, lines, stretch, out),
                    2 => dot::<FORMAT, 2>(rows, lines, stretch, out),
                    3 => dot::<FORMAT, 3>(rows, lines, stretch, out),
                    4 => dot::<FORMAT, 4>(rows, lines, stretch, out),
                    5 => dot::<FORMAT, 5>(rows, lines, stretch, out),
                    6 => dot::<FORMAT, 6>(rows, lines, stretch, out),
                    7 => dot::<FORMAT, 7>(rows, lines, stretch, out),
                    8 => dot::<FORMAT, 8>(rows, lines, stretch, out),
                    _ => panic!("at most 8 rows of activations, not {m}"),
                }
            }
        }};
    }
    of_format!(format, by_rows)
}

/// Two rows of weights times `M` rows of activations.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c")]
fn dot<const FORMAT: u8, const M: usize>(
    rows: &[Row<'_>; 2],
    lines: &[Line],
    stretch: &mut Stretch<'_>,
    out: &mut [[f32; 8]; 2],
) {
    let size = const { chunk_bytes(format_of(FORMAT)) };
    let (chunks, ahead) = (stretch.chunks.clone(), stretch.ahead);
    let len = rows[0].len;
    assert_eq!(len, rows[1].len, "two rows of a matrix");
    assert!(
        lines.len() == len.div_ceil(size) * CROSSED * M && chunks.end <= len.div_ceil(size),
        "activations of as many chunks as a row has"
    );
    let mut sums = [[_mm512_setzero_ps(); M]; 2];
    if let Some(kept) = &stretch.kept
        && chunks.start > 0
    {
        load(kept, &mut sums);
    }
    let whole = len / size;
    for chunk in chunks.start..chunks.end.min(whole) {
        let bytes = rows.map(|row| row.bytes[chunk * size..][..size].as_ptr());
        ask_ahead(bytes, ahead, size);
        let lines = &raw const lines[chunk * M * CROSSED];
        // SAFETY: a whole chunk is left of the rows, and the lines of it, by the assertion.
        unsafe { step::<FORMAT, M>(bytes, lines, &mut sums) };
    }
    if chunks.end > whole {
        let at = rows.map(|row| row.bytes[whole * size..].as_ptr());
        ask_ahead(at, ahead, len - whole * size);
        let [mut first, mut second] = [[0; LONGEST]; 2];
        let bytes = [
            rows[0].last(whole * size, size, &mut first).as_ptr(),
            rows[1].last(whole * size, size, &mut second).as_ptr(),
        ];
        // What follows the row's own groups meets zeros, but may not be finite.
        let own = (len - whole * size) / const { format_of(FORMAT).block_bytes() };
        // SAFETY: whole chunks are readable.
        let chunks = unsafe {
            [
                Crossed::unpack::<FORMAT>(bytes[0]).only::<FORMAT>(own),
                Crossed::unpack::<FORMAT>(bytes[1]).only::<FORMAT>(own),
            ]
        };
        let lines = &raw const lines[whole * M * CROSSED];
        // SAFETY: the activations have a last chunk.
        unsafe { add_rows::<FORMAT, M>(chunks, lines, &mut sums) };
    }
    if let Some(kept) = &mut stretch.kept
        && chunks.end < len.div_ceil(size)
    {
        return store(&sums, kept);
    }
    for (out, sums) in out.iter_mut().zip(sums) {
        for (out, sums) in out.iter_mut().zip(sums) {
            *out = _mm512_reduce_add_ps(sums);
        }
    }
}

/// Takes up the sums that were kept.
#[inline]
#[target_feature(enable = "avx512f")]
fn load<const M: usize>(kept: &Kept, sums: &mut [[__m512; M]; 2]) {
    for (sums, kept) in sums.iter_mut().zip(kept) {
        for (sums, kept) in sums.iter_mut().zip(kept) {
            // SAFETY: a line is 64 aligned bytes.
            *sums = unsafe { _mm512_load_ps(kept.0.as_ptr().cast()) };
        }
    }
}

/// Keeps the sums.
#[inline]
#[target_feature(enable = "avx512f")]
fn store<const M: usize>(sums: &[[__m512; M]; 2], kept: &mut Kept) {
    for (sums, kept) in sums.iter().zip(kept) {
        for (sums, kept) in sums.iter().zip(kept) {
            // SAFETY: a line is 64 aligned bytes.
            unsafe { _mm512_store_ps(kept.0.as_mut_ptr().cast(), *sums) };
        }
    }
}

/// Asks memory for what comes `ahead` of `count` bytes of two rows.
#[inline]
#[target_feature(enable = "avx512f")]
fn ask_ahead(rows: [*const u8; 2], ahead: isize, count: usize) {
    for line in 0..count.div_ceil(64) {
        for row in rows {
            _mm_prefetch::<_MM_HINT_T1>(row.wrapping_offset(ahead).wrapping_add(line * 64).cast());
        }
    }
}

/// Adds one chunk to the sums.
///
/// # Safety
/// `bytes` and `lines` are of one whole chunk.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c")]
unsafe fn step<const FORMAT: u8, const M: usize>(
    bytes: [*const u8; 2],
    lines: *const Line,
    sums: &mut [[__m512; M]; 2],
) {
    // SAFETY: whole chunks are readable.
    let chunks = unsafe {
        [
            Crossed::unpack::<FORMAT>(bytes[0]),
            Crossed::unpack::<FORMAT>(bytes[1]),
        ]
    };
    // SAFETY: the caller's word.
    unsafe { add_rows::<FORMAT, M>(chunks, lines, sums) };
}

/// Adds the products of two rows' chunks with one of activations.
///
/// # Safety
/// `lines` are of one whole chunk.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c")]
unsafe fn add_rows<const FORMAT: u8, const M: usize>(
    [first, second]: [Crossed; 2],
    lines: *const Line,
    sums: &mut [[__m512; M]; 2],
) {
    let [of_first, of_second] = sums;
    for token in 0..M {
        // SAFETY: within the lines of the chunk, which are aligned.
        let line =
            |index: usize| unsafe { _mm512_load_si512(lines.add(token * CROSSED + index).cast()) };
        let lines = [0, 1, 2, 3, 4, 5].map(line);
        first.add::<FORMAT>(&lines, &mut of_first[token]);
        second.add::<FORMAT>(&lines, &mut of_second[token]);
    }
}
