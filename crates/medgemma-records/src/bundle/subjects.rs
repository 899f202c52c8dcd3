//! Whose a resource is.

use std::collections::{BTreeMap, BTreeSet};

use crate::fhir::{self, Resource};
use crate::kind::Kind;
use crate::read::Typed;
use crate::reference::{Reference, is_id};

use super::Names;

/// Whose a resource is.
#[derive(Clone)]
pub(crate) enum Whose {
    /// This patient's.
    Patients(Reference),
    /// A group's, a thing's, or somebody's who is not named: of no patient that is known.
    Others,
    /// It does not say.
    Unsaid,
}

impl Whose {
    pub(crate) fn patient(&self) -> Option<&Reference> {
        match self {
            Self::Patients(patient) => Some(patient),
            Self::Others | Self::Unsaid => None,
        }
    }
}

/// The patients among the resources, and whose each resource is.
pub(crate) fn patients(resources: &[Typed], names: &Names<'_>) -> (Vec<Reference>, Vec<Whose>) {
    let mut elsewhere: BTreeMap<String, Reference> = BTreeMap::new();
    let mut taken: BTreeSet<String> = names.references.iter().map(|it| it.to_string()).collect();
    let mut of: Vec<Whose> = Vec::with_capacity(resources.len());
    let mut patients = Vec::new();
    for (at, typed) in resources.iter().enumerate() {
        let whose = match subject(&typed.resource) {
            Subject::Itself => {
                // A contained patient is one that is known to nobody else.
                patients.push(names.references[at].clone());
                Whose::Patients(names.references[at].clone())
            }
            Subject::Named(reference) => {
                let patient = match names.target(reference, at) {
                    Some(target) => (names.resources[target].kind == Kind::Patient)
                        .then(|| names.references[target].clone()),
                    None => {
                        let reference = names.absolute(reference, at);
                        let at_server = names.servers.get(&reference).and_then(Option::as_ref);
                        let reference = at_server.unwrap_or(&reference);
                        absent(reference, &mut elsewhere, &mut taken)
                    }
                };
                patient.map_or(Whose::Others, Whose::Patients)
            }
            Subject::Unnamed => Whose::Others,
            Subject::None => typed
                .container
                .map_or(Whose::Unsaid, |container| of[container].clone()),
        };
        of.push(whose);
    }
    (patients, of)
}

/// A name for a patient who is referred to and is not in the pages: no other's, not even that of another server's patient
/// of the same id.
fn absent(
    reference: &str,
    elsewhere: &mut BTreeMap<String, Reference>,
    taken: &mut BTreeSet<String>,
) -> Option<Reference> {
    let id = reference.rsplit_once("Patient/").map(|(_, id)| id);
    if id.is_none() && !reference.starts_with("urn:") {
        return None; // a group, a device, a place
    }
    if let Some(named) = elsewhere.get(reference) {
        return Some(named.clone());
    }
    let short = id
        .filter(|id| is_id(id) && id.len() <= Reference::MAX_ID)
        .map(|id| format!("Patient/{id}"))
        .filter(|name| !taken.contains(name));
    let name = short.unwrap_or_else(|| format!("Patient/#absent-{}", elsewhere.len() + 1));
    taken.insert(name.clone());
    let named = Reference::new(Kind::Patient, &name);
    elsewhere.insert(reference.to_owned(), named.clone());
    Some(named)
}

/// Whom a resource is about.
enum Subject<'a> {
    Itself,
    Named(&'a str),
    /// Somebody or something that has an identifier, by which nobody is found.
    Unnamed,
    None,
}

fn subject(resource: &Resource) -> Subject<'_> {
    if matches!(resource, Resource::Patient(_)) {
        return Subject::Itself;
    }
    let Some(subject) = subject_of(resource) else {
        return Subject::None;
    };
    match &subject.reference {
        Some(reference) if !reference.is_empty() => Subject::Named(reference),
        _ if subject.identifier.is_some() => Subject::Unnamed,
        _ => Subject::None,
    }
}

/// What a resource says that it is about.
pub(crate) fn subject_of(resource: &Resource) -> Option<&fhir::Reference> {
    match resource {
        Resource::Patient(_) | Resource::Practitioner(_) | Resource::Medication(_) => None,
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
    }
}
