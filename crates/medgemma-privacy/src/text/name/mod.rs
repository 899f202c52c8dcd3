//! Names: capitalised words behind a title, beside a relative or a credential, out of a list, or two that
//! no list of ordinary words explains. What was found once is found wherever it stands again.

mod caret;
mod lists;
mod page;
mod run;

use std::collections::BTreeSet;

use self::lists::{COMPANIONS, CREDENTIALS, LABELS, LINKS, PARTICLES, TITLES};
use self::page::{Page, words};
use self::run::Place;
use super::space::PARAGRAPH;
use super::word::{is_ambiguous, is_first_name, is_ordinary, is_surname};
use super::{Finding, Identifier};

/// Names in no order; they may overlap.
pub(super) fn find(text: &str) -> Vec<Finding> {
    let words = words(text);
    let page = Page {
        text,
        words: &words,
    };
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let length = page.name_at(at);
        if length == 0 {
            at += 1;
            continue;
        }
        found.push((at, length));
        at += length;
    }
    let known: BTreeSet<String> = found
        .iter()
        .flat_map(|&(at, length)| {
            // Carets alone are little to go by for the rest of a text.
            let by_form = page.caret_name(at) > 0 && !page.is_labelled(at);
            let words = words[at..at + length].iter().map(|word| word.plain());
            words.filter(move |word| !by_form || is_first_name(word) || is_surname(word))
        })
        .filter(|word| word.chars().count() >= 3 && !PARTICLES.contains(&word.as_str()))
        .filter(|word| !is_ordinary(word))
        .collect();
    let again = words.iter().enumerate().filter_map(|(at, word)| {
        (word.is_capital() && known.contains(&word.plain())).then_some((at, 1))
    });
    let all: Vec<(usize, usize)> = found.iter().copied().chain(again).collect();
    let findings = all.into_iter().map(|(at, length)| Finding {
        identifier: Identifier::Name,
        range: words[at].start..words[at + length - 1].name_end(),
    });
    findings.collect()
}

impl Page<'_> {
    fn is_labelled(&self, at: usize) -> bool {
        let before = self.before(at);
        before.is_some_and(|(before, gap)| {
            LABELS.contains(&before.as_str()) && matches!(gap.trim(), ":" | "=")
        })
    }

    /// How many words from here are a name; none mostly.
    fn name_at(&self, at: usize) -> usize {
        let caret_name = self.caret_name(at);
        if caret_name > 0 {
            return caret_name;
        }
        let word = self.words[at];
        if !word.is_capital() {
            return 0;
        }
        let plain = word.plain();
        if TITLES.contains(&plain.as_str()) && self.gap(at).trim() != ":" && !word.is_initial() {
            return 0;
        }
        if self.is_dotted_credential(at)
            && self.before(at).is_some_and(|(_, gap)| gap.starts_with(','))
        {
            return 0;
        }
        if let Some((before, gap)) = self.before(at) {
            let before = before.as_str();
            if TITLES.contains(&before) && matches!(gap, " " | "\n" | ". " | ".\n" | ".") {
                return self.run(at, Place::Certain);
            }
            if self.is_labelled(at) {
                let certain = before == "name";
                let place = if certain {
                    Place::Certain
                } else {
                    Place::Likely
                };
                return self.run(at, place);
            }
            if COMPANIONS.contains(&before) && matches!(gap, " " | ", " | ",\n") {
                let run = self.run(at, Place::Likely);
                if run > 0 {
                    return run;
                }
            }
        }
        let run = self.run(at, Place::Anywhere);
        if run == 0 {
            return 0;
        }
        let listed = self.listed(at, run);
        let unexplained = run > 1 && !self.is_heading(at, run);
        let linked = self.before(at).is_some_and(|(before, gap)| {
            LINKS.contains(&before.as_str()) && matches!(gap, " " | "\n")
        });
        let name = listed
            || self.credential_after(at + run - 1)
            || unexplained && (linked || !self.starts_sentence(at));
        if name { run } else { 0 }
    }

    /// Whether a list knows part of these words as a name and nothing else.
    fn listed(&self, at: usize, length: usize) -> bool {
        let words = &self.words[at..at + length];
        let several = words.iter().filter(|word| !word.is_initial()).count() > 1 || length > 1;
        words.iter().any(|word| {
            let plain = word.plain();
            let first = is_first_name(&plain) && !is_ambiguous(&plain);
            first || several && (is_surname(&plain) || is_first_name(&plain))
        })
    }

    fn credential_after(&self, at: usize) -> bool {
        let Some(next) = self.words.get(at + 1) else {
            return false;
        };
        if !matches!(self.gap(at), ", " | ",\n" | " " | ",") || !next.is_capital() {
            return false;
        }
        let plain = next.plain();
        let known = |word: &str| CREDENTIALS.contains(&word);
        // In capitals, since `do` and `pa` are words; but for those that are none and are not written so.
        next.is_all_capital() && known(&plain)
            || ["phd", "pharmd", "mbchb", "esq"].contains(&plain.as_str())
            || self.is_dotted_credential(at + 1)
    }

    /// `M.D.`
    fn is_dotted_credential(&self, at: usize) -> bool {
        let (word, next) = (self.words[at], self.words.get(at + 1));
        let next = next.filter(|_| word.is_initial() && self.gap(at) == ".");
        next.is_some_and(|next| {
            let both = format!("{}{}", word.plain(), next.plain());
            CREDENTIALS.contains(&both.as_str())
        })
    }

    fn starts_sentence(&self, at: usize) -> bool {
        let gap = match at.checked_sub(1) {
            Some(before) => self.gap(before),
            None => return true,
        };
        gap.contains(['.', '\n', PARAGRAPH, ':', ';', '!', '?', '•', '|']) || gap.contains("- ")
    }

    /// All in capitals, in a text that is, or in front of a colon: more likely a heading.
    fn is_heading(&self, at: usize, length: usize) -> bool {
        let words = &self.words[at..at + length];
        words.iter().any(|word| word.is_all_capital()) || self.gap(at + length - 1).starts_with(':')
    }
}
