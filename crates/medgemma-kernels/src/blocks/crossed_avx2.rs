//! AVX2: chunks crossed as for AVX-512, a half of each line to a register.
//!
//! What `super::crossed_avx512` says of lanes holds of each half by itself: the four registers of a half
//! have integers of the same groups in the same lanes. So their products add up in 16 bits, four pairs of
//! at most 2 · 31 · 127, before they are widened; two pairs of `Q6_K`, which are at most 2 · 63 · 127; those of
//! `Q8_0` are widened at once.

use core::arch::x86_64::*;

use super::avx2::{Chunk, halves_of, unpack};
use super::decode::format_of;
use super::packed::{CROSSED, Order};
use crate::lines::Line;
use crate::matrix::Format;

/// The lines of a chunk of activations, out of those that [`Order`] says.
#[target_feature(enable = "avx2")]
pub(super) fn activations(order: Order, from: &[Line], to: &mut [Line; CROSSED]) {
    let factors = order.lines() - 1;
    for half in 0..2 {
        let line = |index: usize| load(&from[index], half);
        let crossed = |first| {
            cross(
                order,
                line(first),
                line(first + 1),
                line(first + 2),
                line(first + 3),
            )
        };
        let [a, b, c, d] = crossed(0);
        let begin = if order.offsets {
            match half {
                0 => _mm256_setzero_si256(),
                _ => line(factors),
            }
        } else if order.sums_each {
            let [a, b, c, d] = crossed(4);
            _mm256_add_epi32(_mm256_add_epi32(a, b), _mm256_add_epi32(c, d))
        } else {
            _mm256_add_epi32(
                _mm256_unpacklo_epi64(line(4), line(5)),
                _mm256_unpackhi_epi64(line(4), line(5)),
            )
        };
        let [low, high] = [load(&from[factors], 0), load(&from[factors], 1)];
        let (low, high) = (_mm256_castsi256_ps(low), _mm256_castsi256_ps(high));
        let scales = lane_by_lane(order, &order.lanes().as_chunks().0[half], low, high);
        let lines = [a, b, c, d, begin, _mm256_castps_si256(scales)];
        for (place, line) in to.iter_mut().zip(lines) {
            let half: &mut [u8; 32] = &mut place.0.as_chunks_mut().0[half];
            // SAFETY: half a line is 32 aligned bytes.
            unsafe { _mm256_store_si256(half.as_mut_ptr().cast(), line) };
        }
    }
}

/// A chunk of weights, crossed. Halves are spelt out, since the compiler made calls of closures over them.
pub(super) struct Crossed {
    /// Of each half of the lines.
    q: [[__m256i; 4]; 2],
    /// Lane by lane, of each half.
    scales: [__m256; 2],
    /// Eight offsets in the order of the row, where there are any.
    offsets: __m256,
}

impl Crossed {
    /// The chunk at `bytes`.
    ///
    /// # Safety
    /// A whole chunk is readable.
    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    pub(super) unsafe fn unpack<const FORMAT: u8>(bytes: *const u8) -> Self {
        // SAFETY: the caller's word.
        unsafe { Self::unpack_halves::<FORMAT>(halves_of(const { format_of(FORMAT) }, bytes)) }
    }

    /// The chunk whose halves are at two places.
    ///
    /// # Safety
    /// Half a chunk is readable at each place, or the one block at the first.
    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    pub(super) unsafe fn unpack_halves<const FORMAT: u8>(halves: [*const u8; 2]) -> Self {
        let order = const { Order::new(format_of(FORMAT)) };
        // SAFETY: the caller's word.
        let chunk = unsafe { unpack(const { format_of(FORMAT) }, halves) };
        let Chunk {
            q,
            factors: [low, high],
        } = chunk;
        let [first, second] = lanes_of::<FORMAT>();
        Self {
            q: [
                cross(order, q[0], q[2], q[4], q[6]),
                cross(order, q[1], q[3], q[5], q[7]),
            ],
            scales: [
                lane_by_lane(order, first, low, high),
                lane_by_lane(order, second, low, high),
            ],
            offsets: high,
        }
    }

