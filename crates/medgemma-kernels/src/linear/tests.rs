//! All paths against the scalar one, and that one against sums written out.

use half::{bf16, f16};
use proptest::prelude::*;

use crate::{Cpu, Format, Matrix, Path};

#[cfg(target_arch = "x86_64")]
use super::output::Output;
#[cfg(target_arch = "x86_64")]
use super::panel::Weights;
#[cfg(target_arch = "x86_64")]
use super::tiles::{self, Tokens};
use super::{linear, linear_each, project};

const FLOATS: [Format; 3] = [Format::F32, Format::F16, Format::Bf16];

/// Numbers of `-1..1` from a multiplicative generator.
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005) ^ (state >> 29);
        let [.., low, high, _] = state.to_le_bytes();
        f32::from(i16::from_le_bytes([low, high])) / 32768.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// Bytes of `values` in a plain format, after `offset` bytes: weights lie at any alignment.
fn bytes(format: Format, values: &[f32], offset: usize) -> Vec<u8> {
    let mut bytes = vec![0xff; offset];
    for &value in values {
        match format {
            Format::F32 => bytes.extend(value.to_le_bytes()),
            Format::F16 => bytes.extend(f16::from_f32(value).to_le_bytes()),
            _ => bytes.extend(bf16::from_f32(value).to_le_bytes()),
        }
    }
    bytes
}

/// Outputs, and for each the sum of the products' sizes, which bounds the rounding.
fn expected(x: &[f32], w: &[f32], m: usize, bias: Option<&[f32]>) -> Vec<(f64, f64)> {
    let (rows, cols) = (w.len() * m / x.len(), x.len() / m);
    let mut out = Vec::new();
    for token in 0..m {
        for row in 0..rows {
            let bias = bias.map_or(0.0, |bias| f64::from(bias[row]));
            let (x, w) = (&x[token * cols..][..cols], &w[row * cols..][..cols]);
            let products = x.iter().zip(w).map(|(&x, &w)| f64::from(x) * f64::from(w));
            let sums = products.fold((0.0, 0.0), |(sum, size), product| {
                (sum + product, size + product.abs())
            });
            out.push((sums.0 + bias, sums.1 + bias.abs()));
        }
    }
    out
}

/// A sum of `n` products of f32, each rounded at most once and added in any order, is off by at most
/// `n` roundings of `2⁻²⁴` of the sum of sizes (first order); twice that for its higher orders.
fn assert_close(out: &[f32], expected: &[(f64, f64)], cols: usize, what: &str) {
    assert_eq!(out.len(), expected.len(), "{what}");
    let roundings = (cols + 2) as f64 * 2.0_f64.powi(-23);
    for (index, (&out, &(want, size))) in out.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(out) - want).abs() <= roundings * size,
            "{what}: output {index} is {out}, not {want}"
        );
    }
}

/// What the format makes of weights and of activations.
fn rounded(format: Format, values: &[f32], activations: bool) -> Vec<f32> {
    let round = |&value: &f32| match format {
        Format::Bf16 => bf16::from_f32(value).to_f32(),
        Format::F16 if !activations => f16::from_f32(value).to_f32(),
        _ => value,
    };
    values.iter().map(round).collect()
}

fn check(format: Format, m: usize, rows: usize, cols: usize, seed: u64, with_bias: bool) {
    let (x, w) = (numbers(seed, m * cols), numbers(seed + 1, rows * cols));
    let bias = numbers(seed + 2, rows);
    let bias = with_bias.then_some(&bias[..]);
    let expected = expected(
        &rounded(format, &x, true),
        &rounded(format, &w, false),
        m,
        bias,
    );
    let offset = (seed % 7) as usize;
    let bytes = bytes(format, &w, offset);
    let weight = Matrix::new(format, rows, cols, &bytes[offset..]);
    for path in Path::tested() {
        let mut first: Option<Vec<f32>> = None;
        let threads = match path {
            // What emulation is slowest with, and the threads have it alike on every processor.
            #[cfg(target_arch = "aarch64")]
            Path::Scalar => 2..=2,
            _ => 1..=3,
        };
        for threads in threads {
            let what = format!("{format} {m}x{cols}x{rows} on {path}, {threads} threads");
            let mut out = vec![f32::NAN; m * rows];
            linear(&Cpu::new(threads, path), &x, weight, bias, &mut out);
            assert_close(&out, &expected, cols, &what);
            assert_eq!(*first.get_or_insert_with(|| out.clone()), out, "{what}");
        }
    }
}

