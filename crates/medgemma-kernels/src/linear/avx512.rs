//! The kernels of linear layers in AVX-512, with its bf16 dot products.

use std::arch::x86_64::*;
use std::hint::black_box;

use super::many::{Product, UNROLL};
use super::pack::LANES;

/// Weight rows of a group.
pub(super) const ROWS: usize = 8;

/// Many tokens: see [`Product`]. `PAIR`: steps are two bf16 instead of an f32.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn multiply<const PAIR: bool>(product: Product<'_>) {
    let tiles = product.checked_tiles(ROWS);
    let (weights, x) = (product.weights.as_ptr(), product.x.as_ptr());
    let Product {
        stride,
        x_stride,
        steps,
        sums,
        fresh,
        ..
    } = product;
    for tile in (0..tiles).step_by(2) {
        let sums = sums[tile * ROWS * LANES..].as_mut_ptr();
        // SAFETY: `checked_tiles` has seen that the slices hold all rows, tiles and steps.
        unsafe {
            let x = x.add(tile * x_stride);
            if tile + 1 < tiles {
                multiply_tiles::<PAIR, 2>(weights, stride, x, x_stride, steps, (sums, fresh));
            } else {
                multiply_tiles::<PAIR, 1>(weights, stride, x, x_stride, steps, (sums, fresh));
            }
        }
    }
}

/// `ROWS` rows times `TILES` tiles: 16 sums of 16 lanes hide the latency of the products.
///
/// # Safety
/// The pointers are to slices as in [`Product`].
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn multiply_tiles<const PAIR: bool, const TILES: usize>(
    weights: *const u8,
    stride: usize,
    x: *const u32,
    x_stride: usize,
    steps: usize,
    (sums, fresh): (*mut f32, bool),
) {
    let mut acc = [[_mm512_setzero_ps(); TILES]; ROWS];
    if !fresh {
        for (row, acc) in acc.iter_mut().enumerate() {
            for (tile, acc) in acc.iter_mut().enumerate() {
                // SAFETY: `sums` has `TILES · ROWS` vectors.
                *acc = unsafe { _mm512_loadu_ps(sums.add((tile * ROWS + row) * LANES)) };
            }
        }
    }
    let mut step = 0;
    while step < steps {
        // SAFETY: these steps are within `weights` and `x`.
        unsafe {
            let (weights, x) = (weights.add(step * 4), x.add(step * LANES));
            if step + UNROLL <= steps {
                multiply_steps::<PAIR, TILES, UNROLL>(weights, stride, x, x_stride, &mut acc);
                step += UNROLL;
            } else {
                multiply_steps::<PAIR, TILES, 1>(weights, stride, x, x_stride, &mut acc);
                step += 1;
            }
        }
    }
    for (row, acc) in acc.iter().enumerate() {
        for (tile, &acc) in acc.iter().enumerate() {
            // SAFETY: as for the loads.
            unsafe { _mm512_storeu_ps(sums.add((tile * ROWS + row) * LANES), acc) };
        }
    }
}

/// Adds the products of the first `STEPS` steps. Inlined, or the sums are in memory.
///
/// # Safety
/// `ROWS` rows, `stride` bytes apart, and `TILES` tiles, `x_stride` words apart, have as many steps.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn multiply_steps<const PAIR: bool, const TILES: usize, const STEPS: usize>(
    weights: *const u8,
    stride: usize,
    x: *const u32,
    x_stride: usize,
    acc: &mut [[__m512; TILES]; ROWS],
) {
    for step in 0..STEPS {
        let mut lanes = [_mm512_setzero_si512(); TILES];
        for (tile, lanes) in lanes.iter_mut().enumerate() {
            // SAFETY: the caller's word.
            *lanes = unsafe { _mm512_loadu_si512(x.add(tile * x_stride + step * LANES).cast()) };
        }
        for (row, acc) in acc.iter_mut().enumerate() {
            // SAFETY: the caller's word.
            let weight = unsafe {
                let place = weights.add(row * stride + step * 4);
                place.cast::<i32>().read_unaligned()
            };
            let weight = _mm512_set1_epi32(weight);
            for (acc, &lanes) in acc.iter_mut().zip(&lanes) {
                *acc = multiply_add::<PAIR>(weight, lanes, *acc);
            }
        }
    }
}

/// `sum + a · b` for each lane's 4 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn multiply_add<const PAIR: bool>(a: __m512i, b: __m512i, sum: __m512) -> __m512 {
    if PAIR {
        _mm512_dpbf16_ps(sum, bf16_lanes(a), bf16_lanes(b))
    } else {
        _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum)
    }
}

/// The same bits as 32 bf16.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn bf16_lanes(bits: __m512i) -> __m512bh {
    // SAFETY: both are 512 bits of plain data.
    unsafe { std::mem::transmute::<__m512i, __m512bh>(bits) }
}

/// See [`super::spin`].
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn spin<const PAIR: bool>(turns: usize) -> usize {
    const SUMS: usize = 2 * ROWS;
    let mut sums = [_mm512_setzero_ps(); SUMS];
    // Two bf16 of about 1, or one f32.
    let (a, b) = (
        _mm512_set1_epi32(black_box(0x3f80_3f80)),
        _mm512_set1_epi32(black_box(0x3f00_3f00)),
    );
    for _ in 0..turns {
        for sum in &mut sums {
            *sum = multiply_add::<PAIR>(a, b, *sum);
        }
    }
    black_box(sums);
    2 * SUMS * LANES * if PAIR { 2 } else { 1 }
}
