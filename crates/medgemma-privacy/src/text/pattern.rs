//! Identifiers that have a form, or a number behind a word that says what it is.
//!
//! Every repetition is bounded, so that no search looks further ahead than some hundred characters: the
//! engine takes linear time for one match, and this makes it linear for all of them. A run of white space is one
//! character here (`space.rs`).

use std::sync::LazyLock;

use regex::Regex;

use super::{Finding, Identifier};

/// A rule; its first group, or without one the whole match, is the identifier.
struct Rule {
    identifier: Identifier,
    regex: Regex,
}

/// `Jan`, `Jan.`, `January` …
const MONTH: &str = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?";
const DAY: &str = r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?";
const PHONE: &str = r"(?:\+?\d{1,3}[ .\-]?)?(?:\(\d{2,4}\) ?|\d{3}[ .\-])\d{3}[ .\-]\d{4}(?: ?(?:x|ext\.?|extension) ?\d{1,6})?";
/// Seven digits and more, however they are grouped.
const LOOSE_PHONE: &str = r"\+?\(?\d[\d ().\-]{5,18}\d(?: ?(?:x|ext\.?|extension) ?\d{1,6})?";
/// A number or code of letters, digits and hyphens; letters apart from it are capitals, for words stand there.
const CODE: &str =
    r"(?:[a-z]{1,6}[\-/]?|(?-i:[A-Z]{1,4}) )?\d[a-z0-9]{0,30}(?:[\-/.][a-z0-9]{1,30}){0,4}";
