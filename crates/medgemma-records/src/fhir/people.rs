//! Who is treated, by whom, and when they met. A patient's name, address and numbers are not read at all: no prompt
//! needs them.

use serde::Deserialize;

use super::{CodeableConcept, Coding, Period, Reference};

/// <https://hl7.org/fhir/R4/patient.html>
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Patient {
    pub(crate) gender: Option<String>,
    pub(crate) birth_date: Option<String>,
    pub(crate) deceased_boolean: Option<bool>,
    pub(crate) deceased_date_time: Option<String>,
    pub(crate) marital_status: Option<CodeableConcept>,
}

/// <https://hl7.org/fhir/R4/practitioner.html>
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Practitioner {
    pub(crate) name: Vec<HumanName>,
    pub(crate) qualification: Vec<Qualification>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct HumanName {
    pub(crate) text: Option<String>,
    pub(crate) prefix: Vec<Option<String>>,
    pub(crate) given: Vec<Option<String>>,
    pub(crate) family: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Qualification {
    pub(crate) code: Option<CodeableConcept>,
}

/// <https://hl7.org/fhir/R4/encounter.html>
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Encounter {
    pub(crate) status: Option<String>,
    pub(crate) class: Option<Coding>,
    pub(crate) r#type: Vec<CodeableConcept>,
    pub(crate) service_type: Option<CodeableConcept>,
    pub(crate) subject: Option<Reference>,
    pub(crate) participant: Vec<Participant>,
    pub(crate) period: Option<Period>,
    pub(crate) reason_code: Vec<CodeableConcept>,
    pub(crate) reason_reference: Vec<Reference>,
    pub(crate) diagnosis: Vec<Diagnosis>,
    pub(crate) hospitalization: Option<Hospitalization>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Participant {
    pub(crate) individual: Option<Reference>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Diagnosis {
    pub(crate) condition: Option<Reference>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Hospitalization {
    pub(crate) discharge_disposition: Option<CodeableConcept>,
}
