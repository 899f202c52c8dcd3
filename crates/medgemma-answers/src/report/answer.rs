//! Answers behind a colon or a dash, as forms have them: "Pneumothorax: No". They go before what phrases say of the
//! findings that are asked of.

use std::ops::Range;

use super::clause::Word;
use super::cue::{Cue, Term};
use super::lexicon::{ANSWER_NO, ANSWER_REST, ANSWER_UNSURE, QUALIFIERS, UNSURE_REST};
use super::mention::Polarity;
use super::side::{is_place, word_side};

/// "Pneumothorax: No": what stands behind a colon is said of what is named before it.
pub(super) fn answers(
    words: &[Word],
    terms: &[Term],
    cues: &[(Cue, Range<usize>)],
    judged: &mut [(Polarity, bool)],
) {
    let Some((_, first)) = terms.first() else {
        return;
    };
    let label = words.iter().skip(first.end - 1);
    let Some(colon) = label.clone().position(|word| word.answered) else {
        return;
    };
    let colon = first.end - 1 + colon;
    let asked = terms.partition_point(|(_, term)| term.end <= colon + 1);
    let Some(answer) = words.get(colon + 1).map(|word| word.lower.as_str()) else {
        return;
    };
    let cue = cues.iter().find(|(_, range)| range.start == colon + 1);
    let stays = cue.is_some_and(|(cue, _)| *cue == Cue::None);
    let denies = cue.is_some_and(|(cue, _)| matches!(cue, Cue::DenyBefore | Cue::DenyBehind));
    let denies = !stays && ANSWER_NO.contains(&answer) && (denies || cue.is_none());
    let unsure = !stays && !denies && ANSWER_UNSURE.contains(&answer);
    if stays || !(denies || unsure) {
        return;
    }
    let rest = if denies { ANSWER_REST } else { UNSURE_REST };
    let (end, whole) = answer_end(words, &terms[asked..], colon, rest);
    let within = terms[asked..]
        .iter()
        .take_while(|(_, term)| term.start < end);
    let mut within = within.map(|(finding, _)| finding);
    // "Effusion: no pneumothorax": nobody knows what it says of the first.
    let alone = words[colon].colon && first.start == 0 && first.end == colon + 1;
    let qualified = words[colon + 1..end]
        .iter()
        .any(|word| QUALIFIERS.contains(&word.lower.as_str()));
    let other = within.next();
    for ((finding, _), judged) in terms[..asked].iter().zip(judged) {
        let same = other.is_none_or(|other| other == finding)
            && within.clone().all(|other| other == finding);
        let known = judged.0 == Polarity::Absent || other.is_some();
        if denies && whole && same {
            *judged = (Polarity::Absent, qualified);
        } else if denies && alone && other.is_some() || unsure && whole && !known {
            *judged = (Polarity::Uncertain, false);
        }
    }
}

/// Where an answer ends that stands behind the word at `colon`, and whether it says no more than that: "no mediastinal
/// shift" does. Behind a mere dash it must be the last word. `terms` are those behind.
fn answer_end(words: &[Word], terms: &[Term], colon: usize, rest: &[&str]) -> (usize, bool) {
    let mut at = colon + 1;
    let mut terms = terms.iter().peekable();
    // Whether a comma may end it: behind a place another one may follow, "no left, small right".
    let mut plain = true;
    loop {
        let last = &words[at];
        if last.colon || at + 1 == words.len() {
            return (at + 1, words[colon].colon || at == colon + 1);
        }
        if last.comma && plain {
            return (at + 1, words[colon].colon);
        }
        let next = at + 1;
        let lower = words[next].lower.as_str();
        while terms.next_if(|(_, term)| term.end <= next).is_some() {}
        if let Some((_, term)) = terms.peek().filter(|(_, term)| term.start == next) {
            at = term.end - 1;
            plain = false;
            continue;
        }
        let of = matches!(lower, "of" | "for") && words[at].lower == "evidence";
        let place = is_place(&words[next]) && !matches!(lower, "and" | "or" | "also");
        if !(of || place || rest.contains(&lower) || word_side(&words[next]).is_some()) {
            // Findings behind may still be the answer, which is not understood.
            let end = words[next..]
                .iter()
                .position(|word| word.comma || word.colon);
            return (end.map_or(words.len(), |end| next + end + 1), false);
        }
        plain &= rest.contains(&lower) && lower != "acute" || of;
        at = next;
    }
}
