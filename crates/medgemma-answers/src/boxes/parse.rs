//! Boxes in what a model wrote: JSON with or without a fence, whole or cut off, bare lists, numbers
//! after "Final Answer:", fractions of 1, `<loc0123>` tokens.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A place on the picture that the model saw, in thousandths of its sides.
/// 0 ≤ y0 < y1 ≤ 1000, and so for x. `Debug` does not show where, which the model said of a patient.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Region {
    /// Upper edge.
    pub y0: f64,
    /// Left edge.
    pub x0: f64,
    /// Lower edge.
    pub y1: f64,
    /// Right edge.
    pub x1: f64,
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region").finish_non_exhaustive()
    }
}

impl Region {
    /// What both sides of the model's picture are divided into.
    pub const SCALE: f64 = 1000.0;

    /// A region; `None` where the numbers are none: outside of 0..=1000, or without area.
    #[must_use]
    pub fn new(y0: f64, x0: f64, y1: f64, x1: f64) -> Option<Self> {
        Self::judge([y0, x0, y1, x1]).ok()
    }

    fn judge([y0, x0, y1, x1]: [f64; 4]) -> Result<Self, BoxProblem> {
        let inside = |value: f64| (0.0..=Self::SCALE).contains(&value);
        if ![y0, x0, y1, x1].into_iter().all(inside) {
            return Err(BoxProblem::OutOfRange);
        }
        if y0 >= y1 || x0 >= x1 {
            return Err(BoxProblem::NoArea);
        }
        Ok(Self { y0, x0, y1, x1 })
    }
}

/// A box with what is in it. `Debug` shows sizes only.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Located {
    /// Where.
    pub region: Region,
    /// What, if the model said so.
    pub label: Option<String>,
    /// The bytes of the text that say it: the JSON value, list or tokens that it is part of.
    pub span: Range<usize>,
}

impl fmt::Debug for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Located")
            .field("label_bytes", &self.label.as_ref().map(String::len))
            .field("span", &self.span)
            .finish_non_exhaustive()
    }
}

/// Why four numbers are no box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BoxProblem {
    /// A number is negative or above 1000.
    OutOfRange,
    /// An edge is not before the one opposite.
    NoArea,
    /// A list under the name of a box that is not of four numbers.
    NotFourNumbers,
}

/// What stands in the place of a box and is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SkippedBox {
    /// Why.
    pub problem: BoxProblem,
    /// The bytes of the text.
    pub span: Range<usize>,
}

/// What there is of boxes in a text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Boxes {
    /// In the order of the text; one that comes again with the same label is left out.
    pub boxes: Vec<Located>,
    /// What looked like a box.
    pub skipped: Vec<SkippedBox>,
}

/// Finds the boxes in a model's answer. Numbers are `[y0, x0, y1, x1]` in thousandths, or all four
/// between 0 and 1: then fractions, as MedGemma 1.5's report writes them.
///
/// What follows "Final Answer:" counts alone, the last with four numbers, an empty list or "none" behind it:
/// where the answer is that there is nothing, no box of the reasoning is given. Objects with
/// `box_2d` (also `box`, `bbox`, `bounding_box`) count alone where there are any; else each list of
/// four numbers does, each run of four `<loc0123>` (0 to 1023) with the words behind it as its label,
/// or four numbers right behind "Final Answer:".
///
/// Any text may be given; time and memory grow with its length.
#[must_use]
pub fn boxes(text: &str) -> Boxes {
    /// Marks that are tried, so that a text of nothing else takes no longer than its length.
    const TRIED: usize = 8;
    let mut end = text.len();
    let mut tried = 0;
    while let Some((mark, start)) = final_answer(&text[..end]) {
        let near = &text[start..end];
        end = mark;
        if is_none(&text[start..], near) {
            return Boxes::default();
        }
        // "This is my final answer." has nothing behind it.
        if !near.contains(|c: char| matches!(c, '[' | '{' | '(' | '<') || c.is_ascii_digit()) {
            continue;
        }
        let found = find(text, start, true);
        if !found.boxes.is_empty() || !found.skipped.is_empty() {
            return found;
        }
        tried += 1;
        if tried == TRIED {
            break;
        }
    }
    find(text, 0, false)
}

