//! What the line of a record says where saying it otherwise would change its meaning.

mod pages;

use medgemma_records::{ExcerptOptions, Facts, Standing};
use pages::{bundle, words};

/// The lines of an observation of glucose with these further members.
fn observed(members: &str) -> String {
    let resource = format!(
        r#"{{"resourceType": "Observation", "id": "1", "code": {{"text": "Glucose"}}, {members}}}"#
    );
    let line = bundle(&[&resource]).records()[0].line();
    let said = line.strip_prefix("[Observation/1] undated Glucose");
    said.expect("its name").to_owned()
}

#[test]
fn values_of_all_types_keep_their_units_and_bounds() {
    for (members, said) in [
        (
            r#""valueRatio": {"numerator": {"value": 5, "unit": "mg"}, "denominator": {"value": 1, "unit": "mL"}}"#,
            ": 5 mg / 1 mL",
        ),
        (
            r#""valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}"#,
            ": 1:128",
        ),
        (
            r#""valueRatio": {"numerator": {"value": 5, "unit": "mg"}, "denominator": {"value": 2}}"#,
            ": 5 mg / 2",
        ),
        (
            r#""valueRange": {"low": {"value": 3.50, "unit": "g"}}"#,
            ": at least 3.50 g",
        ),
        (
            r#""valueRange": {"high": {"value": 5, "unit": "g"}}"#,
            ": at most 5 g",
        ),
        (r#""valuePeriod": {"end": "2024-02"}"#, ": until 2024-02"),
        (r#""valuePeriod": {"start": "2024"}"#, ": since 2024"),
        (
            r#""dataAbsentReason": {"text": "sample lost"}"#,
            ": no value (sample lost)",
        ),
    ] {
        assert_eq!(observed(members), said, "{members}");
    }
}

#[test]
fn a_value_is_compared_only_where_nobody_has_judged_it_and_the_range_is_for_all() {
    let value = r#""valueQuantity": {"value": 9}, "referenceRange": [{"high": {"value": 5}"#;
    for (rest, said) in [
        (
            "}]",
            ": 9; reference range: at most 5; compared: above the reference range",
        ),
        (
            r#"}], "interpretation": [{"coding": [{"code": "N"}]}]"#,
            ": 9; reference range: at most 5; interpretation: normal",
        ),
        (
            r#", "appliesTo": [{"text": "infants"}]}]"#,
            ": 9; reference range: at most 5 for infants",
        ),
    ] {
        assert_eq!(observed(&format!("{value}{rest}")), said);
    }
}

#[test]
fn doses_orders_and_deaths_are_said_as_they_are() {
    let bundle = bundle(&[
        r#"{"resourceType": "Patient", "id": "p", "deceasedBoolean": true}"#,
        r#"{"resourceType": "MedicationRequest", "id": "m", "medicationCodeableConcept": {"text": "Warfarin"},
            "requester": {"reference": "Practitioner/d", "display": "Dr. Own Word"},
            "dosageInstruction": [{"timing": {"repeat": {"frequency": 2, "period": 3, "periodUnit": "d"}}}]}"#,
        r#"{"resourceType": "ServiceRequest", "id": "s", "code": {"text": "Biopsy"}, "doNotPerform": true}"#,
        r#"{"resourceType": "Condition", "id": "c", "code": {"text": "Asthma"}, "abatementDateTime": "2020"}"#,
        r#"{"resourceType": "Practitioner", "id": "d", "name": [{"family": "Other"}]}"#,
    ]);
    let lines: Vec<String> = bundle.records().iter().map(|it| it.line()).collect();
    assert_eq!(
        lines[..4],
        [
            "[Patient/p] undated patient; died: yes",
            "[MedicationRequest/m] undated Warfarin; dosage: 2 per 3 d; prescribed by: Dr. Own Word",
            "[ServiceRequest/s] undated Biopsy; order: DO NOT give or perform this",
            "[Condition/c] undated Asthma; ended: 2020",
        ]
    );
    assert_eq!(bundle.records()[3].summary().standing, Standing::Past);
}

/// The lines of orders of warfarin with these dosages, behind the title.
fn ordered(dosage: &str) -> String {
    let order = format!(
        r#"{{"resourceType": "MedicationRequest", "id": "m", "medicationCodeableConcept": {{"text": "Warfarin"}},
        "dosageInstruction": [{dosage}]}}"#
    );
    let line = bundle(&[&order]).records()[0].line();
    let said = line.strip_prefix("[MedicationRequest/m] undated Warfarin; ");
    said.expect("a dosage").to_owned()
}

