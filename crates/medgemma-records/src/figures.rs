//! Numbers, dates and times of a text, and whether another text has them. What looks alike is not the same: the 5 of a day
//! founds no value, `<5` is not `5`, `-5` is not `5`.

use std::collections::BTreeSet;

use crate::date::Date;

/// A number, a date or a time, and in which forms it counts as the same as another: any of them will do.
struct Figure {
    shown: String,
    forms: Vec<String>,
}

/// What texts have of numbers, dates and times.
#[derive(Default)]
pub(crate) struct Figures(BTreeSet<String>);

impl Figures {
    pub(crate) fn add(&mut self, text: &str) {
        for figure in read(text) {
            let parts = figure.forms.iter().flat_map(|form| parts(form));
            self.0.extend(parts);
            self.0.extend(figure.forms);
        }
    }

    /// Those of a text that are not among these, in its order.
    pub(crate) fn lack(&self, text: &str) -> Vec<String> {
        read(text)
            .into_iter()
            .filter(|figure| !figure.forms.iter().any(|form| self.0.contains(form)))
            .map(|figure| figure.shown)
            .collect()
    }
}

/// Of a date the year, the month and year, and the day without a year: whoever knows it knows them.
fn parts(form: &str) -> Vec<String> {
    match form.split('-').collect::<Vec<&str>>().as_slice() {
        [year, month] if year.starts_with('@') => {
            vec![(*year).to_owned(), format!("{year}-{month}")]
        }
        [year, month, day] if year.starts_with('@') => vec![
            (*year).to_owned(),
            format!("{year}-{month}"),
            format!("@--{month}-{day}"),
        ],
        _ => Vec::new(),
    }
}

/// Digits, letters, white space, and each other character by itself.
fn tokens(text: &str) -> Vec<&str> {
    let class = |letter: char| match letter {
        _ if letter.is_ascii_digit() => 1,
        _ if letter.is_alphabetic() => 2,
        _ if letter.is_whitespace() => 3,
        _ => 0,
    };
    let mut tokens = Vec::new();
    let (mut start, mut before) = (0, 0);
    for (at, letter) in text.char_indices() {
        let now = class(letter);
        if at > start && (now == 0 || now != before) {
            tokens.push(&text[start..at]);
            start = at;
        }
        before = now;
    }
    tokens.push(&text[start..]);
    tokens
}

fn is_digits(token: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_digit())
}

fn read(text: &str) -> Vec<Figure> {
    let tokens = tokens(text);
    let mut figures = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        let moment = date(rest)
            .or_else(|| worded_date(rest))
            .or_else(|| time(rest));
        if let Some((forms, length)) = moment {
            figures.push(Figure {
                shown: rest[..length].concat(),
                forms,
            });
            at += length;
        } else if is_digits(rest[0], 1..=usize::MAX) {
            let length = match rest {
                [_, ".", decimals, ..] if is_digits(decimals, 1..=usize::MAX) => 3,
                _ => 1,
            };
            figures.push(number(&tokens[..at], &rest[..length], &rest[length..]));
            at += length;
        } else if let Some(decimals) = bare_decimals(&tokens[..at], rest) {
            figures.push(number(&tokens[..at], &["0", ".", decimals], &rest[2..]));
            at += 2;
        } else {
            at += 1;
        }
    }
    figures
}

/// The 5 of `.5`, which is another number.
fn bare_decimals<'a>(before: &[&str], rest: &[&'a str]) -> Option<&'a str> {
    let [".", decimals, ..] = rest else {
        return None;
    };
    let begins = before
        .last()
        .is_none_or(|token| token.trim().is_empty() || "(<>=≤≥-−".contains(token));
    (begins && is_digits(decimals, 1..=usize::MAX)).then_some(decimals)
}

