//! A figure and how far it could be another, or why that cannot be told.

use std::fmt;

/// Independent samples, or groups, of the kind that a figure is of: fewer are not drawn from. Percentile
/// intervals of level 0.95 hold an AUC of 0.86 in 27 of 100 trials with one positive among 60 negatives, in 60
/// with two, 76 with three, 84 with five, 90 with ten and 93 with forty (a thousand trials of each,
/// `intervals_of_few_positives_are_not_shown_or_hold_the_truth` without this rule).
pub(crate) const FEWEST: usize = 5;

/// Resamples without the figure that an interval bears. A kind of which none is drawn more often than this has
/// three groups or fewer: e⁻³ of the resamples are without.
const UNDEFINED: f64 = 0.03;

/// A figure and its interval.
///
/// `Display` writes `0.93 (0.85 to 0.98)`, or `0.93 (no interval)`; a precision is that of all three numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Interval {
    /// The figure of the samples themselves.
    pub estimate: f64,
    /// The lower and the upper end, or why there are none that could be relied on. Report such a figure with
    /// the number of samples or groups that it is of, and the reason.
    pub ends: Result<[f64; 2], NoInterval>,
    /// Resamples that have no such figure, such as those without a positive. They are left out.
    pub undefined: u32,
}

/// Why a figure has no interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum NoInterval {
    /// The samples, or with [`Units::Groups`](crate::Units::Groups) the groups, are fewer than five of a kind
    /// that the figure needs: of positives or of negatives for an AUC, of positives for a sensitivity. What is
    /// drawn from so few says little of others.
    Few {
        /// How many there are.
        found: usize,
    },
    /// More than three resamples of a hundred have no such figure: one kind is too rare.
    Undefined,
    /// Both ends are the same figure, which all or nearly all resamples gave, as where every positive of every
    /// group is found, or where no negative scores above a positive (an AUC of 1). That says how few samples
    /// there are, not how sure the figure is.
    Same,
}

impl fmt::Display for NoInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Few { found } => write!(
                f,
                "{found} to draw from of a kind that the figure needs, {FEWEST} are the least: intervals of fewer hold the truth far less often than they say"
            ),
            Self::Undefined => write!(
                f,
                "too many draws are without the kind that the figure is of, which is too rare"
            ),
            Self::Same => write!(
                f,
                "both ends are one figure, which shows that the samples are few, not that it is sure"
            ),
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (estimate, digits) = (self.estimate, f.precision().unwrap_or(2));
        match self.ends {
            Ok([low, high]) => {
                write!(f, "{estimate:.digits$} ({low:.digits$} to {high:.digits$})")
            }
            Err(_) => write!(f, "{estimate:.digits$} (no interval)"),
        }
    }
}

impl Interval {
    /// The interval of percentiles `ends` of all resamples that have the figure, `undefined` of `resamples`
    /// being without, if it is one to be relied on.
    pub(crate) fn of(estimate: f64, ends: [f64; 2], undefined: u32, resamples: u32) -> Self {
        let [low, high] = ends;
        let ends = if f64::from(undefined) > UNDEFINED * f64::from(resamples) {
            Err(NoInterval::Undefined)
        } else if low >= high {
            Err(NoInterval::Same)
        } else {
            Ok(ends)
        };
        Self {
            estimate,
            ends,
            undefined,
        }
    }

    /// The same, without ends if so many samples or groups are too few.
    pub(crate) fn drawn_from(self, found: usize) -> Self {
        if found < FEWEST {
            let ends = Err(NoInterval::Few { found });
            return Self { ends, ..self };
        }
        self
    }

    /// The same interval, as far as to take these ends in; these and the figure itself if there was none.
    pub(crate) fn with_ends(self, [low, high]: [f64; 2]) -> Self {
        let ends = match self.ends {
            Ok([lower, higher]) => [lower.min(low), higher.max(high)],
            // The figure, since a formula's end may be below a share of 1 by its rounding.
            Err(_) => [self.estimate.min(low), self.estimate.max(high)],
        };
        Self {
            ends: Ok(ends),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Interval, NoInterval};

    #[test]
    fn an_interval_is_written_with_its_ends_or_without() {
        let found = Interval::of(0.927, [0.851, 0.984], 0, 100);
        assert_eq!(format!("{found}"), "0.93 (0.85 to 0.98)");
        assert_eq!(format!("{found:.3}"), "0.927 (0.851 to 0.984)");
        let none = found.drawn_from(4);
        assert_eq!(none.ends, Err(NoInterval::Few { found: 4 }));
        assert_eq!(format!("{none:.1}"), "0.9 (no interval)");
        assert!(NoInterval::Few { found: 4 }.to_string().starts_with("4 to"));
        assert_eq!(found.drawn_from(5), found);
    }

    #[test]
    fn draws_without_the_figure_and_draws_that_are_all_alike_make_none() {
        let ends = |ends, undefined| Interval::of(0.5, ends, undefined, 1000).ends;
        assert_eq!(ends([0.4, 0.6], 30), Ok([0.4, 0.6]));
        assert_eq!(ends([0.4, 0.6], 31), Err(NoInterval::Undefined));
        assert_eq!(ends([0.5, 0.5], 0), Err(NoInterval::Same));
    }
}