#[test]
fn nothing_of_a_dosage_is_left_out() {
    let dose = r#""doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg"}}]"#;
    for (dosage, said) in [
        (
            format!(r#""patientInstruction": "one tablet", {dose}"#),
            "dosage: 5 mg; instruction to the patient: one tablet",
        ),
        (
            r#""text": "5 mg daily", "patientInstruction": "one tablet", "additionalInstruction": [{"text": "with food"}],
            "maxDosePerPeriod": {"numerator": {"value": 10, "unit": "mg"}, "denominator": {"value": 1, "unit": "d"}},
            "maxDosePerAdministration": {"value": 6, "unit": "mg"}, "maxDosePerLifetime": {"value": 9, "unit": "g"},
            "timing": {"repeat": {"boundsDuration": {"value": 7, "unit": "d"}}}"#
                .to_owned(),
            "dosage: 5 mg daily; for: 7 d; at most: 10 mg / 1 d, 6 mg at once, 9 g in a lifetime; instruction: with food; \
            instruction to the patient: one tablet",
        ),
        (
            r#""timing": {"repeat": {"frequency": 1, "frequencyMax": 2, "period": 4, "periodMax": 6, "periodUnit": "h",
            "boundsPeriod": {"start": "2026-01-01", "end": "2026-01-08"}}}"#
                .to_owned(),
            "dosage: 1 to 2 per 4 to 6 h; for: 2026-01-01 to 2026-01-08",
        ),
        (
            r#""timing": {"repeat": {"period": 1, "periodUnit": "wk", "dayOfWeek": ["mon", "thu"], "timeOfDay": ["08:00:00"],
            "boundsRange": {"low": {"value": 2, "unit": "wk"}, "high": {"value": 3, "unit": "wk"}}, "count": 6, "countMax": 8}}"#
                .to_owned(),
            "dosage: 1 per 1 wk, on mon and thu, at 08:00:00, 6 to 8 times in all; for: 2 to 3 wk",
        ),
        (
            r#""timing": {"repeat": {"frequency": 3, "when": ["ACM", "HS", "X"], "offset": 30, "duration": 10, "durationUnit": "min"}}"#
                .to_owned(),
            "dosage: 3 times, over 10 min, 30 min before breakfast, 30 min before sleep, 30 min X",
        ),
        (
            r#""timing": {"event": ["2026-01-02"], "code": {"text": "once"}}, "site": {"text": "left arm"},
            "doseAndRate": [{"rateRange": {"low": {"value": 1, "unit": "mL/h"}, "high": {"value": 2, "unit": "mL/h"}}}]"#
                .to_owned(),
            "dosage: at 1 to 2 mL/h, once, at left arm",
        ),
        (
            r#""timing": {"event": ["2026-01-02"]}"#.to_owned(),
            "dosage: on 2026-01-02",
        ),
    ] {
        assert_eq!(ordered(&format!("{{{dosage}}}")), said);
    }
}

