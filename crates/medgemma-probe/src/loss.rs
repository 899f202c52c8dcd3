//! What a fit makes small: the mean log-loss of weighted rows, plus the penalty.
//!
//! f(w, b) = 1/S Σᵢ sᵢ ℓ(w·xᵢ + b, yᵢ) + ‖w‖² / (2 C S), S = Σ sᵢ: scikit-learn's loss, divided by C S so
//! that a gradient's length means the same for few rows and for many. ℓ is −ln of what the softmax
//! gives the row's class or, with a single output, of what the sigmoid gives. Intercepts are not
//! penalised.

use crate::linear::{self, Linear, sigmoid, softmax};
use crate::scale::Scale;

/// Rows to fit to, each with its class and what it counts.
pub(crate) struct Examples<'a> {
    /// `[dimension]` each.
    pub(crate) rows: Vec<&'a [f32]>,
    pub(crate) classes: Vec<usize>,
    /// Not below 0; above 0 for a row of every class.
    pub(crate) weights: Vec<f64>,
}

/// The loss as a function of the parameters: weights `[outputs, dimension]` of scaled features, then
/// `[outputs]` intercepts.
pub(crate) struct Loss<'a> {
    examples: &'a Examples<'a>,
    scale: &'a Scale,
    /// 1 for the sigmoid, whose class 1 is the positive one; else one for each class.
    outputs: usize,
    /// S
    total: f64,
    /// 1 / (C S)
    penalty: f64,
}

impl<'a> Loss<'a> {
    pub(crate) fn new(
        examples: &'a Examples<'a>,
        scale: &'a Scale,
        outputs: usize,
        c: f64,
    ) -> Self {
        let total = examples.weights.iter().sum();
        Self {
            examples,
            scale,
            outputs,
            total,
            penalty: 1.0 / (c * total),
        }
    }

    /// How many parameters there are.
    pub(crate) fn parameters(&self) -> usize {
        self.outputs * (self.scale.dimension() + 1)
    }

    /// The parameters as weights and intercepts of features as they are.
    pub(crate) fn linear(&self, parameters: &[f64]) -> Linear {
        let weights = self.outputs * self.scale.dimension();
        let (weights, intercepts) = parameters.split_at(weights);
        self.scale.undo(weights, intercepts)
    }

    /// The loss at the parameters, and its gradient there.
    pub(crate) fn look(&self, parameters: &[f64]) -> (f64, Vec<f64>) {
        let dimension = self.scale.dimension();
        let (weights, intercepts) = parameters.split_at(self.outputs * dimension);
        let mut gradient = vec![0.0; parameters.len()];
        let (by_weight, by_intercept) = gradient.split_at_mut(weights.len());
        let mut scaled = vec![0.0; dimension];
        let mut scores = vec![0.0; self.outputs];
        let mut loss = 0.0;
        let examples = self.examples;
        let each = examples.rows.iter().zip(&examples.classes);
        for ((row, &class), weight) in each.zip(&examples.weights) {
            // Not by weights of features as they are: with a mean of many deviations their products
            // and the intercept nearly cancel out, and a line search would see the rounding.
            self.scale.apply(row, &mut scaled);
            linear::scores(&scaled, weights, intercepts, &mut scores);
            loss += weight / self.total * log_loss(&mut scores, class);
            let by_weight = by_weight.chunks_exact_mut(dimension);
            for ((by_weight, by_intercept), error) in by_weight.zip(&mut *by_intercept).zip(&scores)
            {
                let error = weight / self.total * error;
                *by_intercept += error;
                for (sum, x) in by_weight.iter_mut().zip(&scaled) {
                    *sum += error * x;
                }
            }
        }
        loss += 0.5 * self.penalty * weights.iter().map(|w| w * w).sum::<f64>();
        for (slope, weight) in by_weight.iter_mut().zip(weights) {
            *slope += self.penalty * weight;
        }
        (loss, gradient)
    }
}

