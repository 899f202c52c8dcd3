//! AVX-512: chunks such that the products of all four lines that come to lie in a lane are of one group,
//! and are scaled once, not line by line.
//!
//! A line of [`Order`] has halves of four groups, a lane of 128 bits each. Of two lines with other groups
//! the first eight bytes of all lanes make a crossed line, the last eight another: each group then has
//! eight bytes in each of the four lines, two lanes of 32 bits. Groups of `Q6_K`, half as long and with
//! as many scales, have one lane: of four lines the first four bytes make the first crossed one, and so
//! on. It takes four instructions, eight for `Q6_K`, and saves four, ten, for each row of activations.

use core::arch::x86_64::*;

use super::avx512::{
    Chunk, crossed_nibbles, q4_0_and_scales, q4_0_scales, q4_1_and_factors, unpack,
};
use super::decode::format_of;
use super::packed::{CROSSED, Order};
use crate::lines::Line;
use crate::matrix::Format;

/// The lines of a chunk of activations, out of those that [`Order`] says.
#[target_feature(enable = "avx512f,avx512dq")]
pub(super) fn activations(order: Order, from: &[Line], to: &mut [Line; CROSSED]) {
    let line = |index: usize| load(&from[index]);
    let [a, b, c, d] = cross(order, [line(0), line(1), line(2), line(3)]);
    let factors = line(order.lines() - 1);
    let begin = if order.offsets {
        _mm512_maskz_mov_epi32(0xff00, factors)
    } else if order.sums_each {
        let [a, b, c, d] = cross(order, [line(4), line(5), line(6), line(7)]);
        _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d))
    } else {
        let [low, high] = [line(4), line(5)];
        _mm512_add_epi32(
            _mm512_unpacklo_epi64(low, high),
            _mm512_unpackhi_epi64(low, high),
        )
    };
    let scales = lane_by_lane(&order.lanes(), _mm512_castsi512_ps(factors));
    let lines = [a, b, c, d, begin, _mm512_castps_si512(scales)];
    for (place, line) in to.iter_mut().zip(lines) {
        // SAFETY: a line is 64 aligned bytes.
        unsafe { _mm512_store_si512(place.0.as_mut_ptr().cast(), line) };
    }
}

/// A chunk of weights, crossed.
pub(super) struct Crossed {
    q: [__m512i; 4],
    /// Lane by lane.
    scales: __m512,
    /// As [`Chunk`] has them, where there are offsets.
    factors: __m512,
}

impl Crossed {
    /// The chunk at `bytes`.
    ///
    /// # Safety
    /// A whole chunk is readable.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
    pub(super) unsafe fn unpack<const FORMAT: u8>(bytes: *const u8) -> Self {
        let format = const { format_of(FORMAT) };
        let order = const { Order::new(format_of(FORMAT)) };
        if matches!(format, Format::Q4_0) {
            let places = const { &q4_0_scales(Order::new(Format::Q4_0).lanes()) };
            // SAFETY: the caller's word.
            let (halves, scales) = unsafe { q4_0_and_scales(bytes, places) };
            return Self {
                q: crossed_nibbles(halves),
                scales,
                factors: _mm512_setzero_ps(),
            };
        }
        // SAFETY: the caller's word.
        let (q, factors) = unsafe {
            if matches!(format, Format::Q4_1) {
                let (halves, factors) = q4_1_and_factors(bytes);
                (crossed_nibbles(halves), factors)
            } else {
                let Chunk { q, factors } = unpack(format, bytes);
                (cross(order, q), factors)
            }
        };
        Self {
            q,
            scales: lane_by_lane(const { &Order::new(format_of(FORMAT)).lanes() }, factors),
            factors,
        }
    }

    /// The first `groups` of eight groups alone: the others' scales and offsets become zero.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn only<const FORMAT: u8>(self, groups: usize) -> Self {
        // SAFETY: it is 64 bytes.
        let lanes = unsafe {
            _mm512_loadu_si512(
                const { &Order::new(format_of(FORMAT)).lanes() }
                    .as_ptr()
                    .cast(),
            )
        };
        #[expect(clippy::cast_possible_truncation, reason = "at most 8")]
        let own = _mm512_cmplt_epi32_mask(lanes, _mm512_set1_epi32(groups as i32));
        let factors = 0xff >> (8 - groups);
        Self {
            scales: _mm512_maskz_mov_ps(own, self.scales),
            factors: _mm512_maskz_mov_ps(factors | factors << 8, self.factors),
            ..self
        }
    }

    /// Adds the product with a chunk of activations.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) fn add<const FORMAT: u8>(&self, lines: &[__m512i; CROSSED], sums: &mut __m512) {
        let order = const { Order::new(format_of(FORMAT)) };
        let mut products = if order.offsets {
            _mm512_setzero_si512()
        } else {
            lines[4]
        };
        for (&q, &line) in self.q.iter().zip(lines) {
            products = _mm512_dpbusd_epi32(products, q, line);
        }
        let scales = _mm512_mul_ps(self.scales, _mm512_castsi512_ps(lines[5]));
        *sums = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), scales, *sums);
        if order.offsets {
            *sums = _mm512_fmadd_ps(self.factors, _mm512_castsi512_ps(lines[4]), *sums);
        }
    }
}

/// The four lines of a chunk, crossed.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn cross(order: Order, [a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let ([first, second], [third, fourth]) = if order.sums_each {
        (
            [_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d)],
            [_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d)],
        )
    } else {
        ([a, c], [b, d])
    };
    [
        _mm512_unpacklo_epi64(first, second),
        _mm512_unpackhi_epi64(first, second),
        _mm512_unpacklo_epi64(third, fourth),
        _mm512_unpackhi_epi64(third, fourth),
    ]
}

/// The scales that lanes want, by `indices`, of those that a chunk has.
#[inline]
#[target_feature(enable = "avx512f")]
fn lane_by_lane(indices: &[i32; 16], scales: __m512) -> __m512 {
    // SAFETY: it is 64 bytes.
    let indices = unsafe { _mm512_loadu_si512(indices.as_ptr().cast()) };
    _mm512_permutexvar_ps(indices, scales)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(line: &Line) -> __m512i {
    // SAFETY: a line is 64 aligned bytes.
    unsafe { _mm512_load_si512(line.0.as_ptr().cast()) }
}
