//! What a line of a laboratory report says.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::number::{leading_number, scaled_number};

/// A laboratory report as data. `serde_json` writes it as it stands; `Debug` shows sizes only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LabReport {
    /// One for each analyte, in the order of the text.
    pub rows: Vec<LabRow>,
    /// Lines of a table that have no analyte and value, and those of which a part could not be read: the row is there
    /// then, too, without it.
    pub skipped: Vec<SkippedLine>,
}

/// One analyte. `Debug` shows sizes only.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LabRow {
    /// What was measured, as written.
    pub analyte: String,
    /// The result.
    pub value: LabValue,
    /// Its unit, as written.
    pub unit: Option<String>,
    /// Where it should lie.
    pub range: Option<ReferenceRange>,
    /// What the report says of it.
    pub flag: Option<Flag>,
    /// The bytes of the text that say it.
    pub span: Range<usize>,
}

impl fmt::Debug for LabRow {
    /// Not even the flag, which says that a patient is ill.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LabRow")
            .field("analyte_bytes", &self.analyte.len())
            .field("value", &self.value)
            .field("unit_bytes", &self.unit.as_ref().map(String::len))
            .field("range", &self.range)
            .field("flagged", &self.flag.is_some())
            .field("span", &self.span)
            .finish()
    }
}

/// A result. `Debug` shows its kind, and of words their size.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LabValue {
    /// A number.
    Number(f64),
    /// Less than a number: below what can be measured.
    Below(f64),
    /// More than a number.
    Above(f64),
    /// Words: "negative", "see comment".
    Text(String),
}

impl fmt::Debug for LabValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(_) => f.write_str("Number"),
            Self::Below(_) => f.write_str("Below"),
            Self::Above(_) => f.write_str("Above"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
        }
    }
}

/// Where a result should lie, as written and as numbers. `Debug` shows sizes only.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReferenceRange {
    /// As written.
    pub text: String,
    /// The smallest normal value; `None` without one.
    pub low: Option<f64>,
    /// The largest normal value; `None` without one.
    pub high: Option<f64>,
}

impl fmt::Debug for ReferenceRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReferenceRange")
            .field("text_bytes", &self.text.len())
            .field("has_low", &self.low.is_some())
            .field("has_high", &self.high.is_some())
            .finish()
    }
}

/// What a laboratory says of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Flag {
    /// Below the range.
    Low,
    /// Above the range.
    High,
    /// Dangerously below it.
    CriticalLow,
    /// Dangerously above it.
    CriticalHigh,
    /// Within it.
    Normal,
    /// Outside of it, without a direction.
    Abnormal,
    /// Dangerously outside of it, without a direction.
    Critical,
}

/// A line that could not be read as a row, or not as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SkippedLine {
    /// The bytes of the text.
    pub span: Range<usize>,
}

impl LabValue {
    /// A result and the unit that may follow it in the same field; `None` for nothing.
    pub(super) fn read(text: &str) -> Option<(Self, Option<String>)> {
        let text = text.trim();
        if text.is_empty()
            || text
                .chars()
                .all(|c| matches!(c, '-' | '\u{2013}' | '\u{2014}'))
        {
            return None;
        }
        let (kind, rest) = comparator(text);
        let Some((number, rest)) = scaled_number(rest.trim_start()) else {
            return Some((Self::Text(text.to_owned()), None));
        };
        // The end of a sentence.
        let rest = rest.trim();
        let ends = |rest: &str| rest.is_empty() || rest.starts_with(char::is_whitespace);
        let unit = match rest.strip_prefix('.') {
            Some(behind) if ends(behind) => "",
            _ => rest,
        };
        if !is_unit(unit) {
            return Some((Self::Text(text.to_owned()), None));
        }
        let value = match kind {
            Some(Comparator::Below) => Self::Below(number),
            Some(Comparator::Above) => Self::Above(number),
            None => Self::Number(number),
        };
        Some((value, (!unit.is_empty()).then(|| unit.to_owned())))
    }
}

impl LabValue {
    /// Whether a text says a number first, or which side of one.
    pub(super) fn begins_with_number(text: &str) -> bool {
        let (_, rest) = comparator(text.trim());
        rest.trim_start()
            .starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '\u{2212}'))
            && rest.contains(|c: char| c.is_ascii_digit())
    }
}

