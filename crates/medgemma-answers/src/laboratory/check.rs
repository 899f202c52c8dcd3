//! Flags that the ranges beside them contradict.

use serde::{Deserialize, Serialize};

use super::number::{factor, power};
use super::row::{Flag, LabReport, LabRow, LabValue, ReferenceRange};

/// A row whose flag and range do not agree. One of value, range and flag was misread, or was wrong
/// in the report; which one is for a person to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FlagConflict {
    /// Which of [`LabReport::rows`].
    pub row: usize,
    /// What is wrong.
    pub problem: FlagProblem,
}

/// How a flag and a range disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FlagProblem {
    /// The value is within its range and flagged as outside.
    FlaggedWithin,
    /// The value is outside of its range and flagged as normal.
    FlaggedNormal,
    /// The value is below its range and flagged as high, or above it and flagged as low.
    WrongDirection,
    /// The value is outside of its range and has no flag, though other rows have one.
    NotFlagged,
}

/// Where a value can lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Below,
    Within,
    Above,
}

impl LabReport {
    /// The rows whose flag contradicts their range. A range counts its ends as normal; values such as
    /// `<5` are only told where no value that they stand for agrees with the flag.
    #[must_use]
    pub fn conflicts(&self) -> Vec<FlagConflict> {
        let flagged = self.rows.iter().any(|row| row.flag.is_some());
        let rows = self.rows.iter().enumerate();
        rows.filter_map(|(row, found)| {
            let problem = problem(found, flagged)?;
            Some(FlagConflict { row, problem })
        })
        .collect()
    }
}

impl LabRow {
    /// Whether the result lies outside of its range, as far as both have numbers: `<5` does where no value that it
    /// stands for lies within. `None` where they cannot be compared.
    #[must_use]
    pub fn is_outside(&self) -> Option<bool> {
        Some(!self.places()?.contains(&Place::Within))
    }

    /// Where the result can lie; `None` without a number or a bound, or where both have another power of ten.
    fn places(&self) -> Option<Vec<Place>> {
        let range = self.range.as_ref()?;
        if let Some(of_range) = factor(&range.text) {
            let unit = self.unit.as_deref();
            let own = unit.and_then(|unit| factor(unit).or_else(|| power(unit)));
            if own != Some(of_range) {
                return None;
            }
        } else if let (Some(unit), Some(of_range)) = (&self.unit, unit_in(&range.text))
            && unit_in(unit).is_some_and(|own| own != of_range)
        {
            return None;
        }
        places(&self.value, range)
    }
}

/// The last unit with a stroke in a text, such as `mg/dl` in "70-99 mg/dL".
fn unit_in(text: &str) -> Option<String> {
    let own = text.split('(').next()?;
    let joined = own.replace(" /", "/").replace("/ ", "/");
    let word = joined.split_whitespace().rfind(|word| word.contains('/'))?;
    let unit = word
        .trim_start_matches(|c: char| {
            c.is_ascii_digit() || ".,-\u{2013}\u{2014}\u{2212}<>\u{2264}\u{2265}=[".contains(c)
        })
        .trim_end_matches([')', ']', ',', ';', '.'])
        .trim_end_matches("m2")
        .trim_end_matches("m\u{b2}");
    Some(unit.to_lowercase().replace(['\u{b5}', '\u{3bc}'], "u"))
}

fn problem(row: &LabRow, flagged: bool) -> Option<FlagProblem> {
    let places = row.places()?;
    let only = |place: Place| places == [place];
    let can = |place: Place| places.contains(&place);
    match row.flag {
        None => (flagged && !can(Place::Within)).then_some(FlagProblem::NotFlagged),
        Some(Flag::Normal) => (!can(Place::Within)).then_some(FlagProblem::FlaggedNormal),
        Some(Flag::Abnormal | Flag::Critical) => {
            only(Place::Within).then_some(FlagProblem::FlaggedWithin)
        }
        Some(Flag::Low | Flag::CriticalLow) => away(can(Place::Below), can(Place::Within)),
        Some(Flag::High | Flag::CriticalHigh) => away(can(Place::Above), can(Place::Within)),
    }
}

