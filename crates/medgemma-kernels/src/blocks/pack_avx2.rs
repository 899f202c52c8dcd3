//! AVX2: rounding and packing activations.

use core::arch::x86_64::*;

use super::activations::{GROUP, TINY};
use super::crossed_avx2::{BEGIN, cross, lane_by_lane, pieces, scales_at};
use super::decode::{format_of, zero};
use super::lanes_avx2::across;
use super::packed::{CHUNK, Order};
use crate::lines::Line;
use crate::matrix::Format;

/// Packs one chunk for weights in `format`, as [`super::crossed_avx2`] says.
#[target_feature(enable = "avx2")]
pub(super) fn fill(format: Format, x: &[f32; CHUNK], lines: &mut [Line]) {
    // What matters is the order, the zero, and the offsets and their sign.
    match format {
        Format::Q8_0 => fill_for::<{ Format::Q8_0 as u8 }>(x, lines),
        Format::Q4_0 => fill_for::<{ Format::Q4_0 as u8 }>(x, lines),
        Format::Q5_0 => fill_for::<{ Format::Q5_0 as u8 }>(x, lines),
        Format::Q4_1 | Format::Q5_1 => fill_for::<{ Format::Q4_1 as u8 }>(x, lines),
        Format::Q4K | Format::Q5K => fill_for::<{ Format::Q4K as u8 }>(x, lines),
        Format::Q6K => fill_for::<{ Format::Q6K as u8 }>(x, lines),
        Format::F32 | Format::F16 | Format::Bf16 => panic!("{format} has no blocks"),
    }
}

/// [`fill`] for one of the formats that are packed alike.
#[target_feature(enable = "avx2")]
fn fill_for<const FORMAT: u8>(x: &[f32; CHUNK], lines: &mut [Line]) {
    let order = const { Order::new(format_of(FORMAT)) };
    let groups = const { groups(Order::new(format_of(FORMAT))) };
    let mut integers = [0u8; CHUNK];
    let scales = round(x, &mut integers);
    let mut put = |register: usize, value| store(&mut lines[register / 2].0, register % 2, value);
    let mut sums = _mm256_setzero_si256();
    for (index, pieces) in const { pieces(Order::new(format_of(FORMAT))) }
        .iter()
        .enumerate()
    {
        let mut rows = [_mm256_setzero_si256(); 4];
        for (row, both) in rows.iter_mut().enumerate() {
            *both = two(&integers, [pieces[row], pieces[row + 4]]);
        }
        for (place, crossed) in cross(rows).into_iter().enumerate() {
            put(index * 4 + place, crossed);
            sums = _mm256_add_epi16(sums, sums_of_pairs(crossed));
        }
        // Groups of 32 have integers in all registers, and their sums and scales once.
        if order.sums_each || index == 1 {
            let place = if order.sums_each { index } else { 0 };
            let scales = lane_by_lane(&groups[index], scales);
            put(scales_at(order) + place, _mm256_castps_si256(scales));
            let begin = if order.offsets {
                let scales = _mm256_mul_ps(scales, _mm256_set1_ps(order.sign));
                let sums = _mm256_madd_epi16(sums, _mm256_set1_epi16(1));
                let totals = _mm256_mul_ps(scales, _mm256_cvtepi32_ps(sums));
                let lanes = const { &lanes_of_groups(Order::new(format_of(FORMAT))) };
                _mm256_castps_si256(lane_by_lane(lanes, totals))
            } else {
                _mm256_mullo_epi16(
                    sums,
                    _mm256_set1_epi16(-i16::from(zero(const { format_of(FORMAT) }))),
                )
            };
            put(BEGIN + place, begin);
            sums = _mm256_setzero_si256();
        }
    }
}

/// The groups of 32 that the [`pieces`] are of.
const fn groups(order: Order) -> [[i32; 8]; 2] {
    let mut groups = [[0; 8]; 2];
    let mut place = 0;
    while place < 16 {
        groups[place / 8][place % 8] = pieces(order)[place / 8][place % 8] as i32 / 2;
        place += 1;
    }
    groups
}

/// The lane of each group, where groups have one.
const fn lanes_of_groups(order: Order) -> [i32; 8] {
    let mut lanes = [0; 8];
    let mut lane = 0i32;
    while lane < 8 {
        let group = pieces(order)[1][lane as usize] / 2;
        lanes[group as usize] = lane;
        lane += 1;
    }
    lanes
}