/// The few-tokens kernels and the others meet here; so do whole groups, tiles and vectors.
fn tokens() -> impl Strategy<Value = usize> {
    prop_oneof![1..=10_usize, 15..=18_usize, 31..=50_usize]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.min(64)))]

    #[test]
    fn all_paths_agree_on_odd_shapes(
        format in prop::sample::select(&FLOATS[..]),
        m in tokens(),
        rows in 1..110_usize,
        cols in 1..300_usize,
        seed in 0..1000_u64,
        with_bias: bool,
    ) {
        check(format, m, rows, cols, seed, with_bias);
    }

    #[test]
    fn published_transposed_is_the_same_layer(
        format in prop::sample::select(&FLOATS[..]),
        m in tokens(),
        rows in 1..40_usize,
        cols in 1..80_usize,
        seed in 0..1000_u64,
    ) {
        let (x, w) = (numbers(seed, m * cols), numbers(seed + 1, rows * cols));
        let turned: Vec<f32> = (0..rows * cols).map(|i| w[i % rows * cols + i / rows]).collect();
        // Activations stay f32, whatever the weights are.
        let expected = expected(&x, &rounded(format, &w, false), m, None);
        let bytes = bytes(format, &turned, 0);
        for path in Path::tested() {
            let mut out = vec![f32::NAN; m * rows];
            let weight = Matrix::new(format, cols, rows, &bytes);
            project(&Cpu::new(2, path), &x, weight, &mut out);
            assert_close(&out, &expected, cols, &format!("{format} on {path}"));
        }
    }
}

#[test]
fn long_rows_and_many_tokens_go_on_over_their_blocks() {
    // More than one block of columns (512 steps; for tiles 128), of tokens (256) and chunk of rows
    // (96); an odd number of tiles of tokens (16), whose last has a kernel of its own.
    for format in FLOATS {
        check(format, 1, 5, 4304, 3, true);
        check(format, 3, 70, 2560, 4, false);
        check(format, 8, 9, 2049, 5, false);
        check(format, 40, 101, 2051, 6, true);
        check(format, 275, 12, 1040, 7, true);
    }
    // For tiles, more than one block of tokens (512), and chunks of rows that are turned in parts. There
    // are none beyond x86-64, and fewer columns show the rest.
    let cols = if cfg!(target_arch = "x86_64") {
        300
    } else {
        30
    };
    check(Format::Bf16, 530, 400, cols, 8, true);
}

/// Each output is one chain of sums, however many steps a kernel takes at a time. Plain Rust adds in f64, and
/// products of pairs of bf16 round by rules of their own.
#[test]
fn many_tokens_add_up_in_the_order_of_the_columns() {
    // A block of columns (512) and part of another, which ends within the steps that are taken together.
    let (m, rows, cols) = (37, 13, 519);
    let (x, w) = (numbers(9, m * cols), numbers(10, rows * cols));
    for format in FLOATS {
        let bytes = bytes(format, &w, 0);
        let weight = Matrix::new(format, rows, cols, &bytes);
        let (x, w) = (rounded(format, &x, true), rounded(format, &w, false));
        let sum = |token: usize, row: usize| {
            let products = x[token * cols..][..cols].iter().zip(&w[row * cols..]);
            products.fold(0.0_f32, |sum, (&x, &w)| w.mul_add(x, sum))
        };
        let expected: Vec<f32> = (0..m * rows).map(|i| sum(i / rows, i % rows)).collect();
        for path in Path::tested() {
            let pairs = format == Format::Bf16 && path >= Path::Avx512;
            if path == Path::Scalar || pairs {
                continue;
            }
            let mut out = vec![f32::NAN; m * rows];
            linear(&Cpu::new(2, path), &x, weight, None, &mut out);
            assert_eq!(out, expected, "{format} on {path}");
        }
    }
}

