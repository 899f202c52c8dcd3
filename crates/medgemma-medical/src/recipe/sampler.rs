//! Which slices of a volume are shown. MedGemma 1.5 was trained with at most 85: 85 × 256 soft tokens leave room for
//! the words in 32 K.

use crate::error::{Error, Result};

/// Which slices of a volume are shown, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Sampler {
    /// The notebook's: all up to 85, else `round(i / 85 · (n − 1))` for `i` from 1 to 85, in f64, half to even. The
    /// last slice is always among them, the first never.
    #[default]
    Published,
    /// As [`Published`](Self::Published), with another number than 85.
    AtMost(usize),
    /// Every slice.
    All,
    /// These slices, counted from 0, each after the one before.
    Slices(Vec<usize>),
}

/// The number of slices that MedGemma 1.5 was trained with at most.
const PUBLISHED: usize = 85;

impl Sampler {
    /// The slices chosen of `n`, counted from 0.
    ///
    /// # Errors
    /// [`Error::Argument`] for no slices, none wanted, or slices named that are not there or not in order.
    pub fn choose(&self, n: usize) -> Result<Vec<usize>> {
        if n == 0 {
            return Err(Error::argument("slices", "at least one slice", "none"));
        }
        match self {
            Self::Published => Ok(spread(n, PUBLISHED)),
            Self::AtMost(0) => Err(Error::argument(
                "sampler",
                "at least one slice to choose",
                "0",
            )),
            Self::AtMost(most) => Ok(spread(n, *most)),
            Self::All => Ok((0..n).collect()),
            Self::Slices(slices) => {
                let in_order = slices.is_sorted_by(|a, b| a < b);
                let last = slices.last().copied();
                if in_order && last.is_some_and(|last| last < n) {
                    return Ok(slices.clone());
                }
                let expected = format!("slices below {n}, each after the one before, at least one");
                let found = match last {
                    None => "none".to_owned(),
                    Some(_) if !in_order => "slices out of order, or one twice".to_owned(),
                    Some(last) => format!("slice {last}"),
                };
                Err(Error::argument("sampler", expected, found))
            }
        }
    }

    /// What a record calls it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Published => format!("medgemma-1.5 (at most {PUBLISHED})"),
            Self::AtMost(most) => format!("at most {most}"),
            Self::All => "all".to_owned(),
            Self::Slices(_) => "chosen by the caller".to_owned(),
        }
    }
}

/// All of `n`, or `most` of them spread evenly. Python's `round` of a float is half to even, too.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "no volume has 2^53 slices; the result lies below n"
)]
fn spread(n: usize, most: usize) -> Vec<usize> {
    if n <= most {
        return (0..n).collect();
    }
    let last = (n - 1) as f64;
    let at = |i: usize| (i as f64 / most as f64 * last).round_ties_even() as usize;
    (1..=most).map(at).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_is_few_is_taken_whole_and_what_is_many_spread() {
        assert_eq!(
            Sampler::Published.choose(85).unwrap(),
            Vec::from_iter(0..85)
        );
        let chosen = Sampler::Published.choose(300).unwrap();
        assert_eq!(chosen.len(), 85);
        assert_eq!(chosen[..3], [4, 7, 11]);
        assert_eq!(chosen[83..], [295, 299]);
        // One more than all: the first is left out.
        assert_eq!(
            Sampler::Published.choose(86).unwrap(),
            Vec::from_iter(1..86)
        );
        // 1.5 and 2.5 go to the even number.
        assert_eq!(Sampler::AtMost(2).choose(4).unwrap(), [2, 3]);
        assert_eq!(Sampler::AtMost(2).choose(6).unwrap(), [2, 5]);
        assert_eq!(Sampler::All.choose(90).unwrap().len(), 90);
    }

    #[test]
    fn slices_named_by_the_caller_are_checked() {
        let choose = |slices: &[usize]| Sampler::Slices(slices.to_vec()).choose(5);
        assert_eq!(choose(&[0, 2, 4]).unwrap(), [0, 2, 4]);
        for wrong in [&[][..], &[5], &[1, 1], &[2, 1]] {
            assert!(choose(wrong).unwrap_err().to_string().contains("below 5"));
        }
        assert!(Sampler::Published.choose(0).is_err());
        assert!(Sampler::AtMost(0).choose(5).is_err());
    }
}
