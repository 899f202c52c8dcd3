//! From a model's logits to probabilities that a site's own pictures bear out: a temperature and a
//! bias, fitted on held-out labels.
//!
//! Platt (1999), "Probabilistic outputs for support vector machines", with the targets and the
//! Newton iteration of Lin, Lin and Weng (2007), "A note on Platt's probabilistic outputs" (Machine
//! Learning 68). A temperature alone is that of Guo et al. (2017); SigLIP's large negative bias is
//! that of its training batches, hence the second number.

use serde::{Deserialize, Serialize};

use crate::classification::sigmoid;
use crate::embedding::rounded;
use crate::error::{Error, Result};

/// `logit / temperature + bias`, whose sigmoid is the calibrated probability of one class, whatever the
/// others are.
///
/// It says nothing of classes of which exactly one is true, and a softmax over calibrated logits is not
/// calibrated. [`Classification::calibrated`](crate::Classification::calibrated) shares 1 among them by
/// their calibrated sigmoids.
///
/// One that was written with serde is read again by the rules of [`Calibration::new`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Calibration {
    temperature: f64,
    bias: f64,
}

/// A calibration as it is written, before it is known to be one.
#[derive(Deserialize)]
struct Stored {
    temperature: f64,
    bias: f64,
}

impl TryFrom<Stored> for Calibration {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self> {
        Self::new(stored.temperature, stored.bias)
    }
}

impl Default for Calibration {
    /// Changes nothing.
    fn default() -> Self {
        Self {
            temperature: 1.0,
            bias: 0.0,
        }
    }
}

/// More steps than Newton's iteration has ever needed: the loss is convex in two numbers.
const MOST_STEPS: usize = 100;

/// Below this step, in units of the logits' deviation, the fit has arrived.
const ARRIVED: f64 = 1e-10;

impl Calibration {
    /// A calibration that was fitted before.
    ///
    /// # Errors
    /// [`Error::Calibration`] unless the temperature is positive and both are finite.
    pub fn new(temperature: f64, bias: f64) -> Result<Self> {
        if temperature.is_finite() && temperature > 0.0 && bias.is_finite() {
            Ok(Self { temperature, bias })
        } else {
            Err(Error::Calibration {
                expected: "a positive temperature and a finite bias",
                found: format!("temperature {temperature}, bias {bias}"),
            })
        }
    }

    /// Fits both numbers to one class: the logits of held-out pictures, and whether the class is true
    /// of each. Least mean log-loss; the targets are those of Lin et al., which keep a class that
    /// the logits part perfectly from becoming certain. Probabilities are then those of where the class is as
    /// frequent as among these pictures; of a few of either kind both numbers are mostly chance, and nothing here
    /// says how far: hold out dozens of patients with the class, and look at others.
    ///
    /// # Errors
    /// [`Error::UnequalLengths`] unless there is a label for each logit; [`Error::Calibration`] if
    /// labels of either kind are missing, logits are all alike or not finite, or if higher logits
    /// do not go with true labels: then there is nothing to calibrate.
    pub fn fit(logits: &[f32], labels: &[bool]) -> Result<Self> {
        if logits.len() != labels.len() {
            return Err(Error::UnequalLengths {
                what: "held-out labels",
                expected: logits.len(),
                found: labels.len(),
            });
        }
        let (mean, deviation) = moments(logits)?;
        let (yes, no) = targets(labels)?;
        let points: Vec<(f64, f64)> = logits
            .iter()
            .zip(labels)
            .map(|(&x, &label)| {
                (
                    (f64::from(x) - mean) / deviation,
                    if label { yes } else { no },
                )
            })
            .collect();
        let [slope, shift] = newton(&points);
        if slope <= 0.0 {
            return Err(Error::Calibration {
                expected: "higher logits where the label is true",
                found: "the contrary".to_owned(),
            });
        }
        Self::new(deviation / slope, shift - slope * mean / deviation)
    }

    /// What logits are divided by; above 0. Large ones make the model less sure.
    #[must_use]
    pub fn temperature(&self) -> f64 {
        self.temperature
    }

