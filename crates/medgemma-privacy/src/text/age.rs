//! Ages above 89: with years, behind a word that says so, or with a sex in place of years. Temperatures, heart
//! rates, isotopes and metres look like the last of these, which therefore need a place where a history begins.

use std::sync::LazyLock;

use regex::Regex;

use super::pattern::{UNIT, wrapped};
use super::{Finding, Identifier};

/// What a number must not stand beside, for a rule.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// The rule says enough.
    None,
    /// No decimals, and no isotopes.
    Decimal,
    /// Nor amounts, fractions and temperatures.
    Quantity,
    /// Nor behind a sex a vital sign: `F, 120/80`.
    BehindSex,
}

struct Rule {
    guard: Guard,
    /// Its first group is the age.
    regex: Regex,
}

/// Years of an age above 89, with the zero that DICOM writes before them.
const OLD: &str = r"0?9\d|1[0-3]\d";
/// In front of a number with a bare letter: a sentence, an article, a heading.
const OPENING: &str = r"(?:^|[.!?•] |[\n\x{2029}]|\b(?:an?|this|patient|pt) |\b(?:hpi|cc|id|hx|history|illness|complaints?|indications?|information|reason|subjective|summary|impression|assessment|patient|pt): ?)[\-*(]{0,2} ?";
/// Behind the letter.
const HISTORY: &str = r"c/o|p/w|h/o|s/p|presents|presenting|presented|who|admitted|brought|found";

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let on_lines = [
        format!(r"\b({OLD})[ \-]?(?:years?|yrs?|y/?o|y\. ?o|y[ \-]old)\b"),
        format!(r"\b(?:age[d]?(?: ?/ ?(?:sex|gender))?|turned|turning)[:= ]{{1,3}}(?:of |is |was )?({OLD})\b"),
        r"\b((?:ninety|(?:(?:a|one) )?hundred(?: and)?)(?:[ \-](?:one|two|three|four|five|six|seven|eight|nine))?)[ \-](?:years?|yrs?)\b".into(),
        r"\bin (?:his|her|their) ((?:late |early |mid[ \-]?)?(?:nineties|90s|hundreds))\b".into(),
        r"\b(nonagenarian|centenarian)\b".into(),
    ];
    let said = on_lines.iter().map(|rule| (Guard::None, wrapped(rule)));
    // Of two lines the first may end in a number that the second says nothing of.
    let on_one_line = [
        // `90Y` is yttrium.
        (Guard::Decimal, r"\b(0?9[1-9]|090|1[0-3]\d)[ \-]?y\b".into()),
        (
            Guard::Decimal,
            format!(r"\b({OLD})[ \-]?(?-i:y)[ \-/]?(?:[mf]|male|female|man|woman)\b"),
        ),
        (
            Guard::Quantity,
            format!(r"\b({OLD})[ \-]?(?:male|female|man|woman|gentleman|lady)\b"),
        ),
        (
            Guard::Quantity,
            format!(
                r"{OPENING}({OLD}) ?(?-i:[WB]?[MF])(?:,?[ \n](?:with|w|{HISTORY})\b|,[ \n][a-z])"
            ),
        ),
        // In small letters they are metres.
        (
            Guard::Quantity,
            format!(r"{OPENING}({OLD})[mf][ \n](?:w/|(?:{HISTORY})\b)"),
        ),
        (
            Guard::Quantity,
            format!(r"\b({OLD}) ?/ ?(?-i:[MF])(?:[^\w/.:]|\.[ \n\x{{2029}}]|\.?$)"),
        ),
        (
            Guard::BehindSex,
            format!(
                r"(?:^|[\n\x{{2029}}(]|\b(?:sex|gender)(?: ?/ ?age)?[:= ]{{1,3}})(?-i:[MF]) ?[/,] ?({OLD})\b"
            ),
        ),
    ];
    let compiled = said.chain(on_one_line).map(|(guard, pattern)| Rule {
        guard,
        regex: Regex::new(&format!("(?i){pattern}")).expect("a rule of this file is a pattern"),
    });
    compiled.collect()
});

/// Temperatures in front of `101 F`, in the same sentence; a point may be that of an abbreviation.
static TEMPERATURE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:(?:temp(?:erature)?s?|t|tm|tmax\w*|tcurrent|tc|fevers?|febrile|afebrile|pyrexia|vitals?|vs|oral|rectal|axillary|tympanic|core|spik(?:ed?|ing))\b[^.;!?\x{2029}]{0,40}(?:\d\.\d[^.;!?\x{2029}]{0,40})?|(?:temp|t|tm|tmax)\.[ \n])$")
        .expect("a rule of this file is a pattern")
});
/// Behind a number: `101 F, HR 90`, or `120 male patients`, whom are many.
static NO_AGE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?i:[ \-]?(?:[mf],[ \n](?:hr|bp|rr|pr|p|r|spo2|o2|sats?|pulse|heart|resp|now|then|chills|rigors|tachy\w*|hypotherm\w*)\b|(?:fe)?male[ \n](?:patients|subjects|participants|volunteers)\b|(?:wo)?man-|y[ \-/]?f/u\b|y-))")
        .expect("a rule of this file is a pattern")
});
/// `Tc-99M`, `I-131`.
static ISOTOPE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:(?:tc|technetium)[ \n\-]?|[a-z]{1,2}-)$")
        .expect("a rule of this file is a pattern")
});
/// Bytes in front of a number that are looked at.
const BEFORE: usize = 80;

/// Ages in no order.
pub(super) fn find(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in RULES.iter() {
        for captures in rule.regex.captures_iter(text) {
            let Some(age) = captures.get(1) else {
                continue;
            };
            let mut from = age.start().saturating_sub(BEFORE);
            while !text.is_char_boundary(from) {
                from += 1;
            }
            let (before, after) = (&text[from..age.start()], &text[age.end()..]);
            if !is_something_else(rule.guard, before, after) {
                found.push(Finding {
                    identifier: Identifier::Age,
                    range: age.range(),
                });
            }
        }
    }
    found
}

/// Whether what looks like an age is a part of another number, an amount, a temperature or an isotope.
fn is_something_else(guard: Guard, before: &str, after: &str) -> bool {
    let ends_in_digit = |text: &str| text.ends_with(|c: char| c.is_ascii_digit());
    let parted_by = |mark: char| before.strip_suffix(mark).is_some_and(ends_in_digit);
    let decimal = ['.', ','].into_iter().any(parted_by) || ISOTOPE.is_match(before);
    match guard {
        Guard::None => false,
        Guard::Decimal => decimal || NO_AGE.is_match(after),
        Guard::Quantity => {
            let amount = before.ends_with(['$', '€', '£', '<', '>']);
            let part = ['/', '^'].into_iter().any(parted_by);
            let behind = after.trim_start_matches([' ', '/']);
            let fahrenheit = behind.starts_with('F') && TEMPERATURE.is_match(before);
            decimal || amount || part || fahrenheit || NO_AGE.is_match(after)
        }
        Guard::BehindSex => {
            let letter = before.trim_end_matches([' ', '/', ',']);
            let number = ends_in_digit(letter.trim_end_matches(['M', 'F']).trim_end());
            let mut chars = after.chars();
            let more = matches!(chars.next(), Some('/' | '.' | ',' | '-'))
                && chars.next().is_some_and(|c| c.is_ascii_digit());
            number || more || UNIT.is_match(after)
        }
    }
}