/// Between a word and its number.
const LINK: &str = r"(?:['’]?s)?(?:[ \n](?:id|identifier|number|numbers|num|no|nr|code|card))*\.?[ \n]?(?:[:#=]|is|was|of|n[º°])?[ \n]?#?[ \n]?";

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    use Identifier::{
        Account, Biometric, Date, Device, Email, Fax, HealthPlan, Ip, Licence, MedicalRecord,
        Other, Phone, Photo, SocialSecurity, Url, Vehicle,
    };
    let coded = |words: &str| format!(r"\b(?:{words}){LINK}\b({CODE})\b");
    let rules: Vec<(Identifier, String)> = vec![
        (Email, r"\b[a-z0-9._%+\-]{1,64}@[a-z0-9\-]{1,63}(?:\.[a-z0-9\-]{1,63}){1,5}\b".into()),
        (Url, r"\b(?:https?|ftp)://[^\s<>\x22']{1,300}[^\s<>\x22'.,;:!?)]".into()),
        (Url, r"\b(?:www\.)?[a-z0-9\-]{1,63}(?:\.[a-z0-9\-]{1,63}){0,3}\.(?:com|org|net|edu|gov|info|io|health|co\.uk|org\.uk|eu|de)\b(?:/[^\s<>\x22']{0,200}[^\s<>\x22'.,;:!?)])?".into()),
        (Ip, r"\b(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}\b".into()),
        (Ip, r"\b(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}\b".into()),
        (Ip, r"\b(?:[0-9a-f]{1,4}:){1,6}:(?:[0-9a-f]{1,4}:){0,5}[0-9a-f]{1,4}\b".into()),
        (Device, r"\b[0-9a-f]{2}(?:[:\-][0-9a-f]{2}){5}\b".into()),
        (SocialSecurity, r"\b\d{3}-\d{2}-\d{4}\b".into()),
        (SocialSecurity, r"\b(?:ssn|ss#|social security)[a-z #:.]{0,30}(\d{3}[ \-]?\d{2}[ \-]?\d{4}|[x*]{3}[ \-]?[x*]{2}[ \-]?\d{4}|\d{4})\b".into()),
        (Fax, format!(r"\b(?:fax|facsimile|telefax)[a-z ]{{0,20}}[:#.]?[ \t]{{0,3}}({LOOSE_PHONE})")),
        (Fax, format!(r"({PHONE}) ?\(fax\)")),
        (Phone, format!(r"\b(?:phone|telephone|tel|cell|mobile|pager|beeper|contact number|call(?:ed)?(?: back)?|reached|reachable|hotline|ext)\b[a-z ]{{0,20}}[:#.]?[ \t]{{0,3}}({LOOSE_PHONE})")),
        (Phone, format!(r"(?:^|[^\w+])({PHONE})\b")),
        (Phone, r"\+\d{1,3}(?:[ .\-]?\(?\d{1,5}\)?){2,5}\b".into()),
        (Date, r"\b\d{1,2}[/\-]\d{1,2}[/\-](?:\d{4}|\d{2})\b".into()),
        (Date, r"\b\d{1,2}\.\d{1,2}\.(?:19|20)\d{2}\b".into()),
        (Date, r"\b(?:19|20)\d{2}[/.\-](?:0?[1-9]|1[0-2])[/.\-](?:0?[1-9]|[12]\d|3[01])(?:[t ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:z|[+\-]\d{2}:?\d{2})?)?\b".into()),
        (Date, r"\b(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\b".into()),
        (Date, r"\b(?:0?[1-9]|1[0-2])[/\-](?:19|20)\d{2}\b".into()),
        (Date, r"\b(?:on|since|dated|until|till|before|after|due|dos|dob|date)[: ]{1,3}((?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01]))\b".into()),
        (Date, format!(r"\b{DAY}(?: of)?[ /\-]{MONTH}(?:[ ,/\-]{{1,2}}(?:'?\d{{2}}|(?:19|20)\d{{2}}))?\b")),
        (Date, format!(r"\b{DAY}{MONTH}[/\-]?(?:(?:19|20)\d{{2}}|\d{{2}})\b")),
        (Date, format!(r"\b(?:19|20)\d{{2}}[ /\-]?{MONTH}[ /\-]?{DAY}\b")),
        (Date, format!(r"\b{MONTH}{DAY},?[ /\-]?(?:19|20)\d{{2}}\b")),
        (Date, format!(r"\b{MONTH}[ /\-]{DAY}\b(?:[ ,/\-]{{1,2}}(?:19|20)\d{{2}}\b)?")),
        (Date, format!(r"\b{MONTH}[ ,/\-]{{0,2}}(?:of )?(?:19|20)\d{{2}}\b")),
        (MedicalRecord, coded("mrn|mr ?#|medical record|health record|record|chart|patient|pt|hospital|unit|uhid|pid|nhs|emr|ehr")),
        (HealthPlan, coded("member(?:ship)?|policy|subscriber|group|beneficiary|insurance|insured|health plan|plan|medicare|medicaid|payer|payor|hicn|mbi")),
        (Account, coded("account|acct|a/c|invoice|billing|bill|iban|card|bank|routing|guarantor")),
        (Account, r"\b[a-z]{2}\d{2}(?: ?[a-z0-9]{4}){3,7}(?: ?[a-z0-9]{1,3})?\b".into()),
        (Account, r"\b\d{4}(?:[ \-]\d{4}){3}\b".into()),
        (Licence, coded("licen[cs]e|licen[cs]ure|dea|npi|certificate|certification|passport|dl|gmc|permit")),
        (Vehicle, r"\b(?:vin|vehicle)[a-z ]{0,30}[:#]?[ \t]{0,3}([a-hj-npr-z0-9]{11,17})\b".into()),
        (Vehicle, r"\b(?:plates?|tags?|registration|registered as)(?: (?:number|no|is|was))*\.?(?:[:#][ \t]{0,3}|[ \t]{1,3})((?:[a-z]{1,4}[ \-]?\d[a-z0-9]{1,5}|\d[a-z0-9]{0,3}[ \-]?[a-z]{2,4}[ \-]?\d{0,4})(?: [a-z]{3}\b)?)\b".into()),
        (Device, coded("serial|s/n|sn|device|implant|pacemaker|generator|lead|pump|udi|lot|asset|scanner|stent|prosthesis|valve")),
        (Device, r"\(01\)\d{14}(?:\(\d{2}\)[a-z0-9]{1,20}){0,4}".into()),
        (Biometric, r"\b((?:finger|palm|voice|face|hand)[ \-]?prints?|(?:retinal?|iris|facial|palm vein) (?:scan|pattern|template|recognition)s?|biometric (?:template|identifier|id|scan|record)s?|dna (?:profile|fingerprint))\b".into()),
        (Photo, r"\b[a-z0-9][a-z0-9_\-]{0,80}\.(?:jpe?g|png|heic|tiff?|bmp|gif|mp4|mov|avi)\b".into()),
        (Photo, r"\b((?:full[ \-]face|facial|identification|id|clinical|patient|passport|wedding|family) (?:photo(?:graph)?|image|picture|video)s?|selfies?|(?:photo(?:graph)?|picture|video)s? of (?:the )?(?:patient|face|family|child|baby)(?:['’]s (?:face|wound|skin))?)\b".into()),
        (Other, coded("accession|acc|case|specimen|study|encounter|visit|order|requisition|reference|ref|confirmation|badge|employee|staff|sample|barcode|tracking|trial|subject|claim|authori[sz]ation|referral|rx|prescription|ticket|wristband|bottle|tube|token|file|id|identifier|identification")),
        (Other, r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b".into()),
        (Other, r"\b[0-2](?:\.\d{1,39}){4,14}\b".into()),
        (Other, r"\b[a-z]{0,4}-?\d{7,30}\b".into()),
        (Other, r"\b[a-z]{1,4}\d{2}-\d{3,8}\b".into()),
    ];
    let compiled = rules.into_iter().map(|(identifier, pattern)| {
        let pattern = match identifier {
            Date => wrapped(&pattern),
            _ => pattern,
        };
        Rule {
            identifier,
            regex: Regex::new(&format!("(?i){pattern}")).expect("a rule of this file is a pattern"),
        }
    });
    compiled.collect()
});

