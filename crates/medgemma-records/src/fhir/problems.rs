//! What a patient suffers from, must not be given, and may have inherited.

use serde::Deserialize;

use super::{Age, Annotation, CodeableConcept, Period, Range, Reference};

/// <https://hl7.org/fhir/R4/condition.html>
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Condition {
    pub(crate) clinical_status: Option<CodeableConcept>,
    pub(crate) verification_status: Option<CodeableConcept>,
    pub(crate) category: Vec<CodeableConcept>,
    pub(crate) severity: Option<CodeableConcept>,
    pub(crate) code: Option<CodeableConcept>,
    pub(crate) body_site: Vec<CodeableConcept>,
    pub(crate) stage: Vec<Stage>,
    pub(crate) subject: Option<Reference>,
    pub(crate) onset_date_time: Option<String>,
    pub(crate) onset_age: Option<Age>,
    pub(crate) onset_period: Option<Period>,
    pub(crate) onset_range: Option<Range>,
    pub(crate) onset_string: Option<String>,
    pub(crate) abatement_date_time: Option<String>,
    pub(crate) abatement_age: Option<Age>,
    pub(crate) abatement_period: Option<Period>,
    pub(crate) abatement_range: Option<Range>,
    pub(crate) abatement_string: Option<String>,
    pub(crate) recorded_date: Option<String>,
    pub(crate) note: Vec<Annotation>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Stage {
    pub(crate) summary: Option<CodeableConcept>,
    pub(crate) r#type: Option<CodeableConcept>,
    pub(crate) assessment: Vec<Reference>,
}

/// <https://hl7.org/fhir/R4/allergyintolerance.html>
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct AllergyIntolerance {
    pub(crate) clinical_status: Option<CodeableConcept>,
    pub(crate) verification_status: Option<CodeableConcept>,
    pub(crate) r#type: Option<String>,
    pub(crate) category: Vec<Option<String>>,
    pub(crate) criticality: Option<String>,
    pub(crate) code: Option<CodeableConcept>,
    pub(crate) patient: Option<Reference>,
    pub(crate) onset_date_time: Option<String>,
    pub(crate) onset_age: Option<Age>,
    pub(crate) onset_period: Option<Period>,
    pub(crate) onset_range: Option<Range>,
    pub(crate) onset_string: Option<String>,
    pub(crate) recorded_date: Option<String>,
    pub(crate) last_occurrence: Option<String>,
    pub(crate) reaction: Vec<Reaction>,
    pub(crate) note: Vec<Annotation>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct Reaction {
    pub(crate) substance: Option<CodeableConcept>,
    pub(crate) manifestation: Vec<CodeableConcept>,
    pub(crate) description: Option<String>,
    pub(crate) severity: Option<String>,
}

/// <https://hl7.org/fhir/R4/familymemberhistory.html>; the relative's name is not read.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct FamilyMemberHistory {
    pub(crate) status: Option<String>,
    pub(crate) patient: Option<Reference>,
    pub(crate) date: Option<String>,
    pub(crate) relationship: Option<CodeableConcept>,
    pub(crate) sex: Option<CodeableConcept>,
    pub(crate) age_age: Option<Age>,
    pub(crate) age_range: Option<Range>,
    pub(crate) age_string: Option<String>,
    pub(crate) deceased_boolean: Option<bool>,
    pub(crate) deceased_age: Option<Age>,
    pub(crate) deceased_range: Option<Range>,
    pub(crate) deceased_date: Option<String>,
    pub(crate) deceased_string: Option<String>,
    pub(crate) condition: Vec<RelativesCondition>,
    pub(crate) note: Vec<Annotation>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub(crate) struct RelativesCondition {
    pub(crate) code: Option<CodeableConcept>,
    pub(crate) outcome: Option<CodeableConcept>,
    pub(crate) contributed_to_death: Option<bool>,
    pub(crate) onset_age: Option<Age>,
    pub(crate) onset_range: Option<Range>,
    pub(crate) onset_period: Option<Period>,
    pub(crate) onset_string: Option<String>,
}
