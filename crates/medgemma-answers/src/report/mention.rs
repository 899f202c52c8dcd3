//! What a text says of each finding: there or not, and on which side.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::clause::{Word, clauses};
use super::lexicon::{
    DENY_BEFORE, DENY_BEHIND, DENY_EITHER, DOUBT_BEFORE, DOUBT_BEHIND, FINDINGS, Finding, HEART,
    NOT_DENIED, QUALIFIERS, phrase_at,
};

/// A finding that a text speaks of. `Debug` shows only where.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mention {
    /// What.
    pub finding: Finding,
    /// Whether it is said to be there.
    pub polarity: Polarity,
    /// Where, if the text says so near it.
    pub side: Option<Side>,
    /// Whether only some kind of it is denied: "no large effusion".
    pub qualified: bool,
    /// The bytes of the clause that says it.
    pub span: Range<usize>,
}

impl fmt::Debug for Mention {
    /// What is found, there or not, and on which side, is what a log must not know of a patient.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mention")
            .field("span", &self.span)
            .finish_non_exhaustive()
    }
}

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Polarity {
    /// It is.
    Present,
    /// It is not.
    Absent,
    /// It may be, or was.
    Uncertain,
}

/// A side of the patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Side {
    /// The patient's left.
    Left,
    /// The patient's right.
    Right,
    /// Both.
    Both,
}

/// Words of the findings of [`Finding`] in `text[range]`, in their order, as rules find them.
///
/// The rules are of NegEx's kind: a phrase of denial or doubt reaches to the end of its clause,
/// forwards or backwards; some phrases only look like denials. A side belongs to the finding that it
/// stands before, or behind with a preposition between. English only, and no understanding: see the
/// crate's README for how often this is right.
///
/// # Panics
/// If `range` is not within `text`, or cuts a character.
#[must_use]
pub fn mentions(text: &str, range: Range<usize>) -> Vec<Mention> {
    let mut found = Vec::new();
    for words in clauses(text, range) {
        let terms = terms(&words);
        let cues = Cues::of(&words);
        let span = match (words.first(), words.last()) {
            (Some(first), Some(last)) => first.span.start..last.span.end,
            _ => continue,
        };
        let asked = text[span.end..].trim_start().starts_with('?');
        for (index, (finding, at)) in terms.iter().enumerate() {
            let before = index.checked_sub(1).map_or(0, |before| terms[before].1.end);
            let behind = terms
                .get(index + 1)
                .map_or(words.len(), |(_, next)| next.start);
            let (polarity, qualified) = if asked {
                (Polarity::Uncertain, false)
            } else {
                cues.judge(at)
            };
            found.push(Mention {
                finding: *finding,
                polarity,
                side: side(&words, before..at.start, at.end..behind),
                qualified,
                span: span.clone(),
            });
        }
        found.extend(heart(&words, &terms).map(|polarity| Mention {
            finding: Finding::Cardiomegaly,
            polarity,
            side: None,
            qualified: false,
            span: span.clone(),
        }));
        if lungs_clear(&words) {
            found.extend(
                [Finding::Consolidation, Finding::Opacity].map(|finding| Mention {
                    finding,
                    polarity: Polarity::Absent,
                    side: None,
                    qualified: false,
                    span: span.clone(),
                }),
            );
        }
    }
    found
}

/// Findings and the words that name them.
fn terms(words: &[Word]) -> Vec<(Finding, Range<usize>)> {
    let mut terms = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let term = FINDINGS
            .iter()
            .find_map(|(phrase, finding)| Some((*finding, phrase_at(words, at, phrase)?)));
        at += match term {
            Some((finding, length)) => {
                terms.push((finding, at..at + length));
                length
            }
            None => 1,
        };
    }
    terms
}

/// What a phrase does to the findings on either side of it.
#[derive(Debug, Clone, Copy)]
enum Cue {
    DenyBefore,
    DenyBehind,
    DenyEither,
    DoubtBefore,
    DoubtBehind,
    None,
}

