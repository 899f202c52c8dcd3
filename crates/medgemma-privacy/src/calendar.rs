//! Days of the Gregorian calendar as numbers, for shifting dates.

pub(crate) const DAYS_PER_YEAR: i64 = 365;

/// A day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
}

impl Day {
    /// `None` for what is in no calendar.
    pub(crate) fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        let valid = (1..=12).contains(&month) && (1..=length(year, month)).contains(&day);
        valid.then_some(Self { year, month, day })
    }

    /// This many days later. Counts days from 1 March of year 0, so that leap days end a year.
    pub(crate) fn plus(self, days: i64) -> Self {
        let years = self.year - i64::from(self.month < 3);
        let month = (self.month + 9) % 12;
        let number = 365 * years + years.div_euclid(4) - years.div_euclid(100)
            + years.div_euclid(400)
            + (153 * month + 2) / 5
            + self.day
            - 1
            + days;
        let era = number.div_euclid(146_097);
        let in_era = number.rem_euclid(146_097);
        let year = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
        let in_year = in_era - (365 * year + year / 4 - year / 100);
        let month = (5 * in_year + 2) / 153;
        Self {
            year: year + 400 * era + i64::from(month >= 10),
            month: (month + 2) % 12 + 1,
            day: in_year - (153 * month + 2) / 5 + 1,
        }
    }
}

/// Days of a month.
fn length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::Day;

    /// Every day of eight centuries follows the one before it, by the rules and not by the formula.
    #[test]
    fn days_follow_each_other() {
        let first = Day::new(1899, 12, 31).expect("a day");
        let mut today = first;
        for count in 1..300_000 {
            let next = (today.day + 1, today.month, today.year);
            let tomorrow = Day::new(next.2, next.1, next.0)
                .or_else(|| Day::new(next.2, next.1 + 1, 1))
                .or_else(|| Day::new(next.2 + 1, 1, 1))
                .expect("a day");
            assert_eq!(first.plus(count), tomorrow);
            assert_eq!(tomorrow.plus(-count), first);
            today = tomorrow;
        }
        assert_eq!(Day::new(2100, 2, 29), None);
        assert!(Day::new(2000, 2, 29).is_some());
    }
}
