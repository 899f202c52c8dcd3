//! What the words of a clause do to the findings in it.

use std::ops::Range;

use super::answer::answers;
use super::clause::Word;
use super::lexicon::{
    BETWEEN, CHANGED, DENY_BEFORE, DENY_BEHIND, DOUBT_BEFORE, DOUBT_BEHIND, DOUBT_EITHER, EARLIER,
    EXAMINATIONS, EXCLUDED, FINDINGS, Finding, NEARLY, NOT, NOT_DENIED, NOT_YET, PARTLY,
    QUALIFIERS, RESOLUTION, RESOLVED, SEEN, phrase_at,
};
use super::mention::Polarity;
use super::scope::{backwards, forwards, is_adjective};
use super::side::word_side;

/// A finding and the words that name it.
pub(super) type Term = (Finding, Range<usize>);

/// What a phrase does to the findings on either side of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cue {
    DenyBefore,
    DenyBehind,
    DoubtBefore,
    DoubtBehind,
    DoubtEither,
    /// It looks like a denial and is none.
    None,
}

/// Words that a phrase looks ahead, or back, for the one that turns its meaning.
const NEAR: usize = 5;

/// What a clause says of its findings: whether they are there, and whether only some kind of them is denied.
pub(super) fn judge(words: &[Word], terms: &[Term]) -> Vec<(Polarity, bool)> {
    let cues = cues(words, terms);
    let forwards = forwards(words, terms, &cues);
    let backwards = backwards(words, terms, &cues);
    let mut judged: Vec<(Polarity, bool)> = forwards
        .into_iter()
        .zip(backwards)
        .zip(terms)
        .map(|((before, behind), (_, term))| match (behind, before) {
            (Some(Polarity::Uncertain), _) => (Polarity::Uncertain, false),
            (_, (Polarity::Absent, qualified)) => (Polarity::Absent, qualified),
            (Some(behind), _) => (behind, is_qualified(&words[..term.start])),
            (None, before) => before,
        })
        .collect();
    answers(words, terms, &cues, &mut judged);
    judged
}

/// Whether the words right before a finding name some kind of it: "a large left effusion is not seen" denies no small one.
fn is_qualified(before: &[Word]) -> bool {
    let mut beside = before
        .iter()
        .rev()
        .take_while(|word| !word.comma && (is_adjective(&word.lower) || word_side(word).is_some()));
    beside.any(|word| QUALIFIERS.contains(&word.lower.as_str()))
}

/// Phrases of denial and doubt in a clause, by their words, in its order.
fn cues(words: &[Word], terms: &[Term]) -> Vec<(Cue, Range<usize>)> {
    // Where two are equally long, the first counts.
    const LISTS: [(&[&str], Cue); 6] = [
        (DOUBT_BEHIND, Cue::DoubtBehind),
        (DOUBT_EITHER, Cue::DoubtEither),
        (DENY_BEHIND, Cue::DenyBehind),
        (NOT_DENIED, Cue::None),
        (DOUBT_BEFORE, Cue::DoubtBefore),
        (DENY_BEFORE, Cue::DenyBefore),
    ];
    let mut cues = Vec::new();
    let mut named = terms.iter().peekable();
    let mut at = 0;
    while at < words.len() {
        while named.next_if(|(_, term)| term.end <= at).is_some() {}
        let next = named.peek().map_or(words.len(), |(_, term)| term.start);
        if let Some((cue, length)) = turned(words, at, next.max(at)) {
            cues.push((cue, at..at + length));
            at += length;
            continue;
        }
        let longest = |phrases: &[&str]| {
            let lengths = phrases
                .iter()
                .filter_map(|phrase| phrase_at(words, at, phrase));
            lengths.max()
        };
        let best = LISTS
            .into_iter()
            .filter_map(|(phrases, cue)| Some((longest(phrases)?, cue)))
            .reduce(|best, other| if other.0 > best.0 { other } else { best });
        at += match best {
            Some((length, cue)) => {
                let cue = weighed(words, at..at + length, cue);
                cues.push((cue, at..at + length));
                length
            }
            None => 1,
        };
    }
    cues
}

