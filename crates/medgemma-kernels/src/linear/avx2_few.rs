//! The kernels for a few tokens in AVX2 with FMA and F16C.

use std::arch::x86_64::*;

use crate::matrix::{Format, Matrix};

use super::few::{BF16, F16, F32, Tokens};

/// Lanes of a vector.
const LANES: usize = 8;

/// How far ahead of the weights in use memory is asked for more, in bytes of each row; 512 and 2048 did nearly as
/// well, none and 8 kB less.
const AHEAD: usize = 1 << 10;

/// Weights that are loaded together, as two vectors.
const PAIR: usize = 2 * LANES;

/// `sums[token][row] = weight[first + row] · tokens[token]`; `sums` says how many rows.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn sum_rows(weight: Matrix<'_>, first: usize, tokens: &Tokens, sums: &mut [f32]) {
    match weight.format() {
        Format::Bf16 => sum_tokens::<BF16>(weight, first, tokens, sums),
        Format::F16 => sum_tokens::<F16>(weight, first, tokens, sums),
        Format::F32 => sum_tokens::<F32>(weight, first, tokens, sums),
        format => unreachable!("{format} has kernels of its own"),
    }
}

/// Rows that go by together share the loads of the tokens, and out of memory several come faster than one. Three
/// times four tokens are as many sums as leave registers for the rest; of eight tokens four go at a time, 0.8 of the
/// time of all at once.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn sum_tokens<const KIND: u8>(weight: Matrix<'_>, first: usize, tokens: &Tokens, sums: &mut [f32]) {
    match tokens.count {
        1 => sum_groups::<KIND, 4, 1>(weight, first, tokens, sums),
        2 => sum_groups::<KIND, 4, 2>(weight, first, tokens, sums),
        _ => sum_groups::<KIND, 3, 4>(weight, first, tokens, sums),
    }
}

/// `R` rows at a time, past the last row that row again, times `M` tokens at a time.
///
/// Each of the rows goes on where the one before it ended, a stream that the processor fetches by itself. On an
/// EPYC with two threads, a token's products with weights in bf16 out of memory came at 0.96 of the rate at which
/// four such streams are read, and at 0.84 where rows that go by together were neighbours.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn sum_groups<const KIND: u8, const R: usize, const M: usize>(
    weight: Matrix<'_>,
    first: usize,
    tokens: &Tokens,
    sums: &mut [f32],
) {
    assert!(
        tokens.count.is_multiple_of(M) && tokens.floats.len() == tokens.count * tokens.stride,
        "tokens of the kernel"
    );
    let count = sums.len() / tokens.count;
    let stream = count.div_ceil(R);
    for start in 0..stream {
        let places: [_; R] = std::array::from_fn(|r| (start + r * stream).min(count - 1));
        let rows = places.map(|row| weight.row(first + row));
        let floats = tokens.floats.chunks_exact(M * tokens.stride);
        for (floats, sums) in floats.zip(sums.chunks_exact_mut(M * count)) {
            let group_sums = sum_group::<KIND, R, M>(rows, floats);
            for (row, row_sums) in places.into_iter().zip(group_sums) {
                for (sums, sum) in sums.chunks_exact_mut(count).zip(row_sums) {
                    sums[row] = sum;
                }
            }
        }
    }
}

/// `R` rows times `M` tokens.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn sum_group<const KIND: u8, const R: usize, const M: usize>(
    rows: [&[u8]; R],
    tokens: &[f32],
) -> [[f32; M]; R] {
    let (stride, bytes) = (tokens.len() / M, rows[0].len());
    let cols = bytes / size(KIND);
    assert!(
        rows.iter().all(|row| row.len() == bytes) && stride >= cols.next_multiple_of(PAIR),
        "tokens of the kernel"
    );
    let mut acc = [[_mm256_setzero_ps(); M]; R];
    let whole = cols / PAIR * PAIR;
    for col in (0..whole).step_by(PAIR) {
        for (row, acc) in rows.iter().zip(&mut acc) {
            let place = row.as_ptr().wrapping_add(col * size(KIND));
            if (col * size(KIND)).is_multiple_of(64) {
                // Fetching from an address that is not readable does nothing.
                _mm_prefetch::<_MM_HINT_T1>(place.wrapping_add(AHEAD).cast());
            }
            // SAFETY: a pair of vectors at `col` is within the row and the tokens.
            unsafe { add(acc, load::<KIND>(place), tokens.as_ptr().add(col), stride) };
        }
    }
    if whole < cols {
        for (row, acc) in rows.iter().zip(&mut acc) {
            let mut part = [0; 4 * PAIR];
            let rest = &row[whole * size(KIND)..];
            part[..rest.len()].copy_from_slice(rest);
            // SAFETY: `part` is as long as the longest pair; tokens are padded to whole pairs.
            unsafe {
                let weights = load::<KIND>(part.as_ptr());
                add(acc, weights, tokens.as_ptr().add(whole), stride);
            }
        }
    }
    acc.map(|acc| acc.map(|sum| reduce(sum)))
}

/// Adds the products of a pair of vectors of a row with those of each token.
///
/// # Safety
/// Tokens, `stride` apart, have a pair of vectors at `x`.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn add<const M: usize>(
    acc: &mut [__m256; M],
    weights: [__m256; 2],
    x: *const f32,
    stride: usize,
) {
    for (token, acc) in acc.iter_mut().enumerate() {
        for (half, weights) in weights.into_iter().enumerate() {
            // SAFETY: the promise of the caller.
            let x = unsafe { _mm256_loadu_ps(x.add(token * stride + half * LANES)) };
            *acc = _mm256_fmadd_ps(weights, x, *acc);
        }
    }
}

/// Bytes of a weight.
const fn size(kind: u8) -> usize {
    if kind == F32 { 4 } else { 2 }
}

/// [`PAIR`] weights; of bf16 ones the even and the odd, which takes half of the instructions that
/// widening them in their order does.
///
/// # Safety
/// There are as many.
#[inline]
#[target_feature(enable = "avx2,f16c")]
unsafe fn load<const KIND: u8>(place: *const u8) -> [__m256; 2] {
    // SAFETY: the promise of the caller.
    unsafe {
        match KIND {
            F32 => [
                _mm256_loadu_ps(place.cast()),
                _mm256_loadu_ps(place.add(32).cast()),
            ],
            F16 => [
                _mm256_cvtph_ps(_mm_loadu_si128(place.cast())),
                _mm256_cvtph_ps(_mm_loadu_si128(place.add(16).cast())),
            ],
            _ => {
                let pairs = _mm256_loadu_si256(place.cast());
                let odd = _mm256_and_si256(pairs, _mm256_set1_epi32(-1 << 16));
                let even = _mm256_slli_epi32::<16>(pairs);
                [_mm256_castsi256_ps(even), _mm256_castsi256_ps(odd)]
            }
        }
    }
}

/// The sum of the lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn reduce(lanes: __m256) -> f32 {
    let four = _mm_add_ps(
        _mm256_castps256_ps128(lanes),
        _mm256_extractf128_ps::<1>(lanes),
    );
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}
