//! The passes with AVX2. Wider vectors would gain nothing: the first pass works on one pixel at a
//! time, and the second waits for memory.

use core::arch::x86_64::*;

use super::{ResizeTable, scalar};

/// Columns of one step of the vertical pass: what packs into a vector of bytes.
const COLUMNS: usize = 32;

/// One pixel at a time, its channels in three lanes of four.
#[target_feature(enable = "avx2")]
pub(super) fn rows(data: &[u8], width: usize, table: &ResizeTable, out: &mut [u8]) {
    let half = _mm_set1_epi32(table.half());
    let shift = _mm_cvtsi32_si128(table.bits.cast_signed());
    for (row, output) in out.chunks_exact_mut(table.len() * 3).enumerate() {
        // To the picture's end, not the row's: each pixel is read with a byte of the next one.
        let input = &data[row * width * 3..];
        for ((start, weights), pixel) in table.windows().zip(output.chunks_exact_mut(3)) {
            let samples = &input[start * 3..];
            if samples.len() <= weights.len() * 3 {
                pixel.copy_from_slice(&scalar::pixel_of(samples, weights, table));
                continue;
            }
            let mut sum = half;
            for (tap, &weight) in weights.iter().enumerate() {
                // SAFETY: `tap * 3 + 4 <= weights.len() * 3 + 1 <= samples.len()`.
                let read = unsafe { samples.as_ptr().add(tap * 3).cast::<i32>().read_unaligned() };
                let read = _mm_cvtepu8_epi32(_mm_cvtsi32_si128(read));
                sum = _mm_add_epi32(sum, _mm_mullo_epi32(read, _mm_set1_epi32(weight)));
            }
            let sum = _mm_sra_epi32(sum, shift);
            let words = _mm_packs_epi32(sum, sum);
            let bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words)).to_le_bytes();
            pixel.copy_from_slice(&bytes[..3]);
        }
    }
}

/// 32 columns at a time.
#[target_feature(enable = "avx2")]
pub(super) fn columns(data: &[u8], stride: usize, table: &ResizeTable, out: &mut [u8]) {
    let half = _mm256_set1_epi32(table.half());
    let shift = _mm_cvtsi32_si128(table.bits.cast_signed());
    // Packing works within halves of a vector: of four vectors it leaves 0 4 8 … in order of fours.
    let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    let whole = stride - stride % COLUMNS;
    for ((start, weights), output) in table.windows().zip(out.chunks_exact_mut(stride)) {
        let samples = &data[start * stride..];
        let (blocks, rest) = output.split_at_mut(whole);
        for (block, output) in blocks.chunks_exact_mut(COLUMNS).enumerate() {
            let mut sums = [half; 4];
            for (row, &weight) in weights.iter().enumerate() {
                let samples = &samples[row * stride + block * COLUMNS..][..COLUMNS];
                let weight = _mm256_set1_epi32(weight);
                for (sum, samples) in sums.iter_mut().zip(samples.chunks_exact(8)) {
                    // SAFETY: a chunk has the 8 bytes read.
                    let read = unsafe { _mm_loadl_epi64(samples.as_ptr().cast()) };
                    let read = _mm256_cvtepu8_epi32(read);
                    *sum = _mm256_add_epi32(*sum, _mm256_mullo_epi32(read, weight));
                }
            }
            let sums = sums.map(|sum| _mm256_sra_epi32(sum, shift));
            let low = _mm256_packs_epi32(sums[0], sums[1]);
            let high = _mm256_packs_epi32(sums[2], sums[3]);
            let bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order);
            // SAFETY: the chunk has the 32 bytes written.
            unsafe { _mm256_storeu_si256(output.as_mut_ptr().cast(), bytes) };
        }
        if !rest.is_empty() {
            scalar::columns_of(&samples[whole..], stride, weights, table, rest);
        }
    }
}
