//! How far a name goes from its first word: over particles, initials and ends of lines, but not into what follows it.

use super::lists::{CREDENTIALS, PARTICLES, TITLES};
use super::page::Page;
use crate::text::word::{is_ambiguous, is_first_name, is_ordinary, is_surname};

/// Words of one name at most.
const LONGEST: usize = 5;

/// How much what stands before a word makes it a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Anywhere,
    /// Behind a relative or a role.
    Likely,
    /// Behind a title, or `Name:`.
    Certain,
}

impl Page<'_> {
    /// How many words from here can be one name.
    pub(super) fn run(&self, at: usize, place: Place) -> usize {
        let mut length = 0;
        let mut end = at;
        while end < self.words.len() && end - at < LONGEST {
            let word = self.words[end];
            let particle = end > at && PARTICLES.contains(&word.plain().as_str());
            let taken = self.can_be_name(end, end == at, place);
            if !(taken || word.is_initial() || particle) {
                break;
            }
            if taken && !particle && (!word.is_initial() || end > at) {
                length = end + 1 - at;
            }
            let gap = self.gap(end);
            let surname_first =
                end == at && matches!(gap, ", " | ",\n") && self.comma_name(end, place);
            let joined = gap == " "
                || matches!(gap, ". " | ".\n" | ".") && word.is_initial()
                || gap == "\n" && self.wraps(at, end, place);
            if !(joined || surname_first) || word.name_end() < word.end {
                break;
            }
            end += 1;
        }
        let mut words = self.words[at..at + length].iter();
        if words.all(|word| word.is_initial()) {
            0
        } else {
            length
        }
    }

    /// Whether a name that began at `at` goes on behind the line that `end` ends. Most lines end elsewhere than
    /// in a name, and what follows may be a heading: a surname ends a name, and so does a second word.
    fn wraps(&self, at: usize, end: usize, place: Place) -> bool {
        let plain = self.words[end].plain();
        let next = self.words.get(end + 1).map(|next| next.plain());
        // `Moore, Alice` is whole.
        if self.gap(end + 1).starts_with(':') || end > at && self.gap(at).starts_with(',') {
            return false;
        }
        let alone = end == at || !is_surname(&plain);
        let first = is_first_name(&plain) && !is_ambiguous(&plain) && alone;
        let open = self.words[end].is_initial()
            || first
            || PARTICLES.contains(&plain.as_str())
            || next.is_some_and(|next| is_surname(&next) && !is_ordinary(&next));
        open || place != Place::Anywhere && end == at && !is_surname(&plain)
    }

    /// Whether a word can be part of a name, as the first of it or behind another part.
    fn can_be_name(&self, at: usize, first: bool, place: Place) -> bool {
        let word = self.words[at];
        let plain = word.plain();
        if !word.is_capital()
            || CREDENTIALS.contains(&plain.as_str())
            || TITLES.contains(&plain.as_str())
        {
            return false;
        }
        if !is_ordinary(&plain) || first && place == Place::Certain {
            return true;
        }
        // An ordinary word that is a name as well: where a name is looked for, or in company.
        let known = is_surname(&plain) || is_first_name(&plain);
        let next = || {
            let next = self.words.get(at + 1).filter(|_| self.gap(at) == " ");
            next.is_some_and(|next| next.is_capital() && !is_ordinary(&next.plain()))
        };
        known && (!first || place == Place::Likely || is_first_name(&plain) && next())
    }

    /// `Doe, Jane`: where a name is looked for, or a surname or first name that the lists know.
    fn comma_name(&self, at: usize, place: Place) -> bool {
        let Some(next) = self.words.get(at + 1) else {
            return false;
        };
        let known = is_first_name(&next.plain()) || is_surname(&self.words[at].plain());
        self.can_be_name(at + 1, false, place) && (known || place != Place::Anywhere)
    }
}