/// Rounds eight groups, each as [`super::activations::round_group`] does, and returns their scales.
#[inline]
#[target_feature(enable = "avx2")]
fn round(x: &[f32; CHUNK], integers: &mut [u8; CHUNK]) -> __m256 {
    // As bits, magnitudes are in order, and what is not finite is above all others.
    let mut most = [_mm256_setzero_ps(); 8];
    for (most, group) in most.iter_mut().zip(x.as_chunks::<GROUP>().0) {
        let mut largest = _mm256_setzero_si256();
        for x in group.as_chunks().0 {
            let magnitude = _mm256_and_si256(load(x), _mm256_set1_epi32(i32::MAX));
            largest = _mm256_max_epi32(largest, magnitude);
        }
        *most = _mm256_castsi256_ps(largest);
    }
    let number = across(most, |a, b| {
        let (a, b) = (_mm256_castps_si256(a), _mm256_castps_si256(b));
        _mm256_castsi256_ps(_mm256_max_epi32(a, b))
    });
    let finite = _mm256_castsi256_ps(_mm256_cmpgt_epi32(
        _mm256_set1_epi32(f32::INFINITY.to_bits().cast_signed()),
        _mm256_castps_si256(number),
    ));
    let usable = _mm256_cmp_ps::<_CMP_GT_OQ>(number, _mm256_set1_ps(TINY));
    let usable = _mm256_and_ps(finite, usable);
    let inverse = _mm256_and_ps(_mm256_div_ps(_mm256_set1_ps(127.0), number), usable);
    let groups = x
        .as_chunks::<GROUP>()
        .0
        .iter()
        .zip(integers.as_chunks_mut::<GROUP>().0);
    for ((x, integers), lane) in groups.zip(0..) {
        let inverse = _mm256_permutevar8x32_ps(inverse, _mm256_set1_epi32(lane));
        let usable = _mm256_permutevar8x32_ps(usable, _mm256_set1_epi32(lane));
        let mut rounded = [_mm256_setzero_si256(); 4];
        for (rounded, x) in rounded.iter_mut().zip(x.as_chunks().0) {
            // What is not finite would not become zero.
            let x = _mm256_and_ps(_mm256_castsi256_ps(load(x)), usable);
            *rounded = _mm256_cvtps_epi32(_mm256_mul_ps(x, inverse));
        }
        let words = [
            _mm256_packs_epi32(rounded[0], rounded[1]),
            _mm256_packs_epi32(rounded[2], rounded[3]),
        ];
        let bytes = _mm256_permutevar8x32_epi32(
            _mm256_packs_epi16(words[0], words[1]),
            _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0),
        );
        store(integers, 0, bytes);
    }
    let scales = _mm256_div_ps(number, _mm256_set1_ps(127.0));
    _mm256_blendv_ps(_mm256_set1_ps(f32::NAN), scales, finite)
}

/// Eight numbers, as bits.
#[inline]
#[target_feature(enable = "avx2")]
fn load(x: &[f32; 8]) -> __m256i {
    // SAFETY: it is 32 bytes.
    unsafe { _mm256_loadu_si256(x.as_ptr().cast()) }
}

/// Two pieces of 16 integers.
#[inline]
#[target_feature(enable = "avx2")]
fn two(integers: &[u8; CHUNK], [low, high]: [u8; 2]) -> __m256i {
    let pieces: &[[u8; 16]] = integers.as_chunks().0;
    let low = pieces[usize::from(low)].as_ptr();
    let high = pieces[usize::from(high)].as_ptr();
    // SAFETY: each is 16 bytes.
    let (low, high) = unsafe { (_mm_loadu_si128(low.cast()), _mm_loadu_si128(high.cast())) };
    _mm256_set_m128i(high, low)
}

/// The sums of each two signed bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn sums_of_pairs(bytes: __m256i) -> __m256i {
    _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes)
}

/// Writes 32 bytes, the `half`-th of the slice.
#[inline]
#[target_feature(enable = "avx2")]
fn store(bytes: &mut [u8], half: usize, value: __m256i) {
    let bytes: &mut [u8; 32] = bytes[half * 32..].first_chunk_mut().expect("32 bytes");
    // SAFETY: it is 32 bytes.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), value) };
}
