//! The kernels for a few tokens in AVX-512, with its bf16 dot products.

use std::arch::x86_64::*;

use crate::matrix::{Format, Matrix};

use super::few::{BF16, F16, F32, Tokens};

/// How far ahead of the weights in use memory is asked for more, in bytes, where rows are read one
/// after the other.
const AHEAD: usize = 8 << 10;

/// Vectors of one row that are multiplied at a time, into sums of their own.
const UNROLL: usize = 4;

/// `sums[token][row] = weight[first + row] · tokens[token]`; `sums` says how many rows.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn sum_rows(weight: Matrix<'_>, first: usize, tokens: &Tokens, sums: &mut [f32]) {
    match weight.format() {
        Format::Bf16 => sum_tokens::<BF16>(weight, first, tokens, sums),
        Format::F16 => sum_tokens::<F16>(weight, first, tokens, sums),
        Format::F32 => sum_tokens::<F32>(weight, first, tokens, sums),
        format => unreachable!("{format} has kernels of its own"),
    }
}

/// One row after the other is what memory delivers fastest, but loads as much of the tokens as of
/// the weights; with more tokens, several rows share these loads.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn sum_tokens<const KIND: u8>(weight: Matrix<'_>, first: usize, tokens: &Tokens, sums: &mut [f32]) {
    match tokens.count {
        1 => sum_groups::<KIND, 1, 1>(weight, first, tokens, sums),
        2 => sum_groups::<KIND, 1, 2>(weight, first, tokens, sums),
        4 => sum_groups::<KIND, 4, 4>(weight, first, tokens, sums),
        _ => sum_groups::<KIND, 3, 8>(weight, first, tokens, sums),
    }
}

/// `R` rows at a time; past the last row, that row again.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn sum_groups<const KIND: u8, const R: usize, const M: usize>(
    weight: Matrix<'_>,
    first: usize,
    tokens: &Tokens,
    sums: &mut [f32],
) {
    let (cols, count) = (weight.cols(), sums.len() / M);
    let x = if KIND == BF16 {
        assert!(tokens.halves.len() >= M * tokens.stride, "tokens");
        tokens.halves.as_ptr().cast::<u8>()
    } else {
        assert!(tokens.floats.len() >= M * tokens.stride, "tokens");
        tokens.floats.as_ptr().cast()
    };
    assert!(
        tokens.count == M && tokens.stride >= cols.next_multiple_of(lanes(KIND)),
        "tokens of the kernel"
    );
    for group in (0..count).step_by(R) {
        let rows: [_; R] =
            std::array::from_fn(|row| weight.row(first + (group + row).min(count - 1)).as_ptr());
        // SAFETY: the rows have `cols` numbers, and the tokens as many, padded to whole vectors.
        let group_sums: [[f32; R]; M] = unsafe {
            if R == 1 {
                sum_row::<KIND, R, M>(rows, x, tokens.stride, cols)
            } else {
                sum_group::<KIND, R, M>(rows, x, tokens.stride, cols)
            }
        };
        let there = R.min(count - group);
        for (sums, group_sums) in sums.chunks_exact_mut(count).zip(&group_sums) {
            sums[group..group + there].copy_from_slice(&group_sums[..there]);
        }
    }
}

/// A single row (`R` is 1) times `M` tokens.
///
/// # Safety
/// `cols` numbers at the row; `M` tokens, `stride` numbers apart and padded to whole vectors.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn sum_row<const KIND: u8, const R: usize, const M: usize>(
    rows: [*const u8; R],
    x: *const u8,
    stride: usize,
    cols: usize,
) -> [[f32; R]; M] {
    let mut acc = [[_mm512_setzero_ps(); UNROLL]; M];
    let lanes = lanes(KIND);
    let mut col = 0;
    while col + UNROLL * lanes <= cols {
        for part in 0..UNROLL {
            let col = col + part * lanes;
            let ahead = rows[0].wrapping_add(AHEAD + col * size(KIND));
            _mm_prefetch::<_MM_HINT_T1>(ahead.cast());
            // SAFETY: a vector at `col` is within the row and the tokens.
            unsafe {
                let weights = load::<KIND>(rows[0].add(col * size(KIND)));
                for (token, acc) in acc.iter_mut().enumerate() {
                    let x = load_x::<KIND>(x, token * stride + col);
                    acc[part] = multiply_add::<KIND>(weights, x, acc[part]);
                }
            }
        }
        col += UNROLL * lanes;
    }
    while col < cols {
        // SAFETY: as above; the weights' load stops at the row's end.
        unsafe {
            let weights = load_part::<KIND>(rows[0].add(col * size(KIND)), cols - col);
            for (token, acc) in acc.iter_mut().enumerate() {
                let x = load_x::<KIND>(x, token * stride + col);
                acc[0] = multiply_add::<KIND>(weights, x, acc[0]);
            }
        }
        col += lanes;
    }
    acc.map(|acc| {
        let [a, b, c, d] = acc;
        let sum = _mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d));
        [_mm512_reduce_add_ps(sum); R]
    })
}

