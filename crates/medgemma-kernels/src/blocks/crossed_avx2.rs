//! AVX2: chunks such that the products of all registers that come to lie in a lane are of one group.
//!
//! A register of [`Order`] has halves of two groups, a lane of 128 bits each. Of four registers with eight
//! groups the first 32 bits of each half make a register, the second ones the next, and so on: each lane then
//! has integers of a group of its own, and so have those of the four other registers; of `Q6_K` each four
//! registers have their own groups, half as long. So a lane is scaled once.
//!
//! The instruction for 8 bits multiplies unsigned by signed and adds two products in 16 bits, at most
//! 2 · 128 · 127 here, which is not beyond what saturates. Sums stay in 16 bits over a whole group where they fit: those of
//! `q − z`, which may wrap until `−z·Σx` is added, are at most 16 · 16 · 127 (`Q5_0`; `Q4_0` half of it) or 8 · 32 · 127
//! (`Q6_K`), and with no `z` 16 · 15 · 127. Five bits without `z` fit for half a group, and products of `Q8_0` are
//! widened at once.

use core::arch::x86_64::*;

use super::avx2::{Chunk, halves_of, nibbles, split, unpack};
use super::decode::format_of;
use super::packed::Order;
use crate::lines::Line;
use crate::matrix::Format;

/// Lines of a chunk of a row of activations: of its registers the first eight are integers.
pub(super) const fn lines_of(format: Format) -> usize {
    if Order::new(format).sums_each { 6 } else { 5 }
}

/// The register that is added to the products, `−z·Σx`, or, of formats with offsets, the eight sums of the groups times
/// their scale; of `Q6_K` there is another behind it, and `Q8_0`, whose integers are signed, does not read it.
pub(super) const BEGIN: usize = 8;

/// The register of the scales, lane by lane; of `Q6_K` there is another behind it.
pub(super) const fn scales_at(order: Order) -> usize {
    if order.sums_each {
        BEGIN + 2
    } else {
        BEGIN + 1
    }
}

/// The registers of [`Order`] that are crossed: those of eight groups, then the others.
const fn fours(order: Order) -> [[usize; 4]; 2] {
    if order.sums_each {
        [[0, 1, 2, 3], [4, 5, 6, 7]]
    } else {
        [[0, 1, 4, 5], [2, 3, 6, 7]]
    }
}

/// Of which pieces of 16 columns the lanes of crossed registers have the integers: of the first four, and of the
/// others.
pub(super) const fn pieces(order: Order) -> [[u8; 8]; 2] {
    let mut pieces = [[0; 8]; 2];
    let mut place = 0;
    while place < 16 {
        let (four, lane) = (place / 8, place % 8);
        let register = fours(order)[four][lane % 4];
        pieces[four][lane] = order.pieces[register * 2 + lane / 4];
        place += 1;
    }
    pieces
}

/// Which of eight scales each lane wants; of `Q6_K` of the first eight.
const fn lanes(order: Order) -> [i32; 8] {
    let mut lanes = [0; 8];
    let mut lane = 0;
    while lane < 8 {
        let piece = pieces(order)[0][lane];
        lanes[lane] = if order.sums_each { piece } else { piece / 2 } as i32;
        lane += 1;
    }
    lanes
}

/// Lines of a chunk of weights that is kept: eight registers of integers, scales, and offsets or other scales.
pub(super) const STORED: usize = 5;

