//! FHIR's `date`, `dateTime` and `instant`: partial dates, zones, and their order in time.

use std::cmp::Ordering;
use std::fmt;

use serde::{Serialize, Serializer};

/// A date as FHIR writes it, of a year, a month, a day or a moment, ordered by the moment at which it begins. Two dates
/// that begin at one moment are equal, however exact they are.
///
/// Serialised as [`as_str`](Self::as_str) has it. `Debug` does not show it.
#[derive(Clone)]
pub struct Date {
    shown: String,
    /// Seconds since 1970 in UTC at which the year, month, day or second begins. No zone counts as UTC.
    begins: i64,
}

impl Date {
    /// Reads `2024`, `2024-01`, `2024-01-02` or `2024-01-02T09:00:00+02:00`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (day, time) = match text.split_once('T') {
            Some((day, time)) => (day, Some(time)),
            None => (text, None),
        };
        let mut parts = day.split('-');
        let year = number(parts.next()?, 4, 1..=9999)?;
        let month = parts.next().map(|part| number(part, 2, 1..=12));
        let date = parts.next().map(|part| number(part, 2, 1..=31));
        if parts.next().is_some() || (time.is_some() && date.is_none()) {
            return None;
        }
        // A missing part is the first; one that is there and wrong is no date.
        let days = days_since_1970(year, month.unwrap_or(Some(1))?, date.unwrap_or(Some(1))?);
        let (mut begins, mut shown) = (days * 86_400, day.to_owned());
        if let Some(time) = time {
            let (seconds, clock, zone) = moment(time)?;
            begins += seconds;
            shown = format!("{day} {clock}{zone}");
        }
        Some(Self { shown, begins })
    }

    /// As an excerpt shows it: the date, and of a moment hours, minutes and zone as they were written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// Whole days from `earlier` to this date; 0 if it is not earlier.
    #[must_use]
    pub fn days_since(&self, earlier: &Self) -> i64 {
        (self.begins - earlier.begins).max(0) / 86_400
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Date").finish_non_exhaustive()
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl PartialEq for Date {
    fn eq(&self, other: &Self) -> bool {
        self.begins == other.begins
    }
}

impl Eq for Date {}

impl PartialOrd for Date {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Date {
    fn cmp(&self, other: &Self) -> Ordering {
        self.begins.cmp(&other.begins)
    }
}

/// `hh:mm[:ss[.fff]][zone]` → seconds to add to the day's begin in UTC, `hh:mm`, the zone as written.
fn moment(time: &str) -> Option<(i64, &str, &str)> {
    let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_at);
    let mut parts = clock.split(':');
    let hours = number(parts.next()?, 2, 0..=23)?;
    let minutes = number(parts.next()?, 2, 0..=59)?;
    let seconds = match parts.next() {
        Some(seconds) => number(seconds.split('.').next()?, 2, 0..=60)?,
        None => 0,
    };
    if parts.next().is_some() {
        return None;
    }
    let offset = match zone.as_bytes() {
        [] | b"Z" => 0,
        [sign, rest @ ..] if *sign != b'Z' => {
            let (hours, minutes) = std::str::from_utf8(rest).ok()?.split_once(':')?;
            let offset = number(hours, 2, 0..=14)? * 3600 + number(minutes, 2, 0..=59)? * 60;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    Some((
        hours * 3600 + minutes * 60 + seconds - offset,
        clock.get(..5)?,
        zone,
    ))
}

/// A number of exactly so many digits, within bounds.
fn number(text: &str, digits: usize, within: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| text.parse().ok())??;
    within.contains(&number).then_some(number)
}

/// Days of the proleptic Gregorian calendar. A day beyond its month's end counts on into the next, as 31 April would.
///
/// Years begin in March, so that a leap day is the last: the days before a month are then `(153 m + 2) / 5`.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begins(text: &str) -> Option<i64> {
        Date::parse(text).map(|date| date.begins)
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        // From Python's datetime.
        assert_eq!(begins("1970"), Some(0));
        assert_eq!(begins("2000-02-29"), Some(951_782_400));
        assert_eq!(begins("2000-03"), Some(951_868_800));
        assert_eq!(begins("1899-12-31"), Some(-2_209_075_200));
        assert_eq!(begins("2026-01-01T09:00:00Z"), Some(1_767_258_000));
        assert_eq!(begins("2026-01-01T09:00:07Z"), Some(1_767_258_007));
        assert_eq!(begins("2026-01-01T09:00:00.125+02:00"), Some(1_767_250_800));
        assert_eq!(begins("2025-12-31T23:30:00-05:00"), Some(1_767_241_800));
    }

    #[test]
    fn zones_decide_the_order() {
        let early = Date::parse("2026-01-01T09:00:00+09:00").expect("a moment");
        let late = Date::parse("2026-01-01T01:00:00Z").expect("a moment");
        assert!(early < late);
        assert_eq!(late.as_str(), "2026-01-01 01:00Z");
    }

    #[test]
    fn days_are_counted_forward_only() {
        let [early, late] =
            ["2024-02-28", "2024-03-01"].map(|text| Date::parse(text).expect("a day"));
        assert_eq!((late.days_since(&early), early.days_since(&late)), (2, 0));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "24",
            "2024-",
            "2024-1",
            "2024-13",
            "2024-00",
            "2024-01-32",
            "2024-01-01-01",
            "2024T09:00",
            "x",
            "2024-01-01T",
            "2024-01-01T09",
            "2024-01-01T24:00:00Z",
            "2024-01-01T09:00:00+2",
            "2024-01-01T09:00:00+15:00",
            "2024-01-01T09:00Zx",
            "+024-01-01",
            "２０２４",
            "2024-01-01T09:00:00+1é:00",
        ] {
            assert_eq!(begins(text), None, "{text}");
        }
    }
}
