//! Norms, sums, sums with norms, `concat`, `gelu_tanh` and `geglu`.

use medgemma_tensor::{Tensor, ops, vec_from};

use crate::support::{Numbers, assert_close, devices, tensor};

/// Sums of up to 301 terms of one sign, one square root: 1e-5 leaves room for any order of summing.
const NORM_TOLERANCE: f64 = 1e-5;

/// GELU's `1 + tanh` cancels below zero: some units of 2⁻²⁴ beside a largest magnitude near 6.
const GELU_TOLERANCE: f64 = 5e-7;

const SIZES: [f32; 4] = [1.0, 300.0, 1e-3, 1e-4];

/// Rows of very different size: of the last ones, eps is the larger part of the mean square.
fn rows_of_all_sizes(rows: usize, width: usize, seed: u64) -> Vec<f32> {
    let mut values = Numbers::seeded(seed).floats(rows * width);
    for (row, chunk) in values.chunks_exact_mut(width).enumerate() {
        let size = SIZES[row % SIZES.len()];
        chunk.iter_mut().for_each(|x| *x *= size);
    }
    values
}

fn rms_reference(x: &[f32], gain: &[f32], eps: f64) -> Vec<f64> {
    let norm = |row: &[f32]| {
        let squares: f64 = row.iter().map(|&x| f64::from(x).powi(2)).sum();
        1.0 / (squares / row.len() as f64 + eps).sqrt()
    };
    x.chunks_exact(gain.len())
        .flat_map(|row| {
            let scale = norm(row);
            row.iter()
                .zip(gain)
                .map(move |(&x, &g)| f64::from(x) * scale * f64::from(g))
        })
        .collect()
}

#[test]
fn rms_norm_divides_each_row_by_its_root_mean_square() {
    for device in devices() {
        for (rows, width) in [(1, 1), (1, 301), (9, 7), (5, 33)] {
            let x = rows_of_all_sizes(rows, width, 10);
            let gain = Numbers::seeded(11).floats(width);
            let expected = rms_reference(&x, &gain, 1e-6);
            let what = format!("rms norm {rows}x{width} on {device}");
            let gain = tensor(&gain, [width], &device);
            let found = ops::rms_norm(tensor(&x, [rows, width], &device), &gain, 1e-6);
            assert_close(&what, found, [rows, width], &expected, NORM_TOLERANCE);
        }
    }
}

#[test]
fn rms_norm_of_heads_goes_over_the_last_axis_only() {
    let shape = [5, 3, 7];
    for device in devices() {
        let x = rows_of_all_sizes(15, 7, 12);
        let gain = Numbers::seeded(13).floats(7);
        let expected = rms_reference(&x, &gain, 1e-5);
        let found = ops::rms_norm(
            tensor(&x, shape, &device),
            &tensor(&gain, [7], &device),
            1e-5,
        );
        let what = format!("rms norm of heads on {device}");
        assert_close(&what, found, shape, &expected, NORM_TOLERANCE);
    }
}

#[test]
fn layer_norm_centres_and_scales_each_row() {
    let eps = 1e-6;
    for device in devices() {
        for (rows, width) in [(1, 301), (9, 7), (5, 33)] {
            let mut numbers = Numbers::seeded(16);
            // Means of five deviations: without centring, nothing would come out right.
            let x: Vec<f32> = rows_of_all_sizes(rows, width, 14)
                .iter()
                .enumerate()
                .map(|(index, x)| x + 3.0 * SIZES[index / width % SIZES.len()])
                .collect();
            let (weight, bias) = (numbers.floats(width), numbers.floats(width));
            let mut expected = Vec::new();
            for row in x.chunks_exact(width) {
                let count = width as f64;
                let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
                let squares = row.iter().map(|&x| (f64::from(x) - mean).powi(2));
                let deviation = (squares.sum::<f64>() / count + eps).sqrt();
                expected.extend((0..width).map(|i| {
                    let centred = (f64::from(row[i]) - mean) / deviation;
                    centred * f64::from(weight[i]) + f64::from(bias[i])
                }));
            }
            let what = format!("layer norm {rows}x{width} on {device}");
            let (weight, bias) = (
                tensor(&weight, [width], &device),
                tensor(&bias, [width], &device),
            );
            let found = ops::layer_norm(tensor(&x, [rows, width], &device), &weight, &bias, eps);
            assert_close(&what, found, [rows, width], &expected, NORM_TOLERANCE);
        }
    }
}

pub(crate) fn gelu_reference(x: f32) -> f64 {
    let x = f64::from(x);
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
    0.5 * x * (1.0 + inner.tanh())
}

#[test]
fn gelu_follows_its_tanh_form() {
    // From -6 to 6 in steps of 3/64; the exact form with erf differs by up to 4.7e-4 here.
    let x: Vec<f32> = (-128i16..=128).map(|i| f32::from(i) * 3.0 / 64.0).collect();
    let expected: Vec<f64> = x.iter().map(|&x| gelu_reference(x)).collect();
    for device in devices() {
        let found = ops::gelu_tanh(tensor(&x, [x.len()], &device));
        let what = format!("gelu on {device}");
        assert_close(&what, found, [x.len()], &expected, GELU_TOLERANCE);
    }
}

