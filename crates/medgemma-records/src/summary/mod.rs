//! What a prompt says of a resource: one form for all kinds, by which records are ranked, searched and written down.

mod care;
mod codes;
mod dosage;
mod draft;
mod medications;
mod people;
mod problems;
mod references;
mod results;

use std::fmt::{self, Write};

use crate::bundle::Names;
use crate::date::Date;
use crate::fhir::Resource;

pub(crate) use draft::Draft;

/// What a record says, in words and in order, as far as a prompt needs it. Texts are one line each and cleaned.
///
/// `Debug` shows no text.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Summary {
    /// What it is about: a diagnosis, an analyte, a drug.
    pub title: String,
    /// Codes of the title, in the resource's order.
    pub codes: Vec<Code>,
    /// Categories, as codes and as words: `laboratory`, `vital-signs`.
    pub categories: Vec<String>,
    /// When it was so: of an observation when it was taken, of a condition its onset, of an order when it was written.
    pub date: Option<Date>,
    /// What was measured, with unit; of a panel all of its components.
    pub value: Option<String>,
    /// All else that is said, each with its label, in the order of the excerpt.
    pub details: Vec<Detail>,
    /// The resource's status in FHIR's words. Of conditions and allergies the clinical one.
    pub status: Option<String>,
    /// Whether it holds now, where a kind's status says that.
    pub standing: Standing,
    /// Whether a value is flagged, or lies outside of its reference range.
    pub abnormal: bool,
    /// Whether the resource was entered in error: it is never shown.
    pub void: bool,
    /// Characters that were cut from texts longer than [`Limits::max_text`](crate::Limits::max_text).
    pub cut: usize,
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary")
            .field("codes", &self.codes.len())
            .field("details", &self.details.len())
            .field("standing", &self.standing)
            .field("abnormal", &self.abnormal)
            .finish_non_exhaustive()
    }
}

/// A code and the system that it is of. `Debug` shows the system only.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Code {
    /// The system's short name: `LOINC`, `SNOMED`, `RxNorm`, `ICD-10-CM`; empty where this crate knows none.
    pub system: &'static str,
    /// The code.
    pub code: String,
}

/// Something said of a resource. `Debug` shows the label only.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Detail {
    /// What it is: `reference range`, `dose`.
    pub label: &'static str,
    /// What is said.
    pub text: String,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code")
            .field("system", &self.system)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detail")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// Whether what a record says holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Standing {
    /// Active, recurring, being taken.
    Current,
    /// The kind has no such thing, or the record does not say.
    #[default]
    Unclear,
    /// Resolved, refuted, stopped, completed.
    Past,
}

impl Summary {
    /// Of a resource, with the names of those that it refers to.
    pub(crate) fn of(resource: &Resource, names: &Names<'_>, from: usize, limit: usize) -> Self {
        let mut draft = Draft::new(names, from, limit);
        let is_modified = names.resources[from].is_modified;
        if is_modified {
            draft.say(
                "caution",
                Some("modified by something that is not read".to_owned()),
            );
        }
        match resource {
            Resource::Patient(patient) => people::patient(&mut draft, patient),
            Resource::Practitioner(practitioner) => people::practitioner(&mut draft, practitioner),
            Resource::Encounter(encounter) => people::encounter(&mut draft, encounter),
            Resource::Condition(condition) => problems::condition(&mut draft, condition),
            Resource::AllergyIntolerance(allergy) => problems::allergy(&mut draft, allergy),
            Resource::FamilyMemberHistory(history) => problems::family(&mut draft, history),
            Resource::MedicationRequest(request) => medications::request(&mut draft, request),
            Resource::MedicationStatement(statement) => {
                medications::statement(&mut draft, statement)
            }
            Resource::MedicationAdministration(given) => {
                medications::administration(&mut draft, given)
            }
            Resource::Medication(medication) => medications::medication(&mut draft, medication),
            Resource::Observation(observation) => results::observation(&mut draft, observation),
            Resource::DiagnosticReport(report) => results::report(&mut draft, report),
            Resource::Procedure(procedure) => care::procedure(&mut draft, procedure),
            Resource::ServiceRequest(request) => care::service_request(&mut draft, request),
        }
        if is_modified {
            draft.doubt_standing();
        }
        Self {
            void: names.is_void_at(from),
            ..draft.finish()
        }
    }

    /// As an excerpt shows it, behind the record's name: date, title, codes, value, details, status.
    pub(crate) fn line(&self) -> String {
        self.written(true)
    }

    /// The same without codes, whose digits are no numbers of the patient's.
    pub(crate) fn without_codes(&self) -> String {
        self.written(false)
    }

    fn written(&self, with_codes: bool) -> String {
        let mut line = match &self.date {
            Some(date) => date.as_str().to_owned(),
            None => "undated".to_owned(),
        };
        line.push(' ');
        let is_code = self.codes.iter().any(|code| code.code == self.title);
        line.push_str(if self.title.is_empty() || is_code && !with_codes {
            "unnamed"
        } else {
            &self.title
        });
        let mut open = " (";
        for code in self.codes.iter().filter(|_| with_codes) {
            // A code that is the title, for want of words, is not said twice.
            if code.code != self.title {
                let gap = if code.system.is_empty() { "" } else { " " };
                let _ = write!(line, "{open}{}{gap}{}", code.system, code.code);
                open = ", ";
            }
        }
        if open == ", " {
            line.push(')');
        }
        if let Some(value) = &self.value {
            let _ = write!(line, ": {value}");
        }
        for detail in &self.details {
            let _ = write!(line, "; {}: {}", detail.label, detail.text);
        }
        if let Some(status) = &self.status {
            let _ = write!(line, "; status: {status}");
        }
        line
    }
}