/// Whether what stands behind a number can be its unit: "/uL", "10^9/L". In "1+", "12-15", "2 of 3", "120/80",
/// "2 to 5 /hpf", "250 00" the number is the first of several, and a value that nobody measured.
fn is_unit(text: &str) -> bool {
    const JOINS: [&str; 7] = ["of", "to", "or", "and", "out", "through", "vs"];
    let first = text.split_whitespace().next().unwrap_or_default();
    if JOINS.contains(&first.to_lowercase().as_str()) {
        return false;
    }
    // "x 10^9/L", but not "2 x 3 cm"
    let times = text
        .strip_prefix(['x', 'X', '\u{d7}', '*'])
        .map(str::trim_start);
    let text = times
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        .unwrap_or(text);
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 {
        let power = text[digits..].starts_with(|c: char| !c.is_ascii_digit() && !c.is_whitespace());
        // "109/L" is 10^9/L without its sign.
        let flat = matches!(&text[..digits], "103" | "106" | "109" | "1012")
            && text[digits..].starts_with('/');
        return (matches!(&text[..digits], "10" | "1000") || flat)
            && power
            && !text[digits..].starts_with(['.', ',', '-']);
    }
    match text.strip_prefix('/') {
        Some(below) => {
            !below.trim_start().starts_with(|c: char| c.is_ascii_digit()) && !below.is_empty()
        }
        None => !text.starts_with([
            '+', '-', ',', ':', '.', '\'', '\u{2019}', '~', '\u{2010}', '\u{2011}', '\u{2012}',
            '\u{2013}', '\u{2014}', '\u{2015}', '\u{2212}', '\u{2026}',
        ]),
    }
}

impl ReferenceRange {
    /// A range as written; without numbers where it has none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text
            .trim()
            .trim_matches(|c| matches!(c, '(' | ')' | '[' | ']'))
            .trim();
        if text.is_empty()
            || text
                .chars()
                .all(|c| matches!(c, '-' | '\u{2013}' | '\u{2014}'))
        {
            return None;
        }
        let (low, high) = bounds(text).unwrap_or((None, None));
        Some(Self {
            text: text.to_owned(),
            low,
            high,
        })
    }
}

/// Words in front of a range that say nothing.
const RANGE_WORDS: [&str; 8] = [
    "reference range",
    "reference",
    "normal range",
    "ref range",
    "normal",
    "range",
    "ref",
    "nl",
];

fn bounds(text: &str) -> Option<(Option<f64>, Option<f64>)> {
    let mut rest = text;
    for word in RANGE_WORDS {
        if let Some(after) = strip_word(rest, word) {
            rest = after.trim_start_matches(['.', ':', ' ', '=']);
        }
    }
    if let (Some(kind), rest) = comparator(rest) {
        let (number, rest) = scaled_number(rest.trim_start())?;
        if is_one_of_several(rest) {
            return None;
        }
        return Some(match kind {
            Comparator::Below => (None, Some(number)),
            Comparator::Above => (Some(number), None),
        });
    }
    // Whether a number has a power of its own.
    let raised = |text: &str, rest: &str| leading_number(text).is_some_and(|(_, all)| all != rest);
    let begin = rest;
    let (low, rest) = scaled_number(rest)?;
    let low_raised = raised(begin, rest);
    // A unit may stand at both ends: "12 g/dL - 16 g/dL".
    let between = rest
        .find(['-', '\u{2013}', '\u{2014}', '\u{2212}'])
        .map(|at| {
            let dash = rest[at..].chars().next().map_or(1, char::len_utf8);
            &rest[at + dash..]
        });
    let rest = between.or_else(|| rest.find(" to ").map(|at| &rest[at + " to ".len()..]))?;
    let end = rest.trim_start();
    let (high, rest) = scaled_number(end)?;
    if is_one_of_several(rest) {
        return None;
    }
    // "4.0-11.0E9": the power may be that of the unit, and belong to both.
    if low_raised != raised(end, rest) && low.abs() > 0.0 {
        return None;
    }
    (low <= high).then_some((Some(low), Some(high)))
}

/// Whether what follows a range has another: "13.0-17.0 (M), 12.0-15.0 (F)". Whose is which is not known. What stands in
/// brackets, and ages, tell whose the one range is, or of other limits.
fn is_one_of_several(rest: &str) -> bool {
    const OF_AGES: [&str; 12] = [
        "y", "yr", "yrs", "year", "years", "mo", "month", "months", "day", "days", "h", "hours",
    ];
    let mut open = 0_usize;
    let without_brackets: String = rest
        .chars()
        .map(|c| {
            match c {
                '(' | '[' => open += 1,
                ')' | ']' => open = open.saturating_sub(1),
                c if open == 0 => return c,
                _ => {}
            }
            ';'
        })
        .collect();
    let begins_a_range = |text: &str| {
        let mut words = text.split(|c: char| !c.is_alphabetic());
        let of_an_age = words.any(|word| OF_AGES.contains(&word.to_lowercase().as_str()));
        let at = text.find(|c: char| c.is_ascii_digit() || "<>\u{2264}\u{2265}".contains(c));
        !of_an_age && at.and_then(|at| bounds(&text[at..])).is_some()
    };
    let mut parts = without_brackets.split([',', ';']);
    parts.next();
    parts.any(begins_a_range)
}

