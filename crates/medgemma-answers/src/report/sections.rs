//! A report in its parts.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// What a part of a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SectionKind {
    /// Text before the first heading, or all of a report without any.
    Preamble,
    /// What was done.
    Examination,
    /// Why it was done.
    Indication,
    /// Earlier examinations.
    Comparison,
    /// How it was done.
    Technique,
    /// What is seen.
    Findings,
    /// What it means.
    Impression,
    /// Both under one heading.
    FindingsAndImpression,
    /// What should follow.
    Recommendation,
}

/// A part of a report. Its words are `&text[section.body]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Section {
    /// What it is.
    pub kind: SectionKind,
    /// The bytes of the heading, colon included; empty without one.
    pub heading: Range<usize>,
    /// The bytes of what stands under it, without white space around; may be empty.
    pub body: Range<usize>,
}

/// Headings in lower case.
const HEADINGS: &[(&str, SectionKind)] = &[
    (
        "findings and impression",
        SectionKind::FindingsAndImpression,
    ),
    ("findings & impression", SectionKind::FindingsAndImpression),
    ("findings/impression", SectionKind::FindingsAndImpression),
    ("impression and recommendations", SectionKind::Impression),
    ("impression and recommendation", SectionKind::Impression),
    ("impression/recommendations", SectionKind::Impression),
    ("radiographic findings", SectionKind::Findings),
    ("imaging findings", SectionKind::Findings),
    ("chest findings", SectionKind::Findings),
    ("key findings", SectionKind::Findings),
    ("findings", SectionKind::Findings),
    ("finding", SectionKind::Findings),
    ("observations", SectionKind::Findings),
    ("impressions", SectionKind::Impression),
    ("impression", SectionKind::Impression),
    ("conclusions", SectionKind::Impression),
    ("conclusion", SectionKind::Impression),
    ("opinion", SectionKind::Impression),
    ("interpretation", SectionKind::Impression),
    ("summary", SectionKind::Impression),
    ("recommendations", SectionKind::Recommendation),
    ("recommendation", SectionKind::Recommendation),
    ("clinical indication", SectionKind::Indication),
    ("clinical information", SectionKind::Indication),
    ("clinical history", SectionKind::Indication),
    ("clinical data", SectionKind::Indication),
    ("reason for examination", SectionKind::Indication),
    ("reason for exam", SectionKind::Indication),
    ("reason for study", SectionKind::Indication),
    ("indications", SectionKind::Indication),
    ("indication", SectionKind::Indication),
    ("history", SectionKind::Indication),
    ("comparisons", SectionKind::Comparison),
    ("comparison", SectionKind::Comparison),
    ("prior studies", SectionKind::Comparison),
    ("technique", SectionKind::Technique),
    ("procedure", SectionKind::Technique),
    ("protocol", SectionKind::Technique),
    ("type of examination", SectionKind::Examination),
    ("examination", SectionKind::Examination),
    ("exam", SectionKind::Examination),
    ("study", SectionKind::Examination),
    ("views", SectionKind::Examination),
    ("report", SectionKind::Findings),
    ("results", SectionKind::Findings),
    ("result", SectionKind::Findings),
    ("discussion", SectionKind::Findings),
    ("assessment", SectionKind::Impression),
    ("comments", SectionKind::Impression),
    ("comment", SectionKind::Impression),
    ("addendum", SectionKind::FindingsAndImpression),
];

/// Of these headings, those that are none within a line.
const ALONE: &[&str] = &[
    "report",
    "results",
    "result",
    "discussion",
    "assessment",
    "comments",
    "comment",
];

/// Labels of lines, in lower case, under which a report without a heading for them tells what is seen.
const LABELS: &[&str] = &[
    "lungs",
    "lung",
    "lungs and airways",
    "lungs and pleura",
    "lungs/pleura",
    "airways",
    "pleura",
    "pleural space",
    "pleural spaces",
    "heart",
    "heart and mediastinum",
    "heart/mediastinum",
    "mediastinum",
    "mediastinum and hila",
    "cardiomediastinal silhouette",
    "hila",
    "diaphragm",
    "bones",
    "bones and soft tissues",
    "osseous structures",
    "soft tissues",
    "abdomen",
    "upper abdomen",
];