#[test]
fn bf16_activations_are_rounded_to_nearest_even() {
    // 1 + 2⁻⁸ lies half-way between two bf16, and goes to the even one, 1; a bit more goes up.
    let x = [
        1.0 + 2.0_f32.powi(-8),
        1.0 + 2.0_f32.powi(-8) + 2.0_f32.powi(-20),
    ];
    let weights = bytes(Format::Bf16, &[1.0, 0.0, 0.0, 1.0], 0);
    let weight = Matrix::new(Format::Bf16, 2, 2, &weights);
    for path in Path::tested() {
        for m in [1, 4, 9, 40] {
            let mut out = vec![0.0; 2 * m];
            linear(&Cpu::new(1, path), &x.repeat(m), weight, None, &mut out);
            assert_eq!(
                out,
                [1.0, 1.0 + 2.0_f32.powi(-7)].repeat(m),
                "{path}, {m} tokens"
            );
        }
    }
}

#[test]
fn f32_and_f16_keep_all_bits_of_the_activations() {
    let x = [1.0 + f32::EPSILON];
    for format in [Format::F32, Format::F16] {
        let weights = bytes(format, &[1.0], 0);
        let weight = Matrix::new(format, 1, 1, &weights);
        for path in Path::tested() {
            for m in [1, 40] {
                let mut out = vec![0.0; m];
                linear(&Cpu::new(1, path), &x.repeat(m), weight, None, &mut out);
                assert_eq!(out, x.repeat(m), "{format} on {path}, {m} tokens");
            }
        }
    }
}

#[test]
fn what_is_no_number_stays_in_its_row_and_token() {
    // Padding and neighbours must not meet: 0 · ∞ would be no number.
    let (rows, cols) = (13, 33);
    for format in FLOATS {
        let mut w = vec![1.0; rows * cols];
        w[5 * cols + cols - 1] = f32::INFINITY;
        w[12 * cols] = f32::NAN;
        let bytes = bytes(format, &w, 1);
        let weight = Matrix::new(format, rows, cols, &bytes[1..]);
        for path in Path::tested() {
            for m in [1, 3, 17, 33] {
                let mut x = vec![1.0; m * cols];
                x[(m - 1) * cols + 1] = f32::NEG_INFINITY;
                let mut out = vec![0.0; m * rows];
                linear(&Cpu::new(2, path), &x, weight, None, &mut out);
                for (index, &value) in out.iter().enumerate() {
                    let what = format!("{format} on {path}, {m} tokens, output {index}: {value}");
                    match (index / rows + 1 == m, index % rows) {
                        (_, 12) | (true, 5) => assert!(value.is_nan(), "{what}"),
                        (true, _) => assert_eq!(value, f32::NEG_INFINITY, "{what}"),
                        (false, 5) => assert_eq!(value, f32::INFINITY, "{what}"),
                        (false, _) => assert_eq!(value, cols as f32, "{what}"),
                    }
                }
            }
        }
    }
}

#[test]
fn rounding_and_padding_keep_what_is_no_number() {
    // Cut off to bf16, the first NaN is infinite; rounded like a number, the second is −0.
    let values = [0x7f80_0001, 0x7fff_ffff, 0x7f80_0000].map(f32::from_bits);
    let (rows, cols) = (13, 33);
    for format in FLOATS {
        let bytes = bytes(format, &vec![1.0; rows * cols], 0);
        let weight = Matrix::new(format, rows, cols, &bytes);
        for (path, m) in Path::tested().flat_map(|path| [1, 3, 17, 33].map(|m| (path, m))) {
            // In a whole vector, and beside padding.
            for (value, col) in values.into_iter().flat_map(|x| [(x, 1), (x, cols - 1)]) {
                let mut x = vec![1.0; m * cols];
                x[(m - 1) * cols + col] = value;
                let mut out = vec![0.0; m * rows];
                linear(&Cpu::new(2, path), &x, weight, None, &mut out);
                let (others, last) = out.split_at((m - 1) * rows);
                let what = format!("{value} at {col}, {format} on {path}, {m} tokens: {out:?}");
                assert!(others.iter().all(|&y| y == cols as f32), "{what}");
                let same = |y: &f32| *y == value || y.is_nan() && value.is_nan();
                assert!(last.iter().all(same), "{what}");
            }
        }
    }
}