/// Which side of a number is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparator {
    Below,
    Above,
}

fn comparator(text: &str) -> (Option<Comparator>, &str) {
    const SIGNS: [(&str, Comparator); 11] = [
        ("<=", Comparator::Below),
        (">=", Comparator::Above),
        ("\u{2264}", Comparator::Below),
        ("\u{2265}", Comparator::Above),
        ("<", Comparator::Below),
        (">", Comparator::Above),
        ("up to", Comparator::Below),
        ("less than", Comparator::Below),
        ("below", Comparator::Below),
        ("greater than", Comparator::Above),
        ("above", Comparator::Above),
    ];
    for (sign, kind) in SIGNS {
        if let Some(rest) = strip_word(text, sign) {
            return (Some(kind), rest);
        }
    }
    (None, text)
}

/// The text behind a word of ASCII, in capitals or not.
pub(super) fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (begin, rest) = text.split_at_checked(word.len())?;
    begin.eq_ignore_ascii_case(word).then_some(rest)
}

impl Flag {
    /// A flag as written; `None` for words that are none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(flag) = Self::of_word(text) {
            return Some(flag);
        }
        // "High \u{2191}", "critical (H)"
        let mut parts = text.split_whitespace().map(Self::of_word);
        let first = parts.next()??;
        parts.try_fold(first, |flag, part| flag.with(part?))
    }

    fn of_word(text: &str) -> Option<Self> {
        let text = text
            .trim_matches(|c| matches!(c, '*' | '(' | ')' | '[' | ']'))
            .trim();
        Some(match text.to_lowercase().as_str() {
            "l" | "low" | "\u{2193}" | "below" | "decreased" | "below normal" => Self::Low,
            "h" | "high" | "\u{2191}" | "above" | "elevated" | "increased" | "above normal" => {
                Self::High
            }
            "ll" | "critical low" | "critically low" | "low critical" | "very low"
            | "\u{2193}\u{2193}" => Self::CriticalLow,
            "hh" | "critical high" | "critically high" | "high critical" | "very high"
            | "\u{2191}\u{2191}" => Self::CriticalHigh,
            "n"
            | "normal"
            | "wnl"
            | "within normal limits"
            | "within range"
            | "in range"
            | "ok" => Self::Normal,
            "a" | "abnormal" | "abn" | "out of range" | "!" | "true" | "yes" => Self::Abnormal,
            "critical" | "crit" | "panic" | "alert" | "aa" | "!!" | "critical value" => {
                Self::Critical
            }
            _ => return None,
        })
    }

    /// Two flags of one result; `None` where they say different things.
    fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Self::Critical, Self::Low | Self::CriticalLow)
            | (Self::Low | Self::CriticalLow, Self::Critical) => Some(Self::CriticalLow),
            (Self::Critical, Self::High | Self::CriticalHigh)
            | (Self::High | Self::CriticalHigh, Self::Critical) => Some(Self::CriticalHigh),
            (Self::Abnormal, Self::Normal) | (Self::Normal, Self::Abnormal) => None,
            (Self::Abnormal, flag) | (flag, Self::Abnormal) => Some(flag),
            _ => None,
        }
    }

    /// Whether a text in the place of a flag says that there is none.
    pub(super) fn is_none(text: &str) -> bool {
        let text = text.trim().to_lowercase();
        let dashes = text
            .chars()
            .all(|c| matches!(c, '-' | '\u{2013}' | '\u{2014}' | '.'));
        let none = [
            "none",
            "n/a",
            "na",
            "null",
            "no",
            "false",
            "final",
            "preliminary",
            "corrected",
        ];
        dashes || none.contains(&text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Flag, LabValue, ReferenceRange};

    fn bounds(text: &str) -> (Option<f64>, Option<f64>) {
        let range = ReferenceRange::read(text).expect("something is written");
        (range.low, range.high)
    }

    #[test]
    fn ranges_in_the_usual_forms() {
        for text in [
            "12.0-16.0",
            "12 \u{2013} 16",
            "(12.0 to 16.0)",
            "12-16 g/dL",
            "12 g/dL - 16 g/dL",
            "Ref: 12-16",
            "Reference range 12,0-16,0",
            "normal: 12\u{2014}16",
        ] {
            assert_eq!(bounds(text), (Some(12.0), Some(16.0)), "{text}");
        }
        for text in [
            "< 5",
            "<5.0 mg/L",
            "\u{2264}5",
            "<=5",
            "up to 5",
            "Less than 5",
        ] {
            assert_eq!(bounds(text), (None, Some(5.0)), "{text}");
        }
        assert_eq!(bounds(">= 60"), (Some(60.0), None));
        assert_eq!(bounds("<10^5"), (None, Some(1e5)));
        assert_eq!(bounds("10\u{b3} - 10\u{2075}"), (Some(1e3), Some(1e5)));
        assert_eq!(bounds("-2 - +2"), (Some(-2.0), Some(2.0)));
        assert_eq!(bounds("3,500-11,000"), (Some(3500.0), Some(11000.0)));
        assert_eq!(
            bounds("150 000 - 400 000 /mm3"),
            (Some(150_000.0), Some(400_000.0))
        );
        assert_eq!(bounds("4.0-11.0E9/L"), (Some(4.0), Some(11.0)));
        assert_eq!(bounds("0 - 10^5"), (Some(0.0), Some(1e5)));
        for text in ["negative", "16-12", "see note", "12", "4.0-11.0E9"] {
            assert_eq!(bounds(text), (None, None), "{text}");
        }
        assert_eq!(ReferenceRange::read(" - "), None);
        assert_eq!(
            ReferenceRange::read("negative").expect("words").text,
            "negative"
        );
    }

    #[test]
    fn values_with_units_and_comparators() {
        let read = |text| LabValue::read(text).expect("something is written");
        assert_eq!(
            read("10.2 g/dL"),
            (LabValue::Number(10.2), Some("g/dL".to_owned()))
        );
        assert_eq!(read("<0.01"), (LabValue::Below(0.01), None));
        assert_eq!(read(">10^5 CFU/mL").0, LabValue::Above(1e5));
        assert_eq!(read("2^5").0, LabValue::Text("2^5".to_owned()));
        assert_eq!(
            read("> 200 U/L"),
            (LabValue::Above(200.0), Some("U/L".to_owned()))
        );
        assert_eq!(read("negative").0, LabValue::Text("negative".to_owned()));
        assert_eq!(read("1+").0, LabValue::Text("1+".to_owned()));
        assert_eq!(
            read("10-15 /hpf").0,
            LabValue::Text("10-15 /hpf".to_owned())
        );
        assert_eq!(LabValue::read("--"), None);
        for (text, number, unit) in [
            ("250000 /uL", 250_000.0, "/uL"),
            ("7500/mm3", 7500.0, "/mm3"),
            ("250 000 /mm3", 250_000.0, "/mm3"),
            ("1'200 U/L", 1200.0, "U/L"),
            ("7.4 10^3/uL", 7.4, "10^3/uL"),
            ("1.2e5 copies/mL", 1.2e5, "copies/mL"),
            ("10^5 CFU/mL", 1e5, "CFU/mL"),
            ("7.4 1000/uL", 7.4, "1000/uL"),
            ("7.4 x10^3/uL", 7.4, "x10^3/uL"),
            ("7.4 \u{d7} 10\u{2079}/L", 7.4, "\u{d7} 10\u{2079}/L"),
        ] {
            assert_eq!(
                read(text),
                (LabValue::Number(number), Some(unit.to_owned())),
                "{text}"
            );
        }
        for text in [
            "2 of 3",
            "2 to 5 /hpf",
            "12\u{2014}15",
            "12\u{2212}15",
            "12..15",
            "120/80",
            "250 00 /mm3",
            "1'20",
            "2 x 3 cm",
            "2\u{d7}3 cm",
            "10 - 100",
            "5 10",
        ] {
            assert_eq!(
                read(text),
                (LabValue::Text(text.to_owned()), None),
                "{text}"
            );
        }
        assert_eq!(read("140."), (LabValue::Number(140.0), None));
    }

    #[test]
    fn flags_by_letter_arrow_and_word() {
        assert_eq!(Flag::read("L"), Some(Flag::Low));
        assert_eq!(Flag::read("(H)"), Some(Flag::High));
        assert_eq!(Flag::read("\u{2191}"), Some(Flag::High));
        assert_eq!(Flag::read("**Critical high**"), Some(Flag::CriticalHigh));
        assert_eq!(Flag::read("within normal limits"), Some(Flag::Normal));
        for (text, flag) in [
            ("CRITICAL", Flag::Critical),
            ("panic", Flag::Critical),
            ("Panic high", Flag::CriticalHigh),
            ("H (critical)", Flag::CriticalHigh),
            ("High \u{2191}", Flag::High),
            ("abnormal low", Flag::Low),
        ] {
            assert_eq!(Flag::read(text), Some(flag), "{text}");
        }
        for text in ["hello", "high low", "high or so", "normal abnormal", ""] {
            assert_eq!(Flag::read(text), None, "{text}");
        }
    }
}
