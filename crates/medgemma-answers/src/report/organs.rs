//! What is said of the heart and the lungs in other words than a finding's name.

use super::clause::Word;
use super::cue::Term;
use super::lexicon::{Finding, HEART, HEART_WORDS};
use super::mention::Polarity;

/// What a clause says of the heart's size in other words than "cardiomegaly", and whether it denies some
/// kind of it only.
pub(super) fn heart(words: &[Word], terms: &[Term]) -> Option<(Polarity, bool)> {
    let named = terms
        .iter()
        .any(|(finding, _)| *finding == Finding::Cardiomegaly);
    if named {
        return None;
    }
    let start = words
        .iter()
        .position(|word| HEART.contains(&word.lower.as_str()))?;
    let belongs = |word: &&Word| HEART_WORDS.contains(&word.lower.as_str());
    // What is said right before and behind the heart, up to a word that may speak of another thing.
    let before = words[..start].iter().rev().take_while(belongs).count();
    let behind = words[start + 1..].iter().take_while(belongs).count();
    let said = &words[start - before..start + 1 + behind];
    let has = |wanted: &[&str]| {
        said.iter()
            .any(|word| wanted.contains(&word.lower.as_str()))
    };
    // Of "normal heart size, enlarged ..." the second has a thing of its own.
    let ended = behind + start + 1;
    let own = words[ended - 1].lower == "enlarged"
        && !words[ended - 1].comma
        && words
            .get(ended)
            .is_some_and(|next| !GOES_ON.contains(&next.lower.as_str()))
        && !predicate(&words[..ended - 1]);
    if has(&["enlarged"]) && !own {
        if has(&["normal"]) {
            return None;
        }
        let weak = has(&[
            "significantly",
            "definitely",
            "markedly",
            "grossly",
            "severely",
        ]);
        return Some(match (has(&["not", "nor", "no", "isn't"]), has(&UNSURE)) {
            (_, true) => (Polarity::Uncertain, false),
            (true, false) => (Polarity::Absent, weak),
            (false, false) => (Polarity::Present, false),
        });
    }
    let normal = has(&["normal", "unremarkable"]);
    let hedged = has(&["not", "upper", "borderline", "nearly", "top", "isn't"]) || has(&UNSURE);
    (normal && !hedged).then_some((Polarity::Absent, false))
}

/// Words behind "enlarged" that are no name of another thing.
const GOES_ON: [&str; 24] = [
    "with",
    "without",
    "compared",
    "comparing",
    "for",
    "since",
    "as",
    "when",
    "relative",
    "from",
    "than",
    "consistent",
    "suggesting",
    "suggestive",
    "which",
    "that",
    "there",
    "on",
    "by",
    "due",
    "status",
    "however",
    "or",
    "but",
];

/// Whether a verb says what follows of what stands before: "the heart is mildly".
fn predicate(before: &[Word]) -> bool {
    let mut back = before.iter().rev().take_while(|word| !word.comma);
    let adverb = |word: &&Word| {
        let lower = word.lower.as_str();
        lower.ends_with("ly") || matches!(lower, "to" | "again" | "still" | "now" | "not")
    };
    back.find(|word| !adverb(word)).is_some_and(|word| {
        let verbs = [
            "is", "was", "remains", "remain", "appears", "appear", "be", "been", "are",
        ];
        verbs.contains(&word.lower.as_str())
    })
}

/// Words that leave it open.
const UNSURE: [&str; 7] = [
    "may",
    "might",
    "possibly",
    "probably",
    "likely",
    "borderline",
    "could",
];

/// Whether a clause says that the lungs are clear, without saying of what.
pub(super) fn lungs_clear(words: &[Word]) -> bool {
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
        "apices",
        "bases",
        "apex",
        "base",
        "zones",
        "zone",
        "almost",
        "nearly",
        "mostly",
        "largely",
        "partially",
        "cannot",
        "middle",
        "isn't",
        "aren't",
    ]);
    lungs.abs_diff(clear) <= 4 && !of && partly.is_none()
}