/// A chunk of weights, crossed.
pub(super) struct Crossed {
    /// As [`fours`] says.
    pub(super) q: [[__m256i; 4]; 2],
    /// Lane by lane; the second ones of `Q6_K` alone.
    pub(super) scales: [__m256; 2],
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
        // SAFETY: the caller's word.
        let (q, [low, high]) = unsafe {
            match const { format_of(FORMAT) } {
                Format::Q4_0 => {
                    let (pairs, factors) = nibbles::<18>(halves);
                    (crossed_nibbles(pairs), factors)
                }
                Format::Q4_1 => {
                    let (pairs, factors) = nibbles::<20>(halves);
                    (crossed_nibbles(pairs), factors)
                }
                format => {
                    let Chunk { q, factors } = unpack(format, halves);
                    let [first, second] = const { fours(Order::new(format_of(FORMAT))) };
                    let crossed = |[a, b, c, d]: [usize; 4]| cross([q[a], q[b], q[c], q[d]]);
                    ([crossed(first), crossed(second)], factors)
                }
            }
        };
        let lanes = lanes_of::<FORMAT>();
        Self {
            q,
            scales: [lane_by_lane(lanes, low), lane_by_lane(lanes, high)],
            offsets: high,
        }
    }

    /// Keeps the chunk.
    ///
    /// # Panics
    /// When there are no [`STORED`] lines.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn store<const FORMAT: u8>(&self, lines: &mut [Line]) {
        assert_eq!(lines.len(), STORED, "lines of a chunk");
        let registers = lines.as_mut_ptr().cast::<__m256i>();
        let second = if const { Order::new(format_of(FORMAT)).sums_each } {
            self.scales[1]
        } else {
            self.offsets
        };
        // SAFETY: the lines are ten registers, aligned.
        unsafe {
            for (index, &q) in self.q.as_flattened().iter().enumerate() {
                _mm256_store_si256(registers.add(index), q);
            }
            _mm256_store_ps(registers.add(8).cast(), self.scales[0]);
            _mm256_store_ps(registers.add(9).cast(), second);
        }
    }

    /// A chunk that was kept.
    ///
    /// # Panics
    /// When there are no [`STORED`] lines.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn load(lines: &[Line]) -> Self {
        assert_eq!(lines.len(), STORED, "lines of a chunk");
        let registers = lines.as_ptr().cast::<__m256i>();
        let mut q = [[_mm256_setzero_si256(); 4]; 2];
        // SAFETY: the lines are ten registers, aligned.
        let (first, second) = unsafe {
            for (index, q) in q.as_flattened_mut().iter_mut().enumerate() {
                *q = _mm256_load_si256(registers.add(index));
            }
            (
                _mm256_load_ps(registers.add(8).cast()),
                _mm256_load_ps(registers.add(9).cast()),
            )
        };
        Self {
            q,
            scales: [first, second],
            offsets: second,
        }
    }

    /// The first `groups` of eight groups alone: the others' scales and offsets become zero.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn only<const FORMAT: u8>(self, groups: usize) -> Self {
        Self {
            scales: [
                below(groups, lanes_of::<FORMAT>(), self.scales[0]),
                self.scales[1],
            ],
            offsets: below(groups, &[0, 1, 2, 3, 4, 5, 6, 7], self.offsets),
            ..self
        }
    }

    /// Adds the product with a chunk of activations.
    ///
    /// # Safety
    /// `lines` are [`lines_of`] the format.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn add<const FORMAT: u8>(&self, lines: *const Line, sums: &mut __m256) {
        let order = const { Order::new(format_of(FORMAT)) };
        // SAFETY: within the lines, aligned.
        let x = |index: usize| unsafe { _mm256_load_si256(lines.cast::<__m256i>().add(index)) };
        let (first, second) = ([x(0), x(1), x(2), x(3)], [x(4), x(5), x(6), x(7)]);
        let one = _mm256_set1_epi16(1);
        let mut add = |products: __m256i, scales: __m256, index: usize| {
            let scales = _mm256_mul_ps(scales, _mm256_castsi256_ps(x(scales_at(order) + index)));
            *sums = _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), scales, *sums);
        };
        let [low, high] = &self.q;
        match const { format_of(FORMAT) } {
            Format::Q8_0 => {
                let products = _mm256_add_epi32(signed(low, first), signed(high, second));
                add(products, self.scales[0], 0);
            }
            Format::Q6K => {
                let products = _mm256_add_epi16(in_16_bits(low, first), x(BEGIN));
                add(_mm256_madd_epi16(products, one), self.scales[0], 0);
                let products = _mm256_add_epi16(in_16_bits(high, second), x(BEGIN + 1));
                add(_mm256_madd_epi16(products, one), self.scales[1], 1);
            }
            Format::Q5_1 | Format::Q5K => {
                let first = _mm256_madd_epi16(in_16_bits(low, first), one);
                let second = _mm256_madd_epi16(in_16_bits(high, second), one);
                add(_mm256_add_epi32(first, second), self.scales[0], 0);
            }
            _ => {
                let (first, second) = (in_16_bits(low, first), in_16_bits(high, second));
                let mut products = _mm256_add_epi16(first, second);
                if !order.offsets {
                    products = _mm256_add_epi16(products, x(BEGIN));
                }
                add(_mm256_madd_epi16(products, one), self.scales[0], 0);
            }
        }
        if order.offsets {
            *sums = _mm256_fmadd_ps(self.offsets, _mm256_castsi256_ps(x(BEGIN)), *sums);
        }
    }

    /// Adds the products with a chunk of each of `tokens` rows of activations to as many sums. Unrolled, the loop takes
    /// more registers than there are, so the compiler is not to know the number: that is up to the caller.
    ///
    /// # Safety
    /// `lines` are [`lines_of`] the format for each row, and there are as many sums, aligned.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn add_each<const FORMAT: u8>(
        &self,
        mut lines: *const Line,
        mut sums: *mut __m256,
        tokens: usize,
    ) {
        for _ in 0..tokens {
            // SAFETY: the caller's word.
            unsafe {
                self.add::<FORMAT>(lines, &mut *sums);
                lines = lines.add(const { lines_of(format_of(FORMAT)) });
                sums = sums.add(1);
            }
        }
    }

    /// Adds the products of each half of the chunk with a chunk of activations to sums of its own; of a format
    /// that [`Order::joins`].
    ///
    /// # Safety
    /// `lines` are [`lines_of`] the format.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn add_apart<const FORMAT: u8>(
        &self,
        lines: *const Line,
        sums: [&mut __m256; 2],
    ) {
        let mut both = _mm256_setzero_ps();
        // SAFETY: the caller's word.
        unsafe { self.add::<FORMAT>(lines, &mut both) };
        add_halves(both, sums);
    }

    /// [`Self::add_apart`] with each of `pairs` chunks of activations, to twice as many sums.
    ///
    /// # Safety
    /// `lines` are [`lines_of`] the format for each pair, and there are twice as many sums, aligned.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn add_pairs<const FORMAT: u8>(
        &self,
        mut lines: *const Line,
        mut sums: *mut __m256,
        pairs: usize,
    ) {
        for _ in 0..pairs {
            // SAFETY: the caller's word.
            unsafe {
                self.add_apart::<FORMAT>(lines, [&mut *sums, &mut *sums.add(1)]);
                lines = lines.add(const { lines_of(format_of(FORMAT)) });
                sums = sums.add(2);
            }
        }
    }
}

