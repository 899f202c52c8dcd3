//! Numbers as laboratories write them.

/// A number at the beginning of a text, and what follows it. A comma is a decimal comma, unless
/// groups of exactly three digits follow it and no zero stands alone before it: `1,234` and
/// `12,345.6` are thousands, `3,5` and `0,125` are not.
pub(super) fn leading_number(text: &str) -> Option<(f64, &str)> {
    let (sign, digits) = match text.strip_prefix(['-', '\u{2212}']) {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if let Some((number, rest)) = grouped(digits) {
        return Some((sign * number.parse::<f64>().ok()?, rest));
    }
    let length = digits
        .char_indices()
        .take_while(|&(at, c)| {
            let next = digits[at + c.len_utf8()..].chars().next();
            let goes_on = next.is_some_and(|next| next.is_ascii_digit());
            c.is_ascii_digit() || (matches!(c, '.' | ',') && goes_on)
        })
        .map(|(at, c)| at + c.len_utf8())
        .last()?;
    let (written, rest) = digits.split_at(length);
    let value: f64 = plain(written)?.parse().ok()?;
    Some((sign * value, rest))
}

/// A number at the beginning of a text with the power of ten that it has, `10^5`, `10\u{2075}`, `1.2e5`, multiplied out;
/// and what follows it. `None` for a power of another number, which nobody writes, or one out of all measure.
pub(super) fn scaled_number(text: &str) -> Option<(f64, &str)> {
    let (number, rest) = leading_number(text)?;
    let base_ten = number.abs().to_bits() == 10_f64.to_bits();
    if let Some(exponent) = rest.strip_prefix('^') {
        let (exponent, rest) = exponent_of(exponent)?;
        return Some((scale(number.signum(), exponent).filter(|_| base_ten)?, rest));
    }
    let raised: String = rest.chars().map_while(lowered).collect();
    if !raised.is_empty() {
        let length = rest.chars().take(raised.chars().count());
        let length: usize = length.map(char::len_utf8).sum();
        let (exponent, left) = exponent_of(&raised)?;
        let number = scale(number.signum(), exponent).filter(|_| base_ten && left.is_empty())?;
        return Some((number, &rest[length..]));
    }
    let power = rest;
    if let Some(written) = power.strip_prefix(['e', 'E'])
        && let Some((exponent, rest)) = exponent_of(written)
    {
        // "35.0E9/L" has the unit E9/L, as has "4.0-11.0E9/L" for both ends.
        if rest.starts_with('/') && written.starts_with(|c: char| c.is_ascii_digit()) {
            return Some((number, power));
        }
        // "5e3a" is no number.
        let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '.');
        return Some((scale(number, exponent).filter(|_| ends)?, rest));
    }
    Some((number, rest))
}

/// A whole number with its sign, and what follows it.
fn exponent_of(text: &str) -> Option<(i32, &str)> {
    let digits = text.strip_prefix(['-', '\u{2212}', '+']).unwrap_or(text);
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = digits.split_at(length);
    let exponent: i32 = digits.parse().ok().filter(|exponent| *exponent <= 30)?;
    let negative = text.starts_with(['-', '\u{2212}']);
    Some((if negative { -exponent } else { exponent }, rest))
}

/// The number times a power of ten, as near as a text of it is read.
fn scale(number: f64, exponent: i32) -> Option<f64> {
    format!("{number}e{exponent}")
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
}

/// The digit or sign that a raised one is.
fn lowered(c: char) -> Option<char> {
    Some(match c {
        '\u{2070}' => '0',
        '\u{b9}' => '1',
        '\u{b2}' => '2',
        '\u{b3}' => '3',
        '\u{2074}' => '4',
        '\u{2075}' => '5',
        '\u{2076}' => '6',
        '\u{2077}' => '7',
        '\u{2078}' => '8',
        '\u{2079}' => '9',
        '\u{207b}' => '-',
        _ => return None,
    })
}

/// The power of ten that multiplies what stands before it, "x 10^9/L".
pub(super) fn factor(text: &str) -> Option<i32> {
    let (_, behind) = text.split_once(['x', 'X', '\u{d7}', '*'])?;
    power(behind)
}

/// The power of ten that a text begins with, "10^9/L".
pub(super) fn power(text: &str) -> Option<i32> {
    let power = text.trim_start().strip_prefix("10")?;
    match power.strip_prefix('^') {
        Some(exponent) => Some(exponent_of(exponent)?.0),
        None => {
            let raised: String = power.chars().map_while(lowered).collect();
            Some(exponent_of(&raised)?.0)
        }
    }
}