/// Phrases of denial and doubt in a clause, by their words.
struct Cues {
    deny_before: Vec<Range<usize>>,
    deny_behind: Vec<Range<usize>>,
    doubt_before: Vec<Range<usize>>,
    doubt_behind: Vec<Range<usize>>,
    /// How many words before each are qualifiers.
    qualifiers: Vec<usize>,
}

impl Cues {
    fn of(words: &[Word]) -> Self {
        let mut count = 0;
        let before = words.iter().map(|word| {
            let before = count;
            count += usize::from(QUALIFIERS.contains(&word.lower.as_str()));
            before
        });
        let mut cues = Self {
            qualifiers: before.collect(),
            deny_before: Vec::new(),
            deny_behind: Vec::new(),
            doubt_before: Vec::new(),
            doubt_behind: Vec::new(),
        };
        let mut at = 0;
        while at < words.len() {
            let longest = |phrases: &[&str]| {
                let lengths = phrases
                    .iter()
                    .filter_map(|phrase| phrase_at(words, at, phrase));
                lengths.max()
            };
            // Where two are equally long, the first counts.
            let lists = [
                (DOUBT_BEHIND, Cue::DoubtBehind),
                (DENY_EITHER, Cue::DenyEither),
                (DENY_BEHIND, Cue::DenyBehind),
                (NOT_DENIED, Cue::None),
                (DOUBT_BEFORE, Cue::DoubtBefore),
                (DENY_BEFORE, Cue::DenyBefore),
            ];
            let best = lists
                .into_iter()
                .filter_map(|(phrases, cue)| Some((longest(phrases)?, cue)))
                .reduce(|best, other| if other.0 > best.0 { other } else { best });
            at += match best {
                Some((length, cue)) => {
                    cues.note(cue, at..at + length);
                    length
                }
                None => 1,
            };
        }
        cues
    }

    fn note(&mut self, cue: Cue, words: Range<usize>) {
        match cue {
            Cue::DoubtBehind => self.doubt_behind.push(words),
            Cue::DoubtBefore => self.doubt_before.push(words),
            Cue::DenyBehind => self.deny_behind.push(words),
            Cue::DenyBefore => self.deny_before.push(words),
            Cue::DenyEither => {
                self.deny_before.push(words.clone());
                self.deny_behind.push(words);
            }
            Cue::None => {}
        }
    }

    /// What the clause says of the finding at these words, and whether it denies some kind of it only.
    /// Cues are in the order of the clause, and many findings ask for them.
    fn judge(&self, at: &Range<usize>) -> (Polarity, bool) {
        let before = |cues: &[Range<usize>]| {
            let before = cues.partition_point(|cue| cue.end <= at.start);
            before.checked_sub(1).map(|last| cues[last].clone())
        };
        let behind = |cues: &[Range<usize>]| cues.last().is_some_and(|cue| cue.start >= at.end);
        if behind(&self.doubt_behind) {
            return (Polarity::Uncertain, false);
        }
        if let Some(cue) = before(&self.deny_before) {
            // The cue ends where the finding begins at the latest, which is a word.
            let qualified = self.qualifiers[cue.end] < self.qualifiers[at.start];
            return (Polarity::Absent, qualified);
        }
        if behind(&self.deny_behind) {
            return (Polarity::Absent, false);
        }
        if before(&self.doubt_before).is_some() {
            return (Polarity::Uncertain, false);
        }
        (Polarity::Present, false)
    }
}

/// Words between a finding and the side behind it.
const PREPOSITIONS: [&str; 7] = ["on", "in", "at", "of", "within", "involving", "along"];

