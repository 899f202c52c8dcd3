//! A row in words: `Haemoglobin: 10.2 g/dL (12.0-16.0) L`.

use std::ops::Range;

use super::column::{Column, column};
use super::row::{Flag, LabRow, LabValue, ReferenceRange};
use super::table::{clean, split_flag};

/// What a line is.
pub(super) enum Line {
    /// A row, and whether all of the line was read.
    Row(Box<LabRow>, bool),
    /// It has a name and, behind a colon, a number, and what follows that is of no known form.
    Unread,
    Prose,
}

impl Line {
    pub(super) fn read(line: &str, span: &Range<usize>) -> Self {
        let line = line.trim_start_matches(['-', '*', '\u{2022}', ' ']);
        let Some((analyte, rest)) = line.split_once(':').or_else(|| line.split_once(" = ")) else {
            return Self::Prose;
        };
        if is_within_a_time(analyte, rest) {
            return Self::Prose;
        }
        let (analyte, rest) = (clean(without_number(analyte)), clean(rest));
        let named = analyte.starts_with(char::is_alphabetic) || is_of_a_position(analyte);
        if !named || column(analyte) != Column::Other {
            return Self::Prose;
        }
        if analyte.len() > 60 {
            let number = LabValue::begins_with_number(rest) && !is_of_the_heading(rest);
            return if number { Self::Unread } else { Self::Prose };
        }
        match row(analyte, rest, span) {
            Some((row, whole)) => Self::Row(Box::new(row), whole),
            None if LabValue::begins_with_number(rest) && !is_of_the_heading(rest) => Self::Unread,
            None => Self::Prose,
        }
    }
}

/// Whether the colon between these is that of an hour: "collected at 10:30".
fn is_within_a_time(before: &str, behind: &str) -> bool {
    let hour = before.rsplit(|c: char| !c.is_alphanumeric()).next();
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let is_hour = |hour: &str| (1..=2).contains(&hour.len()) && digits(hour) == hour.len();
    hour.is_some_and(is_hour) && digits(behind) == 2
}

/// A text without the number of its place in a list: "1. Sodium", "2) Potassium".
fn without_number(text: &str) -> &str {
    let text = text.trim_start();
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let behind = rest
        .strip_prefix(['.', ')'])
        .filter(|_| rest.len() < text.len());
    behind
        .filter(|behind| behind.starts_with(char::is_whitespace))
        .unwrap_or(text)
}

/// Whether a name begins with a place in a molecule, as that of 25-OH Vitamin D does.
fn is_of_a_position(name: &str) -> bool {
    let behind = name.trim_start_matches(|c: char| c.is_ascii_digit() || c == ',');
    let letters = behind.strip_prefix('-');
    behind.len() < name.len() && letters.is_some_and(|rest| rest.starts_with(char::is_alphabetic))
}

/// Whether a text is a date, a time or a telephone number, of which the heading of a report is made: three numbers or
/// more, or two with a colon, without a word or a range in brackets.
fn is_of_the_heading(text: &str) -> bool {
    let numbers = text.split(|c: char| !c.is_ascii_digit());
    let count = numbers.filter(|number| !number.is_empty()).count();
    let area_code = text.starts_with(['(', '+']);
    let words = text.contains(char::is_alphabetic) || text.contains('(') && !area_code;
    !words && (count >= 3 || count == 2 && text.contains(':'))
}

/// `value unit (range) flag`, the range and the flag in any order; a number must be there.
fn row(analyte: &str, rest: &str, span: &Range<usize>) -> Option<(LabRow, bool)> {
    let (mut before, mut range, mut after) = (rest, None, "");
    if let Some((value, bracket)) = rest.split_once(['(', '[']) {
        let (inside, behind) = bracket.split_once([')', ']'])?;
        // Ranges for several kinds of people have no bounds to be held against.
        let read = ReferenceRange::read(inside).filter(|range| {
            range.low.or(range.high).is_some() || LabValue::begins_with_number(inside)
        });
        if read.is_some() {
            (before, range, after) = (value, read, behind);
        }
    }
    let after = after.trim_matches([',', ';', '.', ' ']);
    let (written, marked) = split_flag(before.trim().trim_end_matches([',', ';']));
    let (value, unit) = LabValue::read(written)?;
    // A line of prose has no number behind its colon, or many words behind the number.
    let prose = matches!(value, LabValue::Text(_))
        || unit
            .as_ref()
            .is_some_and(|unit| unit.replace(" / ", "/").split_whitespace().count() > 2);
    if prose {
        return None;
    }
    let read = Flag::read(after);
    let whole = read.is_some() || after.is_empty() || Flag::is_none(after);
    let row = LabRow {
        analyte: analyte.to_owned(),
        value,
        unit,
        range,
        flag: read.or(marked),
        span: span.clone(),
    };
    Some((row, whole))
}