/// `R` rows times `M` tokens; meanwhile the next `R` rows are asked for, in the order of memory.
///
/// # Safety
/// As for [`sum_row`], for each row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn sum_group<const KIND: u8, const R: usize, const M: usize>(
    rows: [*const u8; R],
    x: *const u8,
    stride: usize,
    cols: usize,
) -> [[f32; R]; M] {
    let mut acc = [[_mm512_setzero_ps(); R]; M];
    let lanes = lanes(KIND);
    let mut ahead = rows[0].wrapping_add(R * cols * size(KIND));
    for col in (0..cols).step_by(lanes) {
        let left = cols - col;
        let weights = rows.map(|row| {
            // SAFETY: a vector is left in the row, or the load stops at the row's end.
            unsafe {
                let place = row.add(col * size(KIND));
                if left >= lanes {
                    load::<KIND>(place)
                } else {
                    load_part::<KIND>(place, left)
                }
            }
        });
        for _ in 0..R {
            _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
            ahead = ahead.wrapping_add(lanes * size(KIND));
        }
        for (token, acc) in acc.iter_mut().enumerate() {
            // SAFETY: tokens are padded to whole vectors.
            let x = unsafe { load_x::<KIND>(x, token * stride + col) };
            for (acc, &weights) in acc.iter_mut().zip(&weights) {
                *acc = multiply_add::<KIND>(weights, x, *acc);
            }
        }
    }
    acc.map(|acc| acc.map(|sum| _mm512_reduce_add_ps(sum)))
}

/// Numbers of a vector.
const fn lanes(kind: u8) -> usize {
    if kind == BF16 { 32 } else { 16 }
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
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn load<const KIND: u8>(place: *const u8) -> __m512i {
    // SAFETY: the promise of the caller.
    unsafe {
        if KIND == F16 {
            let halves = _mm256_loadu_si256(place.cast());
            _mm512_castps_si512(_mm512_cvtph_ps(halves))
        } else {
            _mm512_loadu_si512(place.cast())
        }
    }
}

/// At most `left` weights of a vector, the others zero.
///
/// # Safety
/// There are `left`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn load_part<const KIND: u8>(place: *const u8, left: usize) -> __m512i {
    let mask = u32::MAX >> (32 - left.min(lanes(KIND)));
    // SAFETY: the mask keeps the load within the promised weights.
    unsafe {
        if KIND == F32 {
            #[expect(clippy::cast_possible_truncation, reason = "16 lanes have 16 bits")]
            let mask = mask as u16;
            return _mm512_maskz_loadu_epi32(mask, place.cast());
        }
        let halves = _mm512_maskz_loadu_epi16(mask, place.cast());
        if KIND == F16 {
            _mm512_castps_si512(_mm512_cvtph_ps(_mm512_castsi512_si256(halves)))
        } else {
            halves
        }
    }
}

/// A vector of tokens from number `index` on.
///
/// # Safety
/// There is a whole one.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_x<const KIND: u8>(x: *const u8, index: usize) -> __m512i {
    let size = if KIND == BF16 { 2 } else { 4 };
    // SAFETY: the promise of the caller.
    unsafe { _mm512_loadu_si512(x.add(index * size).cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn multiply_add<const KIND: u8>(weights: __m512i, x: __m512i, sum: __m512) -> __m512 {
    if KIND == BF16 {
        super::avx512::multiply_add::<true>(weights, x, sum)
    } else {
        super::avx512::multiply_add::<false>(weights, x, sum)
    }
}
