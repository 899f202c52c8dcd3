//! Weights in blocks, on every backend: the CPU's kernels and the portable bodies on what the blocks
//! stand for.
//!
//! Tolerance 1.5e-2 of the largest magnitude where the kernels round activations to int8 by blocks
//! of 32 (half a step of 1/127 each, averaged over 256 and more products) or to bf16; 1e-5 elsewhere.
//! The kernels' own tests hold the same products to 1e-5 with the rounding in the reference.

use medgemma_tensor::checkpoint::MappedBytes;
use medgemma_tensor::{Arithmetic, Backend, Device, FloatFormat, Format, Weight, ops};

use crate::support::{FORMATS, Numbers, assert_close, devices, product, tensor, weight};

const BLOCKS: [Format; 8] = [
    Format::Q8_0,
    Format::Q4_0,
    Format::Q4_1,
    Format::Q5_0,
    Format::Q5_1,
    Format::Q4K,
    Format::Q5K,
    Format::Q6K,
];

/// Blocks of drawn bytes whose f16 scales are small and finite, and the numbers they stand for.
pub(crate) fn drawn(format: Format, shape: [usize; 2], device: &Device) -> (Weight, Vec<f32>) {
    held(format, shape, bytes(format, shape), device)
}

fn bytes(format: Format, [rows, cols]: [usize; 2]) -> Vec<u8> {
    let mut numbers = Numbers::seeded(9);
    let blocks = rows * cols / format.block_len();
    let mut bytes: Vec<u8> = numbers
        .floats(blocks * format.block_bytes())
        .iter()
        .map(|x| (x * 127.0 + 128.0) as u8)
        .collect();
    // ggml's layouts: where the f16 factors of a block begin.
    let factors: &[usize] = match format {
        Format::Q4_1 | Format::Q5_1 | Format::Q4K | Format::Q5K => &[0, 2],
        Format::Q6K => &[208],
        _ => &[0],
    };
    for block in bytes.chunks_exact_mut(format.block_bytes()) {
        for &at in factors {
            let factor = half::f16::from_f32(f32::from(block[at]) / 256.0 + 0.25);
            block[at..at + 2].copy_from_slice(&factor.to_le_bytes());
        }
    }
    bytes
}

/// `bytes` as `device` holds them, and the numbers that they stand for.
fn held(format: Format, shape: [usize; 2], bytes: Vec<u8>, device: &Device) -> (Weight, Vec<f32>) {
    let mut values = vec![0.0; shape[0] * shape[1]];
    medgemma_kernels::dequantize(format, &bytes, &mut values);
    let bytes = MappedBytes::from_owner(bytes);
    let weight = Weight::from_blocks(format, shape, bytes, FloatFormat::F32, device);
    (weight, values)
}

#[test]
fn linear_and_logits_read_every_block_format() {
    for device in devices() {
        let tolerance = if device.backend() == Backend::Cpu {
            1.5e-2
        } else {
            1e-5
        };
        for format in BLOCKS {
            let (w, values) = drawn(format, [37, 512], &device);
            assert_eq!(w.dims(), [37, 512]);
            for rows in [1, 3, 8, 19] {
                let x = Numbers::seeded(rows as u64).floats(rows * 512);
                let expected = product(&x, &values, 512);
                let what = format!("{format} {rows} rows on {device}");
                let found = ops::linear(tensor(&x, [rows, 512], &device), &w, None);
                assert_close(&what, found, [rows, 37], &expected, tolerance);
                let found = ops::logits(tensor(&x, [rows, 512], &device), &w);
                assert_close(&what, found, [rows, 37], &expected, tolerance);
            }
        }
    }
}

#[test]
fn embeddings_of_blocks_are_their_exact_numbers() {
    for device in devices() {
        for format in BLOCKS {
            let (w, values) = drawn(format, [9, 256], &device);
            let ids = [8, 0, 3, 3];
            let expected: Vec<f64> = ids
                .iter()
                .flat_map(|&id| &values[id as usize * 256..][..256])
                .map(|&x| f64::from(x))
                .collect();
            let found = ops::embed_rows(&w, &ids, &device);
            assert_close(
                &format!("{format} on {device}"),
                found,
                [4, 256],
                &expected,
                1e-7,
            );
        }
    }
}