/// Splits a report by its headings, in any order and number: on lines of their own or with a colon,
/// in capitals or not, with the stars, hashes and numbers of Markdown; and within a line, where a
/// sentence has ended and a colon follows the capitalised word.
///
/// A line that begins with the name of an organ and a colon ends an indication, a comparison or the like, and opens
/// findings with an empty heading.
///
/// Every byte but white space belongs to one heading or body. A report without headings is one
/// [`SectionKind::Preamble`]; an empty text has no sections.
#[must_use]
pub fn sections(text: &str) -> Vec<Section> {
    let mut headings = Vec::new();
    let mut start_of_line = true;
    let mut start_of_sentence = true;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if (start_of_line || start_of_sentence)
            && !c.is_whitespace()
            && let Some((kind, end)) = heading(&text[at..], start_of_line)
        {
            headings.push((kind, at..at + end));
            at += end;
            // "Impression: Findings: ..." has two.
            (start_of_line, start_of_sentence) = (false, true);
            continue;
        }
        let unsought = headings.last().is_some_and(|(kind, _)| is_unsought(*kind));
        if start_of_line && unsought && !c.is_whitespace() && begins_with_label(&text[at..]) {
            headings.push((SectionKind::Findings, at..at));
        }
        at += c.len_utf8();
        if c == '\n' {
            (start_of_line, start_of_sentence) = (true, true);
        } else if matches!(c, '.' | '?' | '!' | ')' | ';' | '*') {
            (start_of_line, start_of_sentence) = (start_of_line && c == '*', true);
        } else if !c.is_whitespace() {
            (start_of_line, start_of_sentence) = (false, false);
        }
    }
    let mut found = Vec::with_capacity(headings.len() + 1);
    let first = headings
        .first()
        .map_or(text.len(), |(_, heading)| heading.start);
    let preamble = trimmed(text, 0..first);
    if !preamble.is_empty() {
        found.push(Section {
            kind: SectionKind::Preamble,
            heading: 0..0,
            body: preamble,
        });
    }
    for (index, (kind, heading)) in headings.iter().enumerate() {
        let next = headings
            .get(index + 1)
            .map_or(text.len(), |(_, next)| next.start);
        found.push(Section {
            kind: *kind,
            heading: heading.clone(),
            body: trimmed(text, heading.end..next),
        });
    }
    found
}

/// Whether a part speaks of other things than of what is seen and what it means.
fn is_unsought(kind: SectionKind) -> bool {
    use SectionKind::{Comparison, Examination, Indication, Technique};
    matches!(kind, Comparison | Examination | Indication | Technique)
}

/// Whether a text begins with one of [`LABELS`] and a colon.
fn begins_with_label(text: &str) -> bool {
    let words = text.trim_start_matches(['#', '*', '_', ' ', '-', '\u{2022}', '>']);
    let words = numbered(words).unwrap_or(words);
    LABELS.iter().any(|label| {
        words
            .split_at_checked(label.len())
            .is_some_and(|(begin, rest)| {
                let rest = rest.trim_start_matches(['*', '_', ' ', '\t']);
                begin.eq_ignore_ascii_case(label) && rest.starts_with([':', '\u{ff1a}'])
            })
    })
}

/// A heading at the beginning of `text`, and its length with all that adorns it.
fn heading(text: &str, start_of_line: bool) -> Option<(SectionKind, usize)> {
    let words = text.trim_start_matches(['#', '*', '_', ' ', '-', '\u{2022}', '>']);
    let words = numbered(words).unwrap_or(words);
    let adorned = words.len() < text.len();
    let (phrase, kind) = HEADINGS.iter().find(|(phrase, _)| {
        words
            .get(..phrase.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(phrase))
    })?;
    let (written, rest) = words.split_at(phrase.len());
    let behind = rest.trim_start_matches(['*', '_', ' ', '\t']);
    if let Some(body) = behind.strip_prefix([':', '\u{ff1a}']) {
        // Within a line, "findings:" may be a word of a sentence, and "Report:" be of another report.
        let told = written.starts_with(char::is_uppercase) && !ALONE.contains(phrase);
        if !start_of_line && !told {
            return None;
        }
        let body = body.trim_start_matches(['*', '_']);
        return Some((*kind, text.len() - body.len()));
    }
    let alone = behind.is_empty() || behind.starts_with(['\n', '\r']);
    let shouted = !written.chars().any(char::is_lowercase);
    if start_of_line && alone && (shouted || adorned || written.starts_with(char::is_uppercase)) {
        return Some((*kind, text.len() - behind.len()));
    }
    if start_of_line && shouted && behind.starts_with(['-', '\u{2013}', '\u{2014}']) {
        let body = behind.trim_start_matches(['-', '\u{2013}', '\u{2014}']);
        return Some((*kind, text.len() - body.len()));
    }
    None
}

/// What follows `1. ` or `2) `.
fn numbered(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = (rest.len() < text.len())
        .then_some(rest)?
        .strip_prefix(['.', ')'])?;
    Some(rest.trim_start_matches([' ', '*', '_']))
}

