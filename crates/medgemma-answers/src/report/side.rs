//! Which side of the patient each finding is on.

mod words;

use std::ops::Range;

use super::clause::Word;
use super::cue::Term;
use super::mention::Side;
use words::{BOUNDARIES, JOINS, PLACES, PREPOSITIONS, SIZES};

/// Words that a side can be away from its finding, which bounds the time of a long sentence.
const FAR: usize = 24;

/// Words of sides that belong together.
struct Unit {
    side: Side,
    at: Range<usize>,
}

/// The side of each finding. A side belongs to the finding that it stands before, up to a comma, "and" or a
/// verb; else to the one that it stands behind, with a preposition between; and to one only. Two sides are
/// both where they are joined.
pub(super) fn sides(words: &[Word], terms: &[Term]) -> Vec<Option<Side>> {
    let mut found: Vec<Option<Side>> = vec![None; terms.len()];
    // Whether the side of a finding stands behind it.
    let mut behind = vec![false; terms.len()];
    // Findings with two sides before them that nothing joins.
    let mut unclear = vec![false; terms.len()];
    // The finding that the unit before belongs to, and where that unit ends.
    let mut last: Option<(usize, usize)> = None;
    for unit in units(words) {
        let next = terms.partition_point(|(_, term)| term.start < unit.at.end);
        let before = next.checked_sub(1);
        let follows = terms
            .get(next)
            .map(|(_, term)| &words[unit.at.end - 1..term.start]);
        let leads = next == 0
            && terms.first().is_some_and(|(_, term)| {
                place_of_all(words, &unit) || subject(words, &unit, term.start)
            });
        let forward = follows.is_some_and(|between| leads || reaches(between));
        let window = before.map(|index| (index, terms[index].1.end));
        let backward = window.filter(|&(_, end)| placed(words, end, &unit));
        // "on the right": what follows is another thing.
        let idiom = backward.is_some() && stands_behind(words, &unit);
        let owner = match (forward, backward) {
            (true, Some((index, _))) if !idiom && found[index].is_some() => next,
            (true, Some((_, _))) if !idiom && close(words, terms, next, &unit) => next,
            (_, Some((index, _))) => index,
            (true, None) => next,
            (false, None) => match last.filter(|&(_, end)| goes_on(&words[end - 1..unit.at.start]))
            {
                // "In the right upper and left lower lobes".
                Some((index, _)) if Some(index) == before && behind[index] => index,
                _ => continue,
            },
        };
        let backwards = owner < next;
        found[owner] = match found[owner] {
            _ if unclear[owner] => None,
            Some(known) if known != unit.side => {
                let joined = last.is_some_and(|(index, end)| {
                    index == owner && goes_on(&words[end - 1..unit.at.start])
                });
                let joined = joined && listed(words, last, &unit);
                match (backwards, joined) {
                    (_, true) => Some(Side::Both),
                    // Nobody knows which of two sides before a finding is its own.
                    (false, false) => {
                        unclear[owner] = true;
                        None
                    }
                    // Of a side before and another behind neither is known.
                    (true, false) if behind[owner] => Some(Side::Both),
                    (true, false) => Some(known),
                }
            }
            _ => Some(unit.side),
        };
        behind[owner] |= backwards;
        last = Some((owner, unit.at.end));
    }
    found
}

/// The words of sides, those that are joined as one.
fn units(words: &[Word]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some(side) = word_side(word).filter(|_| !of_heart(words.get(at + 1))) else {
            continue;
        };
        let joined = units.last_mut().filter(|last| {
            words[last.at.end..at]
                .iter()
                .all(|word| JOINS.contains(&word.lower.as_str()))
        });
        match joined {
            Some(last) => {
                last.at.end = at + 1;
                if last.side != side {
                    last.side = Side::Both;
                }
            }
            None => units.push(Unit {
                side,
                at: at..at + 1,
            }),
        }
    }
    units
}

/// "Right heart strain" has no side of the patient.
fn of_heart(next: Option<&Word>) -> bool {
    next.is_some_and(|next| {
        let parts = ["heart", "ventric", "atri"];
        parts.iter().any(|part| next.lower.starts_with(part))
    })
}

/// Whether nothing between a side and the finding behind it ends its reach; the side's own word comes first.
fn reaches(between: &[Word]) -> bool {
    if between.len() > FAR {
        return false;
    }
    let ends = |word: &Word| BOUNDARIES.contains(&word.lower.as_str());
    !between.iter().any(|word| word.comma) && !between.iter().skip(1).any(ends)
        || between.len() > 1 && places_alone(between)
}

