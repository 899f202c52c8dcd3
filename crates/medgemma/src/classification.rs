//! Zero-shot classification: one picture against named classes, each with its logit, sigmoid and
//! softmax, told apart by name.
//!
//! SigLIP was trained with the sigmoid, each pair of picture and text on its own (Zhai et al. 2023,
//! §3.2); the evaluations of MedSigLIP's model card take the softmax over the prompts of a question.
//! Neither is calibrated for a hospital's own pictures: see [`Calibration`](crate::Calibration).
//!
//! A calibration is fitted to one class's sigmoid. After it, the softmax is taken over the logarithms of
//! the sigmoids, which shares 1 in proportion to them (Zadrozny and Elkan 2002, "Transforming classifier
//! scores into accurate multiclass probability estimates"). Over the calibrated logits themselves it would
//! count the evidence for `present` and that against `absent`, which are the same, twice: classes
//! calibrated at 0.8 and 0.2 would have 0.94 and 0.06.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::calibration::Calibration;
use crate::embedding::{Embedding, rounded};
use crate::error::{Error, Result};
use crate::probability::Probability;

/// A class by name, and the direction that its prompts point to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Class {
    /// What it is called in results.
    pub label: String,
    /// The embedding of its prompt, or the [`Embedding::ensemble`] of its prompts.
    pub embedding: Embedding,
}

impl Class {
    /// The class `label` of one prompt's embedding, or of an ensemble.
    #[must_use]
    pub fn new(label: impl Into<String>, embedding: Embedding) -> Self {
        Self {
            label: label.into(),
            embedding,
        }
    }
}

/// What one class got.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClassScore {
    /// The class.
    pub label: String,
    /// `exp(logit_scale) · cosine + logit_bias`, calibrated where a calibration was applied.
    pub logit: f32,
    /// 1 / (1 + exp(−logit)): whether this class is true, whatever the others are.
    pub sigmoid: f32,
    /// Which class is true, if exactly one is: exp(logit) / Σ exp(logit), and where a calibration was
    /// applied sigmoid / Σ sigmoid, the softmax of the logarithms of the calibrated sigmoids.
    pub softmax: f32,
}

impl ClassScore {
    /// The probability of this name.
    #[must_use]
    pub fn probability(&self, which: Probability) -> f32 {
        match which {
            Probability::Sigmoid => self.sigmoid,
            Probability::Softmax => self.softmax,
        }
    }
}

/// One picture against all classes, in their order. Not for clinical use without verification by a
/// qualified person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classification {
    scores: Vec<ClassScore>,
}

impl Classification {
    /// The scores of these logits, in the order of `labels`.
    ///
    /// # Errors
    /// [`Error::NoClasses`] if there are none, [`Error::DuplicateLabel`] for a label that is there
    /// twice, [`Error::UnequalLengths`] unless there is a logit for each label,
    /// [`Error::NonFiniteScore`] for a logit that is infinite or no number.
    pub fn from_logits(labels: &[&str], logits: &[f32]) -> Result<Self> {
        Self::scored(labels, logits, |logit| logit)
    }

    /// The scores of these logits, with a softmax over what `evidence` makes of each.
    fn scored(labels: &[&str], logits: &[f32], evidence: fn(f64) -> f64) -> Result<Self> {
        check_labels(labels)?;
        if labels.len() != logits.len() {
            return Err(Error::UnequalLengths {
                what: "logits",
                expected: labels.len(),
                found: logits.len(),
            });
        }
        if let Some(class) = logits.iter().position(|logit| !logit.is_finite()) {
            return Err(Error::NonFiniteScore { class });
        }
        let evidence = |logit: f32| evidence(f64::from(logit));
        // The largest is taken off first, so that no exponential overflows, and one does not vanish.
        let each = logits.iter().map(|&logit| evidence(logit));
        let largest = each.fold(f64::NEG_INFINITY, f64::max);
        let power = |logit: f32| (evidence(logit) - largest).exp();
        let total: f64 = logits.iter().map(|&logit| power(logit)).sum();
        let score = |(&label, &logit): (&&str, &f32)| ClassScore {
            label: label.to_owned(),
            logit,
            sigmoid: rounded(sigmoid(f64::from(logit))),
            softmax: rounded(power(logit) / total),
        };
        let scores = labels.iter().zip(logits).map(score).collect();
        Ok(Self { scores })
    }

