//! A fitted probe: embeddings in, probabilities out.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::data;
use crate::error::{Error, Result};
use crate::linear::{Linear, sigmoid, softmax, softmax_log_odds};
use crate::options::ClassWeights;

/// What the probabilities of a probe mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// One of the labels is true: their probabilities add up to 1 (softmax).
    MultiClass,
    /// Any number of them is true, each on its own (sigmoid).
    MultiLabel,
}

/// What a probe was fitted with, for the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Penalty {
    /// [`FitOptions::c`](crate::FitOptions::c).
    pub c: f64,
    /// [`FitOptions::class_weights`](crate::FitOptions::class_weights).
    pub class_weights: ClassWeights,
    /// [`FitOptions::standardize`](crate::FitOptions::standardize).
    pub standardized: bool,
    /// The share of each label for which the probabilities hold. Of classes they add up to 1. Those among the
    /// rows, by [`sample_weights`](crate::FitOptions::sample_weights), and as weights of
    /// [`ClassWeights::Given`] make them. Where a label is rarer, so is it less probable than the probe says.
    pub prevalence: Vec<f64>,
}

/// Logistic regression on embeddings. Immutable but for what it says of itself; `Send + Sync`.
///
/// What it finds probable is a model's opinion and **not for clinical use** without independent
/// verification by a qualified person. `Debug` leaves the weights out.
#[derive(Clone, PartialEq)]
pub struct Probe {
    kind: Kind,
    labels: Vec<String>,
    /// A row for each label. For two classes the first row is zero.
    linear: Linear,
    penalty: Option<Penalty>,
    encoder: Option<String>,
    thresholds: Option<Vec<f64>>,
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("kind", &self.kind)
            .field("labels", &self.labels)
            .field("dimension", &self.dimension())
            .field("penalty", &self.penalty)
            .field("encoder", &self.encoder)
            .field("thresholds", &self.thresholds)
            .finish_non_exhaustive()
    }
}

impl Probe {
    /// A probe of weights that were fitted elsewhere. A score is `weights[label] · row +
    /// intercepts[label]`; softmax or sigmoid of the scores, as `kind` says, are the probabilities. For
    /// two classes of scikit-learn, which has one row of weights, the first row is zeros.
    ///
    /// # Shapes
    /// - `weights`: `[labels, dimension]`, `intercepts`: `[labels]`
    ///
    /// # Errors
    /// [`Error::Argument`] for lengths that do not match, numbers that are not finite, and labels that
    /// are empty, doubled or too few.
    pub fn new<L: AsRef<str>, W: AsRef<[f64]>>(
        kind: Kind,
        labels: &[L],
        weights: &[W],
        intercepts: &[f64],
    ) -> Result<Self> {
        let labels = labels.iter().map(|label| label.as_ref().to_owned());
        let labels: Vec<String> = labels.collect();
        if weights.len() != labels.len() {
            let (expected, found) = (labels.len(), weights.len());
            return Err(Error::length("weights", expected, "label", found));
        }
        let dimension = weights.first().map_or(0, |row| row.as_ref().len());
        let mut all = Vec::with_capacity(weights.len() * dimension);
        for (at, row) in weights.iter().map(AsRef::as_ref).enumerate() {
            if row.len() != dimension || dimension == 0 {
                return Err(Error::argument(
                    format!("weights[{at}]"),
                    format!("{} numbers, one for each feature", dimension.max(1)),
                    row.len().to_string(),
                ));
            }
            all.extend_from_slice(row);
        }
        let linear = Linear {
            weights: all,
            intercepts: intercepts.to_vec(),
        };
        Self::from_linear(kind, labels, linear)
    }

    /// The same of weights in one piece, a whole number of them for each intercept if the lengths of
    /// labels and intercepts are equal.
    pub(crate) fn from_linear(kind: Kind, labels: Vec<String>, linear: Linear) -> Result<Self> {
        let least = match kind {
            Kind::MultiClass => 2,
            Kind::MultiLabel => 1,
        };
        let labels = data::labels(&labels, least)?;
        if linear.intercepts.len() != labels.len() {
            let (expected, found) = (labels.len(), linear.intercepts.len());
            return Err(Error::length("intercepts", expected, "label", found));
        }
        for (argument, values) in [
            ("weights", &linear.weights),
            ("intercepts", &linear.intercepts),
        ] {
            if values.iter().any(|value| !value.is_finite()) {
                return Err(Error::argument(
                    argument,
                    "finite numbers",
                    "one that is not",
                ));
            }
        }
        Ok(Self {
            kind,
            labels,
            linear,
            penalty: None,
            encoder: None,
            thresholds: None,
        })
    }

    /// Says what the probe was fitted with.
    pub(crate) fn with_penalty(mut self, penalty: Penalty) -> Self {
        self.penalty = Some(penalty);
        self
    }

    /// Says whose embeddings the probe was fitted on: better than a name is what changes with the weights and with how
    /// pictures are processed, as `medgemma`'s `MedSigLip::embedding_id` does.
    #[must_use]
    pub fn with_encoder(mut self, encoder: impl Into<String>) -> Self {
        self.encoder = Some(encoder.into());
        self
    }

