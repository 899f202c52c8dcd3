//! `qk_norm_rope`: the norm of each head, then the rotation of its halves.
//!
//! Tolerance 1e-5 of the largest magnitude. At position 100 000 an angle is known to 2⁻⁸ only, so
//! the reference takes the f32 product as the published model does; rounding it any other way is
//! off by up to 4e-3.

use medgemma_tensor::ops::{self, Rotation};

use crate::support::{Numbers, assert_close, devices, tensor};

const TOLERANCE: f64 = 1e-5;
const EPS: f64 = 1e-6;

/// `theta^(-2i/h)` divided by `factor`, for i below h/2.
fn frequencies(theta: f64, factor: f64, head: usize) -> Vec<f32> {
    let exponent = |i: usize| -2.0 * i as f64 / head as f64;
    (0..head / 2)
        .map(|i| (theta.powf(exponent(i)) / factor) as f32)
        .collect()
}

/// One head at one position: normalised, then each pair (i, i + h/2) turned by its angle.
fn reference(head: &[f32], gain: &[f32], position: usize, frequencies: &[f32]) -> Vec<f64> {
    let half = head.len() / 2;
    let squares: f64 = head.iter().map(|&x| f64::from(x).powi(2)).sum();
    let scale = 1.0 / (squares / head.len() as f64 + EPS).sqrt();
    let normed: Vec<f64> = head
        .iter()
        .zip(gain)
        .map(|(&x, &g)| f64::from(x) * scale * f64::from(g))
        .collect();
    let mut turned = vec![0.0; head.len()];
    for (i, &frequency) in frequencies.iter().enumerate() {
        let (sin, cos) = f64::from(position as f32 * frequency).sin_cos();
        turned[i] = normed[i] * cos - normed[i + half] * sin;
        turned[i + half] = normed[i + half] * cos + normed[i] * sin;
    }
    turned
}

fn check(positions: &[usize], heads: usize, head: usize, frequencies: &[f32]) {
    let shape = [positions.len(), heads, head];
    let mut numbers = Numbers::seeded(20);
    let x = numbers.floats(shape.iter().product());
    let gain = numbers.floats(head);
    let expected: Vec<f64> = x
        .chunks_exact(head)
        .enumerate()
        .flat_map(|(index, row)| reference(row, &gain, positions[index / heads], frequencies))
        .collect();
    for device in devices() {
        let rotation = Rotation::new(positions, frequencies, &device);
        let found = ops::qk_norm_rope(
            tensor(&x, shape, &device),
            &tensor(&gain, [head], &device),
            EPS,
            &rotation,
        );
        let what = format!("rope of {shape:?} at {positions:?} on {device}");
        assert_close(&what, found, shape, &expected, TOLERANCE);
    }
}

#[test]
fn halves_are_rotated_by_position_times_frequency() {
    check(&[0, 1, 2, 3, 511, 1024], 3, 10, &frequencies(1e4, 1.0, 10));
    check(&[37], 4, 6, &frequencies(1e6, 8.0, 6));
    check(&[5, 4, 900], 1, 2, &frequencies(1e4, 1.0, 2));
}

#[test]
fn angles_are_products_in_f32_even_at_position_100_000() {
    let positions = [99_999, 100_000, 131_071];
    check(&positions, 2, 14, &frequencies(1e4, 1.0, 14));
    check(&positions, 2, 14, &frequencies(1e6, 8.0, 14));
}

#[test]
fn drawn_shapes_agree() {
    let mut numbers = Numbers::seeded(21);
    for _ in 0..6 {
        let positions: Vec<usize> = (0..numbers.length(9))
            .map(|_| numbers.length(40_000))
            .collect();
        let (heads, head) = (numbers.length(5), 2 * numbers.length(19));
        check(&positions, heads, head, &frequencies(1e4, 1.0, head));
    }
}