    /// What is added afterwards: how common the class is among the site's pictures.
    #[must_use]
    pub fn bias(&self) -> f64 {
        self.bias
    }

    /// The calibrated logit.
    #[must_use]
    pub fn apply(&self, logit: f32) -> f32 {
        rounded(f64::from(logit) / self.temperature + self.bias)
    }
}

/// Mean and deviation of the logits, so that the iteration starts at a known scale.
fn moments(logits: &[f32]) -> Result<(f64, f64)> {
    let count = logits.len() as f64;
    let values = || logits.iter().map(|&x| f64::from(x));
    let mean = values().sum::<f64>() / count;
    let deviation = (values().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
    if deviation.is_finite() && deviation > 0.0 {
        Ok((mean, deviation))
    } else {
        Err(Error::Calibration {
            expected: "finite logits that differ",
            found: format!("{} with a deviation of {deviation}", logits.len()),
        })
    }
}

/// What true and false labels are fitted to: (n₊ + 1) / (n₊ + 2) and 1 / (n₋ + 2).
fn targets(labels: &[bool]) -> Result<(f64, f64)> {
    let positive = labels.iter().filter(|&&label| label).count();
    let negative = labels.len() - positive;
    if positive == 0 || negative == 0 {
        return Err(Error::Calibration {
            expected: "held-out labels of both kinds",
            found: format!("{positive} true, {negative} false"),
        });
    }
    let (positive, negative) = (positive as f64, negative as f64);
    Ok(((positive + 1.0) / (positive + 2.0), 1.0 / (negative + 2.0)))
}

/// Slope and shift of least loss, by Newton's steps, each halved until it helps.
fn newton(points: &[(f64, f64)]) -> [f64; 2] {
    let mut at = [0.0, 0.0];
    let mut best = loss(points, at);
    for _ in 0..MOST_STEPS {
        let step = newton_step(points, at);
        let mut share = 1.0;
        let next = loop {
            let next = [at[0] - share * step[0], at[1] - share * step[1]];
            let reached = loss(points, next);
            if reached <= best {
                best = reached;
                break next;
            }
            share *= 0.5;
            if share < ARRIVED {
                return at;
            }
        };
        let moved = (next[0] - at[0]).abs().max((next[1] - at[1]).abs());
        at = next;
        if moved < ARRIVED {
            break;
        }
    }
    at
}

/// The inverse of the loss's second derivatives times its first.
fn newton_step(points: &[(f64, f64)], [slope, shift]: [f64; 2]) -> [f64; 2] {
    // Keeps the matrix invertible where all probabilities are certain.
    const RIDGE: f64 = 1e-12;
    let (mut g, mut h) = ([0.0; 2], [RIDGE, 0.0, RIDGE]);
    for &(x, target) in points {
        let p = sigmoid(slope * x + shift);
        let (error, weight) = (p - target, p * (1.0 - p));
        g = [g[0] + error * x, g[1] + error];
        h = [h[0] + weight * x * x, h[1] + weight * x, h[2] + weight];
    }
    let determinant = h[0] * h[2] - h[1] * h[1];
    [
        (h[2] * g[0] - h[1] * g[1]) / determinant,
        (h[0] * g[1] - h[1] * g[0]) / determinant,
    ]
}

/// −Σ t·ln σ(z) + (1 − t)·ln(1 − σ(z)), z = slope·x + shift, in the form that does not overflow.
fn loss(points: &[(f64, f64)], [slope, shift]: [f64; 2]) -> f64 {
    let one = |&(x, target): &(f64, f64)| {
        let z = slope * x + shift;
        z.max(0.0) - z * target + (-z.abs()).exp().ln_1p()
    };
    points.iter().map(one).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::{Calibration, loss};
    use crate::classification::sigmoid;
    use crate::error::Error;

    /// Logits around SigLIP's bias, labels drawn from a known calibration by their ranks.
    fn held_out(truth: &Calibration) -> (Vec<f32>, Vec<bool>) {
        let mut drawn = 0.0;
        let logits: Vec<f32> = (0..4000_u16)
            .map(|i| -20.0 + 0.004 * f32::from(i))
            .collect();
        let labels = logits.iter().map(|&logit| {
            // As many true ones as the probabilities add up to, spread evenly.
            drawn += sigmoid(f64::from(truth.apply(logit)));
            let label = drawn >= 1.0;
            if label {
                drawn -= 1.0;
            }
            label
        });
        let labels = labels.collect();
        (logits, labels)
    }

    #[test]
    fn a_fit_finds_the_temperature_and_bias_that_drew_the_labels() {
        let truth = Calibration::new(1.7, 6.5).unwrap();
        let (logits, labels) = held_out(&truth);
        let found = Calibration::fit(&logits, &labels).unwrap();
        assert!((found.temperature / 1.7 - 1.0).abs() < 0.02, "{found:?}");
        assert!((found.bias / 6.5 - 1.0).abs() < 0.02, "{found:?}");
    }

    /// No neighbour has less loss.
    #[test]
    fn a_fit_is_the_minimum() {
        let logits = [-3.0, -1.0, 0.5, 0.7, 2.0, 2.5];
        let labels = [false, false, true, false, true, true];
        let found = Calibration::fit(&logits, &labels).unwrap();
        let points: Vec<(f64, f64)> = logits
            .iter()
            .zip(labels)
            .map(|(&x, label)| (f64::from(x), if label { 0.8 } else { 0.2 }))
            .collect();
        let (slope, shift) = (1.0 / found.temperature, found.bias);
        let least = loss(&points, [slope, shift]);
        for (a, b) in [(1e-4, 0.0), (-1e-4, 0.0), (0.0, 1e-4), (0.0, -1e-4)] {
            assert!(loss(&points, [slope + a, shift + b]) > least, "{found:?}");
        }
    }

    #[test]
    fn labels_that_are_parted_perfectly_do_not_become_certain() {
        let found = Calibration::fit(&[-2.0, -1.0, 1.0, 2.0], &[false, false, true, true]).unwrap();
        let sure = sigmoid(f64::from(found.apply(2.0)));
        assert!((0.5..0.95).contains(&sure), "{found:?}");
        assert!(found.bias.abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn what_cannot_be_calibrated_is_refused() {
        let refused = |logits: &[f32], labels: &[bool], what: &str| {
            let error = Calibration::fit(logits, labels).expect_err(what);
            assert!(error.to_string().contains(what), "{error}");
        };
        refused(&[1.0, 2.0], &[true, true], "0 false");
        refused(&[1.0, 2.0], &[false, false], "0 true");
        refused(&[1.0, 1.0], &[false, true], "differ");
        refused(&[], &[], "differ");
        refused(&[1.0, f32::NAN], &[false, true], "finite");
        refused(&[1.0, 2.0], &[true, false], "contrary");
        let uneven = Calibration::fit(&[1.0, 2.0], &[true]);
        assert!(matches!(uneven, Err(Error::UnequalLengths { .. })));
        for (temperature, bias) in [
            (0.0, 0.0),
            (-1.0, 0.0),
            (f64::NAN, 0.0),
            (1.0, f64::INFINITY),
        ] {
            assert!(Calibration::new(temperature, bias).is_err());
        }
    }

    #[test]
    fn what_was_written_is_read_again_if_it_is_a_calibration() {
        let fitted = Calibration::new(1.5, -6.25).unwrap();
        let written = serde_json::to_string(&fitted).unwrap();
        assert_eq!(written, r#"{"temperature":1.5,"bias":-6.25}"#);
        assert_eq!(
            serde_json::from_str::<Calibration>(&written).unwrap(),
            fitted
        );
        for (damaged, told) in [
            (r#"{"temperature":0.0,"bias":1.0}"#, "positive temperature"),
            (
                r#"{"temperature":-1.5,"bias":1.0}"#,
                "found temperature -1.5",
            ),
            (r#"{"temperature":1.5}"#, "bias"),
            (r#"{"temperature":1.5,"bias":null}"#, "null"),
        ] {
            let error = serde_json::from_str::<Calibration>(damaged).unwrap_err();
            assert!(error.to_string().contains(told), "{told}: {error}");
        }
    }

    #[test]
    fn the_default_changes_nothing() {
        assert_eq!(Calibration::default().apply(-12.5), -12.5);
    }
}
