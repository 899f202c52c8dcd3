//! Which of a class's two probabilities is meant, by the name that a command line or a configuration spells.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Which of the two probabilities is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Probability {
    /// Each class on its own: several may be true, or none.
    Sigmoid,
    /// All classes together make 1: exactly one of them is true. Of a single class it is always 1.
    Softmax,
}

impl Probability {
    /// Both, in the order of the enumeration: for a help text or a test.
    pub const ALL: [Self; 2] = [Self::Sigmoid, Self::Softmax];

    /// `sigmoid` or `softmax`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid",
            Self::Softmax => "softmax",
        }
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Probability {
    type Err = Error;

    /// # Errors
    /// [`Error::ProbabilityName`] for any text but one of the names.
    fn from_str(name: &str) -> Result<Self> {
        let named = Self::ALL.into_iter().find(|each| each.name() == name);
        named.ok_or_else(|| Error::ProbabilityName {
            expected: Self::ALL.map(Self::name).join(", "),
            found: name.chars().take(80).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::Probability;

    #[test]
    fn each_is_read_by_the_name_it_is_shown_by() {
        assert_eq!(
            Probability::ALL.map(Probability::name),
            ["sigmoid", "softmax"]
        );
        for which in Probability::ALL {
            assert_eq!(which.to_string(), which.name());
            assert_eq!(which.name().parse::<Probability>().unwrap(), which);
        }
        assert_eq!(format!("{:>9}", Probability::Softmax), "  softmax");
    }

    #[test]
    fn another_name_is_refused_with_those_there_are() {
        for other in ["", "Sigmoid", " softmax", "probability"] {
            let told = other.parse::<Probability>().unwrap_err().to_string();
            let found = format!("found `{other}`");
            for part in ["`probability`", "sigmoid, softmax", &found] {
                assert!(told.contains(part), "`{part}` is not in: {told}");
            }
        }
        let long = "x".repeat(1000).parse::<Probability>().unwrap_err();
        assert!(long.to_string().len() < 200, "{long}");
    }
}