/// A date in digits: forms, and tokens that it takes. Which of two is the month nobody can tell: either will do.
fn date(tokens: &[&str]) -> Option<(Vec<String>, usize)> {
    const YEARS: std::ops::RangeInclusive<&str> = "1900"..="2099";
    let found = match tokens {
        [y, "-" | "/", m, "-" | "/", d, ..]
            if is_digits(y, 4..=4) && is_digits(m, 1..=2) && is_digits(d, 1..=2) =>
        {
            (vec![day(y, m, d)], 5)
        }
        [a, "/" | ".", b, "/" | ".", y, ..]
            if is_digits(a, 1..=2) && is_digits(b, 1..=2) && is_digits(y, 4..=4) =>
        {
            (vec![day(y, a, b), day(y, b, a)], 5)
        }
        [y, "-", m, ..] if is_digits(y, 4..=4) && is_digits(m, 2..=2) => (vec![day(y, m, "")], 3),
        // No titer's `1/1280`.
        [m, "/", y, ..] if is_digits(m, 1..=2) && is_digits(y, 4..=4) && YEARS.contains(y) => {
            (vec![day(y, m, "")], 3)
        }
        _ => return None,
    };
    let forms: Vec<String> = found.0.into_iter().flatten().collect();
    (!forms.is_empty()).then_some((forms, found.1))
}

/// `@2026-01-05`, `@2026-01`, `@--01-05`; `None` for what is no date.
fn day(year: &str, month: &str, day: &str) -> Option<String> {
    let day = if day.is_empty() {
        String::new()
    } else {
        format!("-{day:0>2}")
    };
    // A leap year has every day that there is.
    let checked = if year == "-" { "2000" } else { year };
    Date::parse(&format!("{checked}-{month:0>2}{day}"))?;
    Some(format!("@{year}-{month:0>2}{day}"))
}

/// `5 January 2026`, `Jan 5th, 2026`, `January 2026`, `5 January`.
fn worded_date(tokens: &[&str]) -> Option<(Vec<String>, usize)> {
    const BETWEEN: [&str; 8] = [" ", ",", ".", "st", "nd", "rd", "th", "of"];
    let parts = tokens.iter().enumerate().take(9);
    let parts: Vec<(usize, &str)> = parts
        .map(|(at, token)| (at + 1, *token))
        .filter(|(_, token)| !BETWEEN.contains(token))
        .take(3)
        .collect();
    if parts.first()?.0 != 1 {
        return None;
    }
    let is_day = |part: &str| is_digits(part, 1..=2);
    let is_year = |part: &str| is_digits(part, 4..=4);
    // The 7 of `In March, 7.9 mmol/L` is no day.
    let is_whole = |end: usize| !matches!(tokens.get(end..), Some([".", decimals, ..]) if is_digits(decimals, 1..=usize::MAX));
    let (form, length) = match *parts.as_slice() {
        [(_, d), (_, m), (end, y)] if is_day(d) && is_year(y) => (day(y, month(m)?, d)?, end),
        [(_, m), (_, d), (end, y)] if is_day(d) && is_year(y) => (day(y, month(m)?, d)?, end),
        [(_, m), (end, y), ..] if is_year(y) => (day(y, month(m)?, "")?, end),
        [(_, d), (end, m), ..] if is_day(d) => (day("-", month(m)?, d)?, end),
        [(_, m), (end, d), ..] if is_day(d) && is_whole(end) => (day("-", month(m)?, d)?, end),
        _ => return None,
    };
    Some((vec![form], length))
}

/// The number of a month by its name or the beginning of it. A small letter is another word's: `may`.
fn month(word: &str) -> Option<&'static str> {
    const MONTHS: [(&str, &str); 12] = [
        ("January", "01"),
        ("February", "02"),
        ("March", "03"),
        ("April", "04"),
        ("May", "05"),
        ("June", "06"),
        ("July", "07"),
        ("August", "08"),
        ("September", "09"),
        ("October", "10"),
        ("November", "11"),
        ("December", "12"),
    ];
    let is_begun = |(name, _): &&(&str, &str)| word.len() >= 3 && name.starts_with(word);
    MONTHS.iter().find(is_begun).map(|(_, number)| *number)
}

/// `09:00`, with its seconds and zone; `9:00 am`. An hour of one digit may else be a titer.
fn time(tokens: &[&str]) -> Option<(Vec<String>, usize)> {
    let [hour, ":", minute, ..] = tokens else {
        return None;
    };
    let is_part = |part: &str, most: &str| is_digits(part, 2..=2) && part <= most;
    if !is_digits(hour, 1..=2) || !is_part(minute, "59") {
        return None;
    }
    let mut length = 3;
    if let [":", second, ..] = &tokens[length..] {
        length += if is_part(second, "60") { 2 } else { 0 };
    }
    if let Some((is_late, more)) = half_of_day(&tokens[length..]) {
        let hour: u8 = hour.parse().ok()?;
        let hour = hour % 12 + if is_late { 12 } else { 0 };
        return Some((vec![format!("T{hour:02}:{minute}")], length + more));
    }
    if !is_part(hour, "23") {
        return None;
    }
    if let ["+" | "-", hour, ":", minute, ..] = &tokens[length..] {
        length += if is_part(hour, "14") && is_part(minute, "59") {
            4
        } else {
            0
        };
    }
    Some((vec![format!("T{hour}:{minute}")], length))
}

