//! Prompt-lookup speculation: guessing the next tokens from what was read and written already.
//!
//! An answer that extracts, rewrites or continues repeats its input for long stretches. The last
//! n-gram is looked up in the text so far, and what followed it there is the draft; one pass over
//! the draft then verifies all of it, for about the price of one token where reading the weights
//! is what costs. No second model, no training. Method: Saxena, "Prompt Lookup Decoding" (2023);
//! verification: Leviathan et al., arXiv 2211.17192, in its greedy case.

use std::fmt;

use crate::cache::TAKEN_BACK;
use crate::segment::Segment;

/// Whether tokens are drafted ahead and verified together. Only greedy choice without a repetition
/// penalty is ever sped up; anything else is written as if this were off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Speculation {
    /// One token a pass (default).
    #[default]
    Off,
    /// Drafts what followed the last n-gram earlier in the conversation. The answer is that of
    /// [`Speculation::Off`] wherever the two likeliest tokens are further apart than the rounding
    /// of a sum: several rows at once may be summed in another order than one.
    PromptLookup,
}

impl Speculation {
    /// As `Display` writes it: `off`, `prompt-lookup`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::PromptLookup => "prompt-lookup",
        }
    }
}

impl fmt::Display for Speculation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Lengths of the n-grams that are looked up, the surest first.
const NGRAMS: [usize; 2] = [3, 2];

/// Tokens of a draft when nothing is known yet: four rows with the token before it.
const FIRST: usize = 3;

/// Tokens of the longest draft. With the token before it these are the eight rows that the CPU's
/// kernels read each weight once for; of blocks, with AVX-512, in the arithmetic that they have for one.
const LONGEST: usize = 7;
const _: () = assert!(LONGEST < TAKEN_BACK, "a draft can be taken back");

/// The most tokens written without a draft after drafts that missed altogether.
const LONGEST_PAUSE: usize = 256;

/// A position that holds no token: rows of an image, or an id that cannot be read.
const BARRIER: u32 = u32::MAX;

/// The text so far, and how well guessing went.
///
/// Where a pass costs more with every row, drafts that miss are a loss, so their number is
/// bounded: each draft of which nothing was right is followed by a pause four times as long as the
/// one before, up to [`LONGEST_PAUSE`]. Nothing depends on time, so that an answer is written the
/// same way each time.
pub(crate) struct Drafter {
    ids: Vec<u32>,
    /// Tokens of the next draft.
    length: usize,
    /// Tokens still to be written without a draft.
    wait: usize,
    /// What `wait` becomes when the next draft misses.
    pause: usize,
}

impl Drafter {
    /// Guesses from what was `seen` earlier in the conversation and the `prompt` that follows it.
    pub(crate) fn reading(seen: &[u32], prompt: &[Segment], vocab_size: usize) -> Self {
        let read = prompt.iter().flat_map(|segment| match segment {
            Segment::Tokens(ids) => ids.iter().copied().map(Some).collect(),
            Segment::Embeddings(_) => vec![None],
        });
        let seen = seen.iter().copied().map(Some);
        Self::new(seen.chain(read), vocab_size)
    }

    /// `ids`: all that was read, `None` where an image lies.
    fn new(ids: impl Iterator<Item = Option<u32>>, vocab_size: usize) -> Self {
        let readable = |id: &u32| (*id as usize) < vocab_size;
        Self {
            ids: ids
                .map(|id| id.filter(readable).unwrap_or(BARRIER))
                .collect(),
            length: FIRST,
            wait: 0,
            pause: 1,
        }
    }

    /// Takes a token that was written.
    pub(crate) fn push(&mut self, id: u32) {
        self.ids.push(id);
        self.wait = self.wait.saturating_sub(1);
    }

    /// Guesses up to `most` next tokens; none while a pause lasts or when nothing is found.
    pub(crate) fn draft(&self, most: usize) -> Vec<u32> {
        if self.wait > 0 || most == 0 {
            return Vec::new();
        }
        let Some(from) = self.lookup() else {
            return Vec::new();
        };
        let mut draft: Vec<u32> = Vec::with_capacity(self.length);
        for index in from..from + self.length.min(most) {
            // What follows reaches the end of the text when the text repeats itself: go round.
            let id = match self.ids.get(index) {
                Some(&id) => id,
                None => draft[index - self.ids.len()],
            };
            if id == BARRIER {
                break;
            }
            draft.push(id);
        }
        draft
    }

    /// Takes note that of `drafted` tokens the first `accepted` were right.
    pub(crate) fn judge(&mut self, drafted: usize, accepted: usize) {
        if accepted == 0 {
            self.length = FIRST;
            self.wait = self.pause;
            self.pause = (4 * self.pause).min(LONGEST_PAUSE);
        } else if accepted < drafted {
            self.length = (accepted + 1).max(FIRST);
            self.pause = (self.pause / 4).max(1);
        } else {
            self.length = (2 * self.length + 1).min(LONGEST);
            self.pause = 1;
        }
    }

    /// Where the text goes on after the latest earlier occurrence of its last n-gram.
    fn lookup(&self) -> Option<usize> {
        let earlier = self.ids.split_last()?.1;
        NGRAMS.into_iter().find_map(|n| {
            let last = &self.ids[self.ids.len().checked_sub(n)?..];
            if last.contains(&BARRIER) {
                return None;
            }
            let start = earlier.windows(n).rposition(|ngram| ngram == last)?;
            Some(start + n)
        })
    }
}

