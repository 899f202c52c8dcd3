//! Features less their mean, divided by their deviation, a row at a time.
//!
//! A score of scaled features, Σ v (x − m) / s + c, is one of the features as they are, with weights
//! v / s and the intercept c − Σ m v / s. So a fit can penalise v and still leave a probe that knows
//! nothing of scales.

use crate::linear::Linear;

/// Mean and deviation of each feature.
pub(crate) struct Scale {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Scale {
    /// Leaves features as they are.
    pub(crate) fn none(dimension: usize) -> Self {
        Self {
            mean: vec![0.0; dimension],
            deviation: vec![1.0; dimension],
        }
    }

    /// Of these rows, all of one length, each as often as its weight says; there is at least one with a weight. The
    /// deviation divides by the sum of the weights, as scikit-learn's `StandardScaler` does, and is 1 for a feature
    /// that is the same in all rows.
    pub(crate) fn of(rows: &[&[f32]], weights: &[f64]) -> Self {
        let count = rows.len() as f64;
        let total: f64 = weights.iter().sum();
        let mut mean = vec![0.0; rows[0].len()];
        for (row, weight) in rows.iter().zip(weights) {
            for (sum, &x) in mean.iter_mut().zip(*row) {
                *sum += f64::from(x) * weight / total;
            }
        }
        let mut deviation = vec![0.0; mean.len()];
        for (row, weight) in rows.iter().zip(weights) {
            for ((sum, &x), mean) in deviation.iter_mut().zip(*row).zip(&mean) {
                *sum += (f64::from(x) - mean).powi(2) * weight / total;
            }
        }
        for (deviation, mean) in deviation.iter_mut().zip(&mean) {
            *deviation = deviation.sqrt();
            // Rounding of the mean alone.
            if *deviation <= count * f64::EPSILON * mean.abs() {
                *deviation = 1.0;
            }
        }
        Self { mean, deviation }
    }

    pub(crate) fn dimension(&self) -> usize {
        self.mean.len()
    }

    /// Writes the scaled features of a row.
    pub(crate) fn apply(&self, row: &[f32], scaled: &mut [f64]) {
        let scales = self.mean.iter().zip(&self.deviation);
        for ((scaled, &x), (mean, deviation)) in scaled.iter_mut().zip(row).zip(scales) {
            *scaled = (f64::from(x) - mean) / deviation;
        }
    }

    /// Weights `[outputs, dimension]` and `[outputs]` intercepts of scaled features → of features.
    pub(crate) fn undo(&self, weights: &[f64], intercepts: &[f64]) -> Linear {
        let deviations = self.deviation.iter().cycle();
        let weights: Vec<f64> = weights.iter().zip(deviations).map(|(w, s)| w / s).collect();
        let shifts = weights.chunks_exact(self.dimension()).map(|weights| {
            let products = weights.iter().zip(&self.mean).map(|(w, m)| w * m);
            products.sum::<f64>()
        });
        let intercepts = intercepts.iter().zip(shifts).map(|(b, shift)| b - shift);
        Linear {
            intercepts: intercepts.collect(),
            weights,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Scale;

    /// Means 2, 0.1, −5; deviations √(2/3), none, 3·√(2/3). Rounding is no deviation.
    #[test]
    fn a_scale_is_mean_and_deviation() {
        let rows: [&[f32]; 3] = [&[1.0, 0.1, -2.0], &[2.0, 0.1, -5.0], &[3.0, 0.1, -8.0]];
        let scale = Scale::of(&rows, &vec![1.0; rows.len()]);
        let deviation = (2.0_f64 / 3.0).sqrt();
        let linear = scale.undo(&[deviation, 7.0, 3.0 * deviation], &[1.0]);
        for (found, expected) in linear.weights.iter().zip([1.0, 7.0, 1.0]) {
            assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        }
        let expected = 1.0 - (2.0 + 7.0 * f64::from(0.1_f32) - 5.0);
        assert!((linear.intercepts[0] - expected).abs() < 1e-14);
    }
}