/// "Left lower lobe and right upper lobe opacities": one list of places in front of a finding.
fn places_alone(between: &[Word]) -> bool {
    between.iter().skip(1).all(|word| {
        (is_place(word) || is_size(word))
            && !matches!(word.lower.as_str(), "in" | "at" | "of" | "on")
            || word_side(word).is_some()
    }) && between.iter().skip(1).any(|word| word_side(word).is_some())
}

/// "On the left, an effusion", "There is, in the left lung, a nodule": a place set apart by commas, of what follows.
fn place_of_all(words: &[Word], unit: &Unit) -> bool {
    let preposition = |at: usize| {
        let word = words[at].lower.as_str();
        let begins = at == 0 || words[at - 1].comma;
        begins && matches!(word, "on" | "in" | "at" | "within")
    };
    (unit.at.start.saturating_sub(2)..unit.at.start).any(preposition)
}

/// "The right lung is free of nodules": the clause speaks of a side, and of what is on it, as far as no comma or
/// "and" ends it.
fn subject(words: &[Word], unit: &Unit, next: usize) -> bool {
    let article = words.first().is_some_and(|word| word.lower == "the");
    let of_body = words.get(unit.at.end).is_some_and(|word| {
        let other = ["side", "chest", "thorax", "hemidiaphragm"];
        is_place(word) || other.contains(&word.lower.as_str())
    });
    let ends = |word: &Word| {
        word.comma || matches!(word.lower.as_str(), "and" | "or" | "but" | "with" | "while")
    };
    let begins = unit.at.start == usize::from(article);
    begins && of_body && !words[unit.at.end - 1..next].iter().any(ends)
}

/// Whether a side behind a finding, which ends at `end`, is its place: a preposition stands between and no
/// comma or "and", or nothing stands between.
fn placed(words: &[Word], end: usize, unit: &Unit) -> bool {
    let between = &words[end.min(unit.at.start)..unit.at.start];
    if between.len() > FAR {
        return false;
    }
    let ended = between.iter().any(|word| {
        word.comma || matches!(word.lower.as_str(), "and" | "but" | "with" | "without")
    });
    if ended {
        return false;
    }
    let behind_colon = words[end - 1].colon || between.iter().any(|word| word.colon);
    let preposition = between
        .iter()
        .any(|word| PREPOSITIONS.contains(&word.lower.as_str()));
    // "effusion, left." and "effusion, left greater than right, and"
    let ends = unit.at.end == words.len() || words[unit.at.end - 1].comma;
    let alone = between.is_empty()
        && (ends || !words[end - 1].comma && words.get(unit.at.end).is_none_or(is_place));
    preposition || behind_colon || alone
}

pub(super) fn is_place(word: &Word) -> bool {
    PLACES.contains(&word.lower.as_str())
}

fn is_size(word: &Word) -> bool {
    SIZES.contains(&word.lower.as_str())
}

/// Whether a side is the whole of a place, "on the right", or has its own, "right lower lobe".
fn stands_behind(words: &[Word], unit: &Unit) -> bool {
    let on = words[unit.at.start.saturating_sub(2)..unit.at.start]
        .iter()
        .any(|word| word.lower == "on");
    on || words.get(unit.at.end).is_some_and(is_place)
}

/// Whether the finding at `next` stands right behind a side: "in the setting of right effusion".
fn close(words: &[Word], terms: &[Term], next: usize, unit: &Unit) -> bool {
    let between = terms
        .get(next)
        .map(|(_, term)| &words[unit.at.end..term.start]);
    between.is_some_and(|between| between.len() <= 2 && !between.iter().any(is_place))
}

/// Whether a list of places goes on from one side to another; the first one's own word comes first.
fn goes_on(between: &[Word]) -> bool {
    let inner = between.iter().skip(1);
    between.len() <= FAR && inner.clone().all(|word| is_place(word) || is_size(word))
}

/// Whether two sides of one list have "and", "or" or a comma between.
fn listed(words: &[Word], last: Option<(usize, usize)>, unit: &Unit) -> bool {
    last.is_some_and(|(_, end)| {
        words[end - 1..unit.at.start]
            .iter()
            .any(|word| word.comma || matches!(word.lower.as_str(), "and" | "or"))
    })
}

/// The side that a word says.
pub(super) fn word_side(word: &Word) -> Option<Side> {
    match word.lower.as_str() {
        "left" | "left-sided" | "leftsided" | "lt" | "lul" | "lll" => Some(Side::Left),
        "right" | "right-sided" | "rightsided" | "rt" | "rul" | "rml" | "rll" => Some(Side::Right),
        "bilateral" | "bilaterally" | "both" | "bibasilar" | "bibasal" | "biapical" => {
            Some(Side::Both)
        }
        _ => None,
    }
}
