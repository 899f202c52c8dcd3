//! The kernels for a few tokens in AVX-512, with its bf16 dot products.

use std::arch::x86_64::*;

use crate::matrix::{Format, Matrix};

use super::few::Tokens;

/// `sums[token][row] = weight[first + row] · tokens[token]`; `sums` says how many rows.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn sum_rows(weight: Matrix<'_>, first: usize, tokens: &Tokens, sums: &mut [f32]) {
    // More rows at once than hide a sum's latency would not fit the 32 registers.
    match tokens.count {
        1 => sum_groups::<8, 1>(weight, first, tokens, sums),
        2 => sum_groups::<4, 2>(weight, first, tokens, sums),
        4 => sum_groups::<4, 4>(weight, first, tokens, sums),
        _ => sum_groups::<2, 8>(weight, first, tokens, sums),
    }
}

/// `R` rows at a time; past the last row, that row again.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn sum_groups<const R: usize, const M: usize>(
    weight: Matrix<'_>,
    first: usize,
    tokens: &Tokens,
    sums: &mut [f32],
) {
    assert_eq!(tokens.count, M, "tokens of the kernel");
    let count = sums.len() / M;
    for group in (0..count).step_by(R) {
        let rows = std::array::from_fn(|row| weight.row(first + (group + row).min(count - 1)));
        let group_sums = match weight.format() {
            Format::Bf16 => sum_bf16::<R, M>(rows, &tokens.halves, tokens.stride),
            Format::F16 => sum_floats::<R, M, true>(rows, &tokens.floats, tokens.stride),
            Format::F32 => sum_floats::<R, M, false>(rows, &tokens.floats, tokens.stride),
            format => unreachable!("{format} has kernels of its own"),
        };
        let there = R.min(count - group);
        for (sums, group_sums) in sums.chunks_exact_mut(count).zip(&group_sums) {
            sums[group..group + there].copy_from_slice(&group_sums[..there]);
        }
    }
}

/// `R` rows of bf16 times `M` tokens.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn sum_bf16<const R: usize, const M: usize>(
    rows: [&[u8]; R],
    x: &[u16],
    stride: usize,
) -> [[f32; R]; M] {
    let cols = rows[0].len() / 2;
    assert!(
        rows.iter().all(|row| row.len() == 2 * cols)
            && stride >= cols.next_multiple_of(32)
            && x.len() >= M * stride,
        "rows and tokens of a product"
    );
    let mut acc = [[_mm512_setzero_ps(); R]; M];
    for col in (0..cols / 32 * 32).step_by(32) {
        // SAFETY: 32 columns from `col` on are within the rows.
        let weights =
            rows.map(|row| unsafe { _mm512_loadu_si512(row.as_ptr().add(2 * col).cast()) });
        for (token, acc) in acc.iter_mut().enumerate() {
            // SAFETY: tokens are padded to whole vectors.
            let x = unsafe { _mm512_loadu_si512(x.as_ptr().add(token * stride + col).cast()) };
            for (acc, &weights) in acc.iter_mut().zip(&weights) {
                *acc = dot(*acc, weights, x);
            }
        }
    }
    let col = cols / 32 * 32;
    if col < cols {
        let mask = (1 << (cols - col)) - 1;
        // SAFETY: the mask keeps the load within the rows.
        let weights = rows
            .map(|row| unsafe { _mm512_maskz_loadu_epi16(mask, row.as_ptr().add(2 * col).cast()) });
        for (token, acc) in acc.iter_mut().enumerate() {
            // SAFETY: tokens are padded to whole vectors.
            let x = unsafe { _mm512_loadu_si512(x.as_ptr().add(token * stride + col).cast()) };
            for (acc, &weights) in acc.iter_mut().zip(&weights) {
                *acc = dot(*acc, weights, x);
            }
        }
    }
    reduce(acc)
}

/// `R` rows of f16 (`HALF`) or f32 times `M` tokens.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn sum_floats<const R: usize, const M: usize, const HALF: bool>(
    rows: [&[u8]; R],
    x: &[f32],
    stride: usize,
) -> [[f32; R]; M] {
    let size = if HALF { 2 } else { 4 };
    let cols = rows[0].len() / size;
    assert!(
        rows.iter().all(|row| row.len() == size * cols)
            && stride >= cols.next_multiple_of(16)
            && x.len() >= M * stride,
        "rows and tokens of a product"
    );
    let mut acc = [[_mm512_setzero_ps(); R]; M];
    for col in (0..cols).step_by(16) {
        let left = cols - col;
        let weights = rows.map(|row| {
            let place = row[size * col..].as_ptr();
            // SAFETY: 16 numbers are left, or the mask keeps the load within the row.
            unsafe {
                match (HALF, left >= 16) {
                    (false, true) => _mm512_loadu_ps(place.cast()),
                    (false, false) => _mm512_maskz_loadu_ps((1 << left) - 1, place.cast()),
                    (true, true) => _mm512_cvtph_ps(_mm256_loadu_si256(place.cast())),
                    (true, false) => _mm512_cvtph_ps(partial_halves(place, left)),
                }
            }
        });
        for (token, acc) in acc.iter_mut().enumerate() {
            // SAFETY: tokens are padded to whole vectors.
            let x = unsafe { _mm512_loadu_ps(x.as_ptr().add(token * stride + col)) };
            for (acc, &weights) in acc.iter_mut().zip(&weights) {
                *acc = _mm512_fmadd_ps(weights, x, *acc);
            }
        }
    }
    reduce(acc)
}

/// The first `left < 16` of 16 halves, the others zero.
///
/// # Safety
/// `left` halves can be read at `place`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn partial_halves(place: *const u8, left: usize) -> __m256i {
    // SAFETY: the mask keeps the load within the promised halves.
    unsafe { _mm512_castsi512_si256(_mm512_maskz_loadu_epi16((1 << left) - 1, place.cast())) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn dot(sum: __m512, a: __m512i, b: __m512i) -> __m512 {
    // SAFETY: both types are 512 bits of plain data.
    let (a, b) = unsafe {
        (
            std::mem::transmute::<__m512i, __m512bh>(a),
            std::mem::transmute::<__m512i, __m512bh>(b),
        )
    };
    _mm512_dpbf16_ps(sum, a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn reduce<const R: usize, const M: usize>(acc: [[__m512; R]; M]) -> [[f32; R]; M] {
    let mut sums = [[0.0; R]; M];
    for (sums, acc) in sums.iter_mut().zip(&acc) {
        for (sum, &acc) in sums.iter_mut().zip(acc) {
            *sum = _mm512_reduce_add_ps(acc);
        }
    }
    sums
}
