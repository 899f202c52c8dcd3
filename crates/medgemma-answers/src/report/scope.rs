//! How far the phrases of a clause reach.

use std::ops::Range;

use super::clause::Word;
use super::cue::{Cue, Term};
use super::lexicon::{
    ANSWER_NO, ANSWER_REST, ANSWER_UNSURE, DISORDERS, LARGE, QUALIFIERS, SEEN, STATES, THERE,
    UNSURE_REST, VERBS,
};
use super::mention::Polarity;
use super::side::{is_place, word_side};

/// How much of a phrase is left where a finding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Whole,
    /// It may be meant, or not.
    Unsure,
    Ended,
}

/// What the phrases before each finding say of it.
pub(super) fn forwards(
    words: &[Word],
    terms: &[Term],
    cues: &[(Cue, Range<usize>)],
) -> Vec<(Polarity, bool)> {
    let scopes = Scopes::of(words, cues);
    let mut judged = Vec::with_capacity(terms.len());
    let mut cues = cues.iter().peekable();
    let (mut denied, mut doubted): (Option<(usize, Reach)>, Option<usize>) = (None, None);
    // Whether a finding was named since the denial, and whether one was when the doubt came.
    let mut named = false;
    let mut apart = false;
    let mut adjoined = false;
    // Whether a doubt came and no finding since.
    let mut waiting = false;
    let mut at = 0;
    for (_, term) in terms {
        while at < term.start {
            if let Some((cue, range)) = cues.next_if(|(_, range)| range.start == at) {
                match cue {
                    Cue::DenyBefore => {
                        adjoined = doubted == Some(range.start);
                        denied = Some((range.end, Reach::Whole));
                        (named, apart) = (false, false);
                    }
                    Cue::DoubtBefore | Cue::DoubtEither => {
                        let parted =
                            at.checked_sub(1)
                                .map(|last| &words[last])
                                .is_some_and(|last| {
                                    last.comma
                                        || matches!(
                                            last.lower.as_str(),
                                            "and" | "or" | "with" | "but"
                                        )
                                });
                        apart |= named && parted;
                        doubted = Some(range.end);
                        waiting = *cue == Cue::DoubtBefore && words[range.start].lower != "if";
                    }
                    _ => {}
                }
                at = range.end.max(at + 1);
                let own = doubted == Some(at);
                if waiting && !own && scopes.settled(words, at - 1) {
                    (doubted, waiting) = (None, false);
                }
                if let Some((_, reach)) = denied.as_mut().filter(|(from, _)| *from < at) {
                    scopes.narrow(reach, words, at - 1, named);
                }
                continue;
            }
            named |= DISORDERS.contains(&words[at].lower.as_str());
            if waiting && scopes.settled(words, at) {
                (doubted, waiting) = (None, false);
            }
            if let Some((_, reach)) = &mut denied {
                scopes.narrow(reach, words, at, named);
            }
            at += 1;
        }
        judged.push(match (denied, doubted) {
            (Some((from, Reach::Whole)), _) if !apart && !adjoined => {
                (Polarity::Absent, scopes.qualified(from, term.start))
            }
            (Some((_, Reach::Ended)), None) | (None, None) => (Polarity::Present, false),
            _ => (Polarity::Uncertain, false),
        });
        (named, waiting) = (true, false);
        while at < term.end {
            if let Some((_, reach)) = &mut denied {
                scopes.narrow(reach, words, at, named);
            }
            at += 1;
        }
        while cues.next_if(|(_, range)| range.start < at).is_some() {}
    }
    judged
}

/// What stands behind each word of a clause, up to the next denial.
struct Scopes {
    /// How many words before each are qualifiers.
    qualifiers: Vec<usize>,
    /// Whether "or" or "nor" follows.
    or: Vec<bool>,
    /// Whether a verb follows before any "and" or "or".
    verb: Vec<bool>,
    /// Whether a verb follows before any "and", "or" or comma, and none of seeing behind it.
    stands: Vec<bool>,
    /// Whether it is said how something has changed, before any "or" or comma.
    changed: Vec<bool>,
    /// How many times "or" or "nor" came before each.
    ors: Vec<usize>,
}

