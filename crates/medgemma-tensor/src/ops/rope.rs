//! Rotary position embedding (Su et al. 2021), halves rotated as in GPT-NeoX, after a per-head
//! RMS norm of queries and keys.

use burn::tensor::{DType, Tensor, TensorData};

use super::norm::rms_norm;
use crate::device::Device;
#[cfg(feature = "cpu")]
use crate::extension;

/// Cosines and sines for the rows of one forward pass, computed once and shared by every layer of
/// a kind.
#[derive(Debug, Clone)]
pub struct Rotation {
    cos: Tensor<3>,
    sin: Tensor<3>,
}

impl Rotation {
    /// Angles `position · frequency`, multiplied in f32 as the reference does: at position 100 000
    /// the rounding of that product is visible in the result.
    ///
    /// # Shapes
    /// - `positions`: t absolute positions
    /// - `frequencies`: h/2 inverse frequencies, f32
    #[must_use]
    pub fn new(positions: &[usize], frequencies: &[f32], device: &Device) -> Self {
        let shape = [positions.len(), 1, frequencies.len()];
        let table = |function: fn(f32) -> f32| {
            let angles = positions
                .iter()
                .flat_map(|&p| frequencies.iter().map(move |&f| function(p as f32 * f)));
            let data = TensorData::new(angles.collect::<Vec<f32>>(), shape);
            Tensor::from_data(data, (device.as_burn(), DType::F32))
        };
        Self {
            cos: table(f32::cos),
            sin: table(f32::sin),
        }
    }

    /// The rotation of the last `rows` positions.
    ///
    /// # Panics
    /// When there are not so many.
    #[must_use]
    pub fn last(&self, rows: usize) -> Self {
        let first = self.cos.dims()[0] - rows;
        let last = |table: &Tensor<3>| match first {
            0 => table.clone(),
            _ => table.clone().narrow(0, first, rows),
        };
        Self {
            cos: last(&self.cos),
            sin: last(&self.sin),
        }
    }

    /// Rotates `x` `[t, n, h]`: with halves (a, b), the result is (a·cos − b·sin, b·cos + a·sin).
    fn apply(&self, x: Tensor<3>) -> Tensor<3> {
        let half = x.dims()[2] / 2;
        let a = x.clone().narrow(2, 0, half);
        let b = x.narrow(2, half, half);
        let (cos, sin) = (self.cos.clone(), self.sin.clone());
        let first = a.clone() * cos.clone() - b.clone() * sin.clone();
        let second = b * cos + a * sin;
        Tensor::cat(vec![first, second], 2)
    }
}

/// RMS norm over each head, then rotation.
///
/// # Shapes
/// - `x`: `[t, n, h]` queries or keys, f32; the result has the same
/// - `gain`: `[h]`, f32
/// - `rotation`: for the same t rows
#[must_use]
pub fn qk_norm_rope(x: Tensor<3>, gain: &Tensor<1>, eps: f64, rotation: &Rotation) -> Tensor<3> {
    #[cfg(feature = "cpu")]
    if let Some(y) = extension::qk_norm_rope(&x, gain, eps, &rotation.cos, &rotation.sin) {
        extension::recycle(x);
        return y;
    }
    rotation.apply(rms_norm(x, gain, eps))
}