/// For a flag with a direction: whether the value can lie there, or at least within the range.
fn away(there: bool, within: bool) -> Option<FlagProblem> {
    match (there, within) {
        (true, _) => None,
        (false, true) => Some(FlagProblem::FlaggedWithin),
        (false, false) => Some(FlagProblem::WrongDirection),
    }
}

/// Where the value can lie; `None` without a number or a bound.
fn places(value: &LabValue, range: &ReferenceRange) -> Option<Vec<Place>> {
    if range.low.is_none() && range.high.is_none() {
        return None;
    }
    let low = range.low.unwrap_or(f64::NEG_INFINITY);
    let high = range.high.unwrap_or(f64::INFINITY);
    let mut places = Vec::new();
    let mut add = |place, possible: bool| {
        if possible {
            places.push(place);
        }
    };
    match *value {
        LabValue::Number(value) => {
            add(Place::Below, value < low);
            add(Place::Within, (low..=high).contains(&value));
            add(Place::Above, value > high);
        }
        LabValue::Below(bound) => {
            add(Place::Below, low > f64::NEG_INFINITY);
            add(Place::Within, bound > low);
            add(Place::Above, bound > high);
        }
        LabValue::Above(bound) => {
            add(Place::Below, bound < low);
            add(Place::Within, bound < high);
            add(Place::Above, high < f64::INFINITY);
        }
        LabValue::Text(_) => return None,
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::FlagProblem::{FlaggedNormal, FlaggedWithin, NotFlagged, WrongDirection};
    use crate::lab_report;

    #[test]
    fn other_powers_of_ten_are_not_compared() {
        let row = |value: &str, range: &str| {
            let text =
                format!("| Test | Result | Range |\n|---|---|---|\n| Cells | {value} | {range} |");
            lab_report(&text).rows[0].is_outside()
        };
        assert_eq!(row("2 x 10^4 /mL", "<1 x 10^5"), None);
        assert_eq!(row("20000 /mL", "<1 x 10^5"), None);
        assert_eq!(row("2 x 10^4 /mL", "<1 x 10^4"), Some(true));
        assert_eq!(row("2 x 10^4 /mL", "<5 x 10^4"), Some(false));
        assert_eq!(row("2 10^4/mL", "<5 x10^4/mL"), Some(false));
    }

    #[test]
    fn every_kind_of_contradiction_is_told_and_nothing_else() {
        for (value, range, flag, expected) in [
            ("10", "12-16", "L", None),
            ("10", "12-16", "H", Some(WrongDirection)),
            ("10", "12-16", "N", Some(FlaggedNormal)),
            ("10", "12-16", "", Some(NotFlagged)),
            ("10", "12-16", "A", None),
            ("12", "12-16", "L", Some(FlaggedWithin)),
            ("16", "12-16", "H", Some(FlaggedWithin)),
            ("14", "12-16", "A", Some(FlaggedWithin)),
            ("14", "12-16", "N", None),
            ("14", "12-16", "", None),
            ("17", "12-16", "HH", None),
            ("17", "12-16", "LL", Some(WrongDirection)),
            ("6", "<5", "H", None),
            ("6", "<5", "N", Some(FlaggedNormal)),
            ("50", ">60", "L", None),
            ("<0.01", "0.4-4.0", "L", None),
            ("<0.01", "0.4-4.0", "N", Some(FlaggedNormal)),
            ("<3", "1-5", "L", None),
            ("<3", "1-5", "H", Some(FlaggedWithin)),
            ("<5", "0-10", "", None),
            (">200", "0-100", "", Some(NotFlagged)),
            (">200", "0-100", "L", Some(WrongDirection)),
            ("positive", "negative", "A", None),
            ("10", "see note", "H", None),
        ] {
            let text = format!(
                "| Test | Result | Range | Flag |\n|---|---|---|---|\n| A | {value} | {range} | {flag} |\n| B | 1 | 2-3 | L |"
            );
            let found = lab_report(&text);
            let problems: Vec<_> = found
                .conflicts()
                .into_iter()
                .map(|found| found.problem)
                .collect();
            assert_eq!(
                problems,
                Vec::from_iter(expected),
                "{value} in {range} flagged {flag:?}"
            );
        }
        let unflagged = lab_report("| Test | Result | Range |\n|---|---|---|\n| A | 10 | 12-16 |");
        assert_eq!(
            unflagged.conflicts(),
            [],
            "a report without flags misses none"
        );
    }
}