/// Phrases that other words may stand in: "not completely resolved", "should be ruled out", "no longer seen".
/// `next` is where the next finding begins.
fn turned(words: &[Word], at: usize, next: usize) -> Option<(Cue, usize)> {
    let word = words.get(at)?.lower.as_str();
    if word == "no" && words.get(at + 1).is_some_and(|word| word.lower == "longer") {
        return Some(no_longer(words, at, next));
    }
    if word == "resolved" && (at == 0 || words[at - 1].lower == "interval") && next < words.len() {
        return Some((Cue::DenyBefore, 1));
    }
    let turns = [NOT, NOT_YET, PARTLY, NEARLY];
    if !turns.iter().any(|list| list.contains(&word)) {
        return None;
    }
    for ahead in at + 1..next.min(at + 1 + NEAR) {
        if words[ahead - 1].comma || words[ahead - 1].colon {
            return None;
        }
        let turned = turned_by(words, at, ahead, next);
        if turned.is_some() || !may_stand_within(&words[ahead].lower) {
            return turned;
        }
    }
    None
}

/// The phrase from `at`, if the word at `ahead` is the one that it turns.
fn turned_by(words: &[Word], at: usize, ahead: usize, next: usize) -> Option<(Cue, usize)> {
    let word = words[at].lower.as_str();
    let (not, partly) = (NOT.contains(&word), PARTLY.contains(&word));
    let lower = words[ahead].lower.as_str();
    let length = ahead + 1 - at;
    if RESOLVED.contains(&lower) {
        let stays = not || partly;
        return Some((if stays { Cue::None } else { Cue::DoubtBehind }, length));
    }
    let out = words
        .get(ahead + 1)
        .is_some_and(|word| word.lower == "out" && ahead + 1 < next);
    if EXCLUDED.contains(&lower) && (lower != "ruled" || out) {
        return Some((Cue::DoubtBehind, length + usize::from(lower == "ruled")));
    }
    let rule_out = lower == "rule" && words.get(ahead + 1).is_some_and(|word| word.lower == "out");
    if not && (lower == "exclude" || rule_out) {
        return Some((Cue::DoubtBefore, length));
    }
    let of = words.get(ahead + 1).is_some_and(|word| word.lower == "of");
    if not && of && matches!(lower, "clear" | "free") {
        return Some((Cue::DoubtBefore, length + 1));
    }
    if matches!(lower, "resolution" | "clearing") {
        let cue = if not || partly {
            Cue::None
        } else {
            Cue::DoubtBefore
        };
        return of.then_some((cue, length + 1));
    }
    if not && CHANGED.contains(&lower) {
        return Some((Cue::None, length));
    }
    if not && !matches!(word, "no" | "without" | "nor") && SEEN.contains(&lower) {
        if not_before(words, at, ahead) {
            return Some((Cue::None, length));
        }
        // "not clearly seen" is not "not seen".
        let cue = if length == 2 {
            Cue::DenyBehind
        } else {
            Cue::DoubtBehind
        };
        return Some((cue, length));
    }
    None
}

/// Whether a word may stand in such a phrase before the one that is turned.
fn may_stand_within(lower: &str) -> bool {
    let within = [BETWEEN, PARTLY, NEARLY, NOT_YET];
    // Another denial or verb speaks for itself.
    !NOT.contains(&lower) && within.iter().any(|list| list.contains(&lower))
}

/// "Not seen on the prior study", "not previously seen": what is new is there. The word of seeing stands at `seen`.
fn not_before(words: &[Word], at: usize, seen: usize) -> bool {
    let earlier = |word: &Word| EARLIER.contains(&word.lower.as_str());
    let mut behind = words[seen + 1..].iter().take(4);
    words[at..seen].iter().any(earlier) || !words[seen].comma && behind.any(earlier)
}