    /// The first `groups` of eight groups alone: the others' scales and offsets become zero.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn only<const FORMAT: u8>(self, groups: usize) -> Self {
        let [first, second] = lanes_of::<FORMAT>();
        Self {
            scales: [
                below(groups, first, self.scales[0]),
                below(groups, second, self.scales[1]),
            ],
            offsets: below(groups, &[0, 1, 2, 3, 4, 5, 6, 7], self.offsets),
            ..self
        }
    }

    /// Adds the product with a chunk of activations.
    ///
    /// # Safety
    /// `lines` are [`CROSSED`] lines.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn add<const FORMAT: u8>(&self, lines: *const Line, sums: &mut __m256) {
        // SAFETY: the lines' first halves, and their second ones.
        unsafe {
            self.add_half::<FORMAT, 0>(lines.cast(), sums);
            self.add_half::<FORMAT, 1>(lines.cast(), sums);
        }
        if const { Order::new(format_of(FORMAT)).offsets } {
            // SAFETY: within the lines, aligned.
            let totals = unsafe { _mm256_load_ps(lines.add(4).cast::<f32>().add(8)) };
            *sums = _mm256_fmadd_ps(self.offsets, totals, *sums);
        }
    }

    /// Adds the products of each half of the chunk with a chunk of activations to sums of its own; of a format
    /// that [`Order::joins`].
    ///
    /// # Safety
    /// `lines` are [`CROSSED`] lines.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn add_apart<const FORMAT: u8>(
        &self,
        lines: *const Line,
        [first, second]: [&mut __m256; 2],
    ) {
        let mut both = _mm256_setzero_ps();
        // SAFETY: the caller's word.
        unsafe { self.add::<FORMAT>(lines, &mut both) };
        // Lanes 2 and 3 of each four are of the later four groups. They come to 0 and 1, since what a row
        // sums up to must not depend on which of two it is.
        let later = _mm256_permute_ps::<0b01_00_11_10>(both);
        let zero = _mm256_setzero_ps();
        *first = _mm256_add_ps(*first, _mm256_blend_ps::<0b1100_1100>(both, zero));
        *second = _mm256_add_ps(*second, _mm256_blend_ps::<0b1100_1100>(later, zero));
    }

    /// Adds the product of a half of the lines.
    ///
    /// # Safety
    /// `lines` are the halves of [`CROSSED`] lines.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn add_half<const FORMAT: u8, const HALF: usize>(
        &self,
        lines: *const __m256i,
        sums: &mut __m256,
    ) {
        let format = const { format_of(FORMAT) };
        let order = const { Order::new(format_of(FORMAT)) };
        // SAFETY: within the lines, aligned.
        let (a, b, c, d, begin, scales) = unsafe {
            (
                _mm256_load_si256(lines.add(HALF)),
                _mm256_load_si256(lines.add(2 + HALF)),
                _mm256_load_si256(lines.add(4 + HALF)),
                _mm256_load_si256(lines.add(6 + HALF)),
                _mm256_load_si256(lines.add(8 + HALF)),
                _mm256_load_si256(lines.add(10 + HALF)),
            )
        };
        let mut products = products::<FORMAT>(&self.q[HALF], [a, b, c, d]);
        if !order.offsets && !matches!(format, Format::Q8_0) {
            products = _mm256_add_epi32(products, begin);
        }
        let scales = _mm256_mul_ps(self.scales[HALF], _mm256_castsi256_ps(scales));
        *sums = _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), scales, *sums);
    }
}