/// Four numbers in the text.
struct Candidate {
    /// None: there is a list, of something else.
    numbers: Option<[f64; 4]>,
    label: Option<String>,
    span: Range<usize>,
    /// Whether a key or tokens say that they are a box.
    keyed: bool,
    /// Whether they may be fractions of 1.
    fractions: bool,
}

/// Keys of a box in an object.
const BOX_KEYS: [&str; 4] = ["box_2d", "box", "bbox", "bounding_box"];

/// Keys of what is in it.
const LABEL_KEYS: [&str; 3] = ["label", "name", "object"];

/// The last "Final Answer" of a text: where it begins, and the text behind it. A colon may be absent.
fn final_answer(text: &str) -> Option<(usize, usize)> {
    const MARK: &str = "final answer";
    let bytes = text.as_bytes();
    let mark = bytes
        .windows(MARK.len())
        .rposition(|window| window.eq_ignore_ascii_case(MARK.as_bytes()))?;
    Some((mark, mark + MARK.len()))
}

/// Whether an answer says that there is nothing: a list without anything in it, or "none" behind the colon.
/// `near`: what of it stands before the next mark.
fn is_none(answer: &str, near: &str) -> bool {
    /// JSON of more is no empty list, and would be read again for each mark.
    const LONGEST: usize = 80;
    let said = answer.trim_start_matches([':', '*', ' ', '\n', '\r', '\t', '"', '`']);
    let json = said.strip_prefix("json").unwrap_or(said).trim_start();
    if json.starts_with(['[', '{']) {
        let close = json.char_indices().take(LONGEST);
        let digits = close.clone().find(|(_, c)| c.is_ascii_digit());
        let mut values = serde_json::Deserializer::from_str(json).into_iter::<Value>();
        return match digits {
            Some(_) => starts_empty(json),
            None => values
                .next()
                .is_some_and(|value| value.is_ok_and(|value| is_empty(&value))),
        };
    }
    let colon = answer.trim_start_matches(['*', ' ']).starts_with(':');
    let word = said.split(|c: char| !c.is_alphanumeric()).next();
    let none = word.is_some_and(|word| {
        let words = ["none", "null", "no", "not", "nothing"];
        words.iter().any(|none| word.eq_ignore_ascii_case(none))
    });
    colon && none && !has_four(near)
}

/// Whether four numbers or more stand together in a text, or a token of places: "no fracture; heart at [1, 2, 3, 4]".
fn has_four(text: &str) -> bool {
    let (mut run, mut inside) = (0, false);
    for c in text.chars() {
        let digit = c.is_ascii_digit();
        if digit && !inside {
            run += 1;
        } else if !(digit || c.is_whitespace() || matches!(c, ',' | '.' | '"' | '\'')) {
            // A minus between digits parts those of a date.
            run = if c == '-' && !inside { run } else { 0 };
        }
        // The decimals of a number are of it.
        inside = digit || inside && c == '.';
        if run == 4 {
            return true;
        }
    }
    text.contains("<loc")
}

/// Whether a list ends where it begins.
fn starts_empty(json: &str) -> bool {
    json.strip_prefix('[')
        .is_some_and(|rest| rest.trim_start().starts_with(']'))
}

/// Whether a value has nothing in it but lists and objects that have nothing in them.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().all(is_empty),
        Value::Object(map) => map.values().all(is_empty),
        Value::Null => true,
        _ => false,
    }
}