/// "Suggest CT of the mass": what is to be looked at again is there, where nothing is said to be looked for.
fn asks_for_look(behind: &[Word]) -> bool {
    let look = |word: &Word| EXAMINATIONS.contains(&word.lower.as_str());
    let Some(exam) = behind.iter().take(4).position(look) else {
        return false;
    };
    if behind.get(exam + 1).is_none_or(|word| word.lower != "of") {
        return false;
    }
    for at in exam + 2..behind.len().min(exam + 2 + 2 * NEAR) {
        if FINDINGS
            .iter()
            .any(|(phrase, _)| phrase_at(behind, at, phrase).is_some())
        {
            return true;
        }
        if matches!(behind[at].lower.as_str(), "for" | "to" | "if" | "as") {
            return false;
        }
    }
    false
}

/// "No longer": denies what is not seen any more, and nothing where something is no longer large.
fn no_longer(words: &[Word], at: usize, next: usize) -> (Cue, usize) {
    let behind = words.get(at + 2).map_or("", |word| word.lower.as_str());
    if SEEN.contains(&behind) {
        // "No longer present is the effusion"
        let cue = if at == 0 {
            Cue::DenyBefore
        } else {
            Cue::DenyBehind
        };
        return (cue, 3);
    }
    let names = next < words.len() && next <= at + 2 + NEAR;
    let nothing = behind.is_empty();
    let any = matches!(behind, "any" | "a" | "an" | "evidence" | "the");
    match (names && any || next == at + 2, nothing) {
        (true, _) => (Cue::DenyBefore, 2),
        (_, true) => (Cue::DoubtBehind, 2),
        _ => (Cue::None, 2),
    }
}

/// A phrase with what stands right beside it.
fn weighed(words: &[Word], at: Range<usize>, cue: Cue) -> Cue {
    let first = words[at.start].lower.as_str();
    let behind = words.get(at.end).map_or("", |word| word.lower.as_str());
    let before = |wanted: &[&str]| {
        let near = &words[at.start.saturating_sub(2)..at.start];
        near.iter()
            .any(|word| wanted.contains(&word.lower.as_str()))
    };
    let last = words[at.end - 1].lower.as_str();
    match cue {
        Cue::DenyBehind if RESOLVED.contains(&last) && PARTLY.contains(&behind) => Cue::None,
        Cue::DenyBehind if RESOLVED.contains(&last) && NEARLY.contains(&behind) => Cue::DoubtBehind,
        Cue::DenyBefore if matches!(first, "resolution" | "clearing") => {
            resolution(&words[..at.start])
        }
        Cue::DenyBefore
            if matches!(first, "free" | "clear") && before(&["not", "isn't", "aren't"]) =>
        {
            Cue::DoubtBefore
        }
        Cue::DoubtBefore
            if matches!(first, "suggest" | "suggests" | "suggesting" | "favor")
                && asks_for_look(&words[at.end..]) =>
        {
            Cue::None
        }
        Cue::DenyBefore if first == "rather" => {
            let earlier = &words[at.start.saturating_sub(4 * NEAR)..at.start];
            let doubted = (0..earlier.len()).any(|at| {
                let mut doubts = DOUBT_BEFORE.iter().chain(DOUBT_EITHER);
                doubts.any(|doubt| phrase_at(earlier, at, doubt).is_some())
            });
            if doubted { Cue::DoubtBefore } else { cue }
        }
        _ => cue,
    }
}

/// "Resolution of": by the words in front of it done, asked for, or in part.
fn resolution(before: &[Word]) -> Cue {
    for word in before.iter().rev().take(NEAR) {
        let lower = word.lower.as_str();
        if word.comma || matches!(lower, "with" | "and" | "there" | "shows" | "demonstrates") {
            return Cue::DenyBefore;
        }
        if PARTLY.contains(&lower) || NOT.contains(&lower) {
            return Cue::None;
        }
        if !RESOLUTION.contains(&lower) {
            return Cue::DoubtBefore;
        }
    }
    Cue::DenyBefore
}
