//! AVX2: six rows of weights times tiles of 16 tokens, in 8-bit integers.
//!
//! The instruction for 8 bits multiplies unsigned by signed and adds two products in 16 bits, where
//! it saturates; widening after each would cost as much as multiplying. So sums stay in 16 bits over
//! a whole group, which is exact: let `c` be the middle of the range of `q`, then two products are at
//! most 2 · 63 · 127, sums begin at `−c·Σx` and wrap, and at the group's end they are `Σ(q − c)·x`,
//! at most 32 512: 16 products of at most 16 · 127 (five bits) or 15 · 127 (four bits, `c` = 0), or
//! 8 products of 32 · 127 (`Q6_K`, whose groups are 16 long). The eight bits of `Q8_0` are two planes
//! of four, multiplied as rows of their own.

use core::arch::x86_64::*;

use crate::lines::Line;
use crate::matrix::Format;

use super::activations::GROUP;
use super::avx2::unpack;
use super::decode::format_of;
use super::many::{Lanes, Product, ROWS, SLAB, TILE};
use super::pack_avx2::round_group;
use super::packed::{CHUNK, Order};

/// Two registers: the tokens of a tile.
type Pair = [__m256i; 2];

/// Parts of an integer that are multiplied by themselves.
pub(super) const fn planes_of(format: Format) -> usize {
    if matches!(format, Format::Q8_0) { 2 } else { 1 }
}

/// What is taken off the integers, of `Q8_0` off the upper plane, such that sums fit 16 bits.
const fn middle(format: Format) -> i16 {
    match format {
        Format::Q8_0 | Format::Q4_0 => 8,
        Format::Q5_0 | Format::Q5_1 | Format::Q5K => 16,
        Format::Q6K => 32,
        _ => 0,
    }
}

/// Parts of a group of activations that groups of weights are as long as.
const fn halves_of(format: Format) -> usize {
    if matches!(format, Format::Q6K) { 2 } else { 1 }
}

/// The line of a group that sums begin with; those of `Q6_K` have another behind it.
const fn begin_of(format: Format) -> usize {
    if Order::new(format).offsets { 10 } else { 9 }
}

/// Lines of a group of a tile: eight of integers, four of each token in a line; the scales; for
/// formats with offsets the integers' sums times the scale; and what the sums begin with.
pub(super) const fn lines_of(format: Format) -> usize {
    if middle(format) == 0 {
        begin_of(format)
    } else {
        begin_of(format) + halves_of(format)
    }
}

/// Rounds and packs a group of `tokens` rows of `x`, which are `cols` apart.
#[target_feature(enable = "avx2")]
pub(super) fn pack(format: Format, x: &[f32], cols: usize, tokens: usize, lines: &mut [Line]) {
    let order = Order::new(format);
    let (mut scales, mut totals) = (Lanes([0.0; TILE]), Lanes([0.0; TILE]));
    for token in 0..tokens {
        let x: &[f32; GROUP] = x[token * cols..].first_chunk().expect("a group of a row");
        let mut integers = [0; GROUP];
        let (scale, sum) = round_group(x, &mut integers);
        scales.0[token] = scale;
        totals.0[token] = order.sign * scale * sum;
        for (line, four) in lines.iter_mut().zip(integers.as_chunks::<4>().0) {
            line.0[token * 4..][..4].copy_from_slice(four);
        }
    }
    let (integers, rest) = lines.split_at_mut(8);
    store_lanes(&mut rest[0], &scales);
    if order.offsets {
        store_lanes(&mut rest[1], &totals);
    }
    if middle(format) != 0 {
        let middle = _mm256_set1_epi16(-middle(format));
        let groups = integers.chunks_exact(8 / halves_of(format));
        for (begin, integers) in rest[begin_of(format) - 8..].iter_mut().zip(groups) {
            let mut sums = [_mm256_setzero_si256(); 2];
            for line in integers {
                for (sum, x) in sums.iter_mut().zip(load(line)) {
                    *sum = _mm256_add_epi16(*sum, _mm256_maddubs_epi16(_mm256_set1_epi8(1), x));
                }
            }
            store(begin, sums.map(|sum| _mm256_mullo_epi16(sum, middle)));
        }
    }
}

