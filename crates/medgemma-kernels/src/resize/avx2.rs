//! The passes with AVX2. Wider vectors would gain nothing: the first pass works on one pixel at a
//! time, and the second waits for memory.

use core::arch::x86_64::*;

use super::{ResizeTable, scalar};

/// Columns of one step of the vertical pass: what packs into a vector of bytes.
const COLUMNS: usize = 32;

/// Four rows at a time where there are as many: a window's length, which changes from pixel to pixel
/// as no processor foresees, then costs once.
#[target_feature(enable = "avx2")]
pub(super) fn rows(data: &[u8], width: usize, table: &ResizeTable, out: &mut [u8]) {
    let (input_row, output_row) = (width * 3, table.len() * 3);
    for (block, output) in out.chunks_mut(4 * output_row).enumerate() {
        // To the picture's end, not the row's: each pixel is read with a byte of the next one.
        let input = &data[block * 4 * input_row..];
        if output.len() == 4 * output_row {
            rows_at_once::<4>(input, input_row, table, output);
        } else {
            for (row, output) in output.chunks_exact_mut(output_row).enumerate() {
                rows_at_once::<1>(&input[row * input_row..], input_row, table, output);
            }
        }
    }
}

/// `N` rows, one pixel of each at a time, its channels in three lanes of four.
#[target_feature(enable = "avx2")]
fn rows_at_once<const N: usize>(
    input: &[u8],
    input_row: usize,
    table: &ResizeTable,
    out: &mut [u8],
) {
    let half = _mm_set1_epi32(table.half());
    let shift = _mm_cvtsi32_si128(table.bits.cast_signed());
    let output_row = table.len() * 3;
    for (pixel, (start, weights)) in table.windows().enumerate() {
        let first = &input[start * 3..];
        if first.len() <= (N - 1) * input_row + weights.len() * 3 {
            for row in 0..N {
                let sample = scalar::pixel_of(&first[row * input_row..], weights, table);
                out[row * output_row + pixel * 3..][..3].copy_from_slice(&sample);
            }
            continue;
        }
        let mut sums = [half; N];
        for (tap, &weight) in weights.iter().enumerate() {
            let weight = _mm_set1_epi32(weight);
            for (row, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the 4 bytes end at most `(N - 1) * input_row + weights.len() * 3 + 1` into
                // `first`, which is longer than that less 1.
                let read = unsafe {
                    let at = first.as_ptr().add(row * input_row + tap * 3);
                    at.cast::<i32>().read_unaligned()
                };
                let read = _mm_cvtepu8_epi32(_mm_cvtsi32_si128(read));
                *sum = _mm_add_epi32(*sum, _mm_mullo_epi32(read, weight));
            }
        }
        for (row, sum) in sums.into_iter().enumerate() {
            let sum = _mm_sra_epi32(sum, shift);
            let words = _mm_packs_epi32(sum, sum);
            let bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words)).to_le_bytes();
            out[row * output_row + pixel * 3..][..3].copy_from_slice(&bytes[..3]);
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
            // A window without samples may be at the end.
            let samples = samples.get(whole..).unwrap_or_default();
            scalar::columns_of(samples, stride, weights, table, rest);
        }
    }
}
