//! FHIR R4 as far as a prompt needs it: the fields by their names, everything else ignored. Nothing is required, since
//! servers leave out what the standard asks for; what is there must have the standard's type.
//!
//! Source: <https://hl7.org/fhir/R4/resourcelist.html>, a page for each resource.

mod care;
mod datatypes;
mod medications;
mod people;
mod problems;
mod results;

pub(crate) use care::{Procedure, ServiceRequest};
pub(crate) use datatypes::{
    Age, Annotation, CodeableConcept, Coding, Decimal, Dosage, Extension, Period, Quantity, Range,
    Ratio, Reference, Repeat, Timing,
};
pub(crate) use medications::{
    Medication, MedicationAdministration, MedicationRequest, MedicationStatement,
};
pub(crate) use people::{Encounter, Patient, Practitioner};
pub(crate) use problems::{AllergyIntolerance, Condition, FamilyMemberHistory};
pub(crate) use results::{Component, DiagnosticReport, Observation, ReferenceRange, Value};

/// A resource of one of the kinds that are read.
pub(crate) enum Resource {
    Patient(Patient),
    Encounter(Encounter),
    Practitioner(Practitioner),
    Condition(Box<Condition>),
    Observation(Box<Observation>),
    AllergyIntolerance(AllergyIntolerance),
    FamilyMemberHistory(FamilyMemberHistory),
    MedicationRequest(Box<MedicationRequest>),
    MedicationStatement(Box<MedicationStatement>),
    MedicationAdministration(Box<MedicationAdministration>),
    Medication(Medication),
    DiagnosticReport(DiagnosticReport),
    Procedure(Procedure),
    ServiceRequest(Box<ServiceRequest>),
}

impl Resource {
    /// Whether it was entered in error, as its status says, or of problems and allergies the verification.
    pub(crate) fn is_void(&self) -> bool {
        const VOID: &str = "entered-in-error";
        let is_void = |verification: &Option<CodeableConcept>| {
            let mut codings = verification.iter().flat_map(|concept| &concept.coding);
            codings.any(|coding| coding.code.as_deref() == Some(VOID))
        };
        let status = match self {
            Self::Patient(_) | Self::Practitioner(_) => return false,
            Self::Condition(condition) => return is_void(&condition.verification_status),
            Self::AllergyIntolerance(allergy) => return is_void(&allergy.verification_status),
            Self::Encounter(encounter) => &encounter.status,
            Self::Observation(observation) => &observation.status,
            Self::FamilyMemberHistory(history) => &history.status,
            Self::MedicationRequest(request) => &request.status,
            Self::MedicationStatement(statement) => &statement.status,
            Self::MedicationAdministration(given) => &given.status,
            Self::Medication(medication) => &medication.status,
            Self::DiagnosticReport(report) => &report.status,
            Self::Procedure(procedure) => &procedure.status,
            Self::ServiceRequest(request) => &request.status,
        };
        status.as_deref() == Some(VOID)
    }
}