    /// Sets the probability of each label from which on it is taken to be true, for those who use the
    /// probe; nothing in this crate decides by them.
    ///
    /// # Errors
    /// [`Error::Argument`] unless there is a number from 0 to 1 for each label.
    pub fn with_thresholds(mut self, thresholds: impl Into<Vec<f64>>) -> Result<Self> {
        let thresholds = thresholds.into();
        if thresholds.len() != self.labels.len() {
            let (expected, found) = (self.labels.len(), thresholds.len());
            return Err(Error::length("thresholds", expected, "label", found));
        }
        if let Some(at) = thresholds.iter().position(|t| !(0.0..=1.0).contains(t)) {
            let (argument, found) = (format!("thresholds[{at}]"), thresholds[at].to_string());
            return Err(Error::argument(argument, "a probability", found));
        }
        self.thresholds = Some(thresholds);
        Ok(self)
    }

    /// Refuses a probe that was not fitted on embeddings of this encoder, or does not say so.
    ///
    /// # Errors
    /// [`Error::Encoder`].
    pub fn expect_encoder(&self, encoder: &str) -> Result<()> {
        if self.encoder.as_deref() == Some(encoder) {
            return Ok(());
        }
        Err(Error::Encoder {
            expected: encoder.to_owned(),
            found: self.encoder.clone(),
        })
    }

    /// What the probabilities mean.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The labels' names, in the order of the probabilities.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Numbers of an embedding.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.linear.dimension()
    }

    /// Weights of each label, `[dimension]` each.
    pub fn weights(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.linear.weights.chunks_exact(self.dimension())
    }

    /// The intercept of each label.
    #[must_use]
    pub fn intercepts(&self) -> &[f64] {
        &self.linear.intercepts
    }

    /// What the probe was fitted with, if it was fitted here.
    #[must_use]
    pub fn penalty(&self) -> Option<&Penalty> {
        self.penalty.as_ref()
    }

    /// Whose embeddings it was fitted on, if it says so.
    #[must_use]
    pub fn encoder(&self) -> Option<&str> {
        self.encoder.as_deref()
    }

    /// The thresholds set by [`Probe::with_thresholds`].
    #[must_use]
    pub fn thresholds(&self) -> Option<&[f64]> {
        self.thresholds.as_deref()
    }

    /// The probability of each label for one embedding, where labels are as frequent as in
    /// [`Penalty::prevalence`], whatever the [`ClassWeights`] of the fit. A probe that was fitted elsewhere has the
    /// prevalence of its rows and weights: of scikit-learn's `class_weight="balanced"` that is the same for all
    /// classes, not that of any patients.
    ///
    /// # Shapes
    /// - `row`: `[dimension]`; returns `[labels]`
    ///
    /// # Errors
    /// As [`Probe::scores`].
    pub fn probabilities(&self, row: impl AsRef<[f32]>) -> Result<Vec<f64>> {
        let mut values = self.scores(row)?;
        match self.kind {
            Kind::MultiClass => softmax(&mut values),
            Kind::MultiLabel => values.iter_mut().for_each(|value| *value = sigmoid(*value)),
        }
        Ok(values)
    }

    /// The score of each label for one embedding, `weights · row + intercept`: what softmax or sigmoid
    /// make probabilities of.
    ///
    /// # Shapes
    /// - `row`: `[dimension]`; returns `[labels]`
    ///
    /// # Errors
    /// [`Error::Argument`] for a row of another length, or with numbers that are not finite;
    /// [`Error::NonFiniteScore`] where weights and row are so large that a score is not.
    pub fn scores(&self, row: impl AsRef<[f32]>) -> Result<Vec<f64>> {
        let row = row.as_ref();
        data::check_row("row", row, self.dimension())?;
        let mut values = vec![0.0; self.labels.len()];
        self.linear.scores(row, &mut values);
        self.finite(values)
    }

    /// ln p / (1 − p) of each label's probability p for one embedding. In the order of the probabilities,
    /// but where those round to 0 or 1, as of a probe that is very sure, these still tell embeddings
    /// apart: for an AUC, and for thresholds in their unit. For labels they are the scores.
    ///
    /// # Shapes
    /// - `row`: `[dimension]`; returns `[labels]`
    ///
    /// # Errors
    /// As [`Probe::scores`].
    pub fn log_odds(&self, row: impl AsRef<[f32]>) -> Result<Vec<f64>> {
        let mut values = self.scores(row)?;
        match self.kind {
            Kind::MultiClass => softmax_log_odds(&mut values),
            Kind::MultiLabel => {}
        }
        self.finite(values)
    }

    /// The label of largest probability for one embedding, the first one of equal ones: its index. Scores
    /// are compared, which differ where probabilities round to the same.
    ///
    /// # Errors
    /// As [`Probe::scores`].
    pub fn best(&self, row: impl AsRef<[f32]>) -> Result<usize> {
        let scores = self.scores(row)?;
        let mut best = 0;
        for (label, score) in scores.iter().enumerate() {
            if *score > scores[best] {
                best = label;
            }
        }
        Ok(best)
    }

    /// The values of the labels, unless one is infinite or no number.
    fn finite(&self, values: Vec<f64>) -> Result<Vec<f64>> {
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(at) => Err(Error::NonFiniteScore {
                label: self.labels[at].clone(),
                found: values[at],
            }),
        }
    }
}
