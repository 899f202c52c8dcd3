//! `patch_embed`, `pool_patches` and `interpolate_grid`, on grids whose sides differ where the
//! operation allows it.
//!
//! Tolerance 1e-5 of the largest magnitude: products of up to 150 terms and means of up to 16.

use medgemma_tensor::ops;

use crate::support::{FORMATS, Numbers, assert_close, devices, seen, tensor, weight};

const TOLERANCE: f64 = 1e-5;

#[test]
fn patch_embed_is_the_convolution_with_stride_of_its_kernel() {
    for (channels, rows, columns, patch, width, [below, beside]) in [
        (3, 2, 3, 5, 7, [0, 0]),
        (1, 3, 1, 2, 5, [1, 0]),
        (2, 1, 4, 3, 1, [0, 2]),
        (3, 2, 2, 7, 33, [6, 3]),
    ] {
        let (height, breadth) = (rows * patch + below, columns * patch + beside);
        let inner = channels * patch * patch;
        for device in devices() {
            for format in FORMATS {
                let mut numbers = Numbers::seeded(30);
                let pixels = numbers.floats(channels * height * breadth);
                let (w, kernel) = weight(
                    &numbers.floats(width * inner),
                    [width, inner],
                    format,
                    &device,
                );
                let bias = numbers.floats(width);
                let seen = seen(&pixels, &w, &device);
                let at =
                    |c: usize, y: usize, x: usize| f64::from(seen[(c * height + y) * breadth + x]);
                let mut expected = Vec::new();
                for (row, column) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
                    for out in 0..width {
                        let mut sum = f64::from(bias[out]);
                        for (i, &k) in kernel[out * inner..][..inner].iter().enumerate() {
                            let (c, dy, dx) = (i / (patch * patch), i / patch % patch, i % patch);
                            sum += f64::from(k) * at(c, row * patch + dy, column * patch + dx);
                        }
                        expected.push(sum);
                    }
                }
                let found = ops::patch_embed(
                    tensor(&pixels, [channels, height, breadth], &device),
                    &w,
                    &tensor(&bias, [width], &device),
                    patch,
                );
                let what = format!("patches {rows}x{columns} of {patch} {format:?} on {device}");
                assert_close(&what, found, [rows * columns, width], &expected, TOLERANCE);
            }
        }
    }
}

#[test]
fn pooling_takes_the_mean_of_each_square_window() {
    let even = [(6, 2, 5), (9, 3, 7), (8, 4, 3), (3, 3, 11), (4, 1, 2)];
    let rest = [(5, 2, 3), (11, 4, 2)];
    for (side, kernel, width) in even.into_iter().chain(rest) {
        let features = Numbers::seeded(31).floats(side * side * width);
        let windows = side / kernel;
        let mut expected = vec![0.0; windows * windows * width];
        for (patch, row) in features.chunks_exact(width).enumerate() {
            let (y, x) = (patch / side / kernel, patch % side / kernel);
            if y.max(x) >= windows {
                continue;
            }
            for (i, &feature) in row.iter().enumerate() {
                expected[(y * windows + x) * width + i] +=
                    f64::from(feature) / (kernel * kernel) as f64;
            }
        }
        for device in devices() {
            let found = ops::pool_patches(
                tensor(&features, [side * side, width], &device),
                side,
                kernel,
            );
            let what = format!("pool {side} by {kernel} on {device}");
            let shape = [windows * windows, width];
            assert_close(&what, found, shape, &expected, TOLERANCE);
        }
    }
}

/// Weights by distance, not by tap: the cubic of Keys with a = −0.75 over every old point, those
/// outside of the grid standing for its border.
#[test]
fn a_grid_is_interpolated_by_keys_cubic() {
    let cubic = |t: f64| match t {
        t if t < 1.0 => 1.25 * t.powi(3) - 2.25 * t.powi(2) + 1.0,
        t if t < 2.0 => -0.75 * (t.powi(3) - 5.0 * t.powi(2) + 8.0 * t - 4.0),
        _ => 0.0,
    };
    for (side, rows, columns, width) in [
        (4, 8, 7, 5),
        (3, 2, 9, 1),
        (7, 4, 3, 6),
        (1, 3, 2, 4),
        (5, 5, 5, 3),
    ] {
        let grid = Numbers::seeded(32).floats(side * side * width);
        let at = |row: i32, column: i32, i: usize| {
            let last = i32::try_from(side).expect("small") - 1;
            let [row, column] = [row, column].map(|n| n.clamp(0, last) as usize);
            f64::from(grid[(row * side + column) * width + i])
        };
        let place = |i: usize, of: usize| (i as f64 + 0.5) * side as f64 / of as f64 - 0.5;
        let mut expected = Vec::new();
        for (row, column) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
            let (y, x) = (place(row, rows), place(column, columns));
            for i in 0..width {
                let mut sum = 0.0;
                for (r, c) in (-9..20).flat_map(|r| (-9..20).map(move |c| (r, c))) {
                    let weight = cubic((y - f64::from(r)).abs()) * cubic((x - f64::from(c)).abs());
                    sum += weight * at(r, c, i);
                }
                expected.push(sum);
            }
        }
        for device in devices() {
            let found = ops::interpolate_grid(
                tensor(&grid, [side * side, width], &device),
                side,
                [rows, columns],
                &device,
            );
            let what = format!("{side} to {rows}x{columns} on {device}");
            assert_close(&what, found, [rows * columns, width], &expected, TOLERANCE);
        }
    }
}
