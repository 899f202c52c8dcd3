//! Average pooling of a square grid of patches.

use burn::tensor::Tensor;

/// Means over square windows of a square patch grid, `AvgPool2d(kernel, stride = kernel)`: last rows and
/// columns that fill no window are in none.
///
/// # Shapes
/// - `features`: `[side·side, d]`, f32, patches row by row
/// - result: `[(side/kernel)·(side/kernel), d]`, f32, windows row by row; quotients rounded down
#[must_use]
pub fn pool_patches(features: Tensor<2>, side: usize, kernel: usize) -> Tensor<2> {
    let [_, d] = features.dims();
    let windows = side / kernel;
    let covered = windows * kernel;
    features
        .reshape([side, side, d])
        .narrow(0, 0, covered)
        .narrow(1, 0, covered)
        .reshape([windows, kernel, windows, kernel, d])
        .mean_dim(3)
        .mean_dim(1)
        .reshape([windows * windows, d])
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::pool_patches;
    use crate::{Device, tensor_from, vec_from};

    #[test]
    fn windows_are_means_of_squares_and_come_row_by_row() {
        let device = Device::cpu().expect("compiled in");
        // A 4 × 4 grid whose patch (row, column) holds 100·row + column.
        let patches = (0..16u8).map(|i| f32::from(i / 4) * 100.0 + f32::from(i % 4));
        let features = tensor_from(patches.collect(), [16, 1], &device);
        let pooled = vec_from(pool_patches(features, 4, 2), "pooled").expect("readable");
        assert_eq!(pooled, [50.5, 52.5, 250.5, 252.5]);
    }

    #[test]
    fn patches_beyond_the_last_window_are_left_out() {
        let device = Device::cpu().expect("compiled in");
        // The same in 5 × 5: the fifth row and column fill no window of two.
        let patches = (0..25u8).map(|i| f32::from(i / 5) * 100.0 + f32::from(i % 5));
        let features = tensor_from(patches.collect(), [25, 1], &device);
        let pooled = vec_from(pool_patches(features, 5, 2), "pooled").expect("readable");
        assert_eq!(pooled, [50.5, 52.5, 250.5, 252.5]);
    }
}