impl Scopes {
    fn of(words: &[Word], cues: &[(Cue, Range<usize>)]) -> Self {
        let mut scopes = Self {
            qualifiers: Vec::with_capacity(words.len() + 1),
            or: vec![false; words.len() + 1],
            verb: vec![false; words.len() + 1],
            stands: vec![false; words.len() + 1],
            changed: vec![false; words.len() + 1],
            ors: Vec::with_capacity(words.len() + 1),
        };
        let (mut qualifiers, mut ors) = (0, 0);
        for word in words {
            scopes.qualifiers.push(qualifiers);
            scopes.ors.push(ors);
            qualifiers += usize::from(QUALIFIERS.contains(&word.lower.as_str()));
            ors += usize::from(matches!(word.lower.as_str(), "or" | "nor"));
        }
        scopes.qualifiers.push(qualifiers);
        scopes.ors.push(ors);
        let mut denials = cues
            .iter()
            .rev()
            .filter(|(cue, _)| *cue == Cue::DenyBefore)
            .peekable();
        let (mut both, mut one) = (false, false);
        for at in (0..words.len()).rev() {
            let lower = words[at].lower.as_str();
            let denial = denials.next_if(|(_, range)| range.start == at).is_some();
            let or = matches!(lower, "or" | "nor");
            scopes.or[at] = !denial && (or || scopes.or[at + 1]);
            let list = or || lower == "and";
            let next = words.get(at + 1).map_or("", |word| word.lower.as_str());
            let goes_on = !words[at].comma;
            let is = VERBS.contains(&lower);
            let seen = SEEN.contains(&next) && next != "present";
            scopes.stands[at] =
                !denial && !list && (is && !seen || !is && goes_on && scopes.stands[at + 1]);
            // "Effusion and edema are unchanged" says it of both, "effusion and unchanged edema" of one.
            both = !denial && !or && (is && STATES.contains(&next) || goes_on && both);
            one = !denial && !list && (STATES.contains(&lower) || goes_on && one);
            scopes.changed[at] = both || one;
            scopes.verb[at] = !denial && !list && (VERBS.contains(&lower) || scopes.verb[at + 1]);
        }
        scopes
    }

    /// Whether some kind only is denied, between the denial and a finding.
    fn qualified(&self, from: usize, to: usize) -> bool {
        self.qualifiers[from.min(to)] < self.qualifiers[to]
    }

    /// Whether a doubt in which no finding was named ends behind the word at `at`: "may be rotated, large effusion".
    fn settled(&self, words: &[Word], at: usize) -> bool {
        let word = &words[at];
        let Some(next) = words.get(at + 1) else {
            return false;
        };
        let lower = next.lower.as_str();
        if word.lower == "and" && lower == "there" {
            return true;
        }
        let begins = is_adjective(lower) || word_side(next).is_some();
        let parts = word.lower == "with" || word.comma && !is_adjective(&word.lower);
        parts && begins && !self.or[at + 1]
    }

    /// What is left of a denial behind the word at `at`, where a finding or the like was denied before it.
    fn narrow(&self, reach: &mut Reach, words: &[Word], at: usize, named: bool) {
        let word = &words[at];
        let joins = matches!(word.lower.as_str(), "and" | "with");
        if !(word.comma || joins && named) || *reach == Reach::Ended {
            return;
        }
        let Some(next) = words.get(at + 1) else {
            return;
        };
        let lower = next.lower.as_str();
        if matches!(lower, "and" | "or" | "nor") {
            return;
        }
        let or = self.or[at + 1];
        let adjective = |word: &Word| is_adjective(&word.lower);
        let left = if LARGE.contains(&lower) {
            // "No focal, patchy consolidation" is of one thing, "no effusion, large mass, or edema" a list of three.
            if or || !named && adjective(word) {
                return;
            }
            if named { Reach::Ended } else { Reach::Unsure }
        } else if THERE.contains(&lower) {
            // "No recent, mild ..." speaks of one thing still.
            if !named && QUALIFIERS.contains(&word.lower.as_str()) {
                return;
            }
            if or || !named {
                Reach::Unsure
            } else {
                Reach::Ended
            }
        } else if or || !named {
            return;
        } else if self.changed[at + 1] {
            Reach::Ended
        } else if word_side(next).is_some()
            || self.stands[at + 1]
            || word.comma && (self.ors[at] > 0 || self.verb[at + 1])
        {
            Reach::Unsure
        } else {
            return;
        };
        if left == Reach::Ended || *reach == Reach::Whole {
            *reach = left;
        }
    }
}

