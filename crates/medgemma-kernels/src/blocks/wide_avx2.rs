//! AVX2: chunks of `Q8_0` in 16 bits, weights and activations alike.
//!
//! Of such integers one instruction multiplies pairs and adds them up in 32 bits; of signed bytes it takes three. They
//! take twice the room, and widening them pays where weights meet many rows of activations.

use core::arch::x86_64::*;
use std::hint::black_box;

use super::crossed_avx2::{add_halves, lines_of, scales_at};
use super::many::TILE;
use super::packed::Order;
use crate::lines::Line;
use crate::matrix::Format;

/// Lines of a chunk: 16 registers of integers, scales, and half a line that is not used.
pub(super) const WIDE: usize = 9;

/// Lines of a chunk of activations in bytes.
pub(super) const PACKED: usize = lines_of(Format::Q8_0);

/// The register of the scales.
const SCALES: usize = 16;

/// Widens eight registers of bytes: the even columns of each, then the odd ones.
///
/// # Panics
/// When there are no [`WIDE`] lines.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn widen(bytes: &[__m256i; 8], scales: __m256, lines: &mut [Line]) {
    assert_eq!(lines.len(), WIDE, "lines of a chunk");
    let registers = lines.as_mut_ptr().cast::<__m256i>();
    // SAFETY: the lines are 18 registers, aligned.
    unsafe {
        for (index, &bytes) in bytes.iter().enumerate() {
            let even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(bytes));
            _mm256_store_si256(registers.add(2 * index), even);
            let odd = _mm256_srai_epi16::<8>(bytes);
            _mm256_store_si256(registers.add(2 * index + 1), odd);
        }
        _mm256_store_ps(registers.add(SCALES).cast(), scales);
    }
}

/// Widens a chunk of activations.
///
/// # Panics
/// When there are no [`WIDE`] lines.
#[target_feature(enable = "avx2")]
pub(super) fn widen_packed(bytes: &[Line; PACKED], lines: &mut [Line]) {
    let registers = bytes.as_ptr().cast::<__m256i>();
    let scales = const { scales_at(Order::new(Format::Q8_0)) };
    // SAFETY: the lines are ten registers, aligned.
    let (integers, scales) = unsafe {
        (
            load(registers),
            _mm256_load_ps(registers.add(scales).cast()),
        )
    };
    widen(&integers, scales, lines);
}

/// Adds the products of a chunk of weights with each of `count` chunks of activations to as many sums; with `APART`
/// those of its halves to two sums each, as [`add_halves`] does.
///
/// Half of the integers of weights is what registers hold, so activations go by twice.
///
/// # Panics
/// When there are no [`WIDE`] lines of each, or more sums than [`TILE`].
///
/// # Safety
/// There are as many sums, with `APART` twice as many, aligned.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn add_each<const APART: bool>(
    weights: &[Line],
    x: &[Line],
    count: usize,
    mut sums: *mut __m256,
) {
    assert!(
        weights.len() == WIDE && x.len() >= count * WIDE && count << u32::from(APART) <= TILE,
        "lines of a chunk of weights and of activations, and sums of a tile"
    );
    // Unrolled, the loops take more registers than there are.
    let count = black_box(count);
    let weights = weights.as_ptr().cast::<__m256i>();
    let mut halves = [_mm256_setzero_si256(); TILE];
    let halves = halves.as_mut_ptr();
    let mut x = x.as_ptr().cast::<__m256i>();
    // SAFETY: by the assertion; the sums by the caller's word.
    unsafe {
        let q = load(weights);
        for index in 0..count {
            *halves.add(index) = products(&q, x.add(index * 2 * WIDE));
        }
        let q = load(weights.add(8));
        let scales = _mm256_load_ps(weights.add(SCALES).cast());
        for index in 0..count {
            let products = _mm256_add_epi32(products(&q, x.add(8)), *halves.add(index));
            let scales = _mm256_mul_ps(scales, _mm256_load_ps(x.add(SCALES).cast()));
            if APART {
                let zero = _mm256_setzero_ps();
                let both = _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), scales, zero);
                add_halves(both, [&mut *sums, &mut *sums.add(1)]);
                sums = sums.add(2);
            } else {
                *sums = _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), scales, *sums);
                sums = sums.add(1);
            }
            x = x.add(2 * WIDE);
        }
    }
}

/// Eight registers.
///
/// # Safety
/// There are as many, aligned.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load(registers: *const __m256i) -> [__m256i; 8] {
    let mut loaded = [_mm256_setzero_si256(); 8];
    for (index, loaded) in loaded.iter_mut().enumerate() {
        // SAFETY: the caller's word.
        *loaded = unsafe { _mm256_load_si256(registers.add(index)) };
    }
    loaded
}

/// The sums of products of eight registers, lane by lane.
///
/// # Safety
/// `x` are eight registers, aligned.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn products(q: &[__m256i; 8], x: *const __m256i) -> __m256i {
    let mut sums = [_mm256_setzero_si256(); 2];
    for (index, q) in q.as_chunks::<2>().0.iter().enumerate() {
        for (side, (sum, &q)) in sums.iter_mut().zip(q).enumerate() {
            // SAFETY: the caller's word.
            let x = unsafe { _mm256_load_si256(x.add(2 * index + side)) };
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(q, x));
        }
    }
    _mm256_add_epi32(sums[0], sums[1])
}