/// The pattern with the end of a line wherever it has a space: for what is made of words, which lines are wrapped
/// between. Of numbers a column has one in each line.
pub(super) fn wrapped(pattern: &str) -> String {
    let mut wrapped = String::with_capacity(2 * pattern.len());
    let (mut class, mut escaped) = (false, false);
    for c in pattern.chars() {
        match c {
            ' ' if class => wrapped.push_str(r" \n"),
            ' ' => wrapped.push_str(r"[ \n]"),
            c => wrapped.push(c),
        }
        class = (class || c == '[' && !escaped) && (c != ']' || escaped);
        escaped = c == '\\' && !escaped;
    }
    wrapped
}

/// Identifiers in no order; they may overlap.
pub(super) fn find(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in RULES.iter() {
        for captures in rule.regex.captures_iter(text) {
            let Some(matched) = captures.get(1).or_else(|| captures.get(0)) else {
                continue;
            };
            let whole = captures
                .get(0)
                .map_or(matched.start(), |whole| whole.start());
            let around = [&text[whole..matched.start()], &text[matched.end()..]];
            if !plausible(rule.identifier, matched.as_str(), around) {
                continue;
            }
            found.push(Finding {
                identifier: rule.identifier,
                range: matched.range(),
            });
        }
    }
    found
}

/// Words before a code that stand before quantities as well; `plan` and `rx` with a colon too.
const BEFORE_QUANTITIES: [&str; 23] = [
    "patient",
    "pt",
    "record",
    "unit",
    "plan",
    "group",
    "lead",
    "pump",
    "stent",
    "valve",
    "device",
    "generator",
    "case",
    "study",
    "visit",
    "order",
    "sample",
    "specimen",
    "trial",
    "rx",
    "prescription",
    "file",
    "bottle",
];

/// Words that a text in capitals has between such a word and a number: `HAD 1200`.
const BETWEEN: [&str; 18] = [
    "had", "has", "was", "is", "in", "on", "at", "for", "from", "with", "of", "to", "by", "and",
    "or", "took", "got", "received",
];

/// Units of measure, behind quantities that no code is. Words are units in small letters, without a colon behind them:
/// `MIN: 3`, `HR 88` begin something else.
pub(super) static UNIT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:(?i:[ \-]?(?:m[lg]|mcg|ug|kg|dl|lit(?:er|re)s?|grams?|iu|m?mol|meq|mosm|mm|cm|mmhg|bpm|k?cal|kcals|hz|gy|cgy|mgy|mci|mbq|mm3)(?:[^:\w]|$))|[ \-]?(?:units?|hours?|hrs?|min(?:utes?)?|days?|cells?|drops?|tab(?:let)?s?|patients|subjects|participants)(?:[^:\w]|$)| ?(?:cc(?:[^:\w]|$)|[µμ][gLlm]\b|ng\b|pg\b|%))")
        .expect("a rule of this file is a pattern")
});

/// What a pattern cannot say: how many digits a number has at least, so that `unit 3`, `lead 2` and
/// `case 1` are none, nor `study 2019`, nor `Plan: 1500 mL`.
fn plausible(identifier: Identifier, text: &str, [before, after]: [&str; 2]) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    match identifier {
        Identifier::MedicalRecord
        | Identifier::HealthPlan
        | Identifier::Account
        | Identifier::Licence
        | Identifier::Device
        | Identifier::Other => {
            let quantity = may_be_quantity(before) && is_quantity(text, after);
            digits >= 4 && !is_year(text) && !quantity && !behind_word(before, text)
        }
        Identifier::Phone | Identifier::Fax => digits >= 7,
        Identifier::Vehicle => digits >= 2,
        // A line may begin with the verb: `pain 5` and `May resume diet`.
        Identifier::Date => {
            digits > 2 || !text.contains('\n') || !text.to_lowercase().contains("may")
        }
        _ => true,
    }
}

/// A year alone.
fn is_year(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    text.len() == 4 && digits == 4 && (text.starts_with("19") || text.starts_with("20"))
}

/// Whether what stands before a code stands before quantities as well.
fn may_be_quantity(before: &str) -> bool {
    let word = before.split(|c: char| !c.is_alphabetic()).next();
    let word = word.unwrap_or_default().to_lowercase();
    let said = before.contains([':', '#', '=']) && !["plan", "rx"].contains(&word.as_str());
    BEFORE_QUANTITIES.contains(&word.as_str()) && !said
}

/// In a text in capitals: `PATIENT HAD 1200`, `LEAD IN 2018`.
fn behind_word(before: &str, text: &str) -> bool {
    let word = text.split_once(' ').map(|(word, _)| word.to_lowercase());
    !before.contains([':', '#', '=']) && word.is_some_and(|word| BETWEEN.contains(&&*word))
}

/// A number, or two with a hyphen or a point, of a quantity's length, and a unit behind or written to it.
fn is_quantity(text: &str, after: &str) -> bool {
    let end = text.find(|c: char| c.is_alphabetic() || c == '/');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let numbers: Vec<&str> = number.split(['-', '.']).collect();
    let digits = |part: &&str| {
        (1..=5).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    numbers.len() <= 2
        && numbers.iter().all(digits)
        && match unit {
            "" => UNIT.is_match(after),
            unit => UNIT
                .find(unit)
                .is_some_and(|found| found.end() == unit.len()),
        }
}