#[cfg(test)]
mod tests {
    use medgemma_tensor::{Device, tensor_from};

    use super::{Drafter, FIRST, LONGEST, LONGEST_PAUSE};
    use crate::segment::Segment;

    fn drafter(ids: &[u32]) -> Drafter {
        let ids = ids.iter().map(|&id| (id != 0).then_some(id));
        Drafter::new(ids, 1000)
    }

    #[test]
    fn the_latest_occurrence_of_the_longest_ngram_is_continued() {
        let found = |ids: &[u32]| drafter(ids).draft(9);
        assert_eq!(found(&[1, 2, 3, 4, 5, 6, 7, 1, 2, 3]), [4, 5, 6]);
        // three tokens are surer than two, although the two occurred later
        assert_eq!(found(&[1, 2, 3, 4, 5, 6, 2, 3, 9, 1, 2, 3]), [4, 5, 6]);
        assert_eq!(found(&[8, 2, 3, 4, 5, 6, 2, 3, 9, 1, 2, 3]), [9, 1, 2]);
        assert_eq!(found(&[1, 2, 3, 4, 1, 2, 3, 5, 6, 7, 1, 2, 3]), [5, 6, 7]);
        // four are no surer than three: the later occurrence counts
        let text = [9, 1, 2, 3, 4, 5, 6, 8, 1, 2, 3, 7, 7, 7, 9, 1, 2, 3];
        assert_eq!(found(&text), [7, 7, 7]);
        assert_eq!(found(&[1, 2, 3, 4, 5, 3]), [] as [u32; 0], "one is too few");
        assert_eq!(found(&[1]), [] as [u32; 0]);
        assert_eq!(found(&[]), [] as [u32; 0]);
    }

    #[test]
    fn what_was_seen_comes_first_and_no_ngram_reaches_over_an_image() {
        let device = Device::cpu().expect("the feature cpu is on");
        let image = || Segment::Embeddings(tensor_from(vec![0.0; 4], [2, 2], &device));
        let found = |prompt: &[Segment]| Drafter::reading(&[1, 2, 3, 4, 5], prompt, 1000).draft(9);
        let tokens = |ids: &[u32]| Segment::Tokens(ids.to_vec());
        assert_eq!(found(&[tokens(&[6, 1, 2])]), [3, 4, 5]);
        assert_eq!(found(&[image(), tokens(&[1, 2])]), [3, 4, 5]);
        let none = [] as [u32; 0];
        assert_eq!(found(&[tokens(&[1]), image(), tokens(&[2])]), none);
        assert_eq!(found(&[tokens(&[6, 5]), image(), tokens(&[9, 6, 5])]), none);
    }

    #[test]
    fn a_text_that_repeats_itself_is_continued_beyond_its_end() {
        let mut drafter = drafter(&[4, 5, 4, 5, 4, 5]);
        assert_eq!(drafter.draft(9), [4, 5, 4]);
        drafter.judge(3, 3);
        assert_eq!(drafter.draft(9), [4, 5, 4, 5, 4, 5, 4]);
        assert_eq!(drafter.draft(2), [4, 5]);
        assert_eq!(drafter.draft(0), [] as [u32; 0]);
    }

    #[test]
    fn images_and_ids_out_of_range_are_never_drafted() {
        let found = |ids: &[u32]| drafter(ids).draft(9);
        assert_eq!(found(&[1, 2, 3, 4, 0, 6, 1, 2, 3]), [4]);
        assert_eq!(found(&[1, 2, 3, 4000, 6, 1, 2, 3]), [] as [u32; 0]);
        assert_eq!(found(&[1, 0, 2, 7, 8, 9, 1, 0, 2]), [] as [u32; 0]);
    }

    #[test]
    fn drafts_grow_while_they_hit_and_pause_while_they_miss() {
        let mut drafter = drafter(&[5; 40]);
        let mut lengths = Vec::new();
        for _ in 0..4 {
            let draft = drafter.draft(usize::MAX);
            lengths.push(draft.len());
            drafter.judge(draft.len(), draft.len());
        }
        assert_eq!(lengths, [FIRST, LONGEST, LONGEST, LONGEST]);
        drafter.judge(LONGEST, 4);
        assert_eq!(drafter.draft(usize::MAX).len(), 5);

        let mut tries = Vec::new();
        for written in 0..1500 {
            let drafted = drafter.draft(usize::MAX).len();
            if drafted > 0 {
                tries.push(written);
                drafter.judge(drafted, 0);
            }
            drafter.push(5);
        }
        let gaps: Vec<_> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(
            gaps,
            [
                1,
                4,
                16,
                64,
                LONGEST_PAUSE,
                LONGEST_PAUSE,
                LONGEST_PAUSE,
                LONGEST_PAUSE,
                LONGEST_PAUSE
            ]
        );
        drafter.wait = 0;
        drafter.judge(FIRST, 1);
        assert_eq!((drafter.pause, drafter.length), (LONGEST_PAUSE / 4, FIRST));
    }
}