/// Whether `am` or `pm` stands here, or `a.m.`, and how many tokens it takes.
fn half_of_day(tokens: &[&str]) -> Option<(bool, usize)> {
    let space = usize::from(tokens.first()?.trim().is_empty());
    let is = |token: &str, letters: &str| token.eq_ignore_ascii_case(letters);
    match &tokens[space..] {
        [half, ..] if is(half, "am") || is(half, "pm") => Some((is(half, "pm"), space + 1)),
        [half, ".", m, ".", ..] if (is(half, "a") || is(half, "p")) && is(m, "m") => {
            Some((is(half, "p"), space + 4))
        }
        _ => None,
    }
}

/// With its sign and what it is compared by. `7.0` and `07` are 7. A bare year may be a date's.
fn number(before: &[&str], digits: &[&str], behind: &[&str]) -> Figure {
    let whole = digits[0].trim_start_matches('0');
    let decimals = digits.get(2).map_or("", |it| it.trim_end_matches('0'));
    let mut shown = if whole.is_empty() { "0" } else { whole }.to_owned();
    if !decimals.is_empty() {
        shown += &format!(".{decimals}");
    }
    let mut before = before;
    if let [others @ .., "-" | "−"] = before {
        // Between two numbers, or within a word, it is no sign.
        let is_sign = others.last().is_none_or(|token| {
            token.trim().is_empty() || ["(", "[", "<", ">", "=", "≤", "≥", ":"].contains(token)
        });
        if is_sign {
            before = others;
            if shown != "0" {
                shown.insert(0, '-');
            }
        }
    }
    let forms = match compared(before, behind) {
        (Some(sign), true) => {
            shown.insert_str(0, sign);
            vec![shown.clone()]
        }
        (Some(sign), false) => vec![format!("{sign}{shown}"), shown.clone()],
        (None, _) if is_digits(&shown, 4..=4) => vec![format!("@{shown}"), shown.clone()],
        (None, _) => vec![shown.clone()],
    };
    Figure { shown, forms }
}

fn trimmed<'a, 'b>(before: &'b [&'a str]) -> &'b [&'a str] {
    match before {
        [others @ .., last] if last.trim().is_empty() => others,
        all => all,
    }
}