    /// A score for each class, in their order; at least one.
    #[must_use]
    pub fn scores(&self) -> &[ClassScore] {
        &self.scores
    }

    /// The same with every logit calibrated and the probabilities that follow from it: the sigmoid of
    /// each, and for exclusive classes, in [`ClassScore::softmax`], each sigmoid's share of their sum. Where
    /// the calibrated sigmoids of a picture add up to 1, as those of two classes of which one is the
    /// other's absence should, these shares are they.
    ///
    /// # Errors
    /// [`Error::UnequalLengths`] unless there is a calibration for each class,
    /// [`Error::NonFiniteScore`] if a logit overflows.
    pub fn calibrated(&self, calibrations: &[Calibration]) -> Result<Self> {
        if calibrations.len() != self.scores.len() {
            return Err(Error::UnequalLengths {
                what: "calibrations",
                expected: self.scores.len(),
                found: calibrations.len(),
            });
        }
        let labels: Vec<&str> = self.scores.iter().map(|s| s.label.as_str()).collect();
        let each = self.scores.iter().zip(calibrations);
        let logits: Vec<f32> = each.map(|(score, c)| c.apply(score.logit)).collect();
        Self::scored(&labels, &logits, ln_sigmoid)
    }

    /// The class with the largest logit, the first of equal ones.
    ///
    /// # Panics
    /// Never: a classification is made of at least one class.
    #[must_use]
    pub fn best(&self) -> &ClassScore {
        let (first, rest) = self.scores.split_first().expect("at least one class");
        rest.iter().fold(first, |best, score| {
            if score.logit > best.logit {
                score
            } else {
                best
            }
        })
    }

    /// The best class, or `None` where its probability is below `threshold`, or where another class has the
    /// same logit: the picture is then left to a human eye. Two classes that a picture is exactly as much of are
    /// one text under two names, or vectors that say nothing; their order is no answer.
    ///
    /// The softmax of a single class is 1 whatever the picture shows, so that no threshold up to 1 leaves
    /// anything to the eye: with one class decide by the sigmoid, or give the contrary as another class.
    #[must_use]
    pub fn decide(&self, which: Probability, threshold: f32) -> Option<&ClassScore> {
        let best = self.best();
        let tied = self.scores.iter().filter(|s| s.logit == best.logit).count() > 1;
        (best.probability(which) >= threshold && !tied).then_some(best)
    }
}

impl fmt::Display for Classification {
    /// A line for each class: label, logit, sigmoid, softmax.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for score in &self.scores {
            writeln!(
                f,
                "{}: logit {:.3}, sigmoid {:.4}, softmax {:.4}",
                score.label, score.logit, score.sigmoid, score.softmax
            )?;
        }
        Ok(())
    }
}

/// Refuses no labels at all, and one that is there twice: the softmax of such a class would be shared
/// between its two places, so that a less probable one could come out as the best.
pub(crate) fn check_labels(labels: &[&str]) -> Result<()> {
    if labels.is_empty() {
        return Err(Error::NoClasses);
    }
    let mut places = BTreeMap::new();
    for (second, label) in labels.iter().enumerate() {
        if let Some(first) = places.insert(label, second) {
            return Err(Error::DuplicateLabel { first, second });
        }
    }
    Ok(())
}