/// The side that belongs to a finding: the nearest before it, else the clause's last word if it is all
/// that follows, else one behind a preposition.
fn side(words: &[Word], before: Range<usize>, behind: Range<usize>) -> Option<Side> {
    let mut found: Option<Side> = None;
    for word in words[before].iter().rev() {
        match (found, word_side(word)) {
            (None, Some(side)) => found = Some(side),
            // "left and right"
            (Some(side), Some(other)) if side != other => return Some(Side::Both),
            _ => {}
        }
    }
    if found.is_some() {
        return found;
    }
    // "effusion, left."
    if let [last] = &words[behind.clone()]
        && behind.end == words.len()
    {
        return word_side(last);
    }
    let mut placed = false;
    for word in &words[behind] {
        match word_side(word) {
            Some(side) if placed => match found {
                Some(known) if known != side => return Some(Side::Both),
                _ => found = Some(side),
            },
            _ if found.is_none() && (word.comma || word.lower == "and") => break,
            _ => placed |= PREPOSITIONS.contains(&word.lower.as_str()),
        }
    }
    found
}

fn word_side(word: &Word) -> Option<Side> {
    match word.lower.as_str() {
        "left" | "left-sided" | "leftsided" | "lt" => Some(Side::Left),
        "right" | "right-sided" | "rightsided" | "rt" => Some(Side::Right),
        "bilateral" | "bilaterally" | "both" | "bibasilar" | "bibasal" | "biapical" => {
            Some(Side::Both)
        }
        _ => None,
    }
}

/// What a clause says of the heart's size in other words than "cardiomegaly".
fn heart(words: &[Word], terms: &[(Finding, Range<usize>)]) -> Option<Polarity> {
    let has = |wanted: &str| words.iter().any(|word| word.lower == wanted);
    let named = terms
        .iter()
        .any(|(finding, _)| *finding == Finding::Cardiomegaly);
    if named || !HEART.iter().any(|word| has(word)) {
        return None;
    }
    let size = has("size") || has("silhouette") || has("contour") || has("shadow") || has("heart");
    if has("enlarged") {
        let denied = has("not") || has("nor");
        return Some(if denied {
            Polarity::Absent
        } else {
            Polarity::Present
        });
    }
    let normal = has("normal") || has("unremarkable");
    let hedged = has("not") || has("upper") || has("borderline") || has("nearly");
    (size && normal && !hedged).then_some(Polarity::Absent)
}

/// Whether a clause says that the lungs are clear, without saying of what.
fn lungs_clear(words: &[Word]) -> bool {
    let at = |wanted: &[&str]| {
        words
            .iter()
            .position(|word| wanted.contains(&word.lower.as_str()))
    };
    let (Some(lungs), Some(clear)) = (at(&["lungs", "lung"]), at(&["clear"])) else {
        return false;
    };
    let of = words.get(clear + 1).is_some_and(|word| word.lower == "of");
    let partly = at(&[
        "otherwise",
        "not",
        "left",
        "right",
        "remainder",
        "remaining",
        "upper",
        "lower",
    ]);
    lungs.abs_diff(clear) <= 4 && !of && partly.is_none()
}

#[cfg(test)]
mod tests {
    use super::Polarity::{Absent, Present, Uncertain};
    use super::Side::{Both, Left, Right};
    use super::{Finding, Polarity, Side, mentions};

    fn said(text: &str) -> Vec<(Finding, Polarity, Option<Side>)> {
        mentions(text, 0..text.len())
            .into_iter()
            .map(|found| (found.finding, found.polarity, found.side))
            .collect()
    }

    use Finding::{
        Atelectasis, Cardiomegaly, Consolidation, Fracture, Nodule, Opacity, PleuralEffusion,
        Pneumonia, Pneumothorax,
    };

