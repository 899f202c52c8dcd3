//! The kernels for a few tokens in AVX2 with FMA and F16C.

use std::arch::x86_64::*;

use crate::matrix::{Format, Matrix};

use super::few::Tokens;

const F32: u8 = 0;
const F16: u8 = 1;
const BF16: u8 = 2;

/// How far ahead of the weights in use memory is asked for more, in bytes. On an EPYC, two threads, it takes
/// 4 % off a bf16 row times one token (median of fourteen); 4 kB 2 %, 1, 2 and 16 kB no more than not to ask.
const AHEAD: usize = 8 << 10;

/// Lanes of a vector.
const LANES: usize = 8;

/// Vectors of one row that are multiplied at a time, into sums of their own.
const UNROLL: usize = 4;

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

/// One row after the other, the order of memory.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn sum_tokens<const KIND: u8>(weight: Matrix<'_>, first: usize, tokens: &Tokens, sums: &mut [f32]) {
    match tokens.count {
        1 => sum_each::<KIND, 1, UNROLL>(weight, first, tokens, sums),
        2 => sum_each::<KIND, 2, UNROLL>(weight, first, tokens, sums),
        4 => sum_each::<KIND, 4, 2>(weight, first, tokens, sums),
        _ => sum_each::<KIND, 8, 1>(weight, first, tokens, sums),
    }
}

/// `M` tokens, `U` vectors at a time: more sums would not fit the 16 registers.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn sum_each<const KIND: u8, const M: usize, const U: usize>(
    weight: Matrix<'_>,
    first: usize,
    tokens: &Tokens,
    sums: &mut [f32],
) {
    let count = sums.len() / M;
    for row in 0..count {
        let row_sums = sum_row::<KIND, M, U>(weight.row(first + row), tokens);
        for (sums, sum) in sums.chunks_exact_mut(count).zip(row_sums) {
            sums[row] = sum;
        }
    }
}

/// One row times `M` tokens.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn sum_row<const KIND: u8, const M: usize, const U: usize>(
    row: &[u8],
    tokens: &Tokens,
) -> [f32; M] {
    let (stride, x) = (tokens.stride, &tokens.floats);
    let cols = row.len() / size(KIND);
    assert!(
        stride >= cols.next_multiple_of(LANES) && x.len() >= M * stride,
        "tokens of the kernel"
    );
    let (weights, x) = (row.as_ptr(), x.as_ptr());
    let mut acc = [[_mm256_setzero_ps(); U]; M];
    let mut col = 0;
    while col + U * LANES <= cols {
        for part in 0..U {
            let col = col + part * LANES;
            if (col * size(KIND)).is_multiple_of(64) {
                // Fetching from an address that is not readable does nothing.
                let ahead = row.as_ptr().wrapping_add(AHEAD + col * size(KIND));
                _mm_prefetch::<_MM_HINT_T1>(ahead.cast());
            }
            // SAFETY: a vector at `col` is within the row and the tokens.
            unsafe {
                let weights = load::<KIND>(weights.add(col * size(KIND)));
                for (token, acc) in acc.iter_mut().enumerate() {
                    let x = _mm256_loadu_ps(x.add(token * stride + col));
                    acc[part] = _mm256_fmadd_ps(weights, x, acc[part]);
                }
            }
        }
        col += U * LANES;
    }
    while col < cols {
        let mut part = [0; 4 * LANES];
        let bytes = &row[col * size(KIND)..];
        let len = bytes.len().min(size(KIND) * LANES);
        part[..len].copy_from_slice(&bytes[..len]);
        // SAFETY: `part` is as long as the longest vector; tokens are padded to whole vectors.
        unsafe {
            let weights = load::<KIND>(part.as_ptr());
            for (token, acc) in acc.iter_mut().enumerate() {
                let x = _mm256_loadu_ps(x.add(token * stride + col));
                acc[0] = _mm256_fmadd_ps(weights, x, acc[0]);
            }
        }
        col += LANES;
    }
    acc.map(|acc| acc.map(|sum| reduce(sum)).iter().sum())
}

/// Bytes of a weight.
const fn size(kind: u8) -> usize {
    if kind == F32 { 4 } else { 2 }
}

/// A vector of weights.
///
/// # Safety
/// There is a whole one.
#[inline]
#[target_feature(enable = "avx2,f16c")]
unsafe fn load<const KIND: u8>(place: *const u8) -> __m256 {
    // SAFETY: the promise of the caller.
    unsafe {
        match KIND {
            F32 => _mm256_loadu_ps(place.cast()),
            F16 => _mm256_cvtph_ps(_mm_loadu_si128(place.cast())),
            _ => {
                let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(place.cast()));
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
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