/// The sums of products of four registers, lane by lane.
#[inline]
#[target_feature(enable = "avx2")]
fn products<const FORMAT: u8>(q: &[__m256i; 4], x: [__m256i; 4]) -> __m256i {
    let one = _mm256_set1_epi16(1);
    if matches!(const { format_of(FORMAT) }, Format::Q8_0) {
        let a = _mm256_madd_epi16(signed(q[0], x[0]), one);
        let b = _mm256_madd_epi16(signed(q[1], x[1]), one);
        let c = _mm256_madd_epi16(signed(q[2], x[2]), one);
        let d = _mm256_madd_epi16(signed(q[3], x[3]), one);
        return _mm256_add_epi32(_mm256_add_epi32(a, b), _mm256_add_epi32(c, d));
    }
    let low = _mm256_add_epi16(
        _mm256_maddubs_epi16(q[0], x[0]),
        _mm256_maddubs_epi16(q[1], x[1]),
    );
    let high = _mm256_add_epi16(
        _mm256_maddubs_epi16(q[2], x[2]),
        _mm256_maddubs_epi16(q[3], x[3]),
    );
    if matches!(const { format_of(FORMAT) }, Format::Q6K) {
        _mm256_add_epi32(_mm256_madd_epi16(low, one), _mm256_madd_epi16(high, one))
    } else {
        _mm256_madd_epi16(_mm256_add_epi16(low, high), one)
    }
}

/// Products of signed bytes, two to a sum: at most 2 · 128 · 127, which i16 holds.
#[inline]
#[target_feature(enable = "avx2")]
fn signed(q: __m256i, x: __m256i) -> __m256i {
    _mm256_maddubs_epi16(_mm256_abs_epi8(q), _mm256_sign_epi8(x, q))
}

/// The same half of four lines, crossed.
#[inline]
#[target_feature(enable = "avx2")]
fn cross(order: Order, a: __m256i, b: __m256i, c: __m256i, d: __m256i) -> [__m256i; 4] {
    let (first, second, third, fourth) = if order.sums_each {
        (
            _mm256_unpacklo_epi32(a, b),
            _mm256_unpacklo_epi32(c, d),
            _mm256_unpackhi_epi32(a, b),
            _mm256_unpackhi_epi32(c, d),
        )
    } else {
        (a, c, b, d)
    };
    [
        _mm256_unpacklo_epi64(first, second),
        _mm256_unpackhi_epi64(first, second),
        _mm256_unpacklo_epi64(third, fourth),
        _mm256_unpackhi_epi64(third, fourth),
    ]
}

/// [`Order::lanes`] of each half.
#[inline]
fn lanes_of<const FORMAT: u8>() -> [&'static [i32; 8]; 2] {
    let lanes = const { &Order::new(format_of(FORMAT)).lanes() };
    let (first, second) = lanes.split_first_chunk().expect("16 lanes");
    [first, second.first_chunk().expect("16 lanes")]
}

/// The scales that the lanes of a half want, of eight in `low`, or of 16.
#[inline]
#[target_feature(enable = "avx2")]
fn lane_by_lane(order: Order, lanes: &[i32; 8], low: __m256, high: __m256) -> __m256 {
    // SAFETY: it is 32 bytes.
    let lanes = unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) };
    let of_low = _mm256_permutevar8x32_ps(low, lanes);
    if !order.sums_each {
        return of_low;
    }
    // Lanes 2 and 3 of each four are of the later eight.
    _mm256_blend_ps::<0b1100_1100>(of_low, _mm256_permutevar8x32_ps(high, lanes))
}

/// `numbers` where `lanes` are below `count`, zeros elsewhere.
#[inline]
#[target_feature(enable = "avx2")]
fn below(count: usize, lanes: &[i32; 8], numbers: __m256) -> __m256 {
    // SAFETY: it is 32 bytes.
    let lanes = unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) };
    let count = _mm256_set1_epi32(i32::try_from(count).unwrap_or(i32::MAX));
    _mm256_and_ps(
        numbers,
        _mm256_castsi256_ps(_mm256_cmpgt_epi32(count, lanes)),
    )
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(line: &Line, half: usize) -> __m256i {
    let half: &[u8; 32] = &line.0.as_chunks().0[half];
    // SAFETY: half a line is 32 aligned bytes.
    unsafe { _mm256_load_si256(half.as_ptr().cast()) }
}