    #[test]
    fn a_denial_reaches_to_the_end_of_its_clause_and_no_further() {
        assert_eq!(
            said("No focal consolidation, pleural effusion, or pneumothorax."),
            [
                (Consolidation, Absent, None),
                (PleuralEffusion, Absent, None),
                (Pneumothorax, Absent, None)
            ]
        );
        assert_eq!(
            said("No pneumothorax but a small left effusion."),
            [
                (Pneumothorax, Absent, None),
                (PleuralEffusion, Present, Some(Left))
            ]
        );
        assert_eq!(
            said("There is no effusion and there is a nodule in the right upper lobe"),
            [
                (PleuralEffusion, Absent, None),
                (Nodule, Present, Some(Right))
            ]
        );
        assert_eq!(
            said("Small effusion without pneumothorax"),
            [
                (PleuralEffusion, Present, None),
                (Pneumothorax, Absent, None)
            ]
        );
    }

    #[test]
    fn denials_behind_doubts_and_what_only_looks_like_a_denial() {
        assert_eq!(
            said("Pneumothorax is not seen."),
            [(Pneumothorax, Absent, None)]
        );
        assert_eq!(
            said("The left effusion has resolved."),
            [(PleuralEffusion, Absent, Some(Left))]
        );
        assert_eq!(
            said("Pneumonia cannot be excluded"),
            [(Pneumonia, Uncertain, None)]
        );
        assert_eq!(
            said("Pneumonia is not excluded"),
            [(Pneumonia, Uncertain, None)]
        );
        assert_eq!(
            said("Possible right pneumonia"),
            [(Pneumonia, Uncertain, Some(Right))]
        );
        assert_eq!(
            said("No change in the left effusion"),
            [(PleuralEffusion, Present, Some(Left))]
        );
        assert_eq!(said("Pneumonia?"), [(Pneumonia, Uncertain, None)]);
        assert_eq!(said("History of pneumonia"), [(Pneumonia, Uncertain, None)]);
        assert_eq!(
            said("The effusion is no longer seen"),
            [(PleuralEffusion, Absent, None)]
        );
        let large = "No large effusion";
        assert!(mentions(large, 0..large.len())[0].qualified);
        let any = "No effusion";
        assert!(!mentions(any, 0..any.len())[0].qualified);
    }

    #[test]
    fn sides_belong_to_the_nearest_finding() {
        assert_eq!(
            said("Left effusion and right atelectasis"),
            [
                (PleuralEffusion, Present, Some(Left)),
                (Atelectasis, Present, Some(Right))
            ]
        );
        assert_eq!(
            said("Effusion and right atelectasis"),
            [
                (PleuralEffusion, Present, None),
                (Atelectasis, Present, Some(Right))
            ]
        );
        assert_eq!(
            said("opacity at the left base"),
            [(Opacity, Present, Some(Left))]
        );
        assert_eq!(
            said("right and left effusions"),
            [(PleuralEffusion, Present, Some(Both))]
        );
        assert_eq!(
            said("Effusion, left."),
            [(PleuralEffusion, Present, Some(Left))]
        );
        assert_eq!(
            said("Bilateral effusions"),
            [(PleuralEffusion, Present, Some(Both))]
        );
        assert_eq!(
            said("right-sided rib fractures"),
            [(Fracture, Present, Some(Right))]
        );
    }

    #[test]
    fn the_heart_and_the_lungs_are_spoken_of_in_other_words() {
        assert_eq!(
            said("Heart size is normal."),
            [(Cardiomegaly, Absent, None)]
        );
        assert_eq!(
            said("The heart is mildly enlarged."),
            [(Cardiomegaly, Present, None)]
        );
        assert_eq!(
            said("The heart is not enlarged."),
            [(Cardiomegaly, Absent, None)]
        );
        assert_eq!(said("Heart size is upper limits of normal."), []);
        assert_eq!(
            said("The lungs are clear."),
            [(Consolidation, Absent, None), (Opacity, Absent, None)]
        );
        assert_eq!(
            said("The lungs are clear of infiltrate."),
            [(Opacity, Absent, None)]
        );
        assert_eq!(said("The right lung is clear."), []);
    }
}
