//! AVX-512: six rows of weights times tiles of 16 tokens, in 8-bit integers.

use core::arch::x86_64::*;

use crate::matrix::Format;

use super::activations::{GROUP, TINY};
use super::avx512::unpack;
use super::decode::format_of;
use super::many::TILE;
use super::packed::{CHUNK, Order, chunk_bytes};
use super::tiles_avx512::{Lanes, Product, ROWS, SLAB};
use crate::lines::Line;

/// Lines of a group of a tile: eight of integers, four of each token in a line; the scales; and
/// what the sums begin with or, for formats with offsets, the integers' sums times the scale. Those
/// of `Q6_K` begin twice.
pub(super) const fn lines_of(format: Format) -> usize {
    if matches!(format, Format::Q6K) {
        11
    } else {
        10
    }
}

/// Rounds and packs a group of `tokens` rows of `x`, which are `cols` apart.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) fn pack(format: Format, x: &[f32], cols: usize, tokens: usize, lines: &mut [Line]) {
    let order = Order::new(format);
    let row = |token: usize| {
        let x: &[f32; GROUP] = x[token * cols..].first_chunk().expect("a group of a row");
        // SAFETY: it is twice 64 bytes.
        unsafe {
            [
                _mm512_loadu_ps(x.as_ptr()),
                _mm512_loadu_ps(x[16..].as_ptr()),
            ]
        }
    };
    // As bits, magnitudes are in order, and what is not finite is above all others.
    let mut largest = Lanes([0.0; TILE]);
    for token in 0..tokens {
        let [low, high] = row(token).map(|x| _mm512_castps_si512(_mm512_abs_ps(x)));
        largest.0[token] = f32::from_bits(_mm512_reduce_max_epu32(_mm512_max_epu32(low, high)));
    }
    let largest = load_lanes(&largest);
    let finite = _mm512_cmplt_epu32_mask(
        _mm512_castps_si512(largest),
        _mm512_castps_si512(_mm512_set1_ps(f32::INFINITY)),
    );
    let usable = _mm512_mask_cmp_ps_mask::<_CMP_GT_OQ>(finite, largest, _mm512_set1_ps(TINY));
    let most = _mm512_set1_ps(127.0);
    let mut inverses = Lanes([0.0; TILE]);
    store_lanes(&mut inverses, _mm512_maskz_div_ps(usable, most, largest));
    let scales = _mm512_mask_div_ps(_mm512_set1_ps(f32::NAN), finite, largest, most);
    for token in 0..tokens {
        let inverse = _mm512_set1_ps(inverses.0[token]);
        let [low, high] =
            row(token).map(|x| _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(x, inverse))));
        let mut integers = [0u8; GROUP];
        // SAFETY: it is 32 bytes.
        unsafe { _mm256_storeu_si256(integers.as_mut_ptr().cast(), _mm256_set_m128i(high, low)) };
        for (line, four) in lines.iter_mut().zip(integers.as_chunks::<4>().0) {
            line.0[token * 4..][..4].copy_from_slice(four);
        }
    }
    let mut totals = [_mm512_setzero_si512(); 2];
    for (index, line) in lines[..8].iter().enumerate() {
        let half = if order.sums_each { index / 4 } else { 0 };
        totals[half] = _mm512_dpbusd_epi32(totals[half], _mm512_set1_epi8(1), load(line));
    }
    store(&mut lines[8], _mm512_castps_si512(scales));
    let begin = totals.map(|total| _mm512_mullo_epi32(total, _mm512_set1_epi32(-order.zero)));
    if order.offsets {
        let signed = _mm512_mul_ps(_mm512_set1_ps(order.sign), scales);
        let totals = _mm512_mul_ps(signed, _mm512_cvtepi32_ps(totals[0]));
        store(&mut lines[9], _mm512_castps_si512(totals));
    } else {
        for (line, begin) in lines[9..].iter_mut().zip(begin) {
            store(line, begin);
        }
    }
}

/// Unpacks a chunk: 256 integers in the order of the row, 8 or 16 scales, 8 offsets.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,f16c")]
pub(super) fn unpack_chunk(
    format: Format,
    bytes: &[u8],
    q: &mut [u8],
    scales: &mut [f32],
    offsets: &mut [f32],
) {
    let size = chunk_bytes(format);
    assert!(
        bytes.len() == size && q.len() == CHUNK && scales.len() == 16 && offsets.len() == 8,
        "a whole chunk"
    );
    // SAFETY: it is.
    let chunk = unsafe { unpack(format, bytes.as_ptr()) };
    let order = Order::new(format);
    for (line, places) in chunk.q.into_iter().zip(order.pieces.as_chunks::<4>().0) {
        let pieces = [
            _mm512_castsi512_si128(line),
            _mm512_extracti32x4_epi32::<1>(line),
            _mm512_extracti32x4_epi32::<2>(line),
            _mm512_extracti32x4_epi32::<3>(line),
        ];
        for (piece, &place) in pieces.into_iter().zip(places) {
            let to: &mut [u8; 16] = q[usize::from(place) * 16..]
                .first_chunk_mut()
                .expect("16 pieces");
            // SAFETY: it is 16 bytes.
            unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), piece) };
        }
    }
    // SAFETY: they are 64 and 32 bytes.
    unsafe {
        _mm512_storeu_ps(scales.as_mut_ptr(), chunk.factors);
        _mm256_storeu_ps(
            offsets.as_mut_ptr(),
            _mm512_extractf32x8_ps::<1>(chunk.factors),
        );
    }
}