/// The range without white space at its ends.
pub(super) fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + part.len() - part.trim_start().len();
    let end = range.end - (part.len() - part.trim_end().len());
    start.min(end)..end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::SectionKind::{
        Comparison, Findings, FindingsAndImpression, Impression, Indication, Preamble,
        Recommendation, Technique,
    };
    use super::{SectionKind, sections};

    fn split(text: &str) -> Vec<(SectionKind, &str)> {
        sections(text)
            .into_iter()
            .map(|section| (section.kind, &text[section.body]))
            .collect()
    }

    const BOTH: [(SectionKind, &str); 2] =
        [(Findings, "The heart is normal."), (Impression, "Normal.")];

    #[test]
    fn headings_in_all_usual_forms() {
        for text in [
            "FINDINGS: The heart is normal.\nIMPRESSION: Normal.",
            "Findings:\nThe heart is normal.\n\nImpression:\nNormal.\n",
            "**Findings:** The heart is normal.\n**Impression:** Normal.",
            "**Findings**: The heart is normal.\n\n**Conclusion**: Normal.",
            "## Findings\n\nThe heart is normal.\n\n## Impression\n\nNormal.",
            "1. Findings: The heart is normal.\n2. Impression: Normal.",
            "FINDINGS\nThe heart is normal.\nIMPRESSION\nNormal.",
            "FINDINGS - The heart is normal.\nOPINION \u{2013} Normal.",
            "Findings: The heart is normal. Impression: Normal.",
            "findings: The heart is normal.\r\nimpression: Normal.",
            "Findings : The heart is normal.\nIMPRESSION : Normal.",
            "- **Findings:** The heart is normal.\n- **Impression:** Normal.",
        ] {
            assert_eq!(split(text), BOTH, "{text:?}");
        }
        let all = "Chest, two views.\nHISTORY: Cough.\nComparison: None. Technique: PA.\nFindings and Impression: Clear.\nRecommendation: None.";
        assert_eq!(
            split(all),
            [
                (Preamble, "Chest, two views."),
                (Indication, "Cough."),
                (Comparison, "None."),
                (Technique, "PA."),
                (FindingsAndImpression, "Clear."),
                (Recommendation, "None.")
            ]
        );
    }

    #[test]
    fn what_is_seen_is_not_swallowed_by_the_part_before() {
        assert_eq!(
            split("COMPARISON: None.\nLUNGS: Clear.\n**Pleura:** No fluid.\nIMPRESSION: Normal."),
            [
                (Comparison, "None."),
                (Findings, "LUNGS: Clear.\n**Pleura:** No fluid."),
                (Impression, "Normal.")
            ]
        );
        for (heading, kind) in [
            ("Report", Findings),
            ("RESULT", Findings),
            ("Results", Findings),
            ("Discussion", Findings),
            ("ASSESSMENT", Impression),
            ("Comment", Impression),
            ("Comments", Impression),
            ("Addendum", FindingsAndImpression),
        ] {
            let text = format!("Comparison: None.\n{heading}: Clear.");
            assert_eq!(
                split(&text),
                [(Comparison, "None."), (kind, "Clear.")],
                "{text}"
            );
        }
        // Elsewhere a label is a part of what is said, and without a colon a word.
        for text in [
            "Findings: A.\nLungs: B.",
            "Comparison: A.\nHeart size was normal.",
        ] {
            assert_eq!(split(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn order_number_and_absence_are_as_they_are() {
        assert_eq!(
            split("Impression: Normal.\nFindings: Clear."),
            [(Impression, "Normal."), (Findings, "Clear.")]
        );
        assert_eq!(
            split("The heart is normal."),
            [(Preamble, "The heart is normal.")]
        );
        assert_eq!(
            split("Findings: A.\nFindings: B."),
            [(Findings, "A."), (Findings, "B.")]
        );
        assert_eq!(
            split("Findings:\nImpression: B."),
            [(Findings, ""), (Impression, "B.")]
        );
        assert_eq!(split(" \n"), []);
        assert_eq!(split(""), []);
    }

    #[test]
    fn words_of_sentences_are_no_headings() {
        for text in [
            "These findings: an effusion and a nodule.",
            "The impression: none",
            "Findings are normal.",
            "Finding of a nodule. Study limited. History of cough. Impression on the left atrium.",
            "There is an impression on the oesophagus. findings: none",
            "Comparison with the earlier film shows no change.",
        ] {
            assert_eq!(split(text), [(Preamble, text)], "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "(?s).{0,60}|([Ff]indings|IMPRESSION|:|\\*|\\. |\n| |x|1\\. ){0,30}") {
            let found = sections(&text);
            let mut at = 0;
            for section in &found {
                if section.kind != Preamble {
                    prop_assert!(section.heading.start >= at);
                    prop_assert_eq!(text[at..section.heading.start].trim(), "");
                    at = section.heading.end;
                }
                prop_assert!(section.body.start >= at || section.body.is_empty());
                prop_assert_eq!(text[at..section.body.start.max(at)].trim(), "");
                at = section.body.end.max(at);
            }
            prop_assert_eq!(text[at..].trim(), "");
        }
    }
}