/// Blocks whose numbers are some times `scale`.
pub(super) fn blocks(format: Format, count: usize, scale: f32) -> Vec<u8> {
    let bytes = (0..count * format.block_bytes()).map(|index| (index * 7919).to_le_bytes()[0]);
    let mut bytes: Vec<u8> = bytes.collect();
    for block in bytes.chunks_exact_mut(format.block_bytes()) {
        let scales = if format == Format::Q6K {
            208..210
        } else {
            0..2
        };
        block[scales].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
        if matches!(format, Format::Q4K | Format::Q5_1) {
            block[2..4].copy_from_slice(&f16::from_f32(2.0 * scale).to_le_bytes());
        }
    }
    bytes
}

#[test]
fn blocks_come_out_right_with_any_number_of_tokens() {
    let (rows, cols) = (37, 512);
    for format in [Format::Q8_0, Format::Q4K] {
        let bytes = blocks(format, rows * cols / format.block_len(), 0.01);
        let mut w = vec![0.0; rows * cols];
        crate::blocks::dequantize(format, &bytes, &mut w);
        let weight = Matrix::new(format, rows, cols, &bytes);
        for (path, m) in Path::tested().flat_map(|path| [1, 8, 9, 40].map(|m| (path, m))) {
            let x = numbers(2, m * cols);
            let mut out = vec![f32::NAN; m * rows];
            linear(&Cpu::new(2, path), &x, weight, None, &mut out);
            // An activation below 1 is off by at most half a step of 1/127, or by 2⁻⁹ in bf16.
            let sizes = expected(
                &vec![1.0; m * cols],
                &rounded(Format::F32, &w, false),
                m,
                None,
            );
            let wanted = expected(&x, &w, m, None);
            for ((&out, (want, _)), (_, size)) in out.iter().zip(wanted).zip(sizes) {
                let far = (f64::from(out) - want).abs();
                assert!(far <= size / 250.0, "{format} on {path}, {m} tokens: {far}");
            }
        }
    }
}

/// In plain Rust, of which nothing is used beyond x86-64.
#[cfg(target_arch = "x86_64")]
#[test]
fn groups_and_steps_of_the_tile_unit_are_padded_with_zeros() {
    for (m, rows, cols) in [(9, 31, 31), (33, 64, 64), (40, 101, 1074), (17, 130, 1025)] {
        let (x, w) = (numbers(1, m * cols), numbers(2, rows * cols));
        let bytes = bytes(Format::Bf16, &w, 0);
        let weight = Matrix::new(Format::Bf16, rows, cols, &bytes);
        let mut out = vec![f32::NAN; m * rows];
        let output = Output::new(&mut out, rows, None);
        let cpu = Cpu::new(2, Path::Scalar);
        let packed = Tokens::pack(&cpu, &x, cols);
        tiles::rolled(&cpu, &packed, &[(Weights::Rows(weight), output)]);
        let [x, w] = [x, w].map(|values| rounded(Format::Bf16, &values, true));
        let expected = expected(&x, &w, m, None);
        assert_close(&out, &expected, cols, &format!("{m}x{cols}x{rows}"));
    }
}

#[test]
fn no_tokens_no_rows_and_no_columns() {
    for path in Path::tested() {
        let cpu = Cpu::new(2, path);
        linear(
            &cpu,
            &[],
            Matrix::new(Format::F32, 2, 3, &[0; 24]),
            None,
            &mut [],
        );
        linear(
            &cpu,
            &[1.0; 3],
            Matrix::new(Format::Bf16, 0, 3, &[]),
            None,
            &mut [],
        );
        let mut out = [9.0; 4];
        linear(
            &cpu,
            &[],
            Matrix::new(Format::F16, 2, 0, &[]),
            Some(&[1.0, 2.0]),
            &mut out,
        );
        assert_eq!(out, [1.0, 2.0, 1.0, 2.0], "{path}");
        project(&cpu, &[], Matrix::new(Format::F32, 0, 2, &[]), &mut out);
        assert_eq!(out, [0.0; 4], "{path}");
    }
}

