//! Identifiers that have a form, or a number behind a word that says what it is.
//!
//! Every repetition is bounded, so that no search looks further ahead than some hundred characters: the
//! engine takes linear time for one match, and this makes it linear for all of them.

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
/// A number or code of letters, digits and hyphens.
const CODE: &str = r"(?:[a-z]{1,6}[\-/ ]?)?\d[a-z0-9]{0,30}(?:[\-/.][a-z0-9]{1,30}){0,4}";
/// Between a word and its number.
const LINK: &str = r"(?:['’]?s)?(?: (?:id|identifier|number|numbers|num|no|nr|code|card))*\.?[ \t]{0,3}(?:[:#=]|is|was|of|n[º°])?[ \t]{0,3}#?[ \t]{0,2}";

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    use Identifier::{
        Account, Age, Biometric, Date, Device, Email, Fax, HealthPlan, Ip, Licence, MedicalRecord,
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
        (Date, format!(r"\b{DAY}(?: of)?[ \-]{MONTH}(?:[ ,\-]{{1,2}}(?:'?\d{{2}}|(?:19|20)\d{{2}}))?\b")),
        (Date, format!(r"\b{MONTH}[ \-]{DAY}\b(?:[ ,\-]{{1,2}}(?:19|20)\d{{2}}\b)?")),
        (Date, format!(r"\b{MONTH}[ ,/\-]{{1,2}}(?:of )?(?:19|20)\d{{2}}\b")),
        (Age, r"\b(9\d|1[0-3]\d)[ \-]?(?:years?|yrs?|y/?o|yo|y\.o\.)\b".into()),
        (Age, r"\b(?:age[d]?|turned|turning)[: ]{1,3}(?:of )?(9\d|1[0-3]\d)\b".into()),
        (Age, r"\bin (?:his|her|their) ((?:late |early |mid[ \-]?)?(?:nineties|90s|hundreds))\b".into()),
        (Age, r"\b(nonagenarian|centenarian)\b".into()),
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
    let compiled = rules.into_iter().map(|(identifier, pattern)| Rule {
        identifier,
        regex: Regex::new(&format!("(?i){pattern}")).expect("a rule of this file is a pattern"),
    });
    compiled.collect()
});

/// Identifiers in no order; they may overlap.
pub(super) fn find(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in RULES.iter() {
        for captures in rule.regex.captures_iter(text) {
            let Some(matched) = captures.get(1).or_else(|| captures.get(0)) else {
                continue;
            };
            if !plausible(rule.identifier, matched.as_str()) {
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

/// What a pattern cannot say: how many digits a number has at least, so that `unit 3`, `lead 2` and
/// `case 1` are none, nor `study 2019`.
fn plausible(identifier: Identifier, text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let year = text.len() == 4 && digits == 4 && (text.starts_with("19") || text.starts_with("20"));
    match identifier {
        Identifier::MedicalRecord
        | Identifier::HealthPlan
        | Identifier::Account
        | Identifier::Licence
        | Identifier::Device
        | Identifier::Other => digits >= 4 && !year,
        Identifier::Phone | Identifier::Fax => digits >= 7,
        Identifier::Vehicle => digits >= 2,
        _ => true,
    }
}
