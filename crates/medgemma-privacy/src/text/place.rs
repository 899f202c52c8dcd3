//! Places smaller than a state: addresses, towns, postal codes, institutions.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::word::is_town;
use super::{Finding, Identifier};

/// A word of a proper name.
const PROPER: &str = r"(?:d['’]|(?:[Dd]e|[Ll]a|[Ll]e|du|del) )?[A-Z][A-Za-z'’.\-]{0,30}";
const STREET: &str = r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Way|Terrace|Ter|Circle|Cir|Highway|Hwy|Square|Sq|Parkway|Pkwy|Trail|Trl|Close|Crescent|Row|Walk|Alley|Plaza|Loop|Path)";
/// A word that is not an abbreviation.
const LOWER: &str = r"[A-Z][a-z][A-Za-z'’.\-]{0,30}";
/// By two letters. Many are diseases, procedures and qualifications as well, `HTN, MI` and `Epilepsy, MS`, and these
/// need an address around them.
const LETTERS: &str = r"(?:A[LKZR]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY])";
/// Those that are nothing else in clinical texts.
const LETTERS_ALONE: &str = r"(?:AZ|DE|HI|IA|IL|KY|M[NT]|N[DEHJMVY]|OH|RI|T[NX]|UT|W[AIVY])";
const STATE_NAME: &str = r"(?:Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma|Oregon|Pennsylvania|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West Virginia|Wisconsin|Wyoming)";
const INSTITUTION: &str = r"(?:Hospital|Hospitals|Clinic|Clinics|Infirmary|Hospice|Sanatorium|(?:Medical|Health|Cancer|Trauma|Heart|Imaging|Surgery|Surgical|Rehabilitation|Dialysis|Oncology|Care|Community|Nursing|Treatment) (?:Center|Centre|Centers|Group|Associates|Partners|System|Home|Facility)|Healthcare|Nursing Home|Assisted Living|University|College|Academy|Elementary|High School|Middle School|School|Church|Prison|Jail|Correctional Facility|Shelter|Manor|Retirement Community)";

static RULES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let rules = [
        format!(
            r"\b\d{{1,6}}[A-Z]?,? (?:[NSEWnsew]\.? )?(?:(?:{PROPER}|\d{{1,3}}(?:st|nd|rd|th)) ){{1,4}}{STREET}\b\.?(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|#|No)\.? ?#?\w{{1,6}})?"
        ),
        r"\b(?i:p\.? ?o\.? box) ?#?\d{1,8}\b".to_owned(),
        format!(
            r"\b{PROPER}(?: {PROPER}){{0,2}},[ \n](?:{LETTERS}|{STATE_NAME})\b\.?,?[ \n]\d{{5}}(?:-\d{{4}})?\b"
        ),
        format!(r"\b{PROPER}(?: {PROPER}){{0,2}}, (?:{LETTERS_ALONE}|{STATE_NAME})\b\.?"),
        format!(r"\b(?:in|at|from|near)[ \n]({LOWER}(?: {LOWER}){{0,2}}, {LETTERS})\b"),
        format!(r"\b{STREET}\.?,?[ \n]({LOWER}(?: {LOWER}){{0,2}}, {LETTERS})\b"),
        format!(r"\b(?:{LETTERS}|{STATE_NAME}) (\d{{5}}(?:-\d{{4}})?)\b"),
        r"\b\d{5}-\d{4}\b".to_owned(),
        r"(?i)\b(?:zip(?: ?code)?|postal code|postcode)(?: is)?[: ]{1,3}([a-z0-9]{3,5}(?:[ \-][a-z0-9]{3,4})?)\b".to_owned(),
        // A postal code of the United Kingdom.
        r"\b[A-PR-UWYZ][A-HK-Y]?\d[\dA-HJKPSTUW]? \d[ABD-HJLNP-UW-Z]{2}\b".to_owned(),
        format!(
            r"\b(?:(?:{PROPER}|of|and|the|for|at) ){{0,5}}{PROPER}(?:['’]s)?[ \n]{INSTITUTION}\b(?: (?:of|at|in) {PROPER}(?: {PROPER}){{0,2}})?"
        ),
        format!(r"\b(?:University|College|Hospital|Church|City|Town|County|Village|Borough|Parish) of {PROPER}(?: {PROPER}){{0,2}}"),
        format!(r"\b({PROPER}(?: {PROPER}){{0,2}} (?:County|Township|Borough|Parish|Village|Heights|Beach))\b"),
        format!(
            r"\b(?i:lives? in|lived in|living in|resides? in|residing in|resident of|is from|was from|comes from|originally from|moved to|moved from|move to|relocated to|born in|raised in|native of|returned from|trip to|trips to|travel(?:l?ed|s)? to|travel(?:l?ed|s)? from|visit(?:ed|ing)? family in|hometown is|hometown of|works in|employed in|address(?: is)?:?|city:|town:|location:|transferred from|referred from|flown in from|brought in from|near)[ \n]({PROPER}(?:,? {PROPER}){{0,3}})"
        ),
        r"(?i)\b(?:room|rm|bed|ward|floor)[ #:]{1,3}(\d{1,4}-?[a-z]?\d?)\b".to_owned(),
    ];
    let compiled = rules
        .iter()
        .map(|rule| Regex::new(rule).expect("a rule of this file is a pattern"));
    compiled.collect()
});

/// Places in no order; they may overlap.
pub(super) fn find(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in RULES.iter() {
        for captures in rule.captures_iter(text) {
            if let Some(matched) = captures.get(1).or_else(|| captures.get(0)) {
                let sentence_end = matched.as_str().ends_with('.');
                found.push(Finding {
                    identifier: Identifier::Location,
                    range: matched.start()..matched.end() - usize::from(sentence_end),
                });
            }
        }
    }
    found.extend(towns(text));
    found
}

static CAPITAL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b[A-Z][A-Za-z'’.\-]{2,20}\b").expect("a rule of this file is a pattern")
});

/// Towns of the list, of up to three words. Each run of words is looked at: a heading may stand before a town.
fn towns(text: &str) -> Vec<Finding> {
    let words: Vec<Range<usize>> = CAPITAL.find_iter(text).map(|found| found.range()).collect();
    let mut found = Vec::new();
    for (index, first) in words.iter().enumerate() {
        let joined =
            |pair: &[Range<usize>]| matches!(&text[pair[0].end..pair[1].start], " " | "\n");
        let run = &words[index..words.len().min(index + 3)];
        let length = 1 + run.windows(2).take_while(|pair| joined(pair)).count();
        let town = run[..length].iter().rev().find(|last| {
            let name = &text[first.start..last.end];
            is_town(&name.replace('\n', " "))
        });
        if let Some(last) = town {
            found.push(Finding {
                identifier: Identifier::Location,
                range: first.start..last.end,
            });
        }
    }
    found
}
