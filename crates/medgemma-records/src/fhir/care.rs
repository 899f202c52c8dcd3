//! What was done and what was ordered.

use serde::Deserialize;

use super::{Age, Annotation, CodeableConcept, Period, Quantity, Range, Ratio, Reference, Timing};

/// <https://hl7.org/fhir/R4/procedure.html>
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Procedure {
    pub(crate) status: Option<String>,
    pub(crate) status_reason: Option<CodeableConcept>,
    pub(crate) category: Option<CodeableConcept>,
    pub(crate) code: Option<CodeableConcept>,
    pub(crate) subject: Option<Reference>,
    pub(crate) performed_date_time: Option<String>,
    pub(crate) performed_period: Option<Period>,
    pub(crate) performed_string: Option<String>,
    pub(crate) performed_age: Option<Age>,
    pub(crate) reason_code: Vec<CodeableConcept>,
    pub(crate) reason_reference: Vec<Reference>,
    pub(crate) body_site: Vec<CodeableConcept>,
    pub(crate) outcome: Option<CodeableConcept>,
    pub(crate) complication: Vec<CodeableConcept>,
    pub(crate) note: Vec<Annotation>,
}

/// <https://hl7.org/fhir/R4/servicerequest.html>
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct ServiceRequest {
    pub(crate) status: Option<String>,
    pub(crate) intent: Option<String>,
    pub(crate) category: Vec<CodeableConcept>,
    pub(crate) priority: Option<String>,
    pub(crate) do_not_perform: Option<bool>,
    pub(crate) code: Option<CodeableConcept>,
    pub(crate) order_detail: Vec<CodeableConcept>,
    pub(crate) quantity_quantity: Option<Quantity>,
    pub(crate) quantity_ratio: Option<Ratio>,
    pub(crate) quantity_range: Option<Range>,
    pub(crate) subject: Option<Reference>,
    pub(crate) occurrence_date_time: Option<String>,
    pub(crate) occurrence_period: Option<Period>,
    pub(crate) occurrence_timing: Option<Timing>,
    pub(crate) as_needed_boolean: Option<bool>,
    pub(crate) as_needed_codeable_concept: Option<CodeableConcept>,
    pub(crate) authored_on: Option<String>,
    pub(crate) requester: Option<Reference>,
    pub(crate) reason_code: Vec<CodeableConcept>,
    pub(crate) reason_reference: Vec<Reference>,
    pub(crate) body_site: Vec<CodeableConcept>,
    pub(crate) note: Vec<Annotation>,
}
