//! Names as DICOM and HL7 write them, `Doe^Jane`. The form alone proves none: protocols and tests have carets, too.

use super::lists::{COMPANIONS, CREDENTIALS, LABELS, PARTICLES, TITLES};
use super::page::Page;
use crate::text::word::{is_ambiguous, is_first_name, is_ordinary, is_surname};

/// Words of one name at most: it has five parts in each of three spellings.
const LONGEST_CARET: usize = 20;
/// Words of protocols that the list of ordinary words lacks.
const PROTOCOLS: [&str; 16] = [
    "routine",
    "neuro",
    "abd",
    "thor",
    "pelv",
    "cardio",
    "vascular",
    "angio",
    "specials",
    "extremities",
    "protocol",
    "runoff",
    "thx",
    "cspine",
    "tspine",
    "lspine",
];
/// Behind the second caret of a coded test as HL7 has it, `TSH^Thyrotropin^LN`.
const CODE_SYSTEMS: [&str; 5] = ["ln", "loinc", "sct", "snm", "icd"];

impl Page<'_> {
    /// How many words from here are a name as DICOM and HL7 write it, `Doe^Jane`.
    pub(super) fn caret_name(&self, at: usize) -> usize {
        let mut end = at;
        // A surname of several words, of which the form tells only the last.
        let several = |end: usize| self.words[end].text.chars().count() > 1 && self.is_part(end);
        while self.gap(end) == " " && end - at < 2 && several(end) {
            end += 1;
        }
        let (surname, word) = (end, self.words[end]);
        let letters = word.text.chars().count();
        if !self.carets(end) || letters < 2 && word.text.is_ascii() {
            return 0;
        }
        while end - at < LONGEST_CARET {
            let next = end + 1;
            let given = || {
                // In capitals throughout, or not.
                let alike = self
                    .words
                    .get(next)
                    .is_some_and(|next| next.is_all_capital() == self.words[end].is_all_capital());
                self.gap(end) == " " && alike && self.is_part(next)
            };
            let gap = self.gap(end);
            let joined = !gap.is_empty() && gap.chars().all(|c| matches!(c, '^' | '='));
            if !joined && !given() {
                break;
            }
            end = next;
        }
        if self.is_labelled(at) || self.speaks_for_itself(at, surname, end) {
            end + 1 - at
        } else {
            0
        }
    }

    /// Whether words with carets are a name where nothing says so: a surname that ends at `surname`, a given name.
    /// Protocols (`Head^Routine`), tests, blood groups (`Fy^a`) and mutations (`BRAF^V600E`) have carets too.
    fn speaks_for_itself(&self, at: usize, surname: usize, end: usize) -> bool {
        let code = self.words[surname + 1..=end].get(1);
        if surname == end || code.is_some_and(|code| CODE_SYSTEMS.contains(&code.plain().as_str()))
        {
            return false;
        }
        self.words[at..=surname + 1].iter().all(|word| {
            let plain = word.plain();
            let long = word.text.chars().count() > 1 || !word.text.is_ascii();
            let digits = self.text[..word.start].ends_with(|c: char| c.is_ascii_digit())
                || self.text[word.end..].starts_with(|c: char| c.is_ascii_digit());
            let listed = is_first_name(&plain) || is_surname(&plain) || is_ambiguous(&plain);
            let ordinary = |part: &String| is_ordinary(part) || PROTOCOLS.contains(&part.as_str());
            let name = listed || !ordinary(&plain) && !parts(word.text).iter().any(ordinary);
            let written = !word.text.starts_with(char::is_lowercase) && name;
            long && !digits && (written || PARTICLES.contains(&plain.as_str()))
        })
    }

    /// Whether carets end a word and no number is behind them: `cm^2` is an area.
    fn carets(&self, at: usize) -> bool {
        let rest = &self.text[self.words[at].end..];
        let behind = rest.trim_start_matches('^');
        let ends = |c: char| c.is_alphabetic() || c.is_whitespace() || ",;.|)\"'=".contains(c);
        behind.len() < rest.len() && behind.chars().next().is_none_or(ends)
    }

    /// A word that can stand beside another in a part of such a name.
    fn is_part(&self, at: usize) -> bool {
        let word = self.words[at];
        let plain = word.plain();
        let known = [&TITLES[..], &LABELS, &COMPANIONS, &CREDENTIALS];
        let known = known.iter().any(|words| words.contains(&plain.as_str()));
        PARTICLES.contains(&plain.as_str()) || word.is_capital() && !known && !is_ordinary(&plain)
    }
}

/// `HeadRoutine` in two, in lower case; `McCoy` as well.
fn parts(word: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut small = false;
    for c in word.chars() {
        if small && c.is_uppercase() {
            parts.push(String::new());
        }
        small = c.is_lowercase();
        if let Some(part) = parts.last_mut() {
            part.extend(c.to_lowercase());
        }
    }
    parts
}