/// Unpacks a chunk: 256 integers in the order of the row, plane by plane, 8 or 16 scales, 8 offsets.
#[target_feature(enable = "avx2,f16c")]
pub(super) fn unpack_chunk(
    format: Format,
    bytes: &[u8],
    q: &mut [u8],
    scales: &mut [f32],
    offsets: &mut [f32],
) {
    let size = CHUNK / format.block_len() * format.block_bytes();
    assert!(
        bytes.len() == size
            && q.len() == planes_of(format) * CHUNK
            && scales.len() == 16
            && offsets.len() == 8,
        "a whole chunk"
    );
    // SAFETY: it is.
    let chunk = unsafe { unpack(format, bytes.as_ptr()) };
    let order = Order::new(format);
    let mut put = |plane: usize, index: usize, both: __m256i| {
        let pieces = [
            _mm256_castsi256_si128(both),
            _mm256_extracti128_si256::<1>(both),
        ];
        for (place, piece) in order.pieces[2 * index..].iter().zip(pieces) {
            let to: &mut [u8; 16] = q[plane * CHUNK + usize::from(*place) * 16..]
                .first_chunk_mut()
                .expect("16 pieces");
            // SAFETY: it is 16 bytes.
            unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), piece) };
        }
    };
    for (index, both) in chunk.q.into_iter().enumerate() {
        if matches!(format, Format::Q8_0) {
            // From signed to 128 too much.
            let both = _mm256_xor_si256(both, _mm256_set1_epi8(i8::MIN));
            let mask = _mm256_set1_epi8(15);
            put(0, index, _mm256_and_si256(both, mask));
            put(
                1,
                index,
                _mm256_and_si256(_mm256_srli_epi16::<4>(both), mask),
            );
        } else {
            put(0, index, both);
        }
    }
    // SAFETY: they are 64 and 32 bytes.
    unsafe {
        _mm256_storeu_ps(scales.as_mut_ptr(), chunk.factors[0]);
        _mm256_storeu_ps(scales[8..].as_mut_ptr(), chunk.factors[1]);
        _mm256_storeu_ps(offsets.as_mut_ptr(), chunk.factors[1]);
    }
}

/// Adds the products of six rows with all tiles to the sums.
#[target_feature(enable = "avx2,fma")]
pub(super) fn multiply(format: Format, product: Product<'_>) {
    macro_rules! tiles {
        ($format:ident) => {{
            const FORMAT: u8 = Format::$format as u8;
            let mut product = product;
            let sums = std::mem::take(&mut product.sums);
            for sums in sums.chunks_exact_mut(ROWS) {
                multiply_tile::<FORMAT>(&product, sums.first_chunk_mut().expect("six rows"));
                product.lines = &product.lines[product.stride.min(product.lines.len())..];
            }
        }};
    }
    match format {
        Format::Q8_0 => tiles!(Q8_0),
        // What matters is the middle, whether there are offsets, and the length of the groups.
        Format::Q4_0 | Format::Q5_0 => tiles!(Q4_0),
        Format::Q4_1 | Format::Q4K => tiles!(Q4K),
        Format::Q5_1 | Format::Q5K => tiles!(Q5K),
        Format::Q6K => tiles!(Q6K),
        Format::F32 | Format::F16 | Format::Bf16 => panic!("{format} has no blocks"),
    }
}

