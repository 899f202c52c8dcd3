//! For each output position along one axis: which input positions it reads, with which integer weights.
//! `precompute_coeffs` and `normalize_coeffs_8bpc` of Pillow's `Resample.c`;
//! `_compute_index_ranges_int16_weights` of torch's `UpSampleKernel.cpp` computes the same `f64` weights.

use std::ops::Range;

use medgemma_kernels::ResizeTable;

use super::kernel::Kernel;

/// How many fractional bits the integer weights have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    /// Always 22 = 32 bits less 8 for the sample less 2 of headroom (`PRECISION_BITS`).
    Pillow,
    /// The most for which the table's largest weight, rounded, stays below 2^15; at most 22.
    Torch,
}

/// The table that takes `input` positions to `output`, both at least 1.
pub(super) fn fixed(
    kernel: Kernel,
    input: usize,
    output: usize,
    precision: Precision,
) -> ResizeTable {
    let (windows, exact) = windows(kernel, input, output);
    let bits = match precision {
        Precision::Pillow => 22,
        Precision::Torch => int16_bits(&exact),
    };
    let unit = f64::from(1u32 << bits);
    let mut table = ResizeTable::new(bits);
    for (start, weights) in windows {
        table.push(start, exact[weights].iter().map(|w| round_away(w * unit)));
    }
    table
}

/// Each output position's first input position and where its weights are, and the normalised weights.
fn windows(kernel: Kernel, input: usize, output: usize) -> (Vec<(usize, Range<usize>)>, Vec<f64>) {
    let scale = as_f64(input) / as_f64(output);
    // When enlarging, the kernel keeps its width; when shrinking, it widens to cover what it averages.
    let stretch = scale.max(1.0);
    let support = kernel.support() * stretch;
    let mut windows = Vec::with_capacity(output);
    let mut weights = Vec::new();
    for i in 0..output {
        let center = (as_f64(i) + 0.5) * scale;
        let start = position(center - support + 0.5);
        let end = position(center + support + 0.5).min(input);
        let offset = weights.len();
        for x in start..end {
            weights.push(kernel.weight((as_f64(x) - center + 0.5) * (1.0 / stretch)));
        }
        let total: f64 = weights[offset..].iter().sum();
        if total != 0.0 {
            weights[offset..].iter_mut().for_each(|w| *w /= total);
        }
        windows.push((start, offset..weights.len()));
    }
    (windows, weights)
}

/// Torch's `weights_precision`: the loop stops at the first precision whose successor would not fit 15 bits.
fn int16_bits(weights: &[f64]) -> u32 {
    let largest = weights.iter().copied().fold(0.0, f64::max);
    (0..22)
        .find(|bits| round_away(largest * f64::from(1u32 << (bits + 1))) >= 1 << 15)
        .unwrap_or(22)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "lengths are far below 2^53; they come from limits on pictures"
)]
fn as_f64(n: usize) -> f64 {
    n as f64
}

/// Towards zero, never negative, as the C references cast and clamp.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "truncation and saturation at 0 are the rule being reproduced"
)]
fn position(x: f64) -> usize {
    x as usize
}

/// To the nearest integer, halves away from zero, as the C references add 0.5 with the sign and cast.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a weight is at most 1 and has at most 22 fractional bits"
)]
fn round_away(x: f64) -> i32 {
    (x + if x < 0.0 { -0.5 } else { 0.5 }) as i32
}