/// Adds what the first four groups of a chunk come to to one sum, and what the others do to another.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn add_halves(both: __m256, [first, second]: [&mut __m256; 2]) {
    // Lanes 2 and 3 of each four are of the later four groups. They come to 0 and 1, since what is summed up
    // must not depend on which of two it is.
    let later = _mm256_permute_ps::<0b01_00_11_10>(both);
    let zero = _mm256_setzero_ps();
    *first = _mm256_add_ps(*first, _mm256_blend_ps::<0b1100_1100>(both, zero));
    *second = _mm256_add_ps(*second, _mm256_blend_ps::<0b1100_1100>(later, zero));
}

/// The sums of products of four registers in 16 bits, which may wrap until `−z·Σx` is added.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn in_16_bits(q: &[__m256i; 4], x: [__m256i; 4]) -> __m256i {
    let [a, b, c, d] = [0, 1, 2, 3].map(|index| _mm256_maddubs_epi16(q[index], x[index]));
    _mm256_add_epi16(_mm256_add_epi16(a, b), _mm256_add_epi16(c, d))
}

/// The sums of products of four registers of signed bytes, two of which are at most 2 · 128 · 127.
#[inline]
#[target_feature(enable = "avx2")]
fn signed(q: &[__m256i; 4], x: [__m256i; 4]) -> __m256i {
    let one = _mm256_set1_epi16(1);
    let [a, b, c, d] = [0, 1, 2, 3].map(|index| {
        let (q, x) = (q[index], x[index]);
        let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(q), _mm256_sign_epi8(x, q));
        _mm256_madd_epi16(pairs, one)
    });
    _mm256_add_epi32(_mm256_add_epi32(a, b), _mm256_add_epi32(c, d))
}

/// Of four registers the words of 32 bits of each half that have the same place.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn cross([a, b, c, d]: [__m256i; 4]) -> [__m256i; 4] {
    let low = [_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d)];
    let high = [_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d)];
    [
        _mm256_unpacklo_epi64(low[0], low[1]),
        _mm256_unpackhi_epi64(low[0], low[1]),
        _mm256_unpacklo_epi64(high[0], high[1]),
        _mm256_unpackhi_epi64(high[0], high[1]),
    ]
}

/// The registers of [`nibbles`], crossed before they are split, which is to do it once.
#[inline]
#[target_feature(enable = "avx2")]
fn crossed_nibbles(pairs: [__m256i; 4]) -> [[__m256i; 4]; 2] {
    let [[a, e], [b, f], [c, g], [d, h]] = cross(pairs).map(|pair| split(pair));
    [[a, b, c, d], [e, f, g, h]]
}

/// [`lanes`] of a format.
#[inline]
fn lanes_of<const FORMAT: u8>() -> &'static [i32; 8] {
    const { &lanes(Order::new(format_of(FORMAT))) }
}

/// The scales that lanes want, of eight.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn lane_by_lane(lanes: &[i32; 8], scales: __m256) -> __m256 {
    // SAFETY: it is 32 bytes.
    let lanes = unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) };
    _mm256_permutevar8x32_ps(scales, lanes)
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