/// A number in groups of three that spaces or apostrophes part, `250 000` and `1'200`, and what follows it. A comma
/// with three digits behind it may be a decimal's or a group's: no such number is read.
fn grouped(text: &str) -> Option<(String, &str)> {
    const MARKS: [char; 6] = [' ', '\'', '\u{2019}', '\u{a0}', '\u{2009}', '\u{202f}'];
    let run = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let first = run(text);
    let mark = text[first..]
        .chars()
        .next()
        .filter(|mark| MARKS.contains(mark))?;
    if first > 3 || text.starts_with('0') {
        return None;
    }
    let (mut number, mut rest) = (text[..first].to_owned(), &text[first..]);
    while let Some(group) = rest.strip_prefix(mark).filter(|group| run(group) == 3) {
        number.push_str(&group[..3]);
        rest = &group[3..];
    }
    // One group behind a space may be another number, a power without its sign, `250 109/L`, or the value before.
    let alone = mark == ' ' && number.len() == first + 3 && !number.ends_with("000");
    // Groups that go on otherwise are none, but for a power: `250 10^3`.
    let goes_on = rest
        .strip_prefix(mark)
        .is_some_and(|rest| run(rest) > 0 && !rest.starts_with("10^"));
    if number.len() == first || alone || goes_on {
        return None;
    }
    if let Some(decimals) = rest.strip_prefix(['.', ',']) {
        let length = run(decimals);
        let after = &decimals[length..];
        let more = after
            .strip_prefix(['.', ','])
            .is_some_and(|after| run(after) > 0);
        if length == 3 && rest.starts_with(',') || length > 0 && more {
            return None;
        }
        if length > 0 {
            number.push('.');
            number.push_str(&decimals[..length]);
            rest = after;
        }
    }
    Some((number, rest))
}

/// With a point for decimals and nothing for thousands; `None` for numbers such as `1.2.3`.
fn plain(written: &str) -> Option<String> {
    let parts: Vec<&str> = written.split(',').collect();
    let grouped = |parts: &[&str]| {
        parts[0].len() <= 3
            && parts[0] != "0"
            && parts[1..].iter().enumerate().all(|(index, part)| {
                let whole = part.split('.').next().unwrap_or_default();
                whole.len() == 3 && (whole.len() == part.len() || index + 2 == parts.len())
            })
    };
    let number = match parts.len() {
        1 => written.to_owned(),
        _ if grouped(&parts) => parts.concat(),
        2 if !written.contains('.') => parts.join("."),
        _ => return None,
    };
    (number.matches('.').count() <= 1).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::{factor, leading_number, power, scaled_number};

    #[test]
    fn powers_of_ten_are_multiplied_out_or_refused() {
        for (text, value, rest) in [
            ("10^5 CFU/mL", 1e5, " CFU/mL"),
            ("10\u{2075}", 1e5, ""),
            ("10\u{207b}\u{b3} g", 1e-3, " g"),
            ("1.2e5 copies/mL", 1.2e5, " copies/mL"),
            ("1.2E-3", 1.2e-3, ""),
            ("-10^2", -100.0, ""),
            ("5 e3", 5.0, " e3"),
            ("35.0E9/L", 35.0, "E9/L"),
            ("1.2E-3/L", 1.2e-3, "/L"),
            ("5 eq", 5.0, " eq"),
            ("7.4 10^3/uL", 7.4, " 10^3/uL"),
        ] {
            assert_eq!(scaled_number(text), Some((value, rest)), "{text}");
        }
        for text in [
            "10^",
            "2^5",
            "7\u{b2}",
            "10^99",
            "10\u{2075}\u{207b}",
            "1e5x",
            "10^x",
        ] {
            assert_eq!(scaled_number(text), None, "{text}");
        }
        assert_eq!(factor("x 10^9/L"), Some(9));
        assert_eq!(factor("4-11 \u{d7}10\u{2079}/L"), Some(9));
        assert_eq!(factor("10^9/L"), None);
        assert_eq!(power("10^9/L"), Some(9));
        assert_eq!(power("109/L"), None);
    }

    #[test]
    fn commas_are_decimals_or_thousands() {
        for (text, value, rest) in [
            ("12.5 g/dL", 12.5, " g/dL"),
            ("3,5-5,1", 3.5, "-5,1"),
            ("1,234", 1234.0, ""),
            ("12,345.6", 12345.6, ""),
            ("1,234,567", 1_234_567.0, ""),
            ("0,125", 0.125, ""),
            ("-2.0 to 2.0", -2.0, " to 2.0"),
            ("\u{2212}3", -3.0, ""),
            ("+1", 1.0, ""),
            ("7.", 7.0, "."),
            ("250, low", 250.0, ", low"),
            ("5x10^9/L", 5.0, "x10^9/L"),
            ("250 000 /mm3", 250_000.0, " /mm3"),
            ("1\u{202f}234\u{202f}567,5", 1_234_567.5, ""),
            ("1'200.25 U", 1200.25, " U"),
            ("1\u{2019}200", 1200.0, ""),
            // Of no groups, the first.
            ("250 00", 250.0, " 00"),
            ("0 125", 0.0, " 125"),
            ("1 234 56", 1.0, " 234 56"),
            ("1 234,567", 1.0, " 234,567"),
            ("1234 567", 1234.0, " 567"),
            ("1'234 567", 1234.0, " 567"),
            ("250 109/L", 250.0, " 109/L"),
            ("140 138 mmol/L", 140.0, " 138 mmol/L"),
        ] {
            assert_eq!(leading_number(text), Some((value, rest)), "{text}");
        }
        for text in ["", "-", "x5", "1.2.3", "1,2,3", ".5"] {
            assert_eq!(leading_number(text), None, "{text}");
        }
    }
}
