//! What a text says of each finding: there or not, and on which side.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::clause::{Word, clauses};
use super::cue::{Term, judge};
use super::lexicon::{FINDINGS, Finding, NO_FINDINGS, phrase_at};
use super::organs::{heart, lungs_clear};
use super::side::sides;

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
/// forwards or backwards, unless what stands between begins a statement of its own; some phrases only
/// look like denials. A side belongs to the finding that it stands before, or behind with a preposition
/// between, and to one only. English only, and no understanding: see the crate's README for how often
/// this is right.
///
/// # Panics
/// If `range` is not within `text`, or cuts a character.
#[must_use]
pub fn mentions(text: &str, range: Range<usize>) -> Vec<Mention> {
    let mut found = Vec::new();
    let mut clauses = clauses(text, range).into_iter().peekable();
    while let Some(words) = clauses.next() {
        let span = match (words.first(), words.last()) {
            (Some(first), Some(last)) => first.span.start..last.span.end,
            _ => continue,
        };
        let terms = terms(&words);
        let asked = text[span.end..].trim_start().starts_with('?');
        let exception = clauses.peek().filter(|next| excepts(next));
        let mention = |finding, polarity, side, qualified| Mention {
            finding,
            polarity,
            side,
            qualified,
            span: span.clone(),
        };
        let of = judge(&words, &terms).into_iter().zip(sides(&words, &terms));
        let first = found.len();
        for ((finding, _), ((polarity, qualified), side)) in terms.iter().zip(of) {
            let (polarity, qualified) = match asked {
                true => (Polarity::Uncertain, false),
                false => (polarity, qualified),
            };
            found.push(mention(*finding, polarity, side, qualified));
        }
        // "No consolidation except at the left base": of what is denied some is there.
        if let (Some(exception), Some(denied)) = (exception, found[first..].last_mut())
            && denied.polarity == Polarity::Absent
            && self::terms(exception)
                .iter()
                .all(|(finding, _)| *finding == denied.finding)
        {
            denied.polarity = Polarity::Uncertain;
        }
        if let Some((polarity, qualified)) = heart(&words, &terms) {
            found.push(mention(Finding::Cardiomegaly, polarity, None, qualified));
        }
        if exception.is_none() && lungs_clear(&words) {
            let clear = [Finding::Consolidation, Finding::Opacity];
            found.extend(clear.map(|finding| mention(finding, Polarity::Absent, None, false)));
        }
    }
    found
}

/// Whether a clause begins as an exception to the one before it.
fn excepts(words: &[Word]) -> bool {
    let word = |at: usize| words.get(at).map_or("", |word| word.lower.as_str());
    matches!(
        (word(0), word(1)),
        ("except" | "aside" | "apart" | "save", _) | ("other", "than") | ("but", "for")
    )
}

/// Findings and the words that name them.
fn terms(words: &[Word]) -> Vec<Term> {
    let mut terms = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let none = NO_FINDINGS
            .iter()
            .find_map(|phrase| phrase_at(words, at, phrase));
        if let Some(length) = none {
            at += length;
            continue;
        }
        let term = FINDINGS
            .iter()
            .find_map(|(phrase, finding)| Some((*finding, phrase_at(words, at, phrase)?)))
            .or_else(|| Some((sharing_effusion(words, at)?, 1)));
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

/// The first of two effusions that share their noun: "pleural and pericardial effusions".
fn sharing_effusion(words: &[Word], at: usize) -> Option<Finding> {
    const SERVED: [(&str, &str, Finding); 2] = [
        ("pleural", "pericardial effusion*", Finding::PleuralEffusion),
        (
            "pericardial",
            "pleural effusion*",
            Finding::PericardialEffusion,
        ),
    ];
    let and = words.get(at + 1)?;
    if and.comma || !matches!(and.lower.as_str(), "and" | "or" | "nor") {
        return None;
    }
    SERVED
        .iter()
        .find(|(first, second, _)| {
            words[at].lower == *first && phrase_at(words, at + 2, second).is_some()
        })
        .map(|(.., finding)| *finding)
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
