//! AVX-512: rounding and packing activations.

use core::arch::x86_64::*;

use super::activations::TINY;
use super::packed::{CHUNK, Order};
use crate::lines::Line;

/// Packs one chunk, as [`super::packed::fill`] does.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) fn fill(order: Order, x: &[f32; CHUNK], lines: &mut [Line]) {
    let values = |piece: usize| {
        let x: &[f32; 16] = x[piece * 16..].first_chunk().expect("16 pieces");
        // SAFETY: it is 64 bytes.
        unsafe { _mm512_loadu_ps(x.as_ptr()) }
    };
    // As bits, magnitudes are in order, and what is not finite is above all others.
    let mut largest = [0u32; 8];
    for (group, largest) in largest.iter_mut().enumerate() {
        let bits = |piece| _mm512_castps_si512(_mm512_abs_ps(values(piece)));
        *largest = _mm512_reduce_max_epu32(_mm512_max_epu32(bits(2 * group), bits(2 * group + 1)));
    }
    let (inverses, scales) = factors(largest);
    let mut sums = [0i32; 8];
    for (place, &piece) in order.pieces.iter().enumerate() {
        let piece = usize::from(piece);
        let scaled = _mm512_mul_ps(values(piece), _mm512_set1_ps(inverses[piece / 2]));
        let integers = _mm512_cvtps_epi32(scaled);
        if order.offsets {
            // What is no number becomes the least integer, two of which are beyond i32; its scale shows it.
            let sum = &mut sums[piece / 2];
            *sum = sum.wrapping_add(_mm512_reduce_add_epi32(integers));
        }
        let to: &mut [u8; 16] = lines[place / 4].0[place % 4 * 16..]
            .first_chunk_mut()
            .expect("four pieces");
        // SAFETY: it is 16 bytes.
        unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(integers)) };
    }
    let (packed, rest) = lines.split_at_mut(4);
    let fours =
        |line: &Line| _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), load(line));
    let begin = |sums: __m512i| _mm512_mullo_epi32(sums, _mm512_set1_epi32(-order.zero));
    if order.sums_each {
        for (place, line) in rest.iter_mut().zip(&*packed) {
            store(place, begin(fours(line)));
        }
        let each = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
        let scales = _mm512_zextps256_ps512(scales);
        store(
            &mut rest[4],
            _mm512_castps_si512(_mm512_permutexvar_ps(each, scales)),
        );
        return;
    }
    if order.zero != 0 {
        for (place, lines) in rest.iter_mut().zip(packed.chunks_exact(2)) {
            let sums = _mm512_add_epi32(fours(&lines[0]), fours(&lines[1]));
            store(place, begin(sums));
        }
    }
    let totals = if order.offsets {
        // SAFETY: it is 32 bytes.
        let sums = unsafe { _mm256_loadu_si256(sums.as_ptr().cast()) };
        let signed = _mm256_mul_ps(_mm256_set1_ps(order.sign), scales);
        _mm256_mul_ps(signed, _mm256_cvtepi32_ps(sums))
    } else {
        _mm256_setzero_ps()
    };
    let both = _mm512_insertf32x8::<1>(_mm512_castps256_ps512(scales), totals);
    store(&mut rest[2], _mm512_castps_si512(both));
}

/// What to multiply the activations of each group with, and their scales, as
/// [`super::activations::round_group`] has them.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn factors(largest: [u32; 8]) -> ([f32; 8], __m256) {
    // SAFETY: it is 32 bytes.
    let bits = unsafe { _mm256_loadu_si256(largest.as_ptr().cast()) };
    let values = _mm256_castsi256_ps(bits);
    let finite = _mm256_cmplt_epu32_mask(bits, _mm256_castps_si256(_mm256_set1_ps(f32::INFINITY)));
    let usable = _mm256_mask_cmp_ps_mask::<_CMP_GT_OQ>(finite, values, _mm256_set1_ps(TINY));
    let most = _mm256_set1_ps(127.0);
    let mut inverses = [0.0; 8];
    // SAFETY: it is 32 bytes.
    unsafe {
        _mm256_storeu_ps(
            inverses.as_mut_ptr(),
            _mm256_maskz_div_ps(usable, most, values),
        );
    }
    let scales = _mm256_mask_div_ps(_mm256_set1_ps(f32::NAN), finite, values, most);
    (inverses, scales)
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
