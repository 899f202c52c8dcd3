//! What a report says twice and differently.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::lexicon::Finding;
use super::mention::{Mention, Polarity, Side, mentions};
use super::sections::{SectionKind, sections};

/// Two places of a report that cannot both be right; a person must see which is. `Debug` shows only in
/// what they differ, and where.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Contradiction {
    /// In what they differ.
    pub kind: ContradictionKind,
    /// Of what.
    pub finding: Finding,
    /// The first place; `&text[first.span]` are its words.
    pub first: Mention,
    /// The second.
    pub second: Mention,
}

impl fmt::Debug for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contradiction")
            .field("kind", &self.kind)
            .field("first", &self.first)
            .field("second", &self.second)
            .finish_non_exhaustive()
    }
}

/// In what two places differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ContradictionKind {
    /// One says that it is there, the other that it is not.
    Negation,
    /// One says left, the other right.
    Laterality,
}

/// Whether a part of a report is searched, and which side of the comparison it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Seen,
    Concluded,
}

/// Contradictions of a report: within and between what is seen (findings, or a report without
/// headings) and what is concluded (impression). Indication, comparison and technique speak of other
/// things and are left out.
///
/// A finding that is there in one place and not in another counts where the sides can be the same;
/// "no large effusion" denies no small one. One on the left in all that is seen and on the right in
/// all that is concluded counts, and the other way round. Each pair is told once, in the order of the
/// text. Of what is uncertain nothing is told.
#[must_use]
pub fn contradictions(text: &str) -> Vec<Contradiction> {
    let mut all: Vec<(Part, Mention)> = Vec::new();
    for section in sections(text) {
        let part = match section.kind {
            SectionKind::Findings | SectionKind::Preamble | SectionKind::FindingsAndImpression => {
                Part::Seen
            }
            SectionKind::Impression => Part::Concluded,
            _ => continue,
        };
        let found = mentions(text, section.body);
        all.extend(found.into_iter().map(|mention| (part, mention)));
    }
    let mut kinds: Vec<Finding> = all.iter().map(|(_, mention)| mention.finding).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut found = Vec::new();
    for finding in kinds {
        let of: Vec<&(Part, Mention)> = all
            .iter()
            .filter(|(_, mention)| mention.finding == finding)
            .collect();
        found.extend(negation(&of));
        found.extend(laterality(&of));
    }
    found.sort_by_key(|pair| (pair.first.span.start, pair.second.span.start));
    found
}

/// The first pair of one finding of which one place says yes and the other no.
fn negation(of: &[&(Part, Mention)]) -> Option<Contradiction> {
    let says = |polarity| {
        let found = of.iter().map(|(_, mention)| mention);
        found.filter(move |mention| mention.polarity == polarity && !mention.qualified)
    };
    // Of each side the first will do, so that long texts do not take their square.
    let mut sides = Vec::new();
    says(Polarity::Present)
        .filter(|there| {
            let first = !sides.contains(&there.side);
            if first {
                sides.push(there.side);
            }
            first
        })
        .flat_map(|there| says(Polarity::Absent).map(move |not| (there, not)))
        .find(|(there, not)| meet(there.side, not.side))
        .map(|(there, not)| pair(ContradictionKind::Negation, there, not))
}

/// What is seen on one side alone and concluded on the other alone.
fn laterality(of: &[&(Part, Mention)]) -> Option<Contradiction> {
    let sided = |wanted| {
        of.iter().filter(move |(part, mention)| {
            *part == wanted && mention.polarity == Polarity::Present && mention.side.is_some()
        })
    };
    let (_, seen) = sided(Part::Seen).next()?;
    let (_, concluded) = sided(Part::Concluded).next()?;
    let sides = |part| {
        let mut sides: Vec<Option<Side>> = Vec::new();
        for (_, mention) in sided(part) {
            if !sides.contains(&mention.side) {
                sides.push(mention.side);
            }
        }
        sides
    };
    let (of_seen, of_concluded) = (sides(Part::Seen), sides(Part::Concluded));
    let apart = of_seen
        .iter()
        .all(|&a| of_concluded.iter().all(|&b| !meet(a, b)));
    apart.then(|| pair(ContradictionKind::Laterality, seen, concluded))
}

/// Whether two sides have something in common; one that is not told may be any.
fn meet(a: Option<Side>, b: Option<Side>) -> bool {
    let apart = [Some(Side::Left), Some(Side::Right)];
    a == b || !(apart.contains(&a) && apart.contains(&b))
}

fn pair(kind: ContradictionKind, a: &Mention, b: &Mention) -> Contradiction {
    let (first, second) = if a.span.start <= b.span.start {
        (a, b)
    } else {
        (b, a)
    };
    Contradiction {
        kind,
        finding: a.finding,
        first: first.clone(),
        second: second.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::ContradictionKind::{Laterality, Negation};
    use super::contradictions;

    /// Kind and the words of both places.
    fn found(text: &str) -> Vec<(super::ContradictionKind, &str, &str)> {
        contradictions(text)
            .into_iter()
            .map(|pair| (pair.kind, &text[pair.first.span], &text[pair.second.span]))
            .collect()
    }

    #[test]
    fn both_places_are_cited() {
        let text = "FINDINGS: Small left pleural effusion. No pneumothorax.\nIMPRESSION: 1. Right effusion. 2. Pneumothorax.";
        assert_eq!(
            found(text),
            [
                (Laterality, "Small left pleural effusion", "Right effusion"),
                (Negation, "No pneumothorax", "Pneumothorax")
            ]
        );
        let within =
            "Findings: No pneumothorax. A small left apical pneumothorax. Impression: None.";
        assert_eq!(
            found(within),
            [(
                Negation,
                "No pneumothorax",
                "A small left apical pneumothorax"
            )]
        );
        let bare = "The heart is enlarged. The heart size is normal.";
        assert_eq!(
            found(bare),
            [(
                Negation,
                "The heart is enlarged",
                "The heart size is normal"
            )]
        );
    }

    #[test]
    fn what_stands_under_names_of_organs_is_searched() {
        let text =
            "COMPARISON: None.\nLUNGS: Large left pneumothorax.\nPLEURA: No left pneumothorax.";
        assert_eq!(found(text).len(), 1, "{:?}", found(text));
    }

    #[test]
    fn what_agrees_is_not_told() {
        for text in [
            "Findings: Left effusion. No right effusion. Impression: Left effusion.",
            "Findings: Bilateral effusions. Impression: Left effusion larger than before.",
            "Findings: Small effusion. No large effusion. Impression: Small effusion.",
            "Findings: Left and right nodules. Impression: Right nodule.",
            "Findings: Small left effusion. Larger right effusion. Impression: Right effusion.",
            "Findings: Possible pneumonia. Impression: No pneumonia.",
            "Indication: Pneumothorax? Findings: No pneumothorax. Impression: Normal.",
            "Comparison: Effusion in May. Findings: No effusion. Impression: None.",
            "Findings: Right nodule. Impression: Nodule.",
            "",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
