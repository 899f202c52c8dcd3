//! One bit a row, in words of 64 rows.

/// Rows of a word.
pub(crate) const WORD: usize = 64;

/// Some of the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mask(Vec<u64>);

impl Mask {
    pub(crate) fn from_words(words: Vec<u64>) -> Self {
        Self(words)
    }

    pub(crate) fn contains(&self, row: usize) -> bool {
        self.word(row / WORD) >> (row % WORD) & 1 == 1
    }

    /// Rows `64 · index` and following, the lowest bit first; none beyond the end.
    pub(crate) fn word(&self, index: usize) -> u64 {
        self.0.get(index).copied().unwrap_or(0)
    }

    pub(crate) fn insert(&mut self, row: usize) {
        if self.0.len() <= row / WORD {
            self.0.resize(row / WORD + 1, 0);
        }
        self.0[row / WORD] |= 1 << (row % WORD);
    }

    pub(crate) fn remove(&mut self, row: usize) {
        if let Some(word) = self.0.get_mut(row / WORD) {
            *word &= !(1 << (row % WORD));
        }
    }

    /// Number of rows.
    pub(crate) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(crate) fn words(&self) -> usize {
        self.0.len()
    }

    /// The rows, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        let words = self.0.iter().enumerate();
        words.flat_map(|(index, &word)| bits(word).map(move |bit| index * WORD + bit))
    }
}

/// The bits of a word that are set, in order.
pub(crate) fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (word != 0).then(|| {
            let bit = word.trailing_zeros() as usize;
            word &= word - 1;
            bit
        })
    })
}

#[cfg(test)]
mod tests {
    use super::Mask;

    #[test]
    fn what_is_put_in_comes_out_in_order() {
        let mut mask = Mask::default();
        for row in [200, 0, 63, 64, 65, 3] {
            mask.insert(row);
        }
        mask.remove(64);
        mask.remove(10_000);
        assert_eq!(mask.iter().collect::<Vec<_>>(), [0, 3, 63, 65, 200]);
        assert_eq!(mask.count(), 5);
        assert!(mask.contains(63) && !mask.contains(64) && !mask.contains(99_999));
    }
}
