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
use std::hint::black_box;

use crate::lines::Line;
use crate::matrix::Format;

use super::activations::GROUP;
use super::avx2::{halves_of, unpack};
use super::decode::format_of;
use super::many::{Lanes, Product, ROWS, SLAB, TILE};
use super::pack_avx2::round_group;
use super::packed::{CHUNK, Order};

/// Tokens of a register: half a tile.
const LANES: usize = TILE / 2;

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

/// Groups of weights to a group of activations.
const fn parts_of(format: Format) -> usize {
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
        begin_of(format) + parts_of(format)
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
    for side in 0..2 {
        store(
            &mut rest[0],
            side,
            _mm256_castps_si256(load_lanes(&scales, side)),
        );
        if order.offsets {
            store(
                &mut rest[1],
                side,
                _mm256_castps_si256(load_lanes(&totals, side)),
            );
        }
    }
    if middle(format) != 0 {
        let middle = _mm256_set1_epi16(-middle(format));
        let groups = integers.chunks_exact(8 / parts_of(format));
        for (begin, integers) in rest[begin_of(format) - 8..].iter_mut().zip(groups) {
            let mut sums = [_mm256_setzero_si256(); 2];
            for line in integers {
                for (side, sum) in sums.iter_mut().enumerate() {
                    let pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), load(line, side));
                    *sum = _mm256_add_epi16(*sum, pairs);
                }
            }
            for (side, sum) in sums.into_iter().enumerate() {
                store(begin, side, _mm256_mullo_epi16(sum, middle));
            }
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
    macro_rules! of {
        ($format:ident) => {{
            const FORMAT: u8 = Format::$format as u8;
            unpack_as::<FORMAT>(bytes, q, scales, offsets)
        }};
    }
    match format {
        Format::Q8_0 => of!(Q8_0),
        Format::Q4_0 => of!(Q4_0),
        Format::Q4_1 => of!(Q4_1),
        Format::Q5_0 => of!(Q5_0),
        Format::Q5_1 => of!(Q5_1),
        Format::Q4K => of!(Q4K),
        Format::Q5K => of!(Q5K),
        Format::Q6K => of!(Q6K),
        Format::F32 | Format::F16 | Format::Bf16 => panic!("{format} has no blocks"),
    }
}

#[target_feature(enable = "avx2,f16c")]
fn unpack_as<const FORMAT: u8>(
    bytes: &[u8],
    q: &mut [u8],
    scales: &mut [f32],
    offsets: &mut [f32],
) {
    let format = const { format_of(FORMAT) };
    let order = const { Order::new(format_of(FORMAT)) };
    let size = CHUNK / format.block_len() * format.block_bytes();
    assert!(
        bytes.len() == size
            && q.len() == planes_of(format) * CHUNK
            && scales.len() == 16
            && offsets.len() == 8,
        "a whole chunk"
    );
    // SAFETY: it is.
    let chunk = unsafe { unpack(format, halves_of(format, bytes.as_ptr())) };
    let (q, upper) = q.split_at_mut(CHUNK);
    for (index, &both) in chunk.q.iter().enumerate() {
        if matches!(format, Format::Q8_0) {
            // From signed to 128 too much.
            let both = _mm256_xor_si256(both, _mm256_set1_epi8(i8::MIN));
            let mask = _mm256_set1_epi8(15);
            place(order, q, index, _mm256_and_si256(both, mask));
            let both = _mm256_and_si256(_mm256_srli_epi16::<4>(both), mask);
            place(order, upper, index, both);
        } else {
            place(order, q, index, both);
        }
    }
    // SAFETY: they are 64 and 32 bytes.
    unsafe {
        _mm256_storeu_ps(scales.as_mut_ptr(), chunk.factors[0]);
        _mm256_storeu_ps(scales[8..].as_mut_ptr(), chunk.factors[1]);
        _mm256_storeu_ps(offsets.as_mut_ptr(), chunk.factors[1]);
    }
}