#[test]
fn gelu_of_large_inputs_is_the_input_or_nothing() {
    // A tanh made of exponentials overflows from 44 on, a power function fails below zero.
    for size in [8.0, 12.0, 44.0, 100.0, 1e3, 3e4, 1e6] {
        for device in devices() {
            let x = [-size, size, -0.75 * size, 0.75 * size];
            let expected = [0.0, f64::from(size), 0.0, 0.75 * f64::from(size)];
            let found = ops::gelu_tanh(tensor(&x, [2, 2], &device));
            let what = format!("gelu of {size} on {device}");
            assert_close(&what, found, [2, 2], &expected, GELU_TOLERANCE);
        }
    }
}

#[test]
fn geglu_puts_the_gate_and_not_the_other_operand_through_gelu() {
    let (rows, width) = (5, 37);
    let mut numbers = Numbers::seeded(15);
    let mut spread = |size: f32| -> Vec<f32> {
        let values = numbers.floats(rows * width);
        values.iter().map(|x| x * size).collect()
    };
    let (gate, up) = (spread(4.0), spread(2.0));
    let expected: Vec<f64> = gate
        .iter()
        .zip(&up)
        .map(|(&g, &u)| gelu_reference(g) * f64::from(u))
        .collect();
    for device in devices() {
        let found = ops::geglu(
            tensor(&gate, [rows, width], &device),
            tensor(&up, [rows, width], &device),
        );
        let what = format!("geglu on {device}");
        assert_close(&what, found, [rows, width], &expected, GELU_TOLERANCE);
    }
}

#[test]
fn sums_with_norms_are_those_of_the_operations_apart() {
    for device in devices() {
        for (rows, width) in [(1, 301), (9, 7), (5, 33)] {
            let mut numbers = Numbers::seeded(21);
            let x = rows_of_all_sizes(rows, width, 19);
            let residual = rows_of_all_sizes(rows, width, 20);
            let [x, residual] = [x, residual].map(|x| tensor(&x, [rows, width], &device));
            let [one, two] = [(); 2].map(|()| tensor(&numbers.floats(width), [width], &device));
            let check = |what: &str, found: Tensor<2>, expected: Tensor<2>| {
                let expected = vec_from(expected, "sums apart").expect("the device answers");
                let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
                let what = format!("{what} {rows}x{width} on {device}");
                assert_close(&what, found, [rows, width], &expected, NORM_TOLERANCE);
            };
            let apart = residual.clone() + ops::rms_norm(x.clone(), &one, 1e-6);
            let norms = [(&one, 1e-6), (&two, 1e-3)];
            let (sum, normed) = ops::add_rms_norms(residual.clone(), x.clone(), norms);
            check("sum of an RMS norm", sum, apart.clone());
            check(
                "RMS norm of a sum",
                normed,
                ops::rms_norm(apart, &two, 1e-3),
            );

            let apart = residual.clone() + x.clone();
            let (sum, normed) = ops::add_layer_norm(residual, x, &one, &two, 1e-6);
            check("sum", sum, apart.clone());
            let expected = ops::layer_norm(apart, &one, &two, 1e-6);
            check("layer norm of a sum", normed, expected);
        }
    }
}

#[test]
fn sums_with_rms_norms_follow_their_formula() {
    for device in devices() {
        for (rows, width) in [(1, 301), (9, 7), (5, 33)] {
            let mut numbers = Numbers::seeded(24);
            let x = rows_of_all_sizes(rows, width, 22);
            let residual = rows_of_all_sizes(rows, width, 23);
            let [one, two] = [(); 2].map(|()| numbers.floats(width));
            let normed = rms_reference(&x, &one, 1e-6);
            let sum: Vec<f64> = residual
                .iter()
                .zip(&normed)
                .map(|(&r, n)| f64::from(r) + n)
                .collect();
            let as_f32: Vec<f32> = sum.iter().map(|&x| x as f32).collect();
            let second = rms_reference(&as_f32, &two, 1e-3);
            let put = |x: &[f32]| tensor(x, [rows, width], &device);
            let [one, two] = [one, two].map(|gain| tensor(&gain, [width], &device));
            let check = |what: &str, found: Tensor<2>, expected: &[f64]| {
                let what = format!("{what} {rows}x{width} on {device}");
                assert_close(&what, found, [rows, width], expected, NORM_TOLERANCE);
            };
            let alone = ops::add_rms_norm(put(&residual), put(&x), &one, 1e-6);
            check("add_rms_norm", alone, &sum);
            let norms = [(&one, 1e-6), (&two, 1e-3)];
            let (found, normed) = ops::add_rms_norms(put(&residual), put(&x), norms);
            check("sum of add_rms_norms", found, &sum);
            check("norm of add_rms_norms", normed, &second);
        }
    }
}

#[test]
fn add_is_the_sum_of_each_two() {
    let mut numbers = Numbers::seeded(25);
    let [a, b] = [(); 2].map(|()| numbers.floats(5 * 33));
    let expected: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
    for device in devices() {
        let [a, b] = [&a, &b].map(|x| tensor(x, [5, 33], &device));
        let found = vec_from(ops::add(a, b), "sum").expect("readable");
        assert_eq!(found, expected, "{device}");
    }
}

#[test]
fn concat_puts_parts_one_after_the_other() {
    let [a, b, c] = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
    for device in devices() {
        let parts = || [a, b, c].map(|x| tensor(&x, [2, 1], &device)).to_vec();
        let along = |parts, axis| vec_from(ops::concat(parts, axis), "parts").expect("readable");
        assert_eq!(
            along(parts(), 0),
            [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            "{device}"
        );
        assert_eq!(
            along(parts(), 1),
            [1.0, 3.0, 5.0, 2.0, 4.0, 6.0],
            "{device}"
        );
        let alone = along(parts()[1..2].to_vec(), 1);
        assert_eq!(alone, b, "{device}");
    }
}