/// Boxes from `start` on.
fn find(text: &str, start: usize, answer: bool) -> Boxes {
    let mut candidates = Vec::new();
    let mut at = start;
    while let Some(step) = text[at..].find(['[', '{', '(', '<']) {
        at += step;
        at = match text.as_bytes()[at] {
            b'<' => locations(text, at, &mut candidates),
            b'(' => numbers_in(text, at, b')', &mut candidates),
            _ => json(text, at, &mut candidates),
        };
    }
    if answer && candidates.is_empty() {
        let plain = text[start..].trim_start_matches([':', '*', ' ', '\n', '"']);
        let from = text.len() - plain.len();
        if let Some((numbers, end)) = four_numbers(text, from) {
            candidates.push(Candidate {
                numbers: Some(numbers),
                label: None,
                span: from..end,
                keyed: false,
                fractions: true,
            });
        }
    }
    let is_keyed = |candidate: &Candidate| candidate.keyed && candidate.numbers.is_some();
    let keyed = candidates.iter().any(is_keyed);
    let mut found = Boxes::default();
    let mut known = HashSet::new();
    for candidate in candidates {
        if keyed && !candidate.keyed {
            continue;
        }
        let (span, label) = (candidate.span, candidate.label);
        let Some(mut numbers) = candidate.numbers else {
            let problem = BoxProblem::NotFourNumbers;
            found.skipped.push(SkippedBox { problem, span });
            continue;
        };
        if candidate.fractions {
            numbers = thousandths(numbers);
        }
        match Region::judge(numbers) {
            Ok(region) => {
                if known.insert((numbers.map(f64::to_bits), label.clone())) {
                    found.boxes.push(Located {
                        region,
                        label,
                        span,
                    });
                }
            }
            Err(problem) => found.skipped.push(SkippedBox { problem, span }),
        }
    }
    found
}

/// Fractions are told by all four being at most 1: a box of a thousandth is none that is meant.
fn thousandths(numbers: [f64; 4]) -> [f64; 4] {
    if numbers.iter().all(|number| *number <= 1.0) {
        numbers.map(|number| number * Region::SCALE)
    } else {
        numbers
    }
}

/// A JSON value at `at`, if there is one; where to go on. One that is cut off or damaged is entered
/// instead: its whole parts are found one by one.
fn json(text: &str, at: usize, candidates: &mut Vec<Candidate>) -> usize {
    let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
    match values.next() {
        Some(Ok(value)) => {
            let end = at + values.byte_offset();
            walk(&value, &(at..end), candidates);
            end
        }
        // Not even JSON: `[1, 2, 3, 4.]`, or with other brackets inside.
        _ if text.as_bytes()[at] == b'[' => numbers_in(text, at, b']', candidates),
        _ => at + 1,
    }
}

/// The boxes of a JSON value, which is at most 128 levels deep.
fn walk(value: &Value, span: &Range<usize>, candidates: &mut Vec<Candidate>) {
    match value {
        Value::Object(map) => {
            let lists = || BOX_KEYS.iter().filter_map(|key| map.get(*key)?.as_array());
            let named = lists()
                .find(|list| four(list).is_some())
                .or_else(|| lists().find(|list| !list.is_empty()));
            let before = candidates.len();
            if let Some(list) = named {
                let label = LABEL_KEYS.iter().find_map(|key| map.get(*key)?.as_str());
                boxes_under_a_key(list, label, span, candidates);
            }
            if candidates.len() == before {
                map.values().for_each(|value| walk(value, span, candidates));
                // Nor is there one further in.
                if candidates.len() == before && named.is_some() {
                    candidates.push(Candidate {
                        numbers: None,
                        label: None,
                        span: span.clone(),
                        keyed: true,
                        fractions: true,
                    });
                }
            }
        }
        Value::Array(list) => match four(list) {
            Some(numbers) => candidates.push(Candidate {
                numbers: Some(numbers),
                label: None,
                span: span.clone(),
                keyed: false,
                fractions: true,
            }),
            None => list.iter().for_each(|value| walk(value, span, candidates)),
        },
        _ => {}
    }
}

