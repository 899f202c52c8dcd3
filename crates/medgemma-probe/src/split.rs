//! Samples into a part to fit to and a part to judge by, no group in both.

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;

use crate::error::{Error, Result};

/// Numbers of samples, each in one of the two parts, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Split {
    /// What to fit to.
    pub train: Vec<usize>,
    /// What to judge by.
    pub test: Vec<usize>,
}

/// Splits samples by the group of each, such as its patient: pictures of one patient resemble each
/// other, and a probe that has seen one of them is judged too well by the others. `test` is the share of
/// groups, not of samples, to judge by; there is at least one on either side. Equal seeds split alike.
///
/// # Errors
/// [`Error::Argument`] for fewer than two groups, and a share that is not between 0 and 1.
pub fn split_by_group<G: Ord>(groups: &[G], test: f64, seed: u64) -> Result<Split> {
    if !(test > 0.0 && test < 1.0) {
        return Err(Error::argument(
            "test",
            "a share between 0 and 1",
            test.to_string(),
        ));
    }
    let distinct: BTreeSet<&G> = groups.iter().collect();
    let mut shuffled: Vec<&G> = distinct.into_iter().collect();
    if shuffled.len() < 2 {
        let found = shuffled.len().to_string();
        return Err(Error::argument("groups", "two groups or more", found));
    }
    shuffled.shuffle(&mut ChaCha12Rng::seed_from_u64(seed));
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a number of groups times a share"
    )]
    let count = (test * shuffled.len() as f64).round() as usize;
    let count = count.clamp(1, shuffled.len() - 1);
    let chosen: BTreeSet<&G> = shuffled[..count].iter().copied().collect();
    let (test, train) = (0..groups.len()).partition(|&sample| chosen.contains(&groups[sample]));
    Ok(Split { train, test })
}