/// The log-loss of one row; its scores become the loss's derivatives by them.
fn log_loss(scores: &mut [f64], class: usize) -> f64 {
    if let [score] = scores {
        let (z, positive) = (*score, class == 1);
        *score = sigmoid(z) - if positive { 1.0 } else { 0.0 };
        // ln(1 + exp(∓z)) in the form that does not overflow.
        let wrong = if positive { -z } else { z };
        return wrong.max(0.0) + (-z.abs()).exp().ln_1p();
    }
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
    let loss = sum.ln() + largest - scores[class];
    softmax(scores);
    scores[class] -= 1.0;
    loss
}

#[cfg(test)]
mod tests {
    use super::{Examples, Loss};
    use crate::scale::Scale;

    const ROWS: [[f32; 2]; 4] = [[0.5, -3.0], [1.5, 2.0], [-0.25, 8.0], [2.0, 0.0]];

    fn examples(classes: [usize; 4]) -> Examples<'static> {
        Examples {
            rows: ROWS.iter().map(AsRef::as_ref).collect(),
            classes: classes.to_vec(),
            weights: vec![1.0, 0.5, 2.0, 0.0],
        }
    }

    /// At zero every class is as likely: ln 2 and ln 3, whatever the rows.
    #[test]
    fn the_loss_of_nothing_is_the_logarithm_of_the_classes() {
        let examples = examples([0, 1, 1, 0]);
        let scale = Scale::none(2);
        for (outputs, expected) in [(1, 2_f64.ln()), (3, 3_f64.ln())] {
            let loss = Loss::new(&examples, &scale, outputs, 1.0);
            let (found, _) = loss.look(&vec![0.0; loss.parameters()]);
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
    }

    /// By hand: scores 0.5 w₀ − 3 w₁ + b and so on for w = (2, 1), b = 1: −1, 6, 8.5 and 5, which weighs
    /// nothing. Penalty (4 + 1) / (2 · 0.5 · 3.5).
    #[test]
    fn the_loss_is_a_weighted_mean_and_a_penalty_without_intercepts() {
        let examples = examples([0, 1, 0, 0]);
        let scale = Scale::none(2);
        let (found, _) = Loss::new(&examples, &scale, 1, 0.5).look(&[2.0, 1.0, 1.0]);
        let softplus = |z: f64| z.exp().ln_1p();
        let sum = softplus(-1.0) + 0.5 * softplus(-6.0) + 2.0 * softplus(8.5);
        let expected = sum / 3.5 + 5.0 / 3.5;
        assert!((found - expected).abs() < 1e-14, "{found} {expected}");
    }

    #[test]
    fn the_gradient_is_the_slope() {
        const STEP: f64 = 1e-6;
        for (outputs, classes) in [(1, [0, 1, 1, 0]), (3, [0, 1, 2, 0])] {
            let examples = examples(classes);
            for scale in [Scale::none(2), Scale::of(&examples.rows, &examples.weights)] {
                let loss = Loss::new(&examples, &scale, outputs, 0.7);
                let count = u8::try_from(loss.parameters()).expect("few");
                let at: Vec<f64> = (0..count).map(|i| (f64::from(i) * 1.7).sin()).collect();
                let (_, gradient) = loss.look(&at);
                for (i, slope) in gradient.into_iter().enumerate() {
                    let [less, more] = [-STEP, STEP].map(|step| {
                        let mut at = at.clone();
                        at[i] += step;
                        loss.look(&at).0
                    });
                    let expected = (more - less) / (2.0 * STEP);
                    assert!((slope - expected).abs() < 1e-8, "{i}: {slope} {expected}");
                }
            }
        }
    }

    #[test]
    fn scores_far_from_zero_have_a_loss_all_the_same() {
        let examples = examples([1, 1, 0, 0]);
        let scale = Scale::none(2);
        let two = Loss::new(&examples, &scale, 1, 1.0).look(&[0.0, 0.0, 1e4]);
        let three = Loss::new(&examples, &scale, 3, 1.0);
        let three = three.look(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1e4, -1e4]);
        // Two thirds and a bit of the weight lie on the wrong side, by 10⁴.
        for (loss, gradient) in [two, three] {
            assert!((loss - 1e4 * 2.0 / 3.5).abs() < 1e-8, "{loss}");
            assert!(gradient.iter().all(|slope| slope.is_finite()));
        }
    }
}
