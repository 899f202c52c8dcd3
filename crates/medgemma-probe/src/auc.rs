//! The area under the receiver operating characteristic: the probability that a positive scores above a
//! negative, a tie counting half (Hanley and McNeil 1982, "The meaning and use of the area under a
//! receiver operating characteristic (ROC) curve").

use crate::data::check_scores;
use crate::error::{Error, Result};

/// The area under the ROC curve of scores against what is true.
///
/// # Errors
/// [`Error::Argument`] unless there is a truth for each score, of both kinds, and no score is NaN.
pub fn roc_auc(scores: &[f64], truth: &[bool]) -> Result<f64> {
    check_scores(scores, truth)?;
    Ranks::of(scores)
        .auc(truth, 0..scores.len())
        .ok_or_else(|| {
            let positives = truth.iter().filter(|&&truth| truth).count();
            let found = format!("{positives} positives among {}", truth.len());
            Error::argument("truth", "positives and negatives", found)
        })
}

/// Scores by their order alone: equal ones have one rank. Made once for all resamples.
pub(crate) struct Ranks {
    rank: Vec<usize>,
    count: usize,
}

impl Ranks {
    /// Of scores that are not NaN.
    pub(crate) fn of(scores: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let (mut rank, mut count) = (vec![0; scores.len()], 0);
        for (place, &sample) in order.iter().enumerate() {
            // Zeros of both signs are equal, though not to `total_cmp`.
            if place > 0 && scores[order[place - 1]] != scores[sample] {
                count += 1;
            }
            rank[sample] = count;
        }
        Self {
            rank,
            count: count + 1,
        }
    }

    /// The area for some of the samples, each as often as it is named; none without both kinds.
    pub(crate) fn auc(&self, truth: &[bool], samples: impl Iterator<Item = usize>) -> Option<f64> {
        let mut at_rank = vec![[0_u64; 2]; self.count];
        for sample in samples {
            at_rank[self.rank[sample]][usize::from(truth[sample])] += 1;
        }
        let (mut negatives, mut positives, mut halves) = (0, 0, 0);
        for [negative, positive] in at_rank {
            halves += positive * (2 * negatives + negative);
            negatives += negative;
            positives += positive;
        }
        let pairs = positives * negatives;
        (pairs > 0).then(|| halves as f64 / (2 * pairs) as f64)
    }
}
