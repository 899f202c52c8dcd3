//! How often a threshold is right, and which threshold to take.

use crate::data::check_scores;
use crate::error::{Error, Result};

/// Samples by what is true of them and what is said. A score of at least the threshold says positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Confusion {
    /// Positives said to be positive.
    pub true_positives: usize,
    /// Negatives said to be positive.
    pub false_positives: usize,
    /// Negatives said to be negative.
    pub true_negatives: usize,
    /// Positives said to be negative.
    pub false_negatives: usize,
}

impl Confusion {
    /// Counts at a threshold.
    ///
    /// # Errors
    /// [`Error::Argument`] unless there is a truth for each score, and neither a score nor the
    /// threshold is NaN.
    pub fn at(scores: &[f64], truth: &[bool], threshold: f64) -> Result<Self> {
        check_scores(scores, truth)?;
        if threshold.is_nan() {
            return Err(Error::argument("threshold", "a number", "NaN"));
        }
        let said = scores.iter().map(|&score| score >= threshold);
        Ok(Self::of(said.zip(truth.iter().copied())))
    }

    /// Counts pairs of what is said and what is true.
    pub(crate) fn of(pairs: impl Iterator<Item = (bool, bool)>) -> Self {
        let mut found = Self::default();
        for pair in pairs {
            let count = match pair {
                (true, true) => &mut found.true_positives,
                (true, false) => &mut found.false_positives,
                (false, false) => &mut found.true_negatives,
                (false, true) => &mut found.false_negatives,
            };
            *count += 1;
        }
        found
    }

    /// The share of positives that are found; none without positives.
    #[must_use]
    pub fn sensitivity(&self) -> Option<f64> {
        share(self.true_positives, self.false_negatives)
    }

    /// The share of negatives that are left alone; none without negatives.
    #[must_use]
    pub fn specificity(&self) -> Option<f64> {
        share(self.true_negatives, self.false_positives)
    }

    /// The positive predictive value: the share of what is said to be positive that is; none where
    /// nothing is said to be. It holds for the prevalence of these samples only.
    #[must_use]
    pub fn ppv(&self) -> Option<f64> {
        share(self.true_positives, self.false_positives)
    }

    /// The negative predictive value: the share of what is said to be negative that is; none where
    /// nothing is said to be. It holds for the prevalence of these samples only.
    #[must_use]
    pub fn npv(&self) -> Option<f64> {
        share(self.true_negatives, self.false_negatives)
    }

    /// The share that is right; none without samples.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        share(
            self.true_positives + self.true_negatives,
            self.false_positives + self.false_negatives,
        )
    }

    /// The mean of sensitivity and specificity; none unless there are both kinds.
    #[must_use]
    pub fn balanced_accuracy(&self) -> Option<f64> {
        Some((self.sensitivity()? + self.specificity()?) / 2.0)
    }
}

/// a / (a + b)
fn share(a: usize, b: usize) -> Option<f64> {
    (a + b > 0).then(|| a as f64 / (a + b) as f64)
}

/// The largest threshold that finds at least this share of the positives, and so the one of best
/// specificity. Choose it on other samples than those it is then judged by. Of a few positives it finds this share of
/// them, and of others another: [`evaluate`](crate::evaluate) tells how far another.
///
/// # Errors
/// [`Error::Argument`] unless there is a truth for each score, a positive, no score is NaN, and the
/// share is above 0 and at most 1.
pub fn threshold_at_sensitivity(scores: &[f64], truth: &[bool], sensitivity: f64) -> Result<f64> {
    check_scores(scores, truth)?;
    if !(sensitivity > 0.0 && sensitivity <= 1.0) {
        let expected = "a share above 0 and at most 1";
        return Err(Error::argument(
            "sensitivity",
            expected,
            sensitivity.to_string(),
        ));
    }
    let positives = scores.iter().zip(truth).filter(|&(_, &truth)| truth);
    let mut positives: Vec<f64> = positives.map(|(&score, _)| score).collect();
    positives.sort_by(|a, b| b.total_cmp(a));
    // Compared as `Confusion::sensitivity` computes it, so that rounding is the same.
    let enough = |&at: &usize| share(at + 1, positives.len() - at - 1) >= Some(sensitivity);
    let at = (0..positives.len()).find(enough);
    at.map(|at| positives[at])
        .ok_or_else(|| Error::argument("truth", "at least one positive", "none"))
}

/// The score of largest sensitivity + specificity − 1 (Youden 1950, "Index for rating diagnostic
/// tests"), the largest of equal ones. Choose it on other samples than those it is then judged by.
///
/// # Errors
/// [`Error::Argument`] unless there is a truth for each score, of both kinds, and no score is NaN.
pub fn youden_threshold(scores: &[f64], truth: &[bool]) -> Result<f64> {
    check_scores(scores, truth)?;
    let positives = truth.iter().filter(|&&truth| truth).count();
    let negatives = truth.len() - positives;
    if positives == 0 || negatives == 0 {
        let found = format!("{positives} positives, {negatives} negatives");
        return Err(Error::argument("truth", "positives and negatives", found));
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut hits, mut alarms) = (0_u64, 0_u64);
    let mut best = None;
    for (place, &sample) in order.iter().enumerate() {
        if truth[sample] {
            hits += 1;
        } else {
            alarms += 1;
        }
        let next = order.get(place + 1).map(|&next| scores[next]);
        if next == Some(scores[sample]) {
            continue;
        }
        // (hits / positives − alarms / negatives) · positives · negatives, exactly.
        let index = i128::from(hits) * negatives as i128 - i128::from(alarms) * positives as i128;
        if best.is_none_or(|(most, _)| index > most) {
            best = Some((index, scores[sample]));
        }
    }
    Ok(best.expect("there are samples of both kinds").1)
}