#[test]
fn no_ids_have_no_rows() {
    for device in devices() {
        let floats = FORMATS.map(|format| weight(&[1.0; 9 * 5], [9, 5], format, &device));
        let blocks = BLOCKS.map(|format| drawn(format, [9, 256], &device));
        for (w, _) in floats.into_iter().chain(blocks) {
            let found = ops::embed_rows(&w, &[], &device);
            assert_eq!(found.dims(), [0, w.dims()[1]], "{w:?} on {device}");
        }
    }
}

#[test]
fn blocks_keep_their_places_in_rows_of_any_length() {
    for device in devices() {
        for format in [Format::Q8_0, Format::Q4_0] {
            for shape @ [rows, cols] in [[1, 32], [5, 32], [1, 96], [7, 160], [131, 64]] {
                let (w, values) = drawn(format, shape, &device);
                let what = format!("{format} {shape:?} on {device}");
                let ids: Vec<u32> = (0..rows as u32).rev().collect();
                let expected: Vec<f64> = values
                    .rchunks_exact(cols)
                    .flatten()
                    .map(|&x| f64::from(x))
                    .collect();
                let found = ops::embed_rows(&w, &ids, &device);
                assert_close(&what, found, shape, &expected, 1e-7);
                let x = Numbers::seeded(6).floats(3 * rows);
                let column = |j: usize| values.iter().skip(j).step_by(cols).copied();
                let transposed: Vec<f32> = (0..cols).flat_map(column).collect();
                let expected = product(&x, &transposed, rows);
                let found = ops::project(tensor(&x, [3, rows], &device), &w);
                assert_close(&what, found, [3, cols], &expected, 1e-5);
                if device.backend() == Backend::Cpu {
                    // Its kernels round activations: the kernels' own tests are sharper.
                    continue;
                }
                for t in [1, 3] {
                    let x = Numbers::seeded(4).floats(t * cols);
                    let expected = product(&x, &values, cols);
                    let found = ops::linear(tensor(&x, [t, cols], &device), &w, None);
                    assert_close(&what, found, [t, rows], &expected, 1e-5);
                }
            }
        }
    }
}

#[test]
fn scales_below_the_normal_halves_are_kept() {
    // 2⁻²⁴ and its doubles up to 2⁻¹⁵, which a device may take for zero in f16.
    for device in devices() {
        for format in [Format::Q8_0, Format::Q4_0] {
            let mut bytes = bytes(format, [10, 32]);
            for (index, block) in bytes.chunks_exact_mut(format.block_bytes()).enumerate() {
                let scale = half::f16::from_bits(1 << index);
                block[..2].copy_from_slice(&scale.to_le_bytes());
            }
            let (w, values) = held(format, [10, 32], bytes, &device);
            let expected: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
            for row in 0..10 {
                let found = ops::embed_rows(&w, &[row], &device);
                let expected = &expected[row as usize * 32..][..32];
                let what = format!("{format} row {row} on {device}");
                assert_close(&what, found, [1, 32], expected, 1e-7);
            }
        }
    }
}

#[test]
fn blocks_take_the_bytes_that_they_have() {
    for device in devices() {
        for format in BLOCKS {
            let (w, _) = drawn(format, [9, 256], &device);
            let numbers = 9 * 256;
            let blocks = numbers / format.block_len();
            let (arithmetic, bytes) = match (device.backend(), format) {
                (Backend::Cpu, _) => (Arithmetic::Bf16, blocks * format.block_bytes()),
                (Backend::NdArray, _) => (Arithmetic::F32, blocks * format.block_bytes()),
                // Burn's quantised tensors have the same integers and scales of four bytes, not two.
                (_, Format::Q8_0 | Format::Q4_0) => {
                    (Arithmetic::F32, blocks * (format.block_bytes() + 2))
                }
                _ => (Arithmetic::F32, numbers * 4),
            };
            let what = format!("{format} on {device}");
            assert_eq!((w.arithmetic(), w.bytes()), (arithmetic, bytes), "{what}");
        }
    }
}
