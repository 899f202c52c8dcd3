//! Scores of one row: w · x + b for each output, and what the two links make of them.

/// Weights `[outputs, dimension]` and an intercept for each output.
#[derive(Clone, PartialEq)]
pub(crate) struct Linear {
    pub(crate) weights: Vec<f64>,
    pub(crate) intercepts: Vec<f64>,
}

impl Linear {
    /// Numbers of a row.
    pub(crate) fn dimension(&self) -> usize {
        self.weights.len() / self.intercepts.len()
    }

    /// Writes a score for each output.
    ///
    /// # Shapes
    /// - `row`: `[dimension]`, `into`: `[outputs]`
    pub(crate) fn scores(&self, row: &[f32], into: &mut [f64]) {
        scores(row, &self.weights, &self.intercepts, into);
    }
}

/// Writes a score for each output.
///
/// # Shapes
/// - `row`: `[dimension]`, `weights`: `[outputs, dimension]`, `intercepts` and `into`: `[outputs]`
pub(crate) fn scores<X: Copy + Into<f64>>(
    row: &[X],
    weights: &[f64],
    intercepts: &[f64],
    into: &mut [f64],
) {
    let weights = weights.chunks_exact(row.len());
    for ((score, weights), intercept) in into.iter_mut().zip(weights).zip(intercepts) {
        *score = dot(row, weights) + intercept;
    }
}

/// Sums in eight lanes, which the compiler turns into vectors.
fn dot<X: Copy + Into<f64>>(row: &[X], weights: &[f64]) -> f64 {
    const LANES: usize = 8;
    let (rows, rest) = row.as_chunks::<LANES>();
    let (others, other_rest) = weights.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (x, w) in rows.iter().zip(others) {
        for lane in 0..LANES {
            lanes[lane] += x[lane].into() * w[lane];
        }
    }
    let rest = rest.iter().zip(other_rest).map(|(&x, w)| x.into() * w);
    lanes.iter().sum::<f64>() + rest.sum::<f64>()
}

/// Turns scores into probabilities that add up to 1.
pub(crate) fn softmax(scores: &mut [f64]) {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for score in scores.iter_mut() {
        *score = (*score - largest).exp();
    }
    let sum: f64 = scores.iter().sum();
    for score in scores {
        *score /= sum;
    }
}

/// Turns scores into the logarithms of the odds of their softmax, ln p / (1 − p): each score less the
/// logarithm of the other exponentials' sum. Of at least two scores.
pub(crate) fn softmax_log_odds(scores: &mut [f64]) {
    let given = scores.to_vec();
    for (label, score) in scores.iter_mut().enumerate() {
        let others = || given[..label].iter().chain(&given[label + 1..]).copied();
        let largest = others().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = others().map(|other| (other - largest).exp()).sum();
        *score -= largest + sum.ln();
    }
}

/// 1 / (1 + exp(−x)); an exponential that overflows leaves 0, which is right.
pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::{Linear, sigmoid, softmax, softmax_log_odds};

    /// Two outputs, eleven numbers: lanes and what is left over. 1 + … + 11 = 66, and squares 506.
    #[test]
    fn scores_are_products_and_an_intercept() {
        let row: Vec<f32> = (1..=11_u8).map(f32::from).collect();
        let weights = [1.0; 11].into_iter().chain((1..=11_u8).map(f64::from));
        let linear = Linear {
            weights: weights.collect(),
            intercepts: vec![0.5, -6.0],
        };
        assert_eq!(linear.dimension(), 11);
        let mut scores = [0.0; 2];
        linear.scores(&row, &mut scores);
        assert_eq!(scores, [66.5, 500.0]);
    }

    /// e⁰ : e^ln 3 : e^ln 6 = 1 : 3 : 6, wherever the scores lie.
    #[test]
    fn a_softmax_is_shares_of_exponentials() {
        for place in [0.0, 1e4, -1e4] {
            let mut scores = [place, 3_f64.ln() + place, 6_f64.ln() + place];
            softmax(&mut scores);
            for (found, expected) in scores.into_iter().zip([0.1, 0.3, 0.6]) {
                assert!((found - expected).abs() < 1e-11, "{scores:?}");
            }
        }
    }

    /// Of shares 1 : 3 : 6 the odds are 1/9, 3/7, 6/4. Where the shares round to 1 and 0, odds do not.
    #[test]
    fn log_odds_are_of_one_share_against_the_rest() {
        for place in [0.0, 1e4, -1e4] {
            let mut scores = [place, 3_f64.ln() + place, 6_f64.ln() + place];
            softmax_log_odds(&mut scores);
            for (found, odds) in scores.into_iter().zip([1.0 / 9.0, 3.0 / 7.0, 1.5_f64]) {
                assert!((found - odds.ln()).abs() < 1e-11, "{scores:?}");
            }
        }
        let mut far = [0.0, 800.0, -50.0];
        softmax_log_odds(&mut far);
        assert_eq!(far, [-800.0, 800.0, -850.0]);
    }

    #[test]
    fn a_sigmoid_is_defined_everywhere() {
        assert!((sigmoid(3_f64.ln()) - 0.75).abs() < 1e-15);
        assert_eq!([sigmoid(-1e4), sigmoid(1e4)], [0.0, 1.0]);
    }
}