/// Adds the products of six rows with a tile.
#[target_feature(enable = "avx2,fma")]
fn multiply_tile<const FORMAT: u8>(product: &Product<'_>, sums: &mut [Lanes; ROWS]) {
    let format = const { format_of(FORMAT) };
    let order = const { Order::new(format_of(FORMAT)) };
    let planes = const { planes_of(format_of(FORMAT)) };
    let halves = const { halves_of(format_of(FORMAT)) };
    let stride = const { lines_of(format_of(FORMAT)) };
    let (slab, groups) = (product.slab, product.groups);
    let last_row = product.row + ROWS;
    assert!(
        groups * GROUP <= SLAB
            && slab.q.len() >= last_row * planes * SLAB
            && slab.scales.len() >= last_row * (SLAB / 16)
            && slab.offsets.len() >= last_row * (SLAB / 32)
            && product.lines.len() >= groups * stride,
        "slices of a product"
    );
    let (zero, one) = (_mm256_setzero_si256(), _mm256_set1_epi16(1));
    for group in 0..groups {
        let line = |index: usize| load(&product.lines[group * stride + index]);
        let scales = line(8).map(|scales| _mm256_castsi256_ps(scales));
        for half in 0..halves {
            let begin = if middle(format) == 0 {
                [zero; 2]
            } else {
                line(begin_of(format) + half)
            };
            // Factors are 16 for a chunk of eight groups.
            let at = if halves == 2 {
                group * 2 + half
            } else {
                group / 8 * 16 + group % 8
            };
            for first in (0..ROWS).step_by(ROWS / planes) {
                let mut acc = [[zero; 2]; ROWS];
                for (index, acc) in acc.iter_mut().enumerate() {
                    if index % planes == planes - 1 {
                        *acc = begin;
                    }
                }
                for step in half * (8 / halves)..(half + 1) * (8 / halves) {
                    let x = line(step);
                    for (index, acc) in acc.iter_mut().enumerate() {
                        let (row, plane) = (product.row + first + index / planes, index % planes);
                        let at = row * planes * SLAB
                            + (group / 8 * planes + plane) * CHUNK
                            + group % 8 * GROUP
                            + step * 4;
                        // SAFETY: by the assertion: a row has `SLAB` integers in each plane.
                        let q = unsafe { slab.q.as_ptr().add(at).cast::<i32>().read_unaligned() };
                        let q = _mm256_set1_epi32(q);
                        for (acc, x) in acc.iter_mut().zip(x) {
                            *acc = _mm256_add_epi16(*acc, _mm256_maddubs_epi16(q, x));
                        }
                    }
                }
                for (index, acc) in acc.chunks_exact(planes).enumerate() {
                    let row = first + index;
                    let products: Pair = std::array::from_fn(|side| {
                        let last = acc[planes - 1][side];
                        if planes == 2 {
                            let upper = _mm256_madd_epi16(last, _mm256_set1_epi16(16));
                            _mm256_add_epi32(upper, _mm256_madd_epi16(acc[0][side], one))
                        } else if order.offsets && middle(format) != 0 {
                            // With offsets it is `q` that counts.
                            let undone = _mm256_madd_epi16(begin[side], one);
                            _mm256_sub_epi32(_mm256_madd_epi16(last, one), undone)
                        } else {
                            _mm256_madd_epi16(last, one)
                        }
                    });
                    // SAFETY: by the assertion: a row has as many factors as these have groups.
                    let (scale, offset) = unsafe {
                        let row = product.row + row;
                        (
                            _mm256_set1_ps(*slab.scales.as_ptr().add(row * (SLAB / 16) + at)),
                            _mm256_set1_ps(*slab.offsets.as_ptr().add(row * (SLAB / 32) + group)),
                        )
                    };
                    let mut totals = load_lanes(&sums[row]);
                    for side in 0..2 {
                        let factor = _mm256_mul_ps(scale, scales[side]);
                        let product = _mm256_cvtepi32_ps(products[side]);
                        totals[side] = _mm256_fmadd_ps(product, factor, totals[side]);
                        if order.offsets {
                            let sums = _mm256_castsi256_ps(line(9)[side]);
                            totals[side] = _mm256_fmadd_ps(offset, sums, totals[side]);
                        }
                    }
                    sums[row] = lanes(totals);
                }
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(line: &Line) -> Pair {
    let line = line.0.as_ptr().cast::<__m256i>();
    // SAFETY: a line is 64 aligned bytes.
    unsafe { [_mm256_load_si256(line), _mm256_load_si256(line.add(1))] }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(line: &mut Line, value: Pair) {
    let line = line.0.as_mut_ptr().cast::<__m256i>();
    // SAFETY: a line is 64 aligned bytes.
    unsafe {
        _mm256_store_si256(line, value[0]);
        _mm256_store_si256(line.add(1), value[1]);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_lanes(line: &mut Line, lanes: &Lanes) {
    store(
        line,
        load_lanes(lanes).map(|half| _mm256_castps_si256(half)),
    );
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_lanes(lanes: &Lanes) -> [__m256; 2] {
    let lanes = lanes.0.as_ptr();
    // SAFETY: lanes are 64 aligned bytes.
    unsafe { [_mm256_load_ps(lanes), _mm256_load_ps(lanes.add(8))] }
}

#[inline]
#[target_feature(enable = "avx2")]
fn lanes(values: [__m256; 2]) -> Lanes {
    let mut lanes = Lanes([0.0; TILE]);
    // SAFETY: as for `load_lanes`.
    unsafe {
        _mm256_store_ps(lanes.0.as_mut_ptr(), values[0]);
        _mm256_store_ps(lanes.0.as_mut_ptr().add(8), values[1]);
    }
    lanes
}
