//! What was ordered to be taken, is taken, and was given.

use serde::Deserialize;

use super::{Annotation, CodeableConcept, Dosage, Period, Quantity, Ratio, Reference};

/// <https://hl7.org/fhir/R4/medication.html>
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Medication {
    pub(crate) code: Option<CodeableConcept>,
    pub(crate) status: Option<String>,
    pub(crate) form: Option<CodeableConcept>,
    pub(crate) ingredient: Vec<Ingredient>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Ingredient {
    pub(crate) item_codeable_concept: Option<CodeableConcept>,
    pub(crate) item_reference: Option<Reference>,
    pub(crate) strength: Option<Ratio>,
}

/// <https://hl7.org/fhir/R4/medicationrequest.html>
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct MedicationRequest {
    pub(crate) status: Option<String>,
    pub(crate) status_reason: Option<CodeableConcept>,
    pub(crate) intent: Option<String>,
    pub(crate) category: Vec<CodeableConcept>,
    pub(crate) priority: Option<String>,
    pub(crate) do_not_perform: Option<bool>,
    pub(crate) medication_codeable_concept: Option<CodeableConcept>,
    pub(crate) medication_reference: Option<Reference>,
    pub(crate) subject: Option<Reference>,
    pub(crate) authored_on: Option<String>,
    pub(crate) requester: Option<Reference>,
    pub(crate) reason_code: Vec<CodeableConcept>,
    pub(crate) reason_reference: Vec<Reference>,
    pub(crate) note: Vec<Annotation>,
    pub(crate) dosage_instruction: Vec<Dosage>,
}

/// <https://hl7.org/fhir/R4/medicationstatement.html>
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct MedicationStatement {
    pub(crate) status: Option<String>,
    pub(crate) status_reason: Vec<CodeableConcept>,
    pub(crate) category: Option<CodeableConcept>,
    pub(crate) medication_codeable_concept: Option<CodeableConcept>,
    pub(crate) medication_reference: Option<Reference>,
    pub(crate) subject: Option<Reference>,
    pub(crate) effective_date_time: Option<String>,
    pub(crate) effective_period: Option<Period>,
    pub(crate) date_asserted: Option<String>,
    pub(crate) reason_code: Vec<CodeableConcept>,
    pub(crate) reason_reference: Vec<Reference>,
    pub(crate) note: Vec<Annotation>,
    pub(crate) dosage: Vec<Dosage>,
}

/// <https://hl7.org/fhir/R4/medicationadministration.html>
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct MedicationAdministration {
    pub(crate) status: Option<String>,
    pub(crate) status_reason: Vec<CodeableConcept>,
    pub(crate) category: Option<CodeableConcept>,
    pub(crate) medication_codeable_concept: Option<CodeableConcept>,
    pub(crate) medication_reference: Option<Reference>,
    pub(crate) subject: Option<Reference>,
    pub(crate) effective_date_time: Option<String>,
    pub(crate) effective_period: Option<Period>,
    pub(crate) reason_code: Vec<CodeableConcept>,
    pub(crate) reason_reference: Vec<Reference>,
    pub(crate) note: Vec<Annotation>,
    pub(crate) dosage: Option<GivenDose>,
}

/// `MedicationAdministration.dosage`, which is not of the type `Dosage`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct GivenDose {
    pub(crate) text: Option<String>,
    pub(crate) site: Option<CodeableConcept>,
    pub(crate) route: Option<CodeableConcept>,
    pub(crate) method: Option<CodeableConcept>,
    pub(crate) dose: Option<Quantity>,
    pub(crate) rate_quantity: Option<Quantity>,
    pub(crate) rate_ratio: Option<Ratio>,
}
