//! What a resource refers to, in words: titles of records, people who treat; no patient's and no relative's name.

use crate::bundle::{subject_of, unversioned};
use crate::fhir::{Reference, Resource};
use crate::read::is_name;

use super::Draft;
use super::draft::{joined, words};

impl Draft<'_> {
    /// What references point at: what they say themselves, or the title of the record.
    pub(crate) fn say_named<'b>(
        &mut self,
        label: &'static str,
        references: impl IntoIterator<Item = &'b Reference>,
    ) {
        let texts = references
            .into_iter()
            .filter_map(|reference| self.named(reference))
            .collect();
        self.say(label, joined(texts, ", "));
    }

    /// People by name, of whom it is known that they are no patients or relatives: what points into this resource or by
    /// a URN at something that was not read may be one, whose name would be in `display`.
    pub(crate) fn say_people<'b>(
        &mut self,
        label: &'static str,
        references: impl IntoIterator<Item = &'b Reference>,
    ) {
        let references: Vec<&Reference> = references
            .into_iter()
            .filter(|reference| !self.may_name_a_lay_person(reference))
            .collect();
        self.say_named(label, references);
    }

    fn may_name_a_lay_person(&self, reference: &Reference) -> bool {
        reference.reference.as_deref().is_some_and(|name| {
            (name.starts_with('#') || name.starts_with("urn:"))
                && reference.r#type.is_none()
                && self.names.resource(name, self.from).is_none()
        })
    }

    /// As above, of one; nothing of what was entered in error.
    pub(crate) fn named(&mut self, reference: &Reference) -> Option<String> {
        let name = reference.reference.as_deref();
        let target = name.and_then(|name| self.names.resource(name, self.from));
        if name.is_some_and(|name| self.names.is_void(name, self.from)) {
            return None;
        }
        // Their names are not read from their own records either.
        if let Some(whom) = lay(reference, target) {
            return Some(whom.to_owned());
        }
        self.text(reference.display.as_deref())
            .or_else(|| self.text(title(target?).as_deref()))
    }

    /// Whether two references point at one resource; without a second, whether the first points at a patient.
    pub(crate) fn is_same(&self, one: &Reference, other: Option<&Reference>) -> bool {
        let target = |it: &Reference| self.names.target(it.reference.as_deref()?, self.from);
        let Some(other) = other.filter(|other| other.reference.is_some()) else {
            return lay(
                one,
                target(one).map(|at| &self.names.resources[at].resource),
            ) == Some(PATIENT);
        };
        let absolute = |it: &Reference| {
            let reference = it.reference.as_deref()?;
            Some(self.names.absolute(reference, self.from))
        };
        match (target(one), target(other)) {
            (None, None) => absolute(one) == absolute(other),
            (one, other) => one == other,
        }
    }

    /// What a focus other than the subject points at. Somebody or something apart from the patient says so; so does what is
    /// of a kind that is not told, of which nothing is named, for it may be anybody.
    pub(crate) fn focus(&mut self, focus: &Reference, subject: Option<&Reference>) -> String {
        let at = focus.reference.as_deref();
        let at = at.and_then(|name| self.names.target(name, self.from));
        let kind = match at {
            Some(at) => Some(self.names.resources[at].kind.name()),
            None => kind(focus),
        };
        let Some(kind) = kind else {
            // Of kinds that are not read a link within the bundle tells nothing: it may be a tumour.
            let is_within = |name: &str| name.starts_with("urn:") || name.starts_with('#');
            let told = match focus.reference.as_deref().is_some_and(is_within) {
                true => "somebody or something that is not told, perhaps not the patient",
                false => "somebody or something else, not the patient",
            };
            return told.to_owned();
        };
        let named = match self.named(focus) {
            Some(named) if named == PATIENT => "another patient".to_owned(),
            named => named.unwrap_or_else(|| format!("{kind} that is not named")),
        };
        if APART.contains(&kind) || at.is_some_and(|at| self.is_anothers(at, subject)) {
            format!("{named}, not the patient")
        } else {
            named
        }
    }

    /// Whether a record has a subject, and one that is not `subject`.
    fn is_anothers(&self, at: usize, subject: Option<&Reference>) -> bool {
        let target = |of: &Reference, from| {
            let name = of.reference.as_deref()?;
            let absolute = || self.names.absolute(name, from);
            Some(self.names.target(name, from).ok_or_else(absolute))
        };
        let own = subject.and_then(|it| target(it, self.from));
        let of = subject_of(&self.names.resources[at].resource);
        let of = of.and_then(|it| target(it, at));
        let is_url = |name: &str| name.contains("://") || name.starts_with("urn:");
        match (own, of) {
            (Some(Ok(own)), Some(Ok(of))) => own != of,
            // A search may find the same one, and a short name be of one whom a URL is of.
            (Some(Ok(_)), Some(Err(name))) | (Some(Err(name)), Some(Ok(_))) => !name.contains('?'),
            (Some(Err(own)), Some(Err(of))) => {
                own != of && is_url(&own) == is_url(&of) && !own.contains('?') && !of.contains('?')
            }
            _ => false,
        }
    }
}