/// Writes two pieces, register `index` of a chunk, where they are in the row.
#[inline]
#[target_feature(enable = "avx2")]
fn place(order: Order, q: &mut [u8], index: usize, both: __m256i) {
    let pieces = [
        _mm256_castsi256_si128(both),
        _mm256_extracti128_si256::<1>(both),
    ];
    for (&place, piece) in order.pieces[2 * index..].iter().zip(pieces) {
        let place: &mut [u8; 16] = &mut q.as_chunks_mut().0[usize::from(place)];
        // SAFETY: it is 16 bytes.
        unsafe { _mm_storeu_si128(place.as_mut_ptr().cast(), piece) };
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
            for (tile, sums) in sums.chunks_exact_mut(ROWS).enumerate() {
                let sums = sums.first_chunk_mut().expect("six rows");
                if product.tokens > tile * TILE + LANES {
                    multiply_tile::<FORMAT, 2>(&product, sums);
                } else {
                    multiply_tile::<FORMAT, 1>(&product, sums);
                }
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

/// Adds the products of six rows with the first `SIDES` halves of a tile.
#[target_feature(enable = "avx2,fma")]
fn multiply_tile<const FORMAT: u8, const SIDES: usize>(
    product: &Product<'_>,
    sums: &mut [Lanes; ROWS],
) {
    let format = const { format_of(FORMAT) };
    let planes = const { planes_of(format_of(FORMAT)) };
    let parts = const { parts_of(format_of(FORMAT)) };
    let stride = const { lines_of(format_of(FORMAT)) };
    let (slab, groups) = (product.slab, product.groups);
    let last_row = product.row + ROWS;
    assert!(
        groups * GROUP <= SLAB
            && slab.q.len() >= last_row * planes * SLAB
            && slab.scales.len() >= last_row * (SLAB / 16)
            && slab.offsets.len() >= last_row * (SLAB / 32),
        "slices of a product"
    );
    // A pass is a part of a group times as many rows as have six planes. The compiler is not to know
    // how few passes and steps there are: unrolled, they take more registers than it has.
    let (passes, steps) = black_box((parts * planes, 8 / parts));
    for group in 0..groups {
        let lines = &product.lines[group * stride..][..stride];
        let floats = |index: usize| sides(|side| _mm256_castsi256_ps(load(&lines[index], side)));
        let scales: [__m256; SIDES] = floats(8);
        for pass in 0..passes {
            let (part, first) = (pass / planes, pass % planes * (ROWS / planes));
            let begin = sides(|side| match middle(format) {
                0 => _mm256_setzero_si256(),
                _ => load(&lines[begin_of(format) + part], side),
            });
            // Factors are 16 for a chunk of eight groups.
            let at = if parts == 2 {
                group * 2 + part
            } else {
                group / 8 * 16 + group % 8
            };
            let row = product.row + first;
            let column = group / 8 * planes * CHUNK + group % 8 * GROUP + part * (GROUP / 2);
            // SAFETY: by the assertion: these rows have `SLAB` integers in each plane.
            let acc = unsafe {
                let q = slab.q.as_ptr().add(row * planes * SLAB + column);
                sums_of::<FORMAT, SIDES>(q, &lines[part * 4..][..steps], begin)
            };
            for (index, acc) in acc.chunks_exact(planes).enumerate() {
                let row = row + index;
                let products = widened::<FORMAT, SIDES>(acc, begin);
                // SAFETY: by the assertion: a row has as many factors as these have groups.
                let (scale, offset) = unsafe {
                    (
                        _mm256_set1_ps(*slab.scales.as_ptr().add(row * (SLAB / 16) + at)),
                        _mm256_set1_ps(*slab.offsets.as_ptr().add(row * (SLAB / 32) + group)),
                    )
                };
                let sums = &mut sums[first + index];
                for side in 0..SIDES {
                    let factor = _mm256_mul_ps(scale, scales[side]);
                    let product = _mm256_cvtepi32_ps(products[side]);
                    let mut total = _mm256_fmadd_ps(product, factor, load_lanes(sums, side));
                    if const { Order::new(format_of(FORMAT)).offsets } {
                        let x: [__m256; SIDES] = floats(9);
                        total = _mm256_fmadd_ps(offset, x[side], total);
                    }
                    store_lanes(sums, side, total);
                }
            }
        }
    }
}

/// The sums of a group in 16 bits, of `ROWS` planes of rows from `q` on; the last plane of each row
/// begins with `begin`.
///
/// # Safety
/// The rows are `SLAB` integers for each plane, and `q` is a group's first in the first plane.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn sums_of<const FORMAT: u8, const SIDES: usize>(
    q: *const u8,
    x: &[Line],
    begin: [__m256i; SIDES],
) -> [[__m256i; SIDES]; ROWS] {
    let planes = const { planes_of(format_of(FORMAT)) };
    let mut acc: [[__m256i; SIDES]; ROWS] = std::array::from_fn(|index| {
        if index % planes == planes - 1 {
            begin
        } else {
            [_mm256_setzero_si256(); SIDES]
        }
    });
    for (step, x) in x.iter().enumerate() {
        let x: [__m256i; SIDES] = sides(|side| load(x, side));
        for (index, acc) in acc.iter_mut().enumerate() {
            let at = index / planes * planes * SLAB + index % planes * CHUNK + step * 4;
            // SAFETY: the caller's word.
            let q = _mm256_set1_epi32(unsafe { q.add(at).cast::<i32>().read_unaligned() });
            for (acc, x) in acc.iter_mut().zip(x) {
                *acc = _mm256_add_epi16(*acc, _mm256_maddubs_epi16(q, x));
            }
        }
    }
    acc
}

/// The sums of a group of one row, from those of its planes.
#[inline]
#[target_feature(enable = "avx2")]
fn widened<const FORMAT: u8, const SIDES: usize>(
    planes: &[[__m256i; SIDES]],
    begin: [__m256i; SIDES],
) -> [__m256i; SIDES] {
    let one = _mm256_set1_epi16(1);
    sides(|side| match (const { format_of(FORMAT) }, planes) {
        (_, [lower, upper]) => _mm256_add_epi32(
            _mm256_madd_epi16(lower[side], one),
            _mm256_madd_epi16(upper[side], _mm256_set1_epi16(16)),
        ),
        // Here what was taken off counts.
        (Format::Q5_1 | Format::Q5K, _) => _mm256_sub_epi32(
            _mm256_madd_epi16(planes[0][side], one),
            _mm256_madd_epi16(begin[side], one),
        ),
        _ => _mm256_madd_epi16(planes[0][side], one),
    })
}

/// One of each half of a tile.
#[inline]
#[target_feature(enable = "avx2")]
fn sides<T, const SIDES: usize>(side: impl FnMut(usize) -> T) -> [T; SIDES] {
    std::array::from_fn(side)
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(line: &Line, side: usize) -> __m256i {
    let half: &[u8; 32] = &line.0.as_chunks().0[side];
    // SAFETY: half a line is 32 aligned bytes.
    unsafe { _mm256_load_si256(half.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(line: &mut Line, side: usize, value: __m256i) {
    let half: &mut [u8; 32] = &mut line.0.as_chunks_mut().0[side];
    // SAFETY: half a line is 32 aligned bytes.
    unsafe { _mm256_store_si256(half.as_mut_ptr().cast(), value) };
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_lanes(lanes: &Lanes, side: usize) -> __m256 {
    let half: &[f32; LANES] = &lanes.0.as_chunks().0[side];
    // SAFETY: half of the lanes is 32 aligned bytes.
    unsafe { _mm256_load_ps(half.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_lanes(lanes: &mut Lanes, side: usize, value: __m256) {
    let half: &mut [f32; LANES] = &mut lanes.0.as_chunks_mut().0[side];
    // SAFETY: half of the lanes is 32 aligned bytes.
    unsafe { _mm256_store_ps(half.as_mut_ptr(), value) };
}