/// Whether a word may stand in front of another one and the finding that both speak of.
fn is_adjective(lower: &str) -> bool {
    LARGE.contains(&lower) || THERE.contains(&lower) || QUALIFIERS.contains(&lower)
}

/// What the phrases behind each finding say of it: the next one, as far back as its list of findings goes.
pub(super) fn backwards(
    words: &[Word],
    terms: &[Term],
    cues: &[(Cue, Range<usize>)],
) -> Vec<Option<Polarity>> {
    let mut judged = vec![None; terms.len()];
    let mut cues: Vec<&(Cue, Range<usize>)> = cues
        .iter()
        .filter(|(cue, _)| {
            matches!(
                cue,
                Cue::DenyBehind | Cue::DoubtBehind | Cue::DoubtEither | Cue::None
            )
        })
        .collect();
    let mut state: Option<(Cue, Reach, bool, usize)> = None;
    let mut next = words.len();
    for (index, (_, term)) in terms.iter().enumerate().rev() {
        let mut fresh = None;
        while cues
            .last()
            .is_some_and(|(_, range)| range.start >= term.end)
        {
            fresh = cues.pop();
        }
        state = match (fresh, state) {
            (Some((cue, range)), _) => {
                let reach = to_cue(&words[term.end - 1..range.start]);
                Some((*cue, reach, false, range.start))
            }
            (None, Some((cue, reach, listed, start))) => {
                let (reach, listed) = through(&words[term.end - 1..next], reach, listed);
                // "Effusion and pneumothorax is not seen" may say it of the last alone, and so without a verb.
                let between = &words[term.end..next];
                let and = between.iter().any(|word| word.lower == "and");
                let one = singular(words, start) || and && !plural(words, start);
                let one = cue == Cue::DenyBehind && one;
                let reach = if one && reach == Reach::Whole {
                    Reach::Unsure
                } else {
                    reach
                };
                // Of "opacity, atelectasis versus pneumonia" only the nearest is in doubt.
                let reach = if cue == Cue::DoubtEither {
                    Reach::Ended
                } else {
                    reach
                };
                Some((cue, reach, listed, start))
            }
            (None, None) => None,
        };
        next = term.start;
        judged[index] = state.and_then(|(cue, reach, ..)| match (cue, reach) {
            (Cue::None, _) | (_, Reach::Ended) => None,
            (Cue::DenyBehind, Reach::Whole) => Some(Polarity::Absent),
            _ => Some(Polarity::Uncertain),
        });
    }
    judged
}

/// What is left of a phrase at the finding nearest before it, of which the last word and those between are given.
fn to_cue(between: &[Word]) -> Reach {
    let commas = between.iter().filter(|word| word.comma).count();
    let inner = between.iter().skip(1);
    let joined = inner
        .clone()
        .any(|word| matches!(word.lower.as_str(), "and" | "with" | "while"));
    // "The effusion, seen before, has resolved": two commas set its words apart.
    let at_cue = between.last().is_some_and(|last| last.comma);
    if joined || commas == 1 && !at_cue {
        return Reach::Unsure;
    }
    Reach::Whole
}

/// What is left of a phrase behind one more finding; whether "and" or "or" has made a list of them.
fn through(between: &[Word], reach: Reach, listed: bool) -> (Reach, bool) {
    let has = |wanted: &[&str]| {
        let mut inner = between.iter().skip(1);
        inner.any(|word| wanted.contains(&word.lower.as_str()))
    };
    let listed = listed || has(&["and", "or", "nor"]);
    let comma = between.iter().any(|word| word.comma || word.colon);
    if has(VERBS) || has(&["seen", "noted", "there"]) || comma && !listed {
        return (Reach::Ended, listed);
    }
    match reach {
        Reach::Whole if has(&["with", "without"]) => (Reach::Unsure, listed),
        reach => (reach, listed),
    }
}

/// Whether the verb at a phrase speaks of one thing.
fn singular(words: &[Word], cue: usize) -> bool {
    words[cue.saturating_sub(1)..=cue].iter().any(|word| {
        matches!(
            word.lower.as_str(),
            "is" | "has" | "was" | "isn't" | "hasn't"
        )
    })
}

/// Whether it speaks of several.
fn plural(words: &[Word], cue: usize) -> bool {
    words[cue.saturating_sub(1)..=cue].iter().any(|word| {
        matches!(
            word.lower.as_str(),
            "are" | "have" | "were" | "aren't" | "haven't" | "weren't"
        )
    })
}

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
