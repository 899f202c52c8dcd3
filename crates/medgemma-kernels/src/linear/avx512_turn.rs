//! Turning 16 × 16 words in AVX-512 registers: activations into lanes, and sums out of them.

use std::arch::x86_64::*;

use super::output::Output;
use super::pack::{LANES, Step};

/// Columns of `x` from the first on, whole blocks of 16 steps only, as `[step][LANES]` with the
/// tokens as lanes; returns how many columns that is. `x` is at most 16 tokens, `cols` apart.
///
/// # Panics
/// When `place` is too short.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn pack(x: &[f32], cols: usize, step: Step, place: &mut [u32]) -> usize {
    let width = LANES * step.width();
    let tokens = (x.len() / cols).min(LANES);
    let whole = cols / width * width;
    assert!(
        place.len() >= whole / step.width() * LANES,
        "place for all steps"
    );
    for col in (0..whole).step_by(width) {
        let mut words = [_mm512_setzero_si512(); LANES];
        for (token, words) in words.iter_mut().enumerate().take(tokens) {
            // SAFETY: `width` columns of token `token` are within `x`.
            unsafe {
                let x = x.as_ptr().add(token * cols + col);
                *words = match step {
                    Step::Single => _mm512_loadu_si512(x.cast()),
                    Step::Pair => pairs(_mm512_loadu_ps(x), _mm512_loadu_ps(x.add(LANES))),
                };
            }
        }
        let place = place[col / step.width() * LANES..].as_mut_ptr();
        for (index, words) in turn(words).into_iter().enumerate() {
            // SAFETY: 16 steps from `col` on are within `place`.
            unsafe { _mm512_storeu_si512(place.add(index * LANES).cast(), words) };
        }
    }
    whole
}

/// Turns up to 16 rows of a tile's sums, each of `LANES` tokens, into `out[token][..16]`, of which
/// those beyond the rows are zero. `out` has `LANES` rows of `stride`.
///
/// # Panics
/// When `out` is too short.
#[target_feature(enable = "avx512f")]
pub(crate) fn turn_sums<'a>(
    rows: impl Iterator<Item = &'a [f32; LANES]>,
    out: &mut [f32],
    stride: usize,
) {
    assert!(out.len() >= (LANES - 1) * stride + LANES, "place for all");
    let mut words = [_mm512_setzero_si512(); LANES];
    for (words, row) in words.iter_mut().zip(rows) {
        // SAFETY: a row is a vector.
        *words = unsafe { _mm512_loadu_si512(row.as_ptr().cast()) };
    }
    for (token, words) in turn(words).into_iter().enumerate() {
        // SAFETY: the assertion above.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().add(token * stride).cast(), words) };
    }
}

/// Turns up to 16 rows of a tile's sums, each of `LANES` tokens, and writes them with their bias as
/// outputs `row` and following of tokens `token` and following, as far as there are such.
///
/// # Panics
/// When rows are not within the outputs.
///
/// # Safety
/// No other thread writes these outputs.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn write_sums<'a>(
    sums: impl ExactSizeIterator<Item = &'a [f32; LANES]>,
    token: usize,
    row: usize,
    out: &Output<'_>,
) {
    let rows = sums.len().min(LANES);
    let tokens = out.m().saturating_sub(token).min(LANES);
    let mask = u16::MAX >> (LANES - rows);
    let mut words = [_mm512_setzero_si512(); LANES];
    for (words, sums) in words.iter_mut().zip(sums) {
        // SAFETY: a row is a vector.
        *words = unsafe { _mm512_loadu_si512(sums.as_ptr().cast()) };
    }
    let bias = match out.bias(row, rows) {
        // SAFETY: the slice has as many numbers as the mask.
        Some(bias) => unsafe { _mm512_maskz_loadu_ps(mask, bias.as_ptr()) },
        None => _mm512_setzero_ps(),
    };
    let place = out.place(token, row, tokens, rows);
    for (token, words) in turn(words).into_iter().enumerate().take(tokens) {
        let values = _mm512_add_ps(_mm512_castsi512_ps(words), bias);
        // SAFETY: `place` has seen that the rows of these tokens are outputs; the caller promises
        // that nobody else writes them.
        unsafe { _mm512_mask_storeu_ps(place.add(token * out.rows()), mask, values) };
    }
}

/// 32 numbers rounded to bf16, to nearest, ties to even.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn pairs(low: __m512, high: __m512) -> __m512i {
    let rounded = _mm512_cvtne2ps_pbh(high, low);
    // SAFETY: both types are 512 bits of plain data.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(rounded) }
}

/// Columns for rows: three rounds, of words, of pairs of words, and of quarters of a register.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn turn(rows: [__m512i; LANES]) -> [__m512i; LANES] {
    let mut words = rows;
    for (pair, rows) in words
        .as_chunks_mut::<2>()
        .0
        .iter_mut()
        .zip(rows.as_chunks::<2>().0)
    {
        *pair = [
            _mm512_unpacklo_epi32(rows[0], rows[1]),
            _mm512_unpackhi_epi32(rows[0], rows[1]),
        ];
    }
    // A quarter of `fours[4·i + j]` holds column `4·quarter + j` of rows `4·i..4·i + 4`.
    let mut fours = words;
    for (four, words) in fours
        .as_chunks_mut::<4>()
        .0
        .iter_mut()
        .zip(words.as_chunks::<4>().0)
    {
        *four = [
            _mm512_unpacklo_epi64(words[0], words[2]),
            _mm512_unpackhi_epi64(words[0], words[2]),
            _mm512_unpacklo_epi64(words[1], words[3]),
            _mm512_unpackhi_epi64(words[1], words[3]),
        ];
    }
    let mut columns = fours;
    for column in 0..4 {
        let [a, b, c, d] = [0, 4, 8, 12].map(|rows| fours[rows + column]);
        let (low, low2) = (
            _mm512_shuffle_i32x4::<0x44>(a, b),
            _mm512_shuffle_i32x4::<0x44>(c, d),
        );
        let (high, high2) = (
            _mm512_shuffle_i32x4::<0xee>(a, b),
            _mm512_shuffle_i32x4::<0xee>(c, d),
        );
        columns[column] = _mm512_shuffle_i32x4::<0x88>(low, low2);
        columns[4 + column] = _mm512_shuffle_i32x4::<0xdd>(low, low2);
        columns[8 + column] = _mm512_shuffle_i32x4::<0x88>(high, high2);
        columns[12 + column] = _mm512_shuffle_i32x4::<0xdd>(high, high2);
    }
    columns
}
