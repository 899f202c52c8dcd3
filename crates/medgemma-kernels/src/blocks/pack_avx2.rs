//! AVX2: rounding and packing activations.

use core::arch::x86_64::*;

use super::activations::{GROUP, TINY};
use super::packed::{CHUNK, Order};
use crate::lines::Line;

/// Packs one chunk, as [`super::packed::fill`] does.
#[target_feature(enable = "avx2")]
pub(super) fn fill(order: Order, x: &[f32; CHUNK], lines: &mut [Line]) {
    let mut integers = [0u8; CHUNK];
    let mut scales = [0.0f32; 8];
    let mut totals = [0.0f32; 8];
    for (group, (x, integers)) in x
        .as_chunks()
        .0
        .iter()
        .zip(integers.as_chunks_mut().0)
        .enumerate()
    {
        let (scale, sum) = round_group(x, integers);
        scales[group] = scale;
        if order.offsets {
            totals[group] = order.sign * scale * sum;
        }
    }
    let (packed, rest) = lines.split_at_mut(4);
    for (place, &piece) in order.pieces.iter().enumerate() {
        packed[place / 4].0[place % 4 * 16..][..16]
            .copy_from_slice(&integers[usize::from(piece) * 16..][..16]);
    }
    if order.zero != 0 {
        for (index, line) in packed.iter().enumerate() {
            let place = &mut rest[if order.sums_each { index } else { index / 2 }];
            for half in 0..2 {
                let fours = fours(load(&line.0, half));
                let fours = _mm256_mullo_epi32(fours, _mm256_set1_epi32(order.zero));
                let sums = _mm256_sub_epi32(load(&place.0, half), fours);
                store(&mut place.0, half, sums);
            }
        }
    }
    if order.sums_each {
        for (group, place) in rest[4].0.as_chunks_mut().0.iter_mut().enumerate() {
            *place = scales[group / 2].to_le_bytes();
        }
        return;
    }
    let places = rest[2].0.as_chunks_mut().0;
    for group in 0..8 {
        places[group] = scales[group].to_le_bytes();
        places[group + 8] = totals[group].to_le_bytes();
    }
}

/// Rounds one group as [`super::activations::round_group`] does; its scale, and the sum of its
/// integers.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn round_group(x: &[f32; GROUP], integers: &mut [u8; GROUP]) -> (f32, f32) {
    // SAFETY: it is 128 bytes.
    let x: [__m256; 4] =
        [0, 1, 2, 3].map(|index| unsafe { _mm256_loadu_ps(x[index * 8..].as_ptr()) });
    // As bits, magnitudes are in order, and what is not finite is above all others.
    let magnitude = _mm256_set1_epi32(i32::MAX);
    let bits = x.map(|x| _mm256_and_si256(_mm256_castps_si256(x), magnitude));
    let most = _mm256_max_epi32(
        _mm256_max_epi32(bits[0], bits[1]),
        _mm256_max_epi32(bits[2], bits[3]),
    );
    let most = _mm_max_epi32(
        _mm256_castsi256_si128(most),
        _mm256_extracti128_si256::<1>(most),
    );
    let most = _mm_max_epi32(most, _mm_shuffle_epi32::<0b01_00_11_10>(most));
    let most = _mm_max_epi32(most, _mm_shuffle_epi32::<0b10_11_00_01>(most));
    let largest = _mm_cvtss_f32(_mm_castsi128_ps(most));
    let inverse = if largest.is_finite() && largest > TINY {
        127.0 / largest
    } else {
        0.0
    };
    let scale = if largest.is_finite() {
        largest / 127.0
    } else {
        f32::NAN
    };
    let rounded = x.map(|x| _mm256_cvtps_epi32(_mm256_mul_ps(x, _mm256_set1_ps(inverse))));
    // What is not finite becomes the least integer, which would not be zero when narrowed.
    let usable = _mm256_set1_epi32(if inverse == 0.0 { 0 } else { -1 });
    let rounded = rounded.map(|rounded| _mm256_and_si256(rounded, usable));
    let words = [
        _mm256_packs_epi32(rounded[0], rounded[1]),
        _mm256_packs_epi32(rounded[2], rounded[3]),
    ];
    let bytes = _mm256_permutevar8x32_epi32(
        _mm256_packs_epi16(words[0], words[1]),
        _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0),
    );
    store(integers, 0, bytes);
    let sums = fours(bytes);
    let sums = _mm_add_epi32(
        _mm256_castsi256_si128(sums),
        _mm256_extracti128_si256::<1>(sums),
    );
    let sums = _mm_add_epi32(sums, _mm_shuffle_epi32::<0b01_00_11_10>(sums));
    let sums = _mm_add_epi32(sums, _mm_shuffle_epi32::<0b10_11_00_01>(sums));
    (scale, _mm_cvtss_f32(_mm_cvtepi32_ps(sums)))
}

/// The sums of each four signed bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn fours(bytes: __m256i) -> __m256i {
    let pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
    _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))
}

/// 32 bytes, the `half`-th of the slice.
#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8], half: usize) -> __m256i {
    let bytes: &[u8; 32] = bytes[half * 32..].first_chunk().expect("32 bytes");
    // SAFETY: it is 32 bytes.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(bytes: &mut [u8], half: usize, value: __m256i) {
    let bytes: &mut [u8; 32] = bytes[half * 32..].first_chunk_mut().expect("32 bytes");
    // SAFETY: it is 32 bytes.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), value) };
}
