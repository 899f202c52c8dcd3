//! AVX2: two rows of weights times a few rows of activations.

use core::arch::x86_64::*;
use std::hint::black_box;

use crate::lines::Line;
use crate::matrix::Format;

use super::crossed_avx2::{Crossed, lines_of};
use super::decode::{format_of, of_format};
use super::few::Row;
use super::lanes_avx2::total;
use super::packed::{LONGEST, Order, chunk_bytes};
use super::stretches::Stretch;

/// How far ahead of the weights in use memory is asked for more, in bytes of each of two rows; 1 and 3 kB did
/// as well. Two rows, since out of memory they come faster than one: a row of activations took 3 to 17 % less on an EPYC
/// with AVX2 alone, two threads.
pub(super) const AHEAD: isize = 8 << 10;

/// The sums of two rows of weights with each of `m` rows of activations, `out[..][..m]`, after the last of the
/// stretches.
///
/// # Panics
/// When `m` is more than 8, or `lines` are not of as many chunks as the rows have.
///
/// # Safety
/// The processor has what [`crate::Path::Avx2`] says.
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
                    1 => dot::<FORMAT, 1>(rows, lines, m, stretch, out),
                    2 => dot::<FORMAT, 2>(rows, lines, m, stretch, out),
                    _ => dot::<FORMAT, 8>(rows, lines, m, stretch, out),
                }
            }
        }};
    }
    of_format!(format, by_rows)
}

/// Two rows of weights times `m` rows of activations: as many as `M`, or, if that is 8, up to 8.
#[target_feature(enable = "avx2,fma,f16c")]
fn dot<const FORMAT: u8, const M: usize>(
    rows: &[Row<'_>; 2],
    lines: &[Line],
    m: usize,
    stretch: &mut Stretch<'_>,
    out: &mut [[f32; 8]; 2],
) {
    let size = const { chunk_bytes(format_of(FORMAT)) };
    let each = const { lines_of(format_of(FORMAT)) };
    let len = rows[0].len;
    assert_eq!(len, rows[1].len, "two rows of a matrix");
    let chunks = len.div_ceil(size);
    assert!(
        (m == M || M == 8 && m < M)
            && lines.len() == chunks * each * m
            && stretch.chunks.end <= chunks,
        "activations of as many chunks as a row has"
    );
    // A number that the compiler knows if `M` is small.
    let m = if M < 8 { M } else { m };
    let mut sums = [[_mm256_setzero_ps(); M]; 2];
    if let Some(kept) = &stretch.kept
        && stretch.chunks.start > 0
    {
        for (sums, kept) in sums.iter_mut().zip(&**kept) {
            for (sums, kept) in sums[..m].iter_mut().zip(kept) {
                // SAFETY: a line is 64 aligned bytes.
                *sums = unsafe { _mm256_load_ps(kept.0.as_ptr().cast()) };
            }
        }
    }
    let whole = len / size;
    let tokens = black_box(m);
    for chunk in stretch.chunks.start..stretch.chunks.end.min(whole) {
        let lines = lines[chunk * m * each..].as_ptr();
        for (row, sums) in rows.iter().zip(&mut sums) {
            let bytes = row.bytes[chunk * size..][..size].as_ptr();
            ask_ahead(bytes, stretch.ahead, size);
            // SAFETY: a whole chunk is left of the row, and the lines of it, by the assertion.
            unsafe {
                let chunk = Crossed::unpack::<FORMAT>(bytes);
                if M == 8 {
                    chunk.add_each::<FORMAT>(lines, sums.as_mut_ptr(), tokens);
                } else {
                    for (token, sums) in sums.iter_mut().enumerate() {
                        chunk.add::<FORMAT>(lines.add(token * each), sums);
                    }
                }
            }
        }
    }
    if stretch.chunks.end > whole {
        // A copy, since a place that a function is told of is no register.
        let mut with_last = sums;
        let lines = &lines[whole * m * each..][..m * each];
        let at = whole * size;
        let left = (len - at) / format_of(FORMAT).block_bytes() * format_of(FORMAT).block_len();
        if const { Order::new(format_of(FORMAT)) }.joins(left) {
            add_joined::<FORMAT, M>(rows, at, lines, &mut with_last);
        } else {
            for (&row, sums) in rows.iter().zip(&mut with_last) {
                add_last::<FORMAT>(row, at, lines, sums);
            }
        }
        sums = with_last;
    }
    if let Some(kept) = &mut stretch.kept
        && stretch.chunks.end < chunks
    {
        for (sums, kept) in sums.iter().zip(&mut **kept) {
            for (sums, kept) in sums[..m].iter().zip(kept) {
                // SAFETY: a line is 64 aligned bytes.
                unsafe { _mm256_store_ps(kept.0.as_mut_ptr().cast(), *sums) };
            }
        }
        return;
    }
    for (out, sums) in out.iter_mut().zip(&sums) {
        for (out, sums) in out.iter_mut().zip(&sums[..m]) {
            *out = total(*sums);
        }
    }
}

/// Adds the chunk that a row ends within, beginning at byte `at`.
#[inline(never)]
#[target_feature(enable = "avx2,fma,f16c")]
fn add_last<const FORMAT: u8>(row: Row<'_>, at: usize, lines: &[Line], sums: &mut [__m256]) {
    let format = const { format_of(FORMAT) };
    let size = const { chunk_bytes(format_of(FORMAT)) };
    let mut copied = [0; LONGEST];
    let bytes = row.last(at, size, &mut copied).as_ptr();
    // SAFETY: a whole chunk is readable.
    let chunk = unsafe { Crossed::unpack::<FORMAT>(bytes) };
    // What follows the row's own groups meets zeros, but may not be finite.
    let chunk = chunk.only::<FORMAT>((row.len - at) / format.block_bytes());
    for (lines, sums) in lines.chunks_exact(lines_of(format)).zip(sums) {
        // SAFETY: they are the lines of a chunk.
        unsafe { chunk.add::<FORMAT>(lines.as_ptr(), sums) };
    }
}

/// Adds the half chunks that two rows end with, from byte `at` on, as one.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn add_joined<const FORMAT: u8, const M: usize>(
    rows: &[Row<'_>; 2],
    at: usize,
    lines: &[Line],
    [first, second]: &mut [[__m256; M]; 2],
) {
    let size = const { chunk_bytes(format_of(FORMAT)) };
    let halves = rows.map(|row| row.bytes[at..][..size / 2].as_ptr());
    // SAFETY: half a chunk is left of each row.
    let chunk = unsafe { Crossed::unpack_halves::<FORMAT>(halves) };
    let each = const { lines_of(format_of(FORMAT)) };
    for ((lines, first), second) in lines.chunks_exact(each).zip(first).zip(second) {
        // SAFETY: they are the lines of a chunk.
        unsafe { chunk.add_apart::<FORMAT>(lines.as_ptr(), [first, second]) };
    }
}

/// Asks memory for what comes `ahead` of `count` bytes of a row.
#[inline]
#[target_feature(enable = "avx2")]
fn ask_ahead(row: *const u8, ahead: isize, count: usize) {
    for line in 0..count.div_ceil(64) {
        _mm_prefetch::<_MM_HINT_T1>(row.wrapping_offset(ahead).wrapping_add(line * 64).cast());
    }
}
