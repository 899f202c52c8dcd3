//! What may be written: a hook between logits and choice, for answers of a given form.
//!
//! The decoder knows nothing of forms. A [`Constraint`] describes one and is shared; the
//! [`ConstraintState`] that it begins follows one answer: asked before each choice which ids may
//! come next, told afterwards which one came. Everything else (greedy choice, sampling, batches,
//! verified drafts) works as without, among fewer ids.

use std::fmt;

use crate::error::Error;

/// A form that answers must have. One value serves any number of answers at once.
pub trait Constraint: fmt::Debug + Send + Sync {
    /// The state before the first token of an answer.
    ///
    /// # Errors
    /// Whatever keeps the form from being followed; [`crate::Error::Constraint`] carries it.
    fn begin(&self) -> Result<Box<dyn ConstraintState>, ConstraintError>;
}

/// Where one answer stands in its form.
pub trait ConstraintState: Send {
    /// Puts the ids that may come next into `allowed`, which comes empty. Stop ids among them are
    /// allowed to end the answer there.
    ///
    /// # Errors
    /// When the state cannot tell; an answer ends there.
    fn allow(&mut self, allowed: &mut TokenSet) -> Result<(), ConstraintError>;

    /// Whether one id may come next: what [`ConstraintState::allow`] would say of it, for less. Greedy
    /// choice asks for the likeliest id first, and for all of them only when that one may not come.
    ///
    /// # Errors
    /// As [`ConstraintState::allow`].
    fn permits(&mut self, id: u32) -> Result<bool, ConstraintError>;

    /// Takes note of a token that was chosen, one of those allowed. Stop ids are not told.
    ///
    /// # Errors
    /// When the token cannot follow; an answer ends there.
    fn accept(&mut self, id: u32) -> Result<(), ConstraintError>;

    /// Whether the form is complete and nothing but a stop could follow: the answer ends then
    /// without another pass ([`crate::Finish::Complete`]).
    fn finished(&self) -> bool;
}

/// Why a form could not be followed.
pub type ConstraintError = Box<dyn std::error::Error + Send + Sync>;

/// Where one answer stands in its form, as the sampler asks for it.
pub(crate) struct Form {
    state: Box<dyn ConstraintState>,
    /// What may come next; kept to be filled again.
    allowed: TokenSet,
}

impl Form {
    pub(crate) fn begin(constraint: &dyn Constraint, vocab_size: usize) -> Result<Self, Error> {
        let state = constraint.begin();
        Ok(Self {
            state: state.map_err(|source| Error::Constraint {
                position: 0,
                source,
            })?,
            allowed: TokenSet::empty(vocab_size),
        })
    }

    pub(crate) fn allowed(&mut self, position: usize) -> Result<&TokenSet, Error> {
        self.allowed.clear();
        let told = self.state.allow(&mut self.allowed);
        told.map_err(|source| Error::Constraint { position, source })?;
        Ok(&self.allowed)
    }

    pub(crate) fn permits(&mut self, id: u32, position: usize) -> Result<bool, Error> {
        let told = self.state.permits(id);
        told.map_err(|source| Error::Constraint { position, source })
    }

    pub(crate) fn accept(&mut self, id: u32, position: usize) -> Result<(), Error> {
        let told = self.state.accept(id);
        told.map_err(|source| Error::Constraint { position, source })
    }

    pub(crate) fn finished(&self) -> bool {
        self.state.finished()
    }
}

/// Ids of a vocabulary, one bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSet {
    /// Bit `i` of word `w` stands for id `32 w + i`; bits beyond the vocabulary are 0.
    words: Vec<u32>,
    vocab_size: usize,
}

/// Ids of a word.
const BITS: usize = u32::BITS as usize;

impl TokenSet {
    /// None of the ids below `vocab_size`.
    #[must_use]
    pub fn empty(vocab_size: usize) -> Self {
        Self {
            words: vec![0; vocab_size.div_ceil(BITS)],
            vocab_size,
        }
    }

