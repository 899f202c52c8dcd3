//! How far the phrases of a clause reach.

use std::ops::Range;

use super::clause::Word;
use super::cue::{Cue, Term};
use super::lexicon::{DISORDERS, LARGE, QUALIFIERS, SEEN, SHOWS, STATES, THERE, VERBS};
use super::mention::Polarity;
use super::side::word_side;

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
    let mut before = Before::of(words, cues);
    let mut judged = Vec::with_capacity(terms.len());
    let mut cues = cues.iter().peekable();
    let mut at = 0;
    for (_, term) in terms {
        while at < term.start {
            if let Some((cue, range)) = cues.next_if(|(_, range)| range.start == at) {
                before.take_up(*cue, range);
                at = range.end.max(at + 1);
            } else {
                before.named |= DISORDERS.contains(&words[at].lower.as_str());
                at += 1;
            }
            before.go_behind(at - 1);
        }
        judged.push(before.judge(term.start));
        (before.named, before.waiting) = (true, false);
        while at < term.end {
            before.go_behind(at);
            at += 1;
        }
        while cues.next_if(|(_, range)| range.start < at).is_some() {}
    }
    judged
}

/// What the phrases read so far say of a finding that comes next.
struct Before<'a> {
    words: &'a [Word],
    scopes: Scopes,
    /// Where the last denial ends, and what is left of it.
    denied: Option<(usize, Reach)>,
    /// Whether it says how a study was made, or may: "without", "lack of", "absence of".
    lacking: bool,
    /// Where the last doubt ends.
    doubted: Option<usize>,
    /// Whether a finding was named since the denial.
    named: bool,
    /// Whether one was when a doubt came that a comma or a word such as "and" parts from it.
    apart: bool,
    /// Whether the denial stands right behind a doubt.
    adjoined: bool,
    /// Whether a doubt came and no finding since.
    waiting: bool,
}

impl<'a> Before<'a> {
    fn of(words: &'a [Word], cues: &[(Cue, Range<usize>)]) -> Self {
        Self {
            words,
            scopes: Scopes::of(words, cues),
            denied: None,
            lacking: false,
            doubted: None,
            named: false,
            apart: false,
            adjoined: false,
            waiting: false,
        }
    }

    fn take_up(&mut self, cue: Cue, range: &Range<usize>) {
        match cue {
            Cue::DenyBefore => {
                self.adjoined = self.doubted == Some(range.start);
                self.denied = Some((range.end, Reach::Whole));
                let first = self.words[range.start].lower.as_str();
                self.lacking = matches!(first, "without" | "lack" | "absence");
                (self.named, self.apart) = (false, false);
            }
            Cue::DoubtBefore | Cue::DoubtEither => {
                let parted = self.words[..range.start].last().is_some_and(|last| {
                    last.comma || matches!(last.lower.as_str(), "and" | "or" | "with" | "but")
                });
                self.apart |= self.named && parted;
                // "Lack of cooperation limits assessment of the nodule" denies no nodule.
                let begins = self.words[range.start].lower.as_str();
                if self.lacking && SHOWS.contains(&begins) {
                    self.denied = self.denied.map(|(from, _)| (from, Reach::Ended));
                }
                self.doubted = Some(range.end);
                self.waiting = cue == Cue::DoubtBefore && self.words[range.start].lower != "if";
            }
            _ => {}
        }
    }

    /// Ends what does not reach behind the word at `at`, which may be the last one of a phrase or a finding.
    fn go_behind(&mut self, at: usize) {
        let own = self.doubted == Some(at + 1);
        if self.waiting && !own && self.scopes.settled(self.words, at) {
            (self.doubted, self.waiting) = (None, false);
        }
        if let Some((_, reach)) = self.denied.as_mut().filter(|(from, _)| *from <= at) {
            if self.lacking && SHOWS.contains(&self.words[at].lower.as_str()) {
                *reach = Reach::Ended;
            }
            self.scopes.narrow(reach, self.words, at, self.named);
        }
    }

    /// What is said of the finding that begins at `start`.
    fn judge(&self, start: usize) -> (Polarity, bool) {
        match (self.denied, self.doubted) {
            (Some((from, Reach::Whole)), _) if !self.apart && !self.adjoined => {
                (Polarity::Absent, self.scopes.qualified(from, start))
            }
            (Some((_, Reach::Ended)), None) | (None, None) => (Polarity::Present, false),
            _ => (Polarity::Uncertain, false),
        }
    }
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
pub(super) fn is_adjective(lower: &str) -> bool {
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