#[test]
#[should_panic(expected = "4 inputs of 3 columns give no 2 outputs of 2 rows")]
fn inputs_that_do_not_fit_are_refused() {
    let weight = Matrix::new(Format::F32, 2, 3, &[0; 24]);
    linear(
        &Cpu::new(1, Path::Scalar),
        &[0.0; 4],
        weight,
        None,
        &mut [0.0; 2],
    );
}

/// Wrapped round, four rows of so many columns are none.
#[test]
#[should_panic(expected = "0 inputs of 4611686018427387904 columns give no 4 outputs of 1 rows")]
fn more_inputs_than_can_be_counted_are_refused_by_a_gated_mlp() {
    let (wide, down) = (
        Matrix::new(Format::Bf16, 0, 1 << 62, &[]),
        Matrix::new(Format::Bf16, 1, 0, &[]),
    );
    let cpu = Cpu::new(1, Path::Scalar);
    super::gated_mlp(&cpu, &[], wide, wide, down, &mut [0.0; 4]);
}

#[test]
#[should_panic(expected = "0 inputs of 4611686018427387904 columns give no 4 outputs of 1 rows")]
fn more_inputs_than_can_be_counted_are_refused_by_an_mlp() {
    let (wide, second) = (
        Matrix::new(Format::Bf16, 0, 1 << 62, &[]),
        Matrix::new(Format::Bf16, 1, 0, &[]),
    );
    let cpu = Cpu::new(1, Path::Scalar);
    super::mlp(&cpu, &[], (wide, &[]), (second, &[0.0]), &mut [0.0; 4]);
}

#[test]
#[should_panic(expected = "one bias for each of 2 rows")]
fn a_bias_of_another_length_is_refused() {
    let weight = Matrix::new(Format::F32, 2, 3, &[0; 24]);
    linear(
        &Cpu::new(1, Path::Scalar),
        &[0.0; 3],
        weight,
        Some(&[0.0]),
        &mut [0.0; 2],
    );
}

/// Each fits by itself: 60 tokens of 4 columns, and 40 of 6.
#[test]
fn layers_with_one_input_have_as_many_columns() {
    let weights = [4, 6].map(|cols| bytes(Format::Bf16, &vec![1.0; 3 * cols], 0));
    for path in Path::tested() {
        let layers = [0, 1].map(|at| {
            let weight = Matrix::new(Format::Bf16, 3, [4, 6][at], &weights[at]);
            (weight, None)
        });
        let mut outs = [60, 40].map(|m| vec![0.0; 3 * m]);
        let mut places = outs.each_mut().map(Vec::as_mut_slice);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            linear_each(&Cpu::new(2, path), &[1.0; 240], &layers, &mut places);
        }));
        let message = caught.expect_err("refused");
        let message = message.downcast_ref::<&str>().copied();
        assert_eq!(
            message,
            Some("layers of one input have as many columns"),
            "{path}"
        );
    }
}

/// A layer without rows has no outputs, on the tile unit too, which leaves it out.
#[test]
fn layers_without_rows_are_checked_as_well() {
    let weight = bytes(Format::Bf16, &[1.0; 3 * 64], 0);
    for path in Path::tested() {
        let layers = [3, 0].map(|rows| {
            (
                Matrix::new(Format::Bf16, rows, 64, &weight[..rows * 128]),
                None,
            )
        });
        let (mut out, mut surplus) = ([0.0; 3 * 40], [0.0; 1]);
        let outs = &mut [&mut out[..], &mut []];
        linear_each(&Cpu::new(2, path), &[1.0; 40 * 64], &layers, outs);
        assert_eq!(out, [64.0; 3 * 40], "{path}");
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let outs = &mut [&mut out[..], &mut surplus[..]];
            linear_each(&Cpu::new(2, path), &[1.0; 40 * 64], &layers, outs);
        }));
        assert!(caught.is_err(), "{path}");
    }
}

#[test]
fn without_weights_there_is_no_mlp() {
    for path in Path::tested() {
        for m in [1, 1000] {
            assert!(!crate::has_mlp(&Cpu::new(1, path), m, &[]), "{path}");
        }
    }
}
