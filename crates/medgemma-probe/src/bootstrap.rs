//! How far a figure could be another with other samples of the same kind: percentile intervals of the
//! bootstrap (Efron 1979; Efron and Tibshirani 1993, "An introduction to the bootstrap", §13.3).

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

use crate::error::{Error, Result};
use crate::interval::Interval;

/// What is drawn again and again, with replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Units<'a> {
    /// Samples, all alike: how many there are of a class varies, too.
    Samples,
    /// Samples of each class among themselves: `classes[i]` is that of sample i. As many of each class
    /// as there are.
    Classes(&'a [usize]),
    /// Whole groups: `groups[i]` is that of sample i. Pictures of one patient are not independent of
    /// each other; intervals that take them for it are too narrow. Needs some dozens of groups.
    Groups(&'a [usize]),
}

/// How intervals are made.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Bootstrap {
    /// How many times the samples are drawn anew. 2000 by default, at most a million.
    pub resamples: u32,
    /// The share of resamples within the interval. 0.95 by default.
    pub level: f64,
    /// Equal seeds draw the same. 0 by default.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            resamples: 2000,
            level: 0.95,
            seed: 0,
        }
    }
}

impl Bootstrap {
    /// Sets [`resamples`](Self::resamples).
    #[must_use]
    pub fn with_resamples(mut self, resamples: u32) -> Self {
        self.resamples = resamples;
        self
    }

    /// Sets [`level`](Self::level).
    #[must_use]
    pub fn with_level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Sets [`seed`](Self::seed).
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The interval of a figure of `count` samples. `figure` is given the samples' numbers, each as
    /// often as it was drawn, and says `None`, or a number that is not finite, where there is no such
    /// figure. `None` if there is none of the samples themselves, or of no resample. The figure alone, without
    /// ends, if there are fewer than five samples or groups to draw, if more than three resamples of a hundred
    /// are without it, or if all of them have the same: see [`NoInterval`](crate::NoInterval). Which of the
    /// samples the figure is of is not known here: of positives fewer than five, [`evaluate`](crate::evaluate)
    /// gives no ends, and for a figure of your own it is yours to see to.
    ///
    /// # Errors
    /// [`Error::Argument`] for options out of range, no samples, and lengths that do not match.
    pub fn interval(
        &self,
        count: usize,
        units: Units<'_>,
        mut figure: impl FnMut(&[usize]) -> Option<f64>,
    ) -> Result<Option<Interval>> {
        let [interval] = self.intervals(count, units, |samples| [figure(samples)])?;
        Ok(interval)
    }

    /// The intervals of several figures of the same resamples.
    ///
    /// # Errors
    /// As [`Bootstrap::interval`].
    pub fn intervals<const N: usize>(
        &self,
        count: usize,
        units: Units<'_>,
        mut figures: impl FnMut(&[usize]) -> [Option<f64>; N],
    ) -> Result<[Option<Interval>; N]> {
        self.check(count, units)?;
        let drawn = Drawn::of(count, units);
        let to_draw = drawn.count();
        let all: Vec<usize> = (0..count).collect();
        let estimates = figures(&all).map(|value| value.filter(|value| value.is_finite()));
        let mut values: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
        let mut random = ChaCha12Rng::seed_from_u64(self.seed);
        let mut samples = Vec::with_capacity(count);
        for _ in 0..self.resamples {
            drawn.again(&mut random, &mut samples);
            for (values, value) in values.iter_mut().zip(figures(&samples)) {
                values.extend(value.filter(|value| value.is_finite()));
            }
        }
        let tail = (1.0 - self.level) / 2.0;
        let mut at = 0;
        Ok(values.map(|mut values| {
            let estimate = estimates[at];
            at += 1;
            values.sort_by(f64::total_cmp);
            let defined = u32::try_from(values.len()).expect("no more than resamples");
            let undefined = self.resamples - defined;
            let ends = [quantile(&values, tail)?, quantile(&values, 1.0 - tail)?];
            let interval = Interval::of(estimate?, ends, undefined, self.resamples);
            Some(interval.drawn_from(to_draw))
        }))
    }

    fn check(&self, count: usize, units: Units<'_>) -> Result<()> {
        let (argument, expected, found) = if !(1..=1_000_000).contains(&self.resamples) {
            let found = self.resamples.to_string();
            ("bootstrap.resamples", "1 to a million", found)
        } else if !(self.level > 0.0 && self.level < 1.0) {
            let found = self.level.to_string();
            ("bootstrap.level", "a share between 0 and 1", found)
        } else if count == 0 {
            ("count", "at least one sample", "none".to_owned())
        } else {
            return match units {
                Units::Classes(of) if of.len() != count => {
                    Err(Error::length("units.classes", count, "sample", of.len()))
                }
                Units::Groups(of) if of.len() != count => {
                    Err(Error::length("units.groups", count, "sample", of.len()))
                }
                _ => Ok(()),
            };
        };
        Err(Error::argument(argument, expected, found))
    }
}

/// Samples as they are drawn.
enum Drawn {
    /// From each list as many of its samples as it has.
    Within(Vec<Vec<usize>>),
    /// As many lists as there are, each with all of its samples.
    Whole(Vec<Vec<usize>>),
}

impl Drawn {
    fn of(count: usize, units: Units<'_>) -> Self {
        let lists = |of: &[usize]| {
            let mut lists: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for (sample, &list) in of.iter().enumerate() {
                lists.entry(list).or_default().push(sample);
            }
            lists.into_values().collect()
        };
        match units {
            Units::Samples => Self::Within(vec![(0..count).collect()]),
            Units::Classes(classes) => Self::Within(lists(classes)),
            Units::Groups(groups) => Self::Whole(lists(groups)),
        }
    }

    /// How many samples or groups are drawn each time.
    fn count(&self) -> usize {
        match self {
            Self::Within(lists) => lists.iter().map(Vec::len).sum(),
            Self::Whole(lists) => lists.len(),
        }
    }

    /// Draws into `samples`.
    fn again(&self, random: &mut ChaCha12Rng, samples: &mut Vec<usize>) {
        samples.clear();
        match self {
            Self::Within(lists) => {
                for list in lists {
                    samples.extend(
                        list.iter()
                            .map(|_| list[random.random_range(0..list.len())]),
                    );
                }
            }
            Self::Whole(lists) => {
                for _ in lists {
                    samples.extend(&lists[random.random_range(0..lists.len())]);
                }
            }
        }
    }
}

/// The value below which a share of sorted values lies, between two of them in proportion: numpy's
/// default. None of none.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a place among at most a million values"
)]
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (place.floor(), place.ceil());
    let [low, high] = [below, above].map(|place| sorted[place as usize]);
    Some(low + (high - low) * (place - below))
}

#[cfg(test)]
mod tests {
    use super::quantile;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Goldens {
        percentiles: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        values: Vec<f64>,
        at: Vec<f64>,
        expected: Vec<f64>,
    }

    #[test]
    fn quantiles_equal_numpy() {
        let text = include_str!("../tests/golden/metrics.json");
        let goldens: Goldens = serde_json::from_str(text).expect("a committed file");
        assert_eq!(goldens.percentiles.len(), 4);
        for mut case in goldens.percentiles {
            case.values.sort_by(f64::total_cmp);
            for (at, expected) in case.at.into_iter().zip(case.expected) {
                let found = quantile(&case.values, at / 100.0).expect("values");
                assert!((found - expected).abs() < 1e-14, "{at}: {found} {expected}");
            }
        }
        assert_eq!(quantile(&[], 0.5), None);
    }
}
