//! The kernel for many tokens in AVX2 with FMA, and the widening of halves.

use std::arch::x86_64::*;
use std::hint::black_box;

use super::many::{Product, UNROLL};
use super::pack::LANES;

/// Weight rows of a group: 12 sums, 2 vectors of tokens and a weight in 16 registers.
pub(super) const ROWS: usize = 6;

/// Registers of a tile.
const PARTS: usize = LANES / 8;

/// Many tokens, in steps of one f32: see [`Product`].
#[target_feature(enable = "avx2,fma")]
pub(super) fn multiply(product: Product<'_>) {
    let tiles = product.checked_tiles(ROWS);
    let (weights, x) = (product.weights.as_ptr(), product.x.as_ptr());
    for tile in 0..tiles {
        let sums = product.sums[tile * ROWS * LANES..].as_mut_ptr();
        // SAFETY: `checked_tiles` has seen that the slices hold all rows, tiles and steps.
        unsafe {
            let x = x.add(tile * product.x_stride);
            multiply_tile(
                weights,
                product.stride,
                x,
                product.steps,
                (sums, product.fresh),
            );
        }
    }
}

/// `ROWS` rows times a tile.
///
/// # Safety
/// The pointers are to slices as in [`Product`].
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn multiply_tile(
    weights: *const u8,
    stride: usize,
    x: *const u32,
    steps: usize,
    (sums, fresh): (*mut f32, bool),
) {
    let mut acc = [[_mm256_setzero_ps(); PARTS]; ROWS];
    if !fresh {
        for (row, acc) in acc.iter_mut().enumerate() {
            for (part, acc) in acc.iter_mut().enumerate() {
                // SAFETY: `sums` has `ROWS` times a tile's lanes.
                *acc = unsafe { _mm256_loadu_ps(sums.add(row * LANES + part * 8)) };
            }
        }
    }
    let mut step = 0;
    while step < steps {
        // SAFETY: these steps are within `weights` and `x`.
        unsafe {
            let (weights, x) = (weights.add(step * 4), x.add(step * LANES));
            if step + UNROLL <= steps {
                multiply_steps::<UNROLL>(weights, stride, x, &mut acc);
                step += UNROLL;
            } else {
                multiply_steps::<1>(weights, stride, x, &mut acc);
                step += 1;
            }
        }
    }
    for (row, acc) in acc.iter().enumerate() {
        for (part, &acc) in acc.iter().enumerate() {
            // SAFETY: as for the loads.
            unsafe { _mm256_storeu_ps(sums.add(row * LANES + part * 8), acc) };
        }
    }
}

/// Adds the products of the first `STEPS` steps. Inlined, or the sums are in memory.
///
/// # Safety
/// `ROWS` rows, `stride` bytes apart, and `x` have as many steps.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn multiply_steps<const STEPS: usize>(
    weights: *const u8,
    stride: usize,
    x: *const u32,
    acc: &mut [[__m256; PARTS]; ROWS],
) {
    for step in 0..STEPS {
        let mut lanes = [_mm256_setzero_ps(); PARTS];
        for (part, lanes) in lanes.iter_mut().enumerate() {
            // SAFETY: the caller's word.
            *lanes = unsafe { _mm256_loadu_ps(x.add(step * LANES + part * 8).cast()) };
        }
        for (row, acc) in acc.iter_mut().enumerate() {
            // SAFETY: the caller's word.
            let weight = unsafe {
                let place = weights.add(row * stride + step * 4);
                _mm256_set1_ps(place.cast::<f32>().read_unaligned())
            };
            for (acc, &lanes) in acc.iter_mut().zip(&lanes) {
                *acc = _mm256_fmadd_ps(weight, lanes, *acc);
            }
        }
    }
}

/// f16 to the bits of f32.
#[target_feature(enable = "avx2,f16c")]
pub(super) fn widen_f16(halves: &[[u8; 2]], place: &mut [u32]) {
    let (vectors, rest) = halves.as_chunks::<8>();
    let (places, rest_places) = place.as_chunks_mut::<8>();
    for (half, place) in vectors.iter().zip(places) {
        // SAFETY: 16 bytes to read and 32 to write, both at any alignment.
        unsafe {
            let wide = _mm256_cvtph_ps(_mm_loadu_si128(half.as_ptr().cast()));
            _mm256_storeu_ps(place.as_mut_ptr().cast(), wide);
        }
    }
    // The vectors of both are as many, so the rests match.
    for (half, place) in rest.iter().zip(rest_places) {
        *place = half::f16::from_le_bytes(*half).to_f32().to_bits();
    }
}

/// The plain loop, compiled to these instructions.
#[target_feature(enable = "avx2")]
pub(super) fn widen_bf16(halves: &[[u8; 2]], place: &mut [u32]) {
    super::scalar::widen_bf16(halves, place);
}

/// See [`super::spin`].
#[target_feature(enable = "avx2,fma")]
pub(super) fn spin(turns: usize) -> usize {
    const SUMS: usize = ROWS * PARTS;
    let mut sums = [_mm256_setzero_ps(); SUMS];
    let (a, b) = (
        _mm256_set1_ps(black_box(1.0)),
        _mm256_set1_ps(black_box(0.5)),
    );
    for _ in 0..turns {
        for sum in &mut sums {
            *sum = _mm256_fmadd_ps(a, b, *sum);
        }
    }
    black_box(sums);
    2 * SUMS * 8
}
