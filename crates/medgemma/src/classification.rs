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
mod tests;
