//! The kernels of linear layers in Advanced SIMD.

use std::arch::aarch64::*;
use std::hint::black_box;

use half::f16;

use crate::matrix::{Format, Matrix};

use super::few::{BF16, F16, F32, Tokens};
use super::many::Product;
use super::pack::LANES;

/// Weight rows of a group: 24 sums, 4 vectors of tokens and the weights in 32 registers.
pub(super) const ROWS: usize = 6;

/// Registers of a tile.
const PARTS: usize = LANES / 4;

/// Many tokens, in steps of one f32: see [`Product`].
#[target_feature(enable = "neon")]
pub(super) fn multiply(product: Product<'_>) {
    let tiles = product.checked_tiles(ROWS);
    let (weights, x) = (product.weights.as_ptr(), product.x.as_ptr());
    for tile in 0..tiles {
        let sums = product.sums[tile * ROWS * LANES..].as_mut_ptr();
        // SAFETY: `checked_tiles` has seen that the slices hold all rows, tiles and steps.
        unsafe {
            let x = x.add(tile * product.x_stride).cast();
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
#[target_feature(enable = "neon")]
unsafe fn multiply_tile(
    weights: *const u8,
    stride: usize,
    x: *const f32,
    steps: usize,
    (sums, fresh): (*mut f32, bool),
) {
    let mut acc = [[vdupq_n_f32(0.0); PARTS]; ROWS];
    if !fresh {
        for (row, acc) in acc.iter_mut().enumerate() {
            for (part, acc) in acc.iter_mut().enumerate() {
                // SAFETY: `sums` has `ROWS` times a tile's lanes.
                *acc = unsafe { vld1q_f32(sums.add(row * LANES + part * 4)) };
            }
        }
    }
    for step in 0..steps {
        let mut lanes = [vdupq_n_f32(0.0); PARTS];
        for (part, lanes) in lanes.iter_mut().enumerate() {
            // SAFETY: step `step` is within `x`.
            *lanes = unsafe { vld1q_f32(x.add(step * LANES + part * 4)) };
        }
        for (row, acc) in acc.iter_mut().enumerate() {
            // SAFETY: step `step` of row `row` is within `weights`.
            let weight = unsafe {
                let place = weights.add(row * stride + step * 4);
                place.cast::<f32>().read_unaligned()
            };
            for (acc, &lanes) in acc.iter_mut().zip(&lanes) {
                *acc = vfmaq_n_f32(*acc, lanes, weight);
            }
        }
    }
    for (row, acc) in acc.iter().enumerate() {
        for (part, &acc) in acc.iter().enumerate() {
            // SAFETY: as for the loads.
            unsafe { vst1q_f32(sums.add(row * LANES + part * 4), acc) };
        }
    }
}

/// Vectors of one row that are multiplied at a time, into sums of their own.
const UNROLL: usize = 2;

/// `sums[token][row] = weight[first + row] · tokens[token]`; `sums` says how many rows.
#[target_feature(enable = "neon")]
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
#[target_feature(enable = "neon")]
fn sum_tokens<const KIND: u8>(weight: Matrix<'_>, first: usize, tokens: &Tokens, sums: &mut [f32]) {
    let count = sums.len() / tokens.count;
    for row in 0..count {
        let bytes = weight.row(first + row);
        let places = sums.iter_mut().skip(row).step_by(count);
        match tokens.count {
            1 => put(places, sum_row::<KIND, 1>(bytes, tokens)),
            2 => put(places, sum_row::<KIND, 2>(bytes, tokens)),
            4 => put(places, sum_row::<KIND, 4>(bytes, tokens)),
            _ => put(places, sum_row::<KIND, 8>(bytes, tokens)),
        }
    }
}

fn put<'a, const M: usize>(places: impl Iterator<Item = &'a mut f32>, sums: [f32; M]) {
    for (place, sum) in places.zip(sums) {
        *place = sum;
    }
}

/// One row times `M` tokens.
#[inline]
#[target_feature(enable = "neon")]
fn sum_row<const KIND: u8, const M: usize>(row: &[u8], tokens: &Tokens) -> [f32; M] {
    let (stride, x) = (tokens.stride, &tokens.floats);
    let size = if KIND == F32 { 4 } else { 2 };
    let cols = row.len() / size;
    assert!(
        stride >= cols.next_multiple_of(4 * UNROLL) && x.len() >= M * stride,
        "tokens of the kernel"
    );
    let x = x.as_ptr();
    let mut acc = [[vdupq_n_f32(0.0); UNROLL]; M];
    for col in (0..cols).step_by(4 * UNROLL) {
        let bytes = &row[col * size..];
        let weights = if cols - col >= 4 * UNROLL {
            // SAFETY: 8 weights are left.
            unsafe { load::<KIND>(bytes.as_ptr()) }
        } else {
            let mut part = [0; 4 * 4 * UNROLL];
            part[..bytes.len()].copy_from_slice(bytes);
            // SAFETY: `part` is as long as 8 weights of 4 bytes.
            unsafe { load::<KIND>(part.as_ptr()) }
        };
        for (token, acc) in acc.iter_mut().enumerate() {
            for (part, (acc, &weights)) in acc.iter_mut().zip(&weights).enumerate() {
                // SAFETY: tokens are padded to whole vectors.
                let x = unsafe { vld1q_f32(x.add(token * stride + col + 4 * part)) };
                *acc = vfmaq_f32(*acc, weights, x);
            }
        }
    }
    acc.map(|[a, b]| vaddvq_f32(vaddq_f32(a, b)))
}

/// 8 weights.
///
/// # Safety
/// There are 8.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load<const KIND: u8>(place: *const u8) -> [float32x4_t; UNROLL] {
    // SAFETY: the promise of the caller; bytes need no alignment.
    unsafe {
        match KIND {
            F32 => [
                vreinterpretq_f32_u8(vld1q_u8(place)),
                vreinterpretq_f32_u8(vld1q_u8(place.add(16))),
            ],
            F16 => widen(vreinterpretq_u16_u8(vld1q_u8(place))),
            _ => {
                let halves = vreinterpretq_u16_u8(vld1q_u8(place));
                [
                    vreinterpretq_f32_u32(vshll_n_u16::<16>(vget_low_u16(halves))),
                    vreinterpretq_f32_u32(vshll_high_n_u16::<16>(halves)),
                ]
            }
        }
    }
}

/// 8 f16 as f32.
#[inline]
#[target_feature(enable = "neon")]
fn widen(halves: uint16x8_t) -> [float32x4_t; UNROLL] {
    let (low, high): (float32x4_t, float32x4_t);
    // SAFETY: two instructions of Advanced SIMD that change the named registers only; the
    // intrinsics for them came later than the Rust that this crate supports.
    unsafe {
        std::arch::asm!(
            "fcvtl {low:v}.4s, {halves:v}.4h",
            "fcvtl2 {high:v}.4s, {halves:v}.8h",
            halves = in(vreg) halves,
            low = out(vreg) low,
            high = lateout(vreg) high,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    [low, high]
}

/// f16 to the bits of f32.
#[target_feature(enable = "neon")]
pub(super) fn widen_f16(halves: &[[u8; 2]], place: &mut [u32]) {
    let (vectors, rest) = halves.as_chunks::<8>();
    let (places, rest_places) = place.as_chunks_mut::<8>();
    for (half, place) in vectors.iter().zip(places) {
        // SAFETY: 16 bytes to read and 32 to write, both at any alignment.
        unsafe {
            let [low, high] = widen(vreinterpretq_u16_u8(vld1q_u8(half.as_ptr().cast())));
            vst1q_u32(place.as_mut_ptr(), vreinterpretq_u32_f32(low));
            vst1q_u32(place.as_mut_ptr().add(4), vreinterpretq_u32_f32(high));
        }
    }
    // The vectors of both are as many, so the rests match.
    for (half, place) in rest.iter().zip(rest_places) {
        *place = f16::from_le_bytes(*half).to_f32().to_bits();
    }
}

/// See [`super::spin`].
#[target_feature(enable = "neon")]
pub(super) fn spin(turns: usize) -> usize {
    const SUMS: usize = ROWS * PARTS;
    let mut sums = [vdupq_n_f32(0.0); SUMS];
    let (a, b) = (vdupq_n_f32(black_box(1.0)), vdupq_n_f32(black_box(0.5)));
    for _ in 0..turns {
        for sum in &mut sums {
            *sum = vfmaq_f32(*sum, a, b);
        }
    }
    black_box(sums);
    2 * SUMS * 4
}
