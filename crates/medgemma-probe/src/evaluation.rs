//! What a probe's probabilities are worth, on samples that it was not fitted to.

use std::collections::BTreeSet;

use crate::auc::Ranks;
use crate::bootstrap::{Bootstrap, Units};
use crate::confusion::Confusion;
use crate::error::Result;
use crate::interval::Interval;
use crate::wilson::wilson;

/// The usual figures of one label, each with its interval; none where there is no such figure, such as
/// the AUC of one kind alone.
///
/// Intervals are the bootstrap's. Those of shares (sensitivity, specificity, predictive values, accuracy)
/// take in Wilson's score interval (Wilson 1927; Brown, Cai and DasGupta 2001) as well, where samples are
/// drawn and so taken for independent: 30 positives of 30 found is a sensitivity of 0.89 to 1, while a
/// bootstrap, which has nothing else to draw, says 1 to 1. Groups have no such formula, nor has an AUC of
/// 1 or a balanced accuracy of 1: these have no interval, and neither has a figure of fewer than five groups,
/// or an AUC or a balanced accuracy of fewer than five positives or negatives. [`Interval::ends`] then says why,
/// a [`NoInterval`](crate::NoInterval).
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

/// Judges scores by what is true: probabilities with a threshold of their kind, or
/// [`Probe::log_odds`](crate::Probe::log_odds) with one of theirs, ln p / (1 − p), whose AUC stays exact
/// where probabilities round to 0 and 1 and so tie. The threshold is the same in all resamples: the intervals say nothing
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
    let said = |sample: usize| scores[sample] >= threshold;
    let positives = drawn(units, truth.len(), |sample| truth[sample]);
    let negatives = drawn(units, truth.len(), |sample| !truth[sample]);
    let called = drawn(units, truth.len(), said);
    let passed = drawn(units, truth.len(), |sample| !said(sample));
    // An interval of two kinds is as good as that of the rarer one.
    let both = |interval: Option<Interval>| Some(interval?.drawn_from(positives.min(negatives)));
    // The percentiles of a share near 0 or 1 are too close to it, not only those of 0 and 1 themselves.
    let share = |interval: Option<Interval>, of: usize, hits, misses| match units {
        Units::Samples | Units::Classes(_) => {
            interval.map(|found| found.with_ends(wilson(hits, misses, bootstrap.level)))
        }
        Units::Groups(_) => Some(interval?.drawn_from(of)),
    };
    let (hits, missed) = (confusion.true_positives, confusion.false_negatives);
    let (left, alarms) = (confusion.true_negatives, confusion.false_positives);
    let (right, wrong) = (hits + left, missed + alarms);
    Ok(Evaluation {
        threshold,
        confusion,
        auc: both(auc),
        sensitivity: share(sensitivity, positives, hits, missed),
        specificity: share(specificity, negatives, left, alarms),
        ppv: share(ppv, called, hits, alarms),
        npv: share(npv, passed, left, missed),
        accuracy: share(accuracy, drawn(units, truth.len(), |_| true), right, wrong),
        balanced_accuracy: both(balanced_accuracy),
    })
}

/// The samples of a kind, or the groups that have one of it: what there is to draw.
fn drawn(units: Units<'_>, samples: usize, of_kind: impl Fn(usize) -> bool) -> usize {
    let of_kind = (0..samples).filter(|&sample| of_kind(sample));
    match units {
        Units::Samples | Units::Classes(_) => of_kind.count(),
        Units::Groups(groups) => {
            let groups = of_kind.map(|sample| groups[sample]);
            groups.collect::<BTreeSet<_>>().len()
        }
    }
}
