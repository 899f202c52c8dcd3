//! Code systems by their short names, and what codes of interpretation and status mean.

use crate::fhir::{CodeableConcept, Coding};

use super::Standing;

/// The short name of a system of codes that clinicians write beside a term. Sources: the systems' pages under
/// <https://terminology.hl7.org/external_terminologies.html>.
pub(crate) fn system(url: &str) -> Option<&'static str> {
    Some(match url.trim_end_matches('/') {
        "http://loinc.org" => "LOINC",
        "http://snomed.info/sct" => "SNOMED",
        "http://www.nlm.nih.gov/research/umls/rxnorm" => "RxNorm",
        "http://hl7.org/fhir/sid/icd-10-cm" => "ICD-10-CM",
        "http://hl7.org/fhir/sid/icd-10" => "ICD-10",
        "http://hl7.org/fhir/sid/icd-9-cm" => "ICD-9-CM",
        "http://fhir.de/CodeSystem/bfarm/icd-10-gm" => "ICD-10-GM",
        "http://www.ama-assn.org/go/cpt" => "CPT",
        "http://hl7.org/fhir/sid/ndc" => "NDC",
        "http://hl7.org/fhir/sid/cvx" => "CVX",
        "http://www.whocc.no/atc" => "ATC",
        _ => return None,
    })
}

/// What an interpretation's code means, and whether it flags a value.
/// Source: <https://terminology.hl7.org/CodeSystem-v3-ObservationInterpretation.html>.
pub(crate) fn interpretation(code: &str) -> Option<(&'static str, bool)> {
    Some(match code {
        "N" => ("normal", false),
        "NEG" => ("negative", false),
        "ND" => ("not detected", false),
        "NR" => ("non-reactive", false),
        "S" => ("susceptible", false),
        "IND" => ("indeterminate", false),
        "H" => ("high", true),
        "HH" => ("critically high", true),
        "HU" => ("significantly high", true),
        "L" => ("low", true),
        "LL" => ("critically low", true),
        "LU" => ("significantly low", true),
        "A" => ("abnormal", true),
        "AA" => ("critically abnormal", true),
        ">" | "HX" => ("above the high threshold", true),
        "<" | "LX" => ("below the low threshold", true),
        "POS" => ("positive", true),
        "DET" => ("detected", true),
        "RR" => ("reactive", true),
        "R" => ("resistant", true),
        "I" => ("intermediate", true),
        _ => return None,
    })
}

/// The codings' codes.
pub(crate) fn codes(concept: &CodeableConcept) -> impl Iterator<Item = &str> {
    concept
        .coding
        .iter()
        .filter_map(|coding: &Coding| coding.code.as_deref())
}

/// What a clinical status says of now. Sources: the value sets `condition-clinical` and `allergyintolerance-clinical`.
pub(crate) fn clinical_standing(code: &str) -> Standing {
    match code {
        "active" | "recurrence" | "relapse" => Standing::Current,
        "inactive" | "remission" | "resolved" => Standing::Past,
        _ => Standing::Unclear,
    }
}

/// What an order's or a medication's status says of now. Sources: the value sets `medicationrequest-status`,
/// `medication-statement-status`, `medication-admin-status`, `request-status`.
pub(crate) fn order_standing(status: &str) -> Standing {
    match status {
        "active" | "in-progress" | "intended" => Standing::Current,
        "completed" | "stopped" | "cancelled" | "revoked" | "not-taken" | "not-done"
        | "entered-in-error" => Standing::Past,
        _ => Standing::Unclear,
    }
}