    /// Number of ids that there are, in the set or not.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Whether `id` is in the set.
    #[must_use]
    pub fn contains(&self, id: u32) -> bool {
        let (word, bit) = place(id);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Adds an id; one beyond the vocabulary is left out.
    pub fn insert(&mut self, id: u32) {
        let (word, bit) = place(id);
        if (id as usize) < self.vocab_size {
            self.words[word] |= bit;
        }
    }

    /// Takes an id out.
    pub fn remove(&mut self, id: u32) {
        let (word, bit) = place(id);
        if let Some(word) = self.words.get_mut(word) {
            *word &= !bit;
        }
    }

    /// Adds every id of the vocabulary.
    pub fn insert_all(&mut self) {
        self.words.fill(u32::MAX);
        self.cut();
    }

    /// Adds the ids of `words`, laid out as here: bit `i` of word `w` is id `32 w + i`. What lies
    /// beyond the vocabulary is left out.
    pub fn insert_words(&mut self, words: &[u32]) {
        for (to, from) in self.words.iter_mut().zip(words) {
            *to |= from;
        }
        self.cut();
    }

    /// Takes every id out.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Clears the bits beyond the vocabulary.
    fn cut(&mut self) {
        let spare = self.words.len() * BITS - self.vocab_size;
        if let Some(last) = self.words.last_mut() {
            *last &= u32::MAX >> spare;
        }
    }

    /// Index of the largest logit among the set's ids, the first of equals; `None` when the set is
    /// empty or all of them are −∞. `logits` has one number for each id.
    pub(crate) fn argmax(&self, logits: &[f32]) -> Option<usize> {
        let (mut argmax, mut highest) = (None, f32::NEG_INFINITY);
        for (index, (&word, block)) in self.words.iter().zip(logits.chunks(BITS)).enumerate() {
            if word == 0 {
                continue;
            }
            // Most words of a string's set are full or nearly so: compare lanes, then look again
            // at the few blocks that have something larger.
            let masked = masked(word, block);
            let most = maximum(&masked);
            if most > highest {
                highest = most;
                argmax = masked
                    .iter()
                    .position(|&logit| logit >= most)
                    .map(|at| index * BITS + at);
            }
        }
        argmax
    }

    /// The logits with −∞ in place of those of other ids.
    pub(crate) fn masked(&self, logits: &[f32]) -> Vec<f32> {
        let mut row = Vec::with_capacity(logits.len());
        for (&word, block) in self.words.iter().zip(logits.chunks(BITS)) {
            row.extend_from_slice(&masked(word, block)[..block.len()]);
        }
        row
    }
}

/// The logits of one word's ids, −∞ for those that are not in it.
fn masked(word: u32, block: &[f32]) -> [f32; BITS] {
    let mut row = [f32::NEG_INFINITY; BITS];
    if word == u32::MAX && block.len() == BITS {
        row.copy_from_slice(block);
        return row;
    }
    for (bit, (to, &logit)) in row.iter_mut().zip(block).enumerate() {
        // A choice, not a branch: it runs in vector lanes.
        *to = if word & (1 << bit) != 0 {
            logit
        } else {
            f32::NEG_INFINITY
        };
    }
    row
}

/// The largest of the numbers, none of which is NaN.
fn maximum(row: &[f32; BITS]) -> f32 {
    const LANES: usize = 8;
    let mut most = [f32::NEG_INFINITY; LANES];
    for values in row.as_chunks::<LANES>().0 {
        for lane in 0..LANES {
            most[lane] = if values[lane] > most[lane] {
                values[lane]
            } else {
                most[lane]
            };
        }
    }
    most.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// Word and bit of an id.
fn place(id: u32) -> (usize, u32) {
    (id as usize / BITS, 1 << (id % u32::BITS))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::TokenSet;

    fn set(vocab_size: usize, ids: &[u32]) -> TokenSet {
        let mut set = TokenSet::empty(vocab_size);
        ids.iter().for_each(|&id| set.insert(id));
        set
    }

    #[test]
    fn ids_beyond_the_vocabulary_are_never_in_it() {
        let mut all = TokenSet::empty(35);
        all.insert_all();
        assert!(all.contains(34) && !all.contains(35) && !all.contains(63) && !all.contains(9999));
        assert_eq!(set(35, &[35, 63, 64, 9999]), TokenSet::empty(35));
        let mut words = TokenSet::empty(35);
        words.insert_words(&[1 << 31, u32::MAX, u32::MAX]);
        assert_eq!(words, set(35, &[31, 32, 33, 34]));
        words.remove(33);
        words.remove(9999);
        assert_eq!(words, set(35, &[31, 32, 34]));
        words.clear();
        assert_eq!(words, TokenSet::empty(35));
        let mut none = TokenSet::empty(0);
        none.insert_all();
        assert_eq!(none.argmax(&[]), None);
    }

    #[test]
    fn the_first_of_the_largest_is_chosen_among_the_set_alone() {
        let mut logits = vec![0.0; 70];
        (logits[3], logits[40], logits[41], logits[69]) = (9.0, 5.0, 5.0, 7.0);
        assert_eq!(set(70, &[40, 41, 2]).argmax(&logits), Some(40));
        assert_eq!(set(70, &[41, 69]).argmax(&logits), Some(69));
        assert_eq!(set(70, &[]).argmax(&logits), None);
        let low = vec![f32::NEG_INFINITY; 70];
        assert_eq!(set(70, &[41]).argmax(&low), None);
    }

    proptest! {
        #[test]
        fn lanes_find_what_a_loop_finds(
            rows in prop::collection::vec((any::<bool>(), -4_i8..4), 1..200),
        ) {
            let logits: Vec<f32> = rows.iter().map(|row| f32::from(row.1)).collect();
            let mut set = TokenSet::empty(rows.len());
            for (id, _) in (0..).zip(&rows).filter(|(_, row)| row.0) {
                set.insert(id);
            }
            let mut best: Option<usize> = None;
            for (id, row) in rows.iter().enumerate().filter(|(_, row)| row.0) {
                if best.is_none_or(|best| row.1 > rows[best].1) {
                    best = Some(id);
                }
            }
            prop_assert_eq!(set.argmax(&logits), best);
            let expected: Vec<f32> = rows
                .iter()
                .map(|&(allowed, logit)| if allowed { f32::from(logit) } else { f32::NEG_INFINITY })
                .collect();
            prop_assert_eq!(set.masked(&logits), expected);
        }
    }
}