/// What stands before a number to compare it, or behind it, and whether that is a sign. Words may as well compare one value with another.
fn compared(before: &[&str], behind: &[&str]) -> (Option<&'static str>, bool) {
    let before = trimmed(before);
    let (before, or_equal) = match before {
        [before @ .., "or", _, "equal", _, "to"] => (trimmed(before), true),
        before => (before, false),
    };
    let (less, more) = if or_equal { ("<=", ">=") } else { ("<", ">") };
    // `5 mg or less`, if no other number comes before that.
    let behind = behind.iter().take(9).map(|token| token.trim());
    let mut behind = behind
        .take_while(|token| !is_digits(token, 1..=usize::MAX) && ![".", ",", ";"].contains(token))
        .skip_while(|token| *token != "or");
    let behind = behind.nth(2);
    match before {
        [.., "<", "="] | [.., "≤"] => (Some("<="), true),
        [.., ">", "="] | [.., "≥"] => (Some(">="), true),
        [.., "<"] => (Some("<"), true),
        [.., ">"] => (Some(">"), true),
        [.., "no" | "not", _, "less" | "lower" | "fewer", _, "than"] => (Some(">="), false),
        [
            ..,
            "no" | "not",
            _,
            "more" | "greater" | "higher",
            _,
            "than",
        ] => (Some("<="), false),
        [.., "less" | "lower" | "fewer", _, "than"] | [.., "below" | "under"] => {
            (Some(less), false)
        }
        [.., "more" | "greater" | "higher", _, "than"] | [.., "above" | "over"] => {
            (Some(more), false)
        }
        [.., "most"] => (Some("<="), false),
        [.., "least"] => (Some(">="), false),
        _ => match behind {
            Some("less" | "lower" | "fewer" | "below" | "under") => (Some("<="), false),
            Some("more" | "greater" | "higher" | "above" | "over") => (Some(">="), false),
            _ => (None, false),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lack(known: &str, text: &str) -> Vec<String> {
        let mut figures = Figures::default();
        figures.add(known);
        figures.lack(text)
    }

    #[test]
    fn numbers_are_compared_by_value() {
        let shown = |text: &str| lack("", text);
        assert_eq!(
            shown("7.90 % on 2026-01-05, BP 142/088."),
            ["7.9", "2026-01-05", "142", "88"]
        );
        assert_eq!(
            shown("7 7.0 07 A1c none ... 0.50 0"),
            ["7", "7", "7", "1", "0.5", "0"]
        );
        assert!(lack("7.90 0.5", "7.9 07.9 .50").is_empty());
    }

    #[test]
    fn signs_and_comparators_make_another_number() {
        for (known, said, lacks) in [
            ("5", "-5", "-5"),
            ("-5", "5", "5"),
            ("-5 to -3", "−5, (-3)", ""),
            ("3-5", "5", ""),
            ("3–5", "5", ""),
            ("0", "-0", ""),
            ("<5.0", "5", "5"),
            ("<5.0", "< 5", ""),
            ("<5.0", "less than 5, below 5.0", ""),
            ("<5.0", ">5", ">5"),
            ("<5.0", "<=5", "<=5"),
            ("<=5", "≤5, at most 5", ""),
            (".5", "5, 0.5", "5"),
            ("5.1", "<5.1", "<5.1"),
            ("at most 5.1", "5.1 above 5.1 <=5.1", ""),
            (">=60", "greater than or equal to 60, 60 mL/min or more", ""),
            (
                "<=5",
                "less than or equal to 5, 5 mg or less, no more than 5, not greater than 5",
                "",
            ),
            (">=5", "no less than 5, 5 or above", ""),
            ("<=5", "5 or more, no less than 5", "5 5"),
            (">5", "no more than 5", "5"),
            ("<=5", "5, or 6 or more", "5 6"),
        ] {
            assert_eq!(lack(known, said).join(" "), lacks, "{said} by {known}");
        }
    }

    #[test]
    fn dates_and_times_are_no_numbers_and_are_known_in_all_forms() {
        let known = "2026-01-05 09:07+02:00 Potassium: 7.9 mmol/L; until: 2025-11";
        for said in [
            "2026-01-05 at 09:07",
            "2026/01/05",
            "2026-01",
            "in 2026",
            "5 January 2026, January 5th, 2026",
            "Jan 5 and 5th of January",
            "Jan. 2026",
            "01/05/2026 or 05.01.2026 or 5/1/2026",
            "November 2025",
            "11/2025",
            "2026-1-5",
            "9:07 AM and 09:07 a.m.",
            "In January, 7.9",
        ] {
            assert!(lack(known, said).is_empty(), "{said}");
        }
        for (said, lacks) in [
            ("5 mmol/L", "5"),
            ("1", "1"),
            ("9 and 07 and 02:00", "9 7 02:00"),
            ("2026-01-06 10:07", "2026-01-06 10:07"),
            ("6 January 2026", "6 January 2026"),
            ("5/2/2026", "5/2/2026"),
            ("2024", "2024"),
            ("2025-11-05", "2025-11-05"),
            ("may 5", "5"),
            ("12/2025", "12/2025"),
            ("9:07 PM", "9:07 PM"),
            ("In January, 5.9", "5.9"),
        ] {
            assert_eq!(lack(known, said).join(" "), lacks, "{said}");
        }
        // What is no date is numbers.
        assert_eq!(
            lack("", "4548-44 13/13/2026 1:16"),
            ["4548", "44", "13", "13", "2026", "1", "16"]
        );
    }

    #[test]
    fn halves_of_a_day_have_twelve_hours() {
        let known = "00:30 12:05 21:07";
        assert!(lack(known, "12:30 am, 12:05 p.m. and 9:07:30PM").is_empty());
        assert_eq!(lack("9:07 1/1280", "09:07 1 1280"), ["09:07"]);
    }

    #[test]
    fn any_text_is_read() {
        for text in [
            "",
            "-",
            "5-",
            "5.",
            "é5−5é",
            "2026-",
            "2026-01-",
            "09:",
            "09:00:",
            "09:00+",
            "May",
            "<",
            "٥",
        ] {
            let _ = lack(text, text);
        }
    }
}
