//! Turning 8 × 8 words in AVX2 registers: activations into lanes, and sums out of them.

use std::arch::x86_64::*;

use super::pack::LANES;

/// Words of a register.
const WORDS: usize = 8;

/// Columns of `x` from the first on, whole blocks of 8 only, as `[column][LANES]` with the tokens
/// as lanes, rounded to bf16 if `ROUND`; returns how many columns that is. `x` is at most 16
/// tokens, `cols` apart.
///
/// # Panics
/// When `place` is too short.
#[target_feature(enable = "avx2")]
pub(super) fn pack<const ROUND: bool>(x: &[f32], cols: usize, place: &mut [u32]) -> usize {
    let tokens = (x.len() / cols).min(LANES);
    let whole = cols / WORDS * WORDS;
    assert!(place.len() >= whole * LANES, "place for all columns");
    for col in (0..whole).step_by(WORDS) {
        for first in (0..tokens).step_by(WORDS) {
            let mut words = [_mm256_setzero_ps(); WORDS];
            for (token, words) in (first..tokens).zip(&mut words) {
                // SAFETY: 8 columns of token `token` are within `x`.
                let x = unsafe { _mm256_loadu_ps(x.as_ptr().add(token * cols + col)) };
                *words = if ROUND { round(x) } else { x };
            }
            let place = place[col * LANES + first..].as_mut_ptr();
            for (index, words) in turn(words).into_iter().enumerate() {
                // SAFETY: 8 columns from `col` on, 8 lanes of each, are within `place`.
                unsafe { _mm256_storeu_ps(place.add(index * LANES).cast(), words) };
            }
        }
    }
    whole
}

/// Turns up to 8 rows of a tile's sums, each of `LANES` tokens, into `out[token][..8]`, of which
/// those beyond the rows are zero. `out` has `LANES` rows of `stride`.
///
/// # Panics
/// When `out` is too short.
#[target_feature(enable = "avx2")]
pub(super) fn turn_sums<'a>(
    rows: impl Iterator<Item = &'a [f32; LANES]>,
    out: &mut [f32],
    stride: usize,
) {
    assert!(out.len() >= (LANES - 1) * stride + WORDS, "place for all");
    let mut halves = [[_mm256_setzero_ps(); WORDS]; LANES / WORDS];
    for (index, row) in rows.take(WORDS).enumerate() {
        for (half, words) in halves.iter_mut().enumerate() {
            // SAFETY: a row is two vectors.
            words[index] = unsafe { _mm256_loadu_ps(row.as_ptr().add(half * WORDS)) };
        }
    }
    for (half, words) in halves.into_iter().enumerate() {
        for (index, words) in turn(words).into_iter().enumerate() {
            let token = half * WORDS + index;
            // SAFETY: the assertion above.
            unsafe { _mm256_storeu_ps(out.as_mut_ptr().add(token * stride), words) };
        }
    }
}

/// The nearest bf16, ties to even, as f32.
#[inline]
#[target_feature(enable = "avx2")]
fn round(x: __m256) -> __m256 {
    let bits = _mm256_castps_si256(x);
    let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
    let up = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
    let rounded = _mm256_castsi256_ps(_mm256_add_epi32(bits, up));
    // What is no number must not become infinite by losing its lower bits.
    let quiet = _mm256_or_ps(x, _mm256_castsi256_ps(_mm256_set1_epi32(0x0040_0000)));
    let chosen = _mm256_blendv_ps(rounded, quiet, _mm256_cmp_ps::<_CMP_UNORD_Q>(x, x));
    let upper = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
    _mm256_and_ps(chosen, _mm256_castsi256_ps(upper))
}

/// Columns for rows: three rounds, of words, of pairs of words, and of halves of a register.
#[inline]
#[target_feature(enable = "avx2")]
fn turn(rows: [__m256; WORDS]) -> [__m256; WORDS] {
    // A half of `fours[4·i + j]` holds column `4·half + j` of rows `4·i..4·i + 4`.
    let mut fours = rows;
    for (four, rows) in fours
        .as_chunks_mut::<4>()
        .0
        .iter_mut()
        .zip(rows.as_chunks::<4>().0)
    {
        let (low, low2) = (
            _mm256_unpacklo_ps(rows[0], rows[1]),
            _mm256_unpacklo_ps(rows[2], rows[3]),
        );
        let (high, high2) = (
            _mm256_unpackhi_ps(rows[0], rows[1]),
            _mm256_unpackhi_ps(rows[2], rows[3]),
        );
        *four = [
            _mm256_shuffle_ps::<0x44>(low, low2),
            _mm256_shuffle_ps::<0xee>(low, low2),
            _mm256_shuffle_ps::<0x44>(high, high2),
            _mm256_shuffle_ps::<0xee>(high, high2),
        ];
    }
    let mut columns = fours;
    for column in 0..4 {
        let (upper, lower) = (fours[column], fours[4 + column]);
        columns[column] = _mm256_permute2f128_ps::<0x20>(upper, lower);
        columns[4 + column] = _mm256_permute2f128_ps::<0x31>(upper, lower);
    }
    columns
}
