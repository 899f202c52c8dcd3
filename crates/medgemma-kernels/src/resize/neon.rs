//! The passes with Advanced SIMD.

use core::arch::aarch64::*;

use super::{ResizeTable, scalar};

/// Columns of one step of the vertical pass.
const COLUMNS: usize = 16;

/// One pixel at a time, its channels in three lanes of four.
#[target_feature(enable = "neon")]
pub(super) fn rows(data: &[u8], width: usize, table: &ResizeTable, out: &mut [u8]) {
    let shift = vdupq_n_s32(-table.bits.cast_signed());
    for (row, output) in out.chunks_exact_mut(table.len() * 3).enumerate() {
        // To the picture's end, not the row's: each pixel is read with a byte of the next one.
        let input = &data[row * width * 3..];
        for ((start, weights), pixel) in table.windows().zip(output.chunks_exact_mut(3)) {
            let samples = &input[start * 3..];
            if samples.len() <= weights.len() * 3 {
                pixel.copy_from_slice(&scalar::pixel_of(samples, weights, table));
                continue;
            }
            let mut sum = vdupq_n_s32(table.half());
            for (tap, &weight) in weights.iter().enumerate() {
                // SAFETY: `tap * 3 + 4 <= weights.len() * 3 + 1 <= samples.len()`.
                let read = unsafe { samples.as_ptr().add(tap * 3).cast::<u32>().read_unaligned() };
                let read = vmovl_u8(vcreate_u8(u64::from(read)));
                let read = vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(read)));
                sum = vmlaq_n_s32(sum, read, weight);
            }
            let words = vqmovn_s32(vshlq_s32(sum, shift));
            let bytes = vqmovun_s16(vcombine_s16(words, words));
            pixel[0] = vget_lane_u8::<0>(bytes);
            pixel[1] = vget_lane_u8::<1>(bytes);
            pixel[2] = vget_lane_u8::<2>(bytes);
        }
    }
}

/// 16 columns at a time.
#[target_feature(enable = "neon")]
pub(super) fn columns(data: &[u8], stride: usize, table: &ResizeTable, out: &mut [u8]) {
    let shift = vdupq_n_s32(-table.bits.cast_signed());
    let whole = stride - stride % COLUMNS;
    for ((start, weights), output) in table.windows().zip(out.chunks_exact_mut(stride)) {
        let samples = &data[start * stride..];
        let (blocks, rest) = output.split_at_mut(whole);
        for (block, output) in blocks.chunks_exact_mut(COLUMNS).enumerate() {
            let mut sums = [vdupq_n_s32(table.half()); 4];
            for (row, &weight) in weights.iter().enumerate() {
                let samples = &samples[row * stride + block * COLUMNS..][..COLUMNS];
                // SAFETY: the slice has the 16 bytes read.
                let read = unsafe { vld1q_u8(samples.as_ptr()) };
                let words = [vmovl_u8(vget_low_u8(read)), vmovl_high_u8(read)];
                for (sums, words) in sums.chunks_exact_mut(2).zip(words) {
                    let low = vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(words)));
                    let high = vreinterpretq_s32_u32(vmovl_high_u16(words));
                    sums[0] = vmlaq_n_s32(sums[0], low, weight);
                    sums[1] = vmlaq_n_s32(sums[1], high, weight);
                }
            }
            let words = sums.map(|sum| vqmovn_s32(vshlq_s32(sum, shift)));
            let low = vqmovun_s16(vcombine_s16(words[0], words[1]));
            let high = vqmovun_s16(vcombine_s16(words[2], words[3]));
            // SAFETY: the chunk has the 16 bytes written.
            unsafe { vst1q_u8(output.as_mut_ptr(), vcombine_u8(low, high)) };
        }
        if !rest.is_empty() {
            // A window without samples may be at the end.
            let samples = samples.get(whole..).unwrap_or_default();
            scalar::columns_of(samples, stride, weights, table, rest);
        }
    }
}
