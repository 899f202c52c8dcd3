//! Bicubic interpolation of a square grid of vectors, for position embeddings at another resolution.
//!
//! Reference: `torch.nn.functional.interpolate(mode="bicubic", align_corners=False)` of torch 2.15
//! (`aten/src/ATen/native/UpSample.h`): the cubic of Keys (1981) with a = −0.75, four taps an axis
//! whatever the scale (no antialiasing), taps outside of the grid read its border.

use burn::tensor::Tensor;

use super::matmul::matmul;
use crate::device::Device;
use crate::transfer::tensor_from;

/// Keys' free parameter. Torch has −0.75 here; Pillow, and torch with antialiasing, have −0.5.
const A: f64 = -0.75;

/// Stretches a square grid to `rows` × `columns`.
///
/// # Shapes
/// - `grid`: `[side·side, d]`, f32, row by row
/// - result: `[rows·columns, d]`, f32, row by row
#[must_use]
pub fn interpolate_grid(
    grid: Tensor<2>,
    side: usize,
    [rows, columns]: [usize; 2],
    device: &Device,
) -> Tensor<2> {
    let [_, d] = grid.dims();
    let down = tensor_from(weights(side, rows), [rows, side], device);
    let across = tensor_from(weights(side, columns), [columns, side], device);
    // [rows, side] · [side, side·d] → [side, rows·d], the columns of the old grid outermost
    let stretched = matmul(down, grid.reshape([side, side * d]), false)
        .reshape([rows, side, d])
        .swap_dims(0, 1)
        .reshape([side, rows * d]);
    matmul(across, stretched, false)
        .reshape([columns, rows, d])
        .swap_dims(0, 1)
        .reshape([rows * columns, d])
}

/// The share of each of `from` points in each of `to` points, `[to, from]`.
///
/// Point i lies at (i + ½) · from / to − ½ of the old axis.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a grid has far fewer than 2³¹ points a side, and taps are clamped before the cast"
)]
fn weights(from: usize, to: usize) -> Vec<f32> {
    let mut shares = vec![0.0; to * from];
    for (i, row) in shares.chunks_exact_mut(from).enumerate() {
        let centre = (i as f64 + 0.5) * (from as f64 / to as f64) - 0.5;
        let first = centre.floor() - 1.0;
        for tap in 0..4 {
            let at = first + f64::from(tap);
            let inside = at.clamp(0.0, (from - 1) as f64) as usize;
            row[inside] += cubic((centre - at).abs()) as f32;
        }
    }
    shares
}

/// The weight of a tap `t` steps away, 0 ≤ t ≤ 2.
fn cubic(t: f64) -> f64 {
    if t <= 1.0 {
        ((A + 2.0) * t - (A + 3.0)) * t * t + 1.0
    } else {
        (((t - 5.0) * t + 8.0) * t - 4.0) * A
    }
}

#[cfg(test)]
mod tests {
    use super::weights;

    /// By hand, from the cubic at distances of ¼, ¾, 1¼ and 1¾.
    #[test]
    fn a_doubled_axis_mixes_quarters_and_the_border_stands_in_for_what_is_outside() {
        // Four points lie at −¼, ¼, ¾ and 1¼ of two; seen from ¼, the taps −1, 0, 1, 2 weigh:
        let (outer, near, far, last) = (-0.105_468_75, 0.878_906_25, 0.261_718_75, -0.035_156_25);
        let left = [outer + near, far + last];
        let first = [last + far + near, outer];
        assert_eq!(
            weights(2, 4),
            [first, left, [left[1], left[0]], [first[1], first[0]]].concat()
        );
    }

    #[test]
    fn the_same_length_changes_nothing_and_shares_add_up_to_one() {
        assert_eq!(weights(3, 3), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
        for (from, to) in [(1, 5), (4, 7), (7, 4), (16, 27), (64, 1)] {
            for row in weights(from, to).chunks_exact(from) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            }
        }
    }
}
