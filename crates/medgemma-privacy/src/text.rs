//! Free text without the 18 identifiers of HIPAA's Safe Harbor method (45 CFR 164.514(b)(2)(i)), found
//! by rules: form, context and lists, for English.

mod age;
mod name;
mod pattern;
mod place;
mod space;
mod word;

use std::fmt;
use std::ops::Range;

/// The identifiers of 45 CFR 164.514(b)(2)(i), by its letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Identifier {
    /// (A) A name: of patients, relatives, staff.
    Name,
    /// (B) A place smaller than a state: address, town, postal code, hospital.
    Location,
    /// (C) A date more exact than a year.
    Date,
    /// (C) An age above 89.
    Age,
    /// (D) A telephone number.
    Phone,
    /// (E) A fax number.
    Fax,
    /// (F) An e-mail address.
    Email,
    /// (G) A social security number.
    SocialSecurity,
    /// (H) A medical record number.
    MedicalRecord,
    /// (I) A number of a health plan's member.
    HealthPlan,
    /// (J) An account, a payment card.
    Account,
    /// (K) A certificate or licence.
    Licence,
    /// (L) A vehicle: identification number or plate.
    Vehicle,
    /// (M) A device: serial number, identifier.
    Device,
    /// (N) A web address.
    Url,
    /// (O) An address of the Internet protocol.
    Ip,
    /// (P) A biometric identifier, or the mention of one.
    Biometric,
    /// (Q) A photograph: its file, or the mention of one.
    Photo,
    /// (R) Any other unique number or code.
    Other,
}

impl Identifier {
    /// What stands in its place.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::Name => "[NAME]",
            Self::Location => "[LOCATION]",
            Self::Date => "[DATE]",
            Self::Age => "[AGE]",
            Self::Phone => "[PHONE]",
            Self::Fax => "[FAX]",
            Self::Email => "[EMAIL]",
            Self::SocialSecurity => "[SSN]",
            Self::MedicalRecord => "[MRN]",
            Self::HealthPlan => "[PLAN]",
            Self::Account => "[ACCOUNT]",
            Self::Licence => "[LICENCE]",
            Self::Vehicle => "[VEHICLE]",
            Self::Device => "[DEVICE]",
            Self::Url => "[URL]",
            Self::Ip => "[IP]",
            Self::Biometric => "[BIOMETRIC]",
            Self::Photo => "[PHOTO]",
            Self::Other => "[ID]",
        }
    }
}

/// Where an identifier stood.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Which.
    pub identifier: Identifier,
    /// Bytes of the text that was given.
    pub range: Range<usize>,
}

/// A text without what was found in it. `Debug` prints no text.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scrubbed {
    /// The text with tags in place of findings.
    pub text: String,
    /// What was found, in order, without overlap.
    pub findings: Vec<Finding>,
}

impl fmt::Debug for Scrubbed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrubbed")
            .field("text", &format_args!("{} bytes", self.text.len()))
            .field("findings", &self.findings)
            .finish()
    }
}

/// Finds identifiers in English clinical text by rules, in time linear in its length.
///
/// **It misses some.** What it found in made-up notes is in the crate's README; real notes are harder. It
/// errs towards taking too much out: a word that may be a name goes.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Scrubber {}

impl Scrubber {
    /// By the rules of this crate.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }

    /// The text without identifiers.
    #[must_use]
    pub fn scrub(&self, text: &str) -> Scrubbed {
        let findings = self.find(text);
        let mut scrubbed = String::with_capacity(text.len());
        let mut end = 0;
        for finding in &findings {
            scrubbed.push_str(&text[end..finding.range.start]);
            scrubbed.push_str(finding.identifier.tag());
            end = finding.range.end;
        }
        scrubbed.push_str(&text[end..]);
        Scrubbed {
            text: scrubbed,
            findings,
        }
    }

    /// Where identifiers are, in order, without overlap.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<Finding> {
        let even = space::Even::new(text);
        let mut found = pattern::find(&even.text);
        found.extend(age::find(&even.text));
        found.extend(place::find(&even.text));
        found.extend(name::find(&even.text));
        let back = |finding: Finding| Finding {
            range: even.back(trimmed(&even.text, finding.range)),
            ..finding
        };
        merged(found.into_iter().map(back).collect())
    }
}

/// Without white space at the ends; every finding has more than that.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let found = &text[range.clone()];
    let start = range.start + (found.len() - found.trim_start().len());
    start..start + found.trim().len()
}

/// Findings in order. Of those that overlap the first holds, which of several with one beginning is the
/// longest; what another has beyond it is taken out as well.
fn merged(mut found: Vec<Finding>) -> Vec<Finding> {
    found.sort_by_key(|finding| (finding.range.start, usize::MAX - finding.range.end));
    let mut merged: Vec<Finding> = Vec::with_capacity(found.len());
    for finding in found {
        match merged.last_mut() {
            Some(last) if finding.range.start < last.range.end => {
                last.range.end = last.range.end.max(finding.range.end);
            }
            _ => merged.push(finding),
        }
    }
    merged
}

#[cfg(test)]
mod tests;