#[test]
fn a_component_with_an_interpretation_alone_is_said() {
    let bundle = bundle(&[
        r#"{"resourceType": "Observation", "id": "o", "code": {"text": "Susceptibility"}, "component": [
            {"code": {"text": "Oxacillin"}, "interpretation": [{"coding": [{"code": "R"}]}]},
            {"code": {"text": "Vancomycin"}, "valueString": "2", "interpretation": [{"coding": [{"code": "S"}]}]},
            {"code": {"text": "Linezolid"}}]}"#,
    ]);
    let record = &bundle.records()[0];
    assert_eq!(
        record.line(),
        "[Observation/o] undated Susceptibility: Oxacillin (interpretation resistant), \
        Vancomycin 2 (interpretation susceptible)"
    );
    assert!(record.summary().abnormal);
}

#[test]
fn what_an_entered_in_error_resource_contains_is_in_error_too() {
    let bundle = bundle(&[
        r##"{"resourceType": "DiagnosticReport", "id": "wrong", "status": "entered-in-error",
            "contained": [{"resourceType": "Observation", "id": "k", "code": {"text": "Potassium"}}],
            "result": [{"reference": "#k"}]}"##,
        r##"{"resourceType": "DiagnosticReport", "id": "right", "status": "final",
            "contained": [{"resourceType": "Observation", "id": "k", "code": {"text": "Sodium"}}],
            "result": [{"reference": "#k"}]}"##,
    ]);
    let void: Vec<bool> = bundle
        .records()
        .iter()
        .map(|it| it.summary().void)
        .collect();
    assert_eq!(void, [true, true, false, false]);
    let excerpt = bundle.excerpt("potassium", &ExcerptOptions::default(), &words);
    let excerpt = excerpt.expect("an excerpt");
    assert!(!excerpt.text.contains("Potassium") && excerpt.text.contains("Sodium"));
}

#[test]
fn no_patient_or_relative_is_named_where_others_refer_to_them() {
    for (requester, said) in [
        (
            r##""reference": "Patient/p""##,
            "; prescribed by: the patient",
        ),
        (
            r##""reference": "https://x.org/fhir/Patient/9""##,
            "; prescribed by: the patient",
        ),
        (
            r##""reference": "RelatedPerson/r""##,
            "; prescribed by: a relative",
        ),
        (
            r##""type": "RelatedPerson""##,
            "; prescribed by: a relative",
        ),
        (r##""reference": "#r""##, ""),
        (r##""reference": "urn:uuid:0""##, ""),
        (
            r##""reference": "urn:uuid:0", "type": "Practitioner""##,
            "; prescribed by: Quagmire",
        ),
        (
            r##""reference": "Practitioner/9""##,
            "; prescribed by: Quagmire",
        ),
        (
            r##""identifier": {"value": "1"}"##,
            "; prescribed by: Quagmire",
        ),
    ] {
        let order = format!(
            r#"{{"resourceType": "MedicationRequest", "id": "m", "medicationCodeableConcept": {{"text": "Warfarin"}},
            "requester": {{{requester}, "display": "Quagmire"}}}}"#
        );
        let bundle = bundle(&[r#"{"resourceType": "Patient", "id": "p"}"#, &order]);
        let expected = format!("[MedicationRequest/m] undated Warfarin{said}");
        assert_eq!(bundle.records()[1].line(), expected, "{requester}");
    }
}

#[test]
fn ids_and_codes_found_no_number() {
    let bundle = bundle(&[
        r#"{"resourceType": "Observation", "id": "77", "code": {"text": "HbA1c", "coding": [{"system": "http://loinc.org",
            "code": "4548-4"}]}, "effectiveDateTime": "2026-01-05", "valueQuantity": {"value": 7.9}}"#,
    ]);
    let excerpt = bundle.excerpt("", &ExcerptOptions::default(), &words);
    let answer = "HbA1c 7.9, then 77 and 4548 and 4 in 2026 [Observation/77]";
    let facts = Facts::read(answer, &bundle, &excerpt.expect("an excerpt"));
    assert_eq!(facts.facts[0].unfounded_numbers, ["77", "4548", "4"]);
}
