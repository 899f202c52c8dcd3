//! What a resource refers to, in words: titles of records, people who treat; no patient's and no relative's name.

use crate::fhir::{Reference, Resource};

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

    /// What a reference points at that is known to be another than the patient; nothing of whoever may be named.
    pub(crate) fn other_than_patient(&mut self, reference: &Reference) -> Option<String> {
        if self.may_name_a_lay_person(reference) {
            return None;
        }
        let named = self.named(reference)?;
        Some(if named == PATIENT {
            "another patient".to_owned()
        } else {
            named
        })
    }
}

const PATIENT: &str = "the patient";

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