/// Adds the products of six rows with all tiles to the sums, two tiles at a time.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c")]
pub(super) fn multiply(format: Format, product: Product<'_>) {
    macro_rules! tiles {
        ($format:ident) => {{
            const FORMAT: u8 = Format::$format as u8;
            let mut product = product;
            let sums = std::mem::take(&mut product.sums);
            let mut pairs = sums.chunks_exact_mut(2 * ROWS);
            for pair in &mut pairs {
                multiply_tiles::<FORMAT, 2>(&product, pair);
                product.lines = &product.lines[(2 * product.stride).min(product.lines.len())..];
            }
            let rest = pairs.into_remainder();
            if !rest.is_empty() {
                multiply_tiles::<FORMAT, 1>(&product, rest);
            }
        }};
    }
    match format {
        // What matters is whether there are offsets, and the length of the groups.
        Format::Q8_0 | Format::Q4_0 | Format::Q5_0 => tiles!(Q8_0),
        Format::Q4_1 | Format::Q5_1 => tiles!(Q4_1),
        Format::Q4K | Format::Q5K => tiles!(Q4K),
        Format::Q6K => tiles!(Q6K),
        Format::F32 | Format::F16 | Format::Bf16 => panic!("{format} has no blocks"),
    }
}

/// Adds the products of six rows with `T` tiles.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn multiply_tiles<const FORMAT: u8, const T: usize>(product: &Product<'_>, sums: &mut [Lanes]) {
    let order = const { Order::new(format_of(FORMAT)) };
    let stride = const { lines_of(format_of(FORMAT)) };
    let halves = if order.sums_each { 2 } else { 1 };
    let (slab, groups) = (product.slab, product.groups);
    let last_row = product.row + ROWS;
    assert!(
        groups * GROUP <= SLAB
            && slab.q.len() >= last_row * SLAB
            && slab.scales.len() >= last_row * (SLAB / 16)
            && slab.offsets.len() >= last_row * (SLAB / 32)
            && sums.len() == T * ROWS
            && product.lines.len() >= (T - 1) * product.stride + groups * stride,
        "slices of a product"
    );
    let mut totals = [[_mm512_setzero_ps(); T]; ROWS];
    for (index, sums) in sums.iter().enumerate() {
        totals[index % ROWS][index / ROWS] = load_lanes(sums);
    }
    for group in 0..groups {
        // SAFETY: by the assertion, for all indices below: a tile has `stride` lines for each
        // group, a row `SLAB` integers, and as many factors as these have groups.
        let line = |tile: usize, index: usize| unsafe {
            let lines = product.lines.as_ptr().add(tile * product.stride);
            _mm512_load_si512(lines.add(group * stride + index).cast())
        };
        let scales: [__m512; T] = std::array::from_fn(|tile| _mm512_castsi512_ps(line(tile, 8)));
        for half in 0..halves {
            let begin: [__m512i; T] = std::array::from_fn(|tile| {
                if order.offsets {
                    _mm512_setzero_si512()
                } else {
                    line(tile, 9 + half)
                }
            });
            let mut products = [begin; ROWS];
            for index in half * (8 / halves)..(half + 1) * (8 / halves) {
                let x: [__m512i; T] = std::array::from_fn(|tile| line(tile, index));
                for (row, products) in products.iter_mut().enumerate() {
                    let at = (product.row + row) * SLAB + group * GROUP + index * 4;
                    // SAFETY: as above.
                    let q = unsafe { slab.q.as_ptr().add(at).cast::<i32>().read_unaligned() };
                    for (product, x) in products.iter_mut().zip(x) {
                        *product = _mm512_dpbusd_epi32(*product, _mm512_set1_epi32(q), x);
                    }
                }
            }
            // Factors are 16 for a chunk of eight groups.
            let at = if halves == 2 {
                group * 2 + half
            } else {
                group / 8 * 16 + group % 8
            };
            for (row, (totals, products)) in totals.iter_mut().zip(products).enumerate() {
                let at = (product.row + row) * (SLAB / 16) + at;
                // SAFETY: as above.
                let scale = _mm512_set1_ps(unsafe { *slab.scales.as_ptr().add(at) });
                for ((total, product), scales) in totals.iter_mut().zip(products).zip(scales) {
                    let factor = _mm512_mul_ps(scale, scales);
                    *total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(product), factor, *total);
                }
            }
        }
        if order.offsets {
            for (row, totals) in totals.iter_mut().enumerate() {
                let at = (product.row + row) * (SLAB / 32) + group;
                // SAFETY: as above.
                let offset = _mm512_set1_ps(unsafe { *slab.offsets.as_ptr().add(at) });
                for (tile, total) in totals.iter_mut().enumerate() {
                    let sum = _mm512_castsi512_ps(line(tile, 9));
                    *total = _mm512_fmadd_ps(offset, sum, *total);
                }
            }
        }
    }
    for (index, sums) in sums.iter_mut().enumerate() {
        store_lanes(sums, totals[index % ROWS][index / ROWS]);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(line: &Line) -> __m512i {
    // SAFETY: a line is 64 aligned bytes.
    unsafe { _mm512_load_si512(line.0.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(line: &mut Line, value: __m512i) {
    // SAFETY: a line is 64 aligned bytes.
    unsafe { _mm512_store_si512(line.0.as_mut_ptr().cast(), value) };
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_lanes(lanes: &Lanes) -> __m512 {
    // SAFETY: lanes are 64 aligned bytes.
    unsafe { _mm512_load_ps(lanes.0.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_lanes(lanes: &mut Lanes, value: __m512) {
    // SAFETY: lanes are 64 aligned bytes.
    unsafe { _mm512_store_ps(lanes.0.as_mut_ptr(), value) };
}