/// The box that a list under the name of one is, or the boxes that are in it; nothing where it is something else.
fn boxes_under_a_key(
    list: &[Value],
    label: Option<&str>,
    span: &Range<usize>,
    candidates: &mut Vec<Candidate>,
) {
    let mut push = |numbers| {
        candidates.push(Candidate {
            numbers,
            label: label.map(str::to_owned),
            span: span.clone(),
            keyed: true,
            fractions: true,
        });
    };
    if let Some(numbers) = four(list) {
        return push(Some(numbers));
    }
    let each = list.iter().map(|one| four(one.as_array()?));
    if each.clone().any(|one| one.is_some()) && list.iter().all(Value::is_array) {
        each.for_each(push);
    }
}

/// An array of four numbers, which may be written as texts.
fn four(list: &[Value]) -> Option<[f64; 4]> {
    let number = |value: &Value| match value {
        Value::String(text) => text.trim().parse().ok().filter(|x: &f64| x.is_finite()),
        other => other.as_f64(),
    };
    let numbers: Vec<f64> = list.iter().map(number).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

/// Four numbers between the bracket at `at` and `close`; where to go on.
fn numbers_in(text: &str, at: usize, close: u8, candidates: &mut Vec<Candidate>) -> usize {
    let Some((numbers, end)) = four_numbers(text, at + 1) else {
        return at + 1;
    };
    let rest = text[end..].trim_start_matches([',', ' ', '\n', '\t']);
    let end = text.len() - rest.len();
    if text.as_bytes().get(end) != Some(&close) {
        return at + 1;
    }
    candidates.push(Candidate {
        numbers: Some(numbers),
        label: None,
        span: at..end + 1,
        keyed: false,
        fractions: true,
    });
    end + 1
}

/// Exactly four numbers from `from` on, with commas or spaces between; their end.
fn four_numbers(text: &str, from: usize) -> Option<([f64; 4], usize)> {
    let mut at = from;
    let mut numbers = [0.0; 4];
    let mut ended = false;
    for (index, number) in numbers.iter_mut().enumerate() {
        let between: &[char] = if index == 0 {
            &[' ', '\n', '\t']
        } else {
            &[',', ' ', '\n', '\t']
        };
        let rest = text[at..].trim_start_matches(between);
        if index > 0 && rest.len() == text.len() - at {
            return None;
        }
        let digits = rest
            .bytes()
            .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
            .count();
        // A full stop: of a number without decimals, or of the sentence.
        let written = rest[..digits].trim_end_matches('.');
        *number = written.parse().ok()?;
        ended = written.len() < digits;
        at = text.len() - rest.len() + digits;
    }
    let goes_on = text[at..].trim_start_matches([',', ' ']);
    let more = !ended && goes_on.starts_with(|c: char| c.is_ascii_digit());
    (!more).then_some((numbers, at))
}

/// Four `<loc0123>` in a row and the words behind them; where to go on.
fn locations(text: &str, start: usize, candidates: &mut Vec<Candidate>) -> usize {
    /// Steps of a side, of which the tokens count 0 to 1023.
    const STEPS: f64 = 1024.0;
    let mut at = start;
    let mut numbers = [0.0; 4];
    for number in &mut numbers {
        let rest = text[at..].trim_start_matches(' ');
        let Some(digits) = rest.strip_prefix("<loc") else {
            return start + 1;
        };
        let count = digits
            .bytes()
            .take(5)
            .take_while(u8::is_ascii_digit)
            .count();
        let (step, rest) = digits.split_at(count);
        let (Ok(step), Some(rest)) = (step.parse::<u16>(), rest.strip_prefix('>')) else {
            return start + 1;
        };
        *number = f64::from(step) / STEPS * Region::SCALE;
        at = text.len() - rest.len();
    }
    let label = text[at..]
        .split([';', '\n', '<'])
        .next()
        .unwrap_or_default();
    let end = at + label.len();
    let label = label.trim();
    candidates.push(Candidate {
        numbers: Some(numbers),
        label: (!label.is_empty()).then(|| label.to_owned()),
        span: start..end,
        keyed: true,
        fractions: false,
    });
    end
}

#[cfg(test)]
mod tests;
