//! What a probe's probabilities are worth, on samples that it was not fitted to.

use crate::auc::Ranks;
use crate::bootstrap::{Bootstrap, Interval, Units};
use crate::confusion::Confusion;
use crate::error::Result;

/// The usual figures of one label, each with its interval; none where there is no such figure, such as
/// the AUC of one kind alone.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Evaluation {
    /// From which score on a sample is said to be positive.
    pub threshold: f64,
    /// Counts at the threshold.
    pub confusion: Confusion,
    /// The area under the ROC curve, for which the threshold plays no part.
    pub auc: Option<Interval>,
    /// [`Confusion::sensitivity`].
    pub sensitivity: Option<Interval>,
    /// [`Confusion::specificity`].
    pub specificity: Option<Interval>,
    /// [`Confusion::ppv`].
    pub ppv: Option<Interval>,
    /// [`Confusion::npv`].
    pub npv: Option<Interval>,
    /// [`Confusion::accuracy`].
    pub accuracy: Option<Interval>,
    /// [`Confusion::balanced_accuracy`].
    pub balanced_accuracy: Option<Interval>,
}

/// Judges scores by what is true. The threshold is the same in all resamples: the intervals say nothing
/// of what choosing it would add, so choose it on other samples.
///
/// # Errors
/// [`Error::Argument`](crate::Error::Argument) for lengths that do not match, NaN, no samples, and
/// options out of range.
pub fn evaluate(
    scores: &[f64],
    truth: &[bool],
    threshold: f64,
    units: Units<'_>,
    bootstrap: &Bootstrap,
) -> Result<Evaluation> {
    let confusion = Confusion::at(scores, truth, threshold)?;
    let ranks = Ranks::of(scores);
    let figures = |samples: &[usize]| {
        let pairs = samples.iter().map(|&i| (scores[i] >= threshold, truth[i]));
        let found = Confusion::of(pairs);
        [
            ranks.auc(truth, samples.iter().copied()),
            found.sensitivity(),
            found.specificity(),
            found.ppv(),
            found.npv(),
            found.accuracy(),
            found.balanced_accuracy(),
        ]
    };
    let intervals = bootstrap.intervals(scores.len(), units, figures)?;
    let [
        auc,
        sensitivity,
        specificity,
        ppv,
        npv,
        accuracy,
        balanced_accuracy,
    ] = intervals;
    Ok(Evaluation {
        threshold,
        confusion,
        auc,
        sensitivity,
        specificity,
        ppv,
        npv,
        accuracy,
        balanced_accuracy,
    })
}
