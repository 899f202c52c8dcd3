//! Whose a resource is.

use std::collections::BTreeMap;

use crate::fhir::{self, Resource};
use crate::kind::Kind;
use crate::read::Typed;
use crate::reference::{Reference, is_id};

use super::Names;
use super::names::unversioned;

/// The patients among the resources, and whose each resource is.
pub(crate) fn patients(
    resources: &[Typed],
    names: &Names<'_>,
) -> (Vec<Reference>, Vec<Option<Reference>>) {
    let mut elsewhere: BTreeMap<String, Reference> = BTreeMap::new();
    let mut of: Vec<Option<Reference>> = Vec::with_capacity(resources.len());
    let mut patients = Vec::new();
    for (at, typed) in resources.iter().enumerate() {
        let patient = match subject(&typed.resource) {
            Subject::Itself => {
                // A contained patient is one that is known to nobody else.
                patients.push(names.references[at].clone());
                Some(names.references[at].clone())
            }
            Subject::Named(reference) => match names.target(reference, at) {
                Some(target) => (names.resources[target].kind == Kind::Patient)
                    .then(|| names.references[target].clone()),
                None => absent(reference, &mut elsewhere),
            },
            Subject::None => typed.container.and_then(|container| of[container].clone()),
        };
        of.push(patient);
    }
    (patients, of)
}

/// A name for a patient who is referred to and is not in the pages.
fn absent(reference: &str, elsewhere: &mut BTreeMap<String, Reference>) -> Option<Reference> {
    let reference = unversioned(reference);
    let id = reference.rsplit_once("Patient/").map(|(_, id)| id);
    if id.is_none() && !reference.starts_with("urn:") {
        return None; // a group, a device, a place
    }
    let next = elsewhere.len() + 1;
    let short = id.filter(|id| is_id(id) && id.len() <= Reference::MAX_ID);
    let name = short.map_or_else(
        || format!("Patient/#absent-{next}"),
        |id| format!("Patient/{id}"),
    );
    let named = elsewhere
        .entry(reference.to_owned())
        .or_insert_with(|| Reference::new(Kind::Patient, &name));
    Some(named.clone())
}

/// Whom a resource is about.
enum Subject<'a> {
    Itself,
    Named(&'a str),
    None,
}

fn subject(resource: &Resource) -> Subject<'_> {
    let subject: Option<&fhir::Reference> = match resource {
        Resource::Patient(_) => return Subject::Itself,
        Resource::Practitioner(_) | Resource::Medication(_) => None,
        Resource::Encounter(encounter) => encounter.subject.as_ref(),
        Resource::Condition(condition) => condition.subject.as_ref(),
        Resource::Observation(observation) => observation.subject.as_ref(),
        Resource::AllergyIntolerance(allergy) => allergy.patient.as_ref(),
        Resource::FamilyMemberHistory(history) => history.patient.as_ref(),
        Resource::MedicationRequest(request) => request.subject.as_ref(),
        Resource::MedicationStatement(statement) => statement.subject.as_ref(),
        Resource::MedicationAdministration(given) => given.subject.as_ref(),
        Resource::DiagnosticReport(report) => report.subject.as_ref(),
        Resource::Procedure(procedure) => procedure.subject.as_ref(),
        Resource::ServiceRequest(request) => request.subject.as_ref(),
    };
    subject
        .and_then(|subject| subject.reference.as_deref())
        .map_or(Subject::None, Subject::Named)
}
