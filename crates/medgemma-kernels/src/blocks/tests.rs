//! The SIMD paths of the block formats against the plain Rust ones.

#![expect(
    clippy::cast_possible_truncation,
    reason = "random bits, of which some are enough"
)]

use proptest::prelude::*;

use super::linear_many;
use crate::cpu::{Cpu, Path};
use crate::matrix::{Format, Matrix};

#[cfg(target_arch = "x86_64")]
mod crossed;
mod not_a_number;
mod same;

const FORMATS: [Format; 8] = [
    Format::Q8_0,
    Format::Q4_0,
    Format::Q4_1,
    Format::Q5_0,
    Format::Q5_1,
    Format::Q4K,
    Format::Q5K,
    Format::Q6K,
];

/// Pseudo-random bits.
fn noise(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// Random blocks whose scales and minima are random numbers of ±0.001 to ±0.1.
fn blocks(format: Format, rows: usize, cols: usize, seed: u64) -> Vec<u8> {
    let mut noise = noise(seed);
    let row = format.row_bytes(cols).expect("whole blocks");
    let mut bytes: Vec<u8> = (0..rows * row).map(|_| (noise() >> 32) as u8).collect();
    let scales: &[usize] = match format {
        Format::Q8_0 | Format::Q4_0 | Format::Q5_0 => &[0],
        Format::Q6K => &[208],
        _ => &[0, 2],
    };
    for block in bytes.chunks_exact_mut(format.block_bytes()) {
        for &at in scales {
            let scale = 0.001 + (noise() >> 40) as f32 / (1u64 << 24) as f32 * 0.1;
            let sign = if noise() >> 63 == 0 { 1.0 } else { -1.0 };
            block[at..at + 2].copy_from_slice(&half::f16::from_f32(sign * scale).to_le_bytes());
        }
    }
    bytes
}

/// Activations of −1..1, some of them much larger and some zero.
fn activations(numbers: usize, seed: u64) -> Vec<f32> {
    let mut noise = noise(seed ^ 0x5555);
    (0..numbers)
        .map(|_| {
            let x = (noise() >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
            match noise() >> 60 {
                0 => x * 50.0,
                1 => 0.0,
                _ => x,
            }
        })
        .collect()
}

/// What stands for the numbers of each group of a row of weights in a tolerance. Offsets cancel within a
/// group, so the largest stands for all.
fn largest(format: Format, row: &[u8], cols: usize) -> Vec<f32> {
    let mut w = vec![0.0; cols];
    super::dequantize(format, row, &mut w);
    let groups = w.chunks_exact(super::decode::group_len(format));
    let largest = groups.map(|w| w.iter().fold(0.0f32, |most, w| most.max(w.abs())));
    largest.collect()
}

/// The sizes of each group of a row of activations, added.
fn sizes(format: Format, x: &[f32]) -> Vec<f32> {
    let groups = x.chunks_exact(super::decode::group_len(format));
    groups.map(|x| x.iter().map(|x| x.abs()).sum()).collect()
}

/// What f32 sums in another order may differ by: some roundings of the sum of magnitudes, of which
/// each group's terms, scale times integer sum and offset times integer sum, are bounded by those of
/// its numbers: [`largest`] and [`sizes`].
fn tolerance(largest: &[f32], sizes: &[f32]) -> f32 {
    let groups = largest.iter().zip(sizes);
    let magnitudes: f32 = groups.map(|(w, x)| 2.0 * w * x).sum();
    magnitudes * 2e-6 + 1e-30
}

fn check(format: Format, shape: [usize; 3], threads: usize, seed: u64) {
    let [m, rows, cols] = shape;
    let bytes = blocks(format, rows, cols, seed);
    let x = activations(m * cols, seed);
    let bias: Vec<f32> = activations(rows, seed + 1);
    let bias = (seed.is_multiple_of(2)).then_some(&bias[..]);
    compare(
        m,
        &x,
        Matrix::new(format, rows, cols, &bytes),
        bias,
        threads,
    );
}

/// All paths against the plain Rust one.
fn compare(m: usize, x: &[f32], weight: Matrix<'_>, bias: Option<&[f32]>, threads: usize) {
    let (format, rows, cols) = (weight.format(), weight.rows(), weight.cols());
    let mut expected = vec![0.0; m * rows];
    linear_many(&Cpu::new(1, Path::Scalar), x, weight, bias, &mut expected);
    // Once for each row: for each output, this would be more work than the product.
    let largest: Vec<_> = (0..rows)
        .map(|row| largest(format, weight.row(row), cols))
        .collect();
    let sizes: Vec<_> = (0..m)
        .map(|token| sizes(format, &x[token * cols..][..cols]))
        .collect();
    for path in Path::tested() {
        let mut out = vec![f32::NAN; m * rows];
        linear_many(&Cpu::new(threads, path), x, weight, bias, &mut out);
        for (index, (out, expected)) in out.iter().zip(&expected).enumerate() {
            let (token, row) = (index / rows, index % rows);
            let most = tolerance(&largest[row], &sizes[token]) + expected.abs() * 1e-6;
            assert!(
                (out - expected).abs() <= most,
                "{format} {path} {m}×{rows}×{cols} at {token}, {row}: {out} for {expected} ± {most}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.min(48)))]
    #[test]
    fn few_rows_on_every_path(
        m in 1usize..=12,
        rows in 0usize..40,
        blocks in 0usize..40,
        threads in 1usize..4,
        seed in 0u64..1000,
    ) {
        for format in FORMATS {
            check(format, [m, rows, blocks * format.block_len()], threads, seed);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.min(32)))]
    #[test]
    fn many_rows_on_every_path(
        m in 0usize..70,
        rows in 0usize..60,
        blocks in 0usize..50,
        threads in 1usize..4,
        seed in 0u64..1000,
    ) {
        for format in FORMATS {
            let blocks = if format.block_len() == 256 { blocks / 6 } else { blocks };
            let shape = [m, rows, blocks * format.block_len()];
            check(format, shape, threads, seed);
        }
    }
}

/// Where [`super::linear_many`] has a kernel.
#[cfg(target_arch = "x86_64")]
#[test]
fn many_rows_of_several_pieces_and_slabs() {
    for format in FORMATS {
        check(format, [260, 50, 1536], 3, 5);
        // Pieces of more rows than are turned at once.
        check(format, [20, 100, 512], 1, 5);
    }
}

/// Where the kernels change: a few, half a tile, a tile, and what is left over of each.
#[test]
fn numbers_of_rows_around_tiles() {
    for format in FORMATS {
        for m in [7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 24, 25, 32, 33] {
            check(format, [m, 13, 512], 2, m as u64);
        }
    }
}

/// Integers of a group that add up to the most that there is, of either sign: no sum may saturate or
/// wrap.
#[test]
fn the_largest_integers_do_not_overflow() {
    let rows = 7;
    for (format, m, cols) in FORMATS.into_iter().flat_map(|format| {
        let half = (512 + 128usize).next_multiple_of(format.block_len());
        [(4, 512), (4, half), (20, 512), (20, half)].map(|(m, cols)| (format, m, cols))
    }) {
        let row = format.row_bytes(cols).expect("whole blocks");
        let mut bytes = blocks(format, rows, cols, 6);
        // All numbers of a row alike, the most and the least of each format among them.
        let patterns = [0xff, 0, 0x7f, 0x80, 0x0f, 0xf0, 0x55];
        for (block, index) in bytes.chunks_exact_mut(format.block_bytes()).zip(0..) {
            let pattern = patterns[index * format.block_bytes() / row];
            let head = match format {
                Format::Q8_0 | Format::Q4_0 | Format::Q5_0 => 2,
                Format::Q6K => {
                    block[..192].fill(pattern);
                    continue;
                }
                Format::Q4_1 | Format::Q5_1 => 4,
                _ => 16,
            };
            block[head..].fill(pattern);
        }
        let x: Vec<f32> = (0..m * cols)
            .map(|index| match index / cols % 4 {
                0 => 1.0,
                1 => -1.0,
                2 => [1.0, -1.0][index / 32 % 2],
                _ => [1.0, -1.0][index % 2],
            })
            .collect();
        compare(m, &x, Matrix::new(format, rows, cols, &bytes), None, 2);
    }
}

#[test]
fn few_rows_of_real_widths() {
    for format in FORMATS {
        check(format, [1, 50, 2560], 2, 1);
        check(format, [3, 20, 10240], 3, 2);
        let half = (22 * 256 + 128usize).next_multiple_of(format.block_len());
        check(format, [8, 7, half], 2, 3);
        check(format, [3, 5, half], 2, 4);
    }
}

#[test]
fn the_specification_is_near_the_exact_product() {
    for format in FORMATS {
        let (m, rows, cols) = (2, 9, 768);
        let bytes = blocks(format, rows, cols, 17);
        let weight = Matrix::new(format, rows, cols, &bytes);
        let x = activations(m * cols, 18);
        let mut out = vec![0.0; m * rows];
        linear_many(&Cpu::new(1, Path::Scalar), &x, weight, None, &mut out);
        for (index, out) in out.iter().enumerate() {
            let (token, row) = (index / rows, index % rows);
            let mut w = vec![0.0; cols];
            super::dequantize(format, weight.row(row), &mut w);
            let x = &x[token * cols..][..cols];
            let exact: f64 = w.iter().zip(x).map(|(w, x)| f64::from(w * x)).sum();
            // Half a step for each activation, adding up as independent errors do: four sigma.
            let variance: f64 = w
                .chunks_exact(32)
                .zip(x.chunks_exact(32))
                .map(|(w, x)| {
                    let step = x.iter().fold(0.0f32, |most, x| most.max(x.abs())) / 127.0;
                    let w: f64 = w.iter().map(|w| f64::from(*w).powi(2)).sum();
                    f64::from(step).powi(2) / 12.0 * w
                })
                .sum();
            let error = f64::from(*out) - exact;
            assert!(
                error.abs() <= 4.0 * variance.sqrt(),
                "{format} {error} {exact}"
            );
        }
    }
}

#[test]
#[should_panic(expected = "give no 9 outputs")]
fn lengths_must_fit() {
    let bytes = blocks(Format::Q8_0, 3, 32, 1);
    let weight = Matrix::new(Format::Q8_0, 3, 32, &bytes);
    linear_many(
        &Cpu::new(1, Path::Scalar),
        &[0.0; 64],
        weight,
        None,
        &mut [0.0; 9],
    );
}

#[test]
fn rows_are_unpacked_alike() {
    for format in FORMATS {
        for blocks_in_row in [0, 1, 7, 8, 9, 80] {
            let cols = blocks_in_row * format.block_len();
            let row = blocks(format, 1, cols, 3);
            let (mut expected, mut rounded) = (vec![0.0; cols], vec![0; cols]);
            super::unpack::unpack_f32(Path::Scalar, format, &row, &mut expected);
            super::unpack_bf16(Path::Scalar, format, &row, &mut rounded);
            for path in Path::tested() {
                let (mut out, mut bits) = (vec![f32::NAN; cols], vec![1; cols]);
                super::unpack::unpack_f32(path, format, &row, &mut out);
                super::unpack_bf16(path, format, &row, &mut bits);
                assert_eq!(out, expected, "{format} {path}");
                assert_eq!(bits, rounded, "{format} {path}");
            }
        }
    }
}
