//! The passes in plain Rust: their specification.

use super::ResizeTable;

pub(super) fn rows(data: &[u8], width: usize, table: &ResizeTable, out: &mut [u8]) {
    let inputs = data.chunks_exact(width * 3);
    for (input, output) in inputs.zip(out.chunks_exact_mut(table.len() * 3)) {
        for ((start, weights), pixel) in table.windows().zip(output.chunks_exact_mut(3)) {
            pixel.copy_from_slice(&pixel_of(&input[start * 3..], weights, table));
        }
    }
}

/// The pixel that `weights` make of as many pixels at the beginning of `samples`.
pub(super) fn pixel_of(samples: &[u8], weights: &[i32], table: &ResizeTable) -> [u8; 3] {
    let mut sums = [table.half(); 3];
    for (pixel, &weight) in samples.chunks_exact(3).zip(weights) {
        for (sum, &sample) in sums.iter_mut().zip(pixel) {
            *sum = sum.wrapping_add(i32::from(sample).wrapping_mul(weight));
        }
    }
    sums.map(|sum| clip(sum >> table.bits))
}

pub(super) fn columns(data: &[u8], stride: usize, table: &ResizeTable, out: &mut [u8]) {
    for ((start, weights), output) in table.windows().zip(out.chunks_exact_mut(stride)) {
        columns_of(&data[start * stride..], stride, weights, table, output);
    }
}

/// The row that `weights` make of as many rows of `stride` samples at the beginning of `samples`;
/// its first `out.len()` columns.
pub(super) fn columns_of(
    samples: &[u8],
    stride: usize,
    weights: &[i32],
    table: &ResizeTable,
    out: &mut [u8],
) {
    for (column, out) in out.iter_mut().enumerate() {
        let mut sum = table.half();
        for (row, &weight) in weights.iter().enumerate() {
            let sample = i32::from(samples[row * stride + column]);
            sum = sum.wrapping_add(sample.wrapping_mul(weight));
        }
        *out = clip(sum >> table.bits);
    }
}

fn clip(sample: i32) -> u8 {
    u8::try_from(sample.clamp(0, 255)).unwrap_or(u8::MAX)
}
