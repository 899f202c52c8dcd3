//! What tells one index from every other, its own copies included.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

/// 128 random bits, drawn when an index is made. They are in its header and in both slots of
/// `commit`, so that a reader notices when another index has taken the folder's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity(u128);

impl Identity {
    /// Bytes that it takes up.
    pub(crate) const LEN: usize = 16;

    /// One that no index has had before.
    pub(crate) fn new() -> Self {
        // The keys of `RandomState` are the system's random numbers: std has no plainer way to them.
        // Time and process would tell apart what is made where the system has none.
        let half = || RandomState::new().hash_one((SystemTime::now(), std::process::id()));
        Self(u128::from(half()) << 64 | u128::from(half()))
    }

    pub(crate) fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(u128::from_le_bytes(bytes))
    }

    pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
        self.0.to_le_bytes()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;

    #[test]
    fn no_two_are_the_same_in_either_half() {
        let drawn: Vec<u128> = (0..100).map(|_| Identity::new().0).collect();
        let mut halves: Vec<u128> = drawn
            .iter()
            .flat_map(|bits| [bits >> 64, bits & u128::from(u64::MAX)])
            .collect();
        halves.sort_unstable();
        halves.dedup();
        assert_eq!(halves.len(), 200);
    }
}