const PATIENT: &str = "the patient";

/// Kinds of what is no part of the patient, of the patient's body or history.
const APART: [&str; 12] = [
    "Patient",
    "RelatedPerson",
    "Person",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "CareTeam",
    "Group",
    "Device",
    "Location",
    "Substance",
    "NutritionProduct",
];

/// The kind that a reference says it points at: `Condition` of `Condition/1`, `https://server/fhir/Condition/1/_history/2`
/// and `Condition?identifier=1`.
fn kind(reference: &Reference) -> Option<&str> {
    let of_type = reference.r#type.as_deref();
    let of_type = of_type.map(|it| it.rsplit('/').next().unwrap_or(it));
    let of_name = || {
        let name = unversioned(reference.reference.as_deref()?);
        match name.split_once('?') {
            Some((search, _)) => search.rsplit('/').next(),
            None => name.rsplit('/').nth(1),
        }
    };
    of_type.or_else(of_name).filter(|kind| is_name(kind))
}

/// The word for a patient or a relative, if a reference points at one.
fn lay(reference: &Reference, target: Option<&Resource>) -> Option<&'static str> {
    if matches!(target, Some(Resource::Patient(_))) {
        return Some(PATIENT);
    }
    let r#type = reference.r#type.iter();
    // `Patient/1`, `https://server/fhir/Patient/1`, `Patient?identifier=1`
    let parts = reference.reference.iter().chain(r#type);
    let mut parts = parts.flat_map(|text| text.split(['/', '?', '|']));
    parts.find_map(|part| match part {
        "Patient" => Some(PATIENT),
        "RelatedPerson" => Some("a relative"),
        "Person" => Some("a person"),
        _ => None,
    })
}

/// What a resource is called where another refers to it.
pub(crate) fn title(resource: &Resource) -> Option<String> {
    let concept = match resource {
        Resource::Practitioner(practitioner) => return practitioner.called(),
        Resource::Medication(medication) => return medication.called(),
        Resource::Condition(condition) => &condition.code,
        Resource::AllergyIntolerance(allergy) => &allergy.code,
        Resource::Observation(observation) => &observation.measured.code,
        Resource::DiagnosticReport(report) => &report.code,
        Resource::Procedure(procedure) => &procedure.code,
        Resource::ServiceRequest(request) => &request.code,
        Resource::Patient(_)
        | Resource::Encounter(_)
        | Resource::FamilyMemberHistory(_)
        | Resource::MedicationRequest(_)
        | Resource::MedicationStatement(_)
        | Resource::MedicationAdministration(_) => return None,
    };
    concept.as_ref().and_then(words).map(str::to_owned)
}