/// 1 / (1 + exp(−x)); an exponential that overflows leaves 0, which is right.
pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// ln σ(x) in the form that neither overflows nor, where σ itself is 0, becomes infinite.
fn ln_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::Classification;
    use crate::calibration::Calibration;
    use crate::error::Error;
    use crate::probability::Probability;

    fn close(found: f32, expected: f32) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }

    /// By hand: σ(ln 3) = 3/4, σ(0) = 1/2, σ(−ln 3) = 1/4; softmax of (ln 3, 0, −ln 3) = (9, 3, 1)/13.
    #[test]
    fn each_probability_has_its_own_meaning() {
        let ln3 = 3.0_f32.ln();
        let found = Classification::from_logits(&["a", "b", "c"], &[ln3, 0.0, -ln3]).unwrap();
        for ((score, sigmoid), softmax) in found
            .scores()
            .iter()
            .zip([0.75, 0.5, 0.25])
            .zip([9.0, 3.0, 1.0])
        {
            close(score.sigmoid, sigmoid);
            close(score.softmax, softmax / 13.0);
        }
        assert_eq!(
            (found.best().label.as_str(), found.best().logit),
            ("a", ln3)
        );
    }

    #[test]
    fn logits_far_from_zero_give_probabilities_all_the_same() {
        // One step apart, the larger has e/(1 + e).
        let far = Classification::from_logits(&["a", "b"], &[-1e4, -1e4 - 1.0]).unwrap();
        close(far.scores()[0].softmax, 0.731_058_6);
        close(far.scores()[0].sigmoid, 0.0);
        let near = Classification::from_logits(&["a", "b"], &[1e4, 0.0]).unwrap();
        close(near.scores()[0].sigmoid, 1.0);
        close(near.scores()[1].softmax, 0.0);
    }

    #[test]
    fn below_the_threshold_there_is_no_answer() {
        let ln3 = 3.0_f32.ln();
        let found = Classification::from_logits(&["a", "b"], &[0.0, ln3]).unwrap();
        // The best is b: σ = softmax = 3/4; with a third class of ln 3 the softmax is 3/7.
        assert_eq!(found.decide(Probability::Sigmoid, 0.7).unwrap().label, "b");
        assert!(found.decide(Probability::Softmax, 0.8).is_none());
        let many = Classification::from_logits(&["a", "b", "c"], &[0.0, ln3, ln3 - 0.1]).unwrap();
        assert_eq!(many.decide(Probability::Sigmoid, 0.7).unwrap().label, "b");
        assert!(many.decide(Probability::Softmax, 0.7).is_none());
    }

    /// Each has half of the softmax and 3/4 of its own, which no threshold of 0.5 stops: the first by order is
    /// no answer.
    #[test]
    fn of_two_that_are_equal_neither_is_the_answer() {
        let ln3 = 3.0_f32.ln();
        let tied = Classification::from_logits(&["a", "b"], &[ln3, ln3]).unwrap();
        for which in [Probability::Sigmoid, Probability::Softmax] {
            assert!(tied.decide(which, 0.0).is_none(), "{which:?}");
        }
        // Others that are equal take nothing from the best.
        let found = Classification::from_logits(&["a", "b", "c"], &[0.0, ln3, 0.0]).unwrap();
        assert_eq!(found.decide(Probability::Softmax, 0.5).unwrap().label, "b");
    }

    #[test]
    fn of_one_class_the_softmax_says_nothing() {
        for logit in [-30.0, 0.0, 5.0] {
            let found = Classification::from_logits(&["a"], &[logit]).unwrap();
            let calibrated = found.calibrated(&[Calibration::default()]).unwrap();
            for found in [found, calibrated] {
                assert_eq!(found.best().softmax, 1.0);
                assert!(found.decide(Probability::Softmax, 1.0).is_some());
                let sure = found.decide(Probability::Sigmoid, 0.9).is_some();
                assert_eq!(sure, logit > 3.0);
            }
        }
    }

    #[test]
    fn calibrated_logits_change_both_probabilities() {
        let ln3 = 3.0_f32.ln();
        let found = Classification::from_logits(&["a", "b"], &[2.0 * ln3, ln3]).unwrap();
        let halved = Calibration::new(2.0, 0.0).unwrap();
        let lifted = Calibration::new(1.0, f64::from(ln3)).unwrap();
        let found = found.calibrated(&[halved, lifted]).unwrap();
        // Now ln 3 and 2 ln 3.
        close(found.scores()[0].sigmoid, 0.75);
        close(found.scores()[1].sigmoid, 0.9);
        // Sigmoids 3/4 and 9/10; the softmax of the logits would be 1/4 and 3/4.
        close(found.scores()[0].softmax, 0.75 / 1.65);
        close(found.scores()[1].softmax, 0.9 / 1.65);
        assert_eq!(found.best().label, "b");
        assert!(matches!(
            found.calibrated(&[halved]),
            Err(Error::UnequalLengths {
                expected: 2,
                found: 1,
                ..
            })
        ));
    }

    /// Present and absent, each calibrated: 0.8 and 0.2 are what they are together, not 16/17 and 1/17.
    #[test]
    fn exclusive_classes_that_are_calibrated_share_by_their_sigmoids() {
        let ln4 = 4.0_f32.ln();
        let raw = Classification::from_logits(&["present", "absent"], &[ln4, -ln4]).unwrap();
        close(raw.scores()[0].softmax, 16.0 / 17.0);
        let found = raw.calibrated(&[Calibration::default(); 2]).unwrap();
        for (score, expected) in found.scores().iter().zip([0.8, 0.2]) {
            close(score.sigmoid, expected);
            close(score.softmax, expected);
        }
        assert!(found.decide(Probability::Softmax, 0.85).is_none());
        // Three classes, none of them likely: 1/2, 1/4 and 1/20 of 0.8.
        let logits = [0.0, -3.0_f32.ln(), -19.0_f32.ln()];
        let found = Classification::from_logits(&["a", "b", "c"], &logits).unwrap();
        let found = found.calibrated(&[Calibration::default(); 3]).unwrap();
        for (score, expected) in found.scores().iter().zip([0.625, 0.3125, 0.0625]) {
            close(score.softmax, expected);
        }
    }

    /// Of sigmoids that are 0, or 1, in any float there are shares all the same.
    #[test]
    fn calibrated_sigmoids_that_vanish_have_shares() {
        let unchanged = [Calibration::default(); 2];
        // Far below, σ(x) is eˣ: one step apart as in the softmax of logits, e/(1 + e).
        let far = Classification::from_logits(&["a", "b"], &[-1e4, -1e4 - 1.0]).unwrap();
        let far = far.calibrated(&unchanged).unwrap();
        close(far.scores()[0].sigmoid, 0.0);
        close(far.scores()[0].softmax, 0.731_058_6);
        close(far.scores()[1].softmax, 0.268_941_4);
        // Far above, both are sure, and neither more than the other.
        let near = Classification::from_logits(&["a", "b"], &[1e4, 1e3]).unwrap();
        let near = near.calibrated(&unchanged).unwrap();
        close(near.scores()[0].softmax, 0.5);
        close(near.scores()[1].softmax, 0.5);
        let apart = Classification::from_logits(&["a", "b"], &[f32::MAX, -f32::MAX]).unwrap();
        let apart = apart.calibrated(&unchanged).unwrap();
        close(apart.scores()[0].softmax, 1.0);
        close(apart.scores()[1].softmax, 0.0);
    }

    #[test]
    fn what_is_no_classification_is_refused() {
        assert!(matches!(
            Classification::from_logits(&[], &[]),
            Err(Error::NoClasses)
        ));
        assert!(matches!(
            Classification::from_logits(&["a"], &[1.0, 2.0]),
            Err(Error::UnequalLengths {
                expected: 1,
                found: 2,
                ..
            })
        ));
        assert!(matches!(
            Classification::from_logits(&["a", "b", "a"], &[1.0, 2.0, 1.0]),
            Err(Error::DuplicateLabel {
                first: 0,
                second: 2
            })
        ));
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(matches!(
                Classification::from_logits(&["a", "b"], &[1.0, bad]),
                Err(Error::NonFiniteScore { class: 1 })
            ));
        }
    }
}
