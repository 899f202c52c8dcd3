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
fn a_value_is_compared_unless_it_is_flagged_or_the_range_is_not_for_all() {
    let value = r#""valueQuantity": {"value": 9}, "referenceRange": [{"high": {"value": 5}"#;
    for (rest, said) in [
        (
            "}]",
            ": 9; reference range: at most 5; compared: above the reference range",
        ),
        (
            r#"}], "interpretation": [{"coding": [{"code": "N"}]}]"#,
            ": 9; reference range: at most 5; interpretation: normal; compared: above the reference range",
        ),
        (
            r#"}], "interpretation": [{"text": "High"}]"#,
            ": 9; reference range: at most 5; interpretation: High; compared: above the reference range",
        ),
        (
            r#"}], "interpretation": [{"coding": [{"code": "H"}]}]"#,
            ": 9; reference range: at most 5; interpretation: high",
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
fn what_lies_outside_is_abnormal_whatever_words_and_codes_of_units_are_there() {
    for (value, bound, interpretation, is_abnormal) in [
        (
            r#""unit": "mmol/L""#,
            r#""unit": "mmol/L""#,
            r#"{"text": "High"}"#,
            true,
        ),
        (
            r#""unit": "mmol/L""#,
            r#""unit": "mmol/L""#,
            r#"{"coding": [{"code": "N"}]}"#,
            true,
        ),
        (
            r#""unit": "mmol/L", "code": "mmol/L""#,
            r#""unit": "mmol/L""#,
            "{}",
            true,
        ),
        (
            r#""unit": "mmol/l", "code": "mmol/L""#,
            r#""unit": "mmol/L", "code": "mmol/L""#,
            "{}",
            true,
        ),
        (r#""code": "mmol/L""#, r#""unit": "mmol/L""#, "{}", true),
        (
            r#""unit": "mmol/L", "code": "mmol/L""#,
            r#""unit": "mmol/L", "code": "umol/L""#,
            "{}",
            false,
        ),
        (r#""unit": "mmol/L""#, r#""unit": "mg/dL""#, "{}", false),
        (r#""code": "mmol/L""#, r#""system": "none""#, "{}", false),
    ] {
        let resource = format!(
            r#"{{"resourceType": "Observation", "id": "k", "valueQuantity": {{"value": 9.0, {value}}},
            "interpretation": [{interpretation}], "referenceRange": [{{"high": {{"value": 5.1, {bound}}}}}]}}"#
        );
        let bundle = bundle(&[&resource]);
        assert_eq!(
            bundle.records()[0].summary().abnormal,
            is_abnormal,
            "{resource}"
        );
    }
}

#[test]
fn a_one_is_no_unit_and_an_annotation_loses_its_braces() {
    for (unit, said) in [
        (r#""code": "1""#, ": 2.5"),
        (r#""unit": "1""#, ": 2.5"),
        (r#""code": "{INR}""#, ": 2.5 INR"),
        (r#""code": "{}""#, ": 2.5"),
        (r#""code": "{beats}/min""#, ": 2.5 {beats}/min"),
        (r#""code": "10*3/uL""#, ": 2.5 10*3/uL"),
    ] {
        assert_eq!(
            observed(&format!(r#""valueQuantity": {{"value": 2.5, {unit}}}"#)),
            said
        );
    }
}

/// The line of a resource of this kind, with id 1 and these members, behind its name.
fn line(kind: &str, members: &str) -> String {
    let resource = format!(r#"{{"resourceType": "{kind}", "id": "1", {members}}}"#);
    let line = bundle(&[&resource]).records()[0].line();
    let said = line.strip_prefix(&format!("[{kind}/1] "));
    said.expect("its name").to_owned()
}

#[test]
fn a_date_of_writing_down_is_not_shown_as_the_date_of_the_event() {
    for (kind, written, of_event, how) in [
        ("Observation", "issued", "effectiveDateTime", "issued"),
        ("DiagnosticReport", "issued", "effectiveDateTime", "issued"),
        (
            "AllergyIntolerance",
            "recordedDate",
            "onsetDateTime",
            "recorded",
        ),
        ("Condition", "recordedDate", "onsetDateTime", "recorded"),
        (
            "MedicationStatement",
            "dateAsserted",
            "effectiveDateTime",
            "asserted",
        ),
    ] {
        let alone = format!(r#""{written}": "2026-02-03""#);
        let said = format!("2026-02-03 unnamed; date: when it was {how}");
        assert_eq!(line(kind, &alone), said);
        let both = format!(r#"{alone}, "{of_event}": "2025-01-01""#);
        assert_eq!(line(kind, &both), "2025-01-01 unnamed", "{kind}");
        // What is no date is none.
        let broken = format!(r#"{alone}, "{of_event}": "spring""#);
        assert_eq!(line(kind, &broken), said);
        let neither = format!(r#""{written}": "spring""#);
        assert_eq!(line(kind, &neither), "undated unnamed", "{kind}");
    }
}

#[test]
fn reasons_stages_and_details_are_said() {
    for (kind, members, said) in [
        (
            "MedicationRequest",
            r#""status": "stopped", "statusReason": {"text": "bleeding"}"#,
            "undated unnamed; status because of: bleeding; status: stopped",
        ),
        (
            "MedicationStatement",
            r#""statusReason": [{"text": "bleeding"}, {"text": "cost"}]"#,
            "undated unnamed; status because of: bleeding, cost",
        ),
        (
            "Condition",
            r#""stage": [{"summary": {"text": "IIIb"}, "type": {"text": "clinical"}, "assessment": [{"display": "CT"}]}, {}]"#,
            "undated unnamed; stage: clinical: IIIb; staged by: CT",
        ),
        (
            "ServiceRequest",
            r#""occurrenceTiming": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "wk",
            "boundsDuration": {"value": 6, "unit": "weeks"}}}, "asNeededBoolean": true,
            "quantityQuantity": {"value": 6, "unit": "sessions"}, "orderDetail": [{"text": "with weights"}]"#,
            "undated unnamed; planned for: 2 per 1 wk; for: 6 weeks; when: as needed; quantity: 6 sessions; detail: with weights",
        ),
        (
            "MedicationAdministration",
            r#""dosage": {"site": {"text": "left arm"}, "route": {"text": "SC"}, "method": {"text": "injection"}}"#,
            "undated unnamed; site: left arm; route: SC; method: injection",
        ),
        (
            "Observation",
            r#""effectivePeriod": {"start": "2026-01-01", "end": "2026-01-02"}"#,
            "2026-01-01 unnamed; until: 2026-01-02",
        ),
        (
            "DiagnosticReport",
            r#""effectivePeriod": {"start": "2026-01-01", "end": "2026-01-02"}"#,
            "2026-01-01 unnamed; until: 2026-01-02",
        ),
        (
            "Observation",
            r#""valueSampledData": {"origin": {"value": 0}, "data": "1 2 3"}"#,
            "undated unnamed: no value that can be shown",
        ),
        (
            "Encounter",
            r#""type": [{"text": "visit"}, {"text": "surgery"}]"#,
            "undated visit; type: surgery",
        ),
        (
            "AllergyIntolerance",
            r#""onsetRange": {"low": {"value": 3, "unit": "a"}, "high": {"value": 5, "unit": "a"}}"#,
            "undated unnamed; onset: 3 to 5 a",
        ),
        (
            "FamilyMemberHistory",
            r#""ageRange": {"low": {"value": 60, "unit": "a"}}, "deceasedRange": {"high": {"value": 70, "unit": "a"}},
            "condition": [{"code": {"text": "stroke"}, "contributedToDeath": true, "onsetPeriod": {"start": "1999"}},
            {"code": {"text": "gout"}, "contributedToDeath": false, "onsetRange": {"low": {"value": 40, "unit": "a"}}}]"#,
            "undated unnamed; age: at least 60 a; condition: stroke, onset since 1999, contributed to death; \
            condition: gout, onset at age at least 40 a, did not contribute to death; died: at age at most 70 a",
        ),
    ] {
        assert_eq!(line(kind, members), said);
    }
}

#[test]
fn what_is_about_another_says_so_first() {
    let of = |members: &str| {
        let resource = format!(
            r#"{{"resourceType": "Observation", "id": "1", "code": {{"text": "Heart rate"}}, "issued": "2026",
            "subject": {{"reference": "Patient/p"}}, {members}}}"#
        );
        let patients = r#"{"resourceType": "Patient", "id": "p"}"#;
        let condition = |id: &str, patient: &str| {
            format!(
                r#"{{"resourceType": "Condition", "id": "{id}", "code": {{"text": "Breast cancer"}},
                "subject": {{"reference": "{patient}"}}}}"#
            )
        };
        let (own, others) = (condition("own", "Patient/p"), condition("q", "Patient/q"));
        let bundle = bundle(&[patients, &resource, &own, &others]);
        let line = bundle.records()[1].line();
        let said = line.strip_prefix("[Observation/1] 2026 Heart rate; ");
        let said = said.and_then(|said| said.strip_suffix("date: when it was issued"));
        said.expect("the rest").trim_end_matches("; ").to_owned()
    };
    for (members, said) in [
        (
            r#""focus": [{"reference": "RelatedPerson/fetus", "display": "Quagmire"}]"#,
            "about: a relative, not the patient",
        ),
        (
            r#""focus": [{"reference": "Patient/donor", "display": "Quagmire"}]"#,
            "about: another patient, not the patient",
        ),
        (
            r##""focus": [{"reference": "#x", "display": "Quagmire"}]"##,
            "about: somebody or something that is not told, perhaps not the patient",
        ),
        (
            r#""focus": [{"reference": "Device/pump", "display": "the pump"}]"#,
            "about: the pump, not the patient",
        ),
        (
            r#""extension": [{"url": "http://hl7.org/fhir/StructureDefinition/observation-focusCode",
            "valueCodeableConcept": {"text": "donor"}}, {"url": "http://other", "valueString": "x"}]"#,
            "about: donor, not the patient",
        ),
        (
            r#""focus": [{"reference": "Person/1", "display": "Quagmire"}]"#,
            "about: a person, not the patient",
        ),
        // Whose name it is, nobody knows.
        (
            r#""focus": [{"display": "Baby Girl Quagmire"}]"#,
            "about: somebody or something else, not the patient",
        ),
        (
            r#""focus": [{"reference": "Condition/q"}]"#,
            "about: Breast cancer, not the patient",
        ),
        // The patient's own.
        (
            r#""focus": [{"reference": "Condition/own"}]"#,
            "about: Breast cancer",
        ),
        (
            r#""focus": [{"reference": "https://x/BodyStructure/1/_history/2", "display": "left breast"}]"#,
            "about: left breast",
        ),
        (
            r#""focus": [{"type": "Specimen", "identifier": {"value": "1"}, "display": "the biopsy"}]"#,
            "about: the biopsy",
        ),
        (
            r#""focus": [{"reference": "Procedure?identifier=1"}]"#,
            "about: Procedure that is not named",
        ),
        (r#""focus": [{"reference": "Patient/p"}]"#, ""),
        (r#""focus": [{"reference": "Patient/p/_history/2"}]"#, ""),
    ] {
        assert_eq!(of(members), said, "{members}");
    }
    // Two names that may be of one patient make nobody another's.
    let observation = r#"{"resourceType": "Observation", "id": "o", "subject": {"reference": "Patient/1"},
        "focus": [{"reference": "Condition/c"}]}"#;
    let tumour = r#"{"resourceType": "Condition", "id": "c", "code": {"text": "Breast cancer"},
        "subject": {"reference": "Patient?identifier=1"}}"#;
    let patient = r#"{"resourceType": "Patient", "id": "1"}"#;
    for resources in [&[observation, tumour][..], &[observation, tumour, patient]] {
        let said = bundle(resources).records()[0].line();
        assert!(said.contains("about: Breast cancer"), "{said}");
        assert!(!said.contains("not the patient"), "{said}");
    }
    let elsewhere = line(
        "Observation",
        r#""subject": {"reference": "https://a/Patient/q"}, "focus": [{"reference": "https://a/Patient/q"}]"#,
    );
    assert_eq!(elsewhere, "undated unnamed");
    let unsaid = line("Observation", r#""focus": [{"reference": "Patient/q"}]"#);
    assert_eq!(unsaid, "undated unnamed");
}

#[test]
fn what_an_extension_modifies_says_so_and_is_not_current() {
    let modifier = r#""modifierExtension": [{"url": "http://x/not-so", "valueBoolean": true}]"#;
    let order = |members: &str| {
        let order = format!(
            r#"{{"resourceType": "MedicationRequest", "id": "1", "status": "active", {members}}}"#
        );
        let bundle = bundle(&[&order]);
        let record = &bundle.records()[0];
        (record.line(), record.summary().standing)
    };
    let said =
        "[MedicationRequest/1] undated unnamed; caution: modified by something that is not read";
    for (members, more) in [
        (modifier.to_owned(), ""),
        (
            format!(r#""dosageInstruction": [{{"text": "5 mg", {modifier}}}]"#),
            "; dosage: 5 mg",
        ),
    ] {
        assert_eq!(
            order(&members),
            (format!("{said}{more}; status: active"), Standing::Unclear)
        );
    }
    // What it contains, or a text, modifies nothing.
    for members in [
        format!(r#""contained": [{{"resourceType": "Medication", "id": "m", {modifier}}}]"#),
        r#""note": [{"text": "\"modifierExtension\""}]"#.to_owned(),
    ] {
        let (line, standing) = order(&members);
        assert!(!line.contains("caution"), "{line}");
        assert_eq!(standing, Standing::Current);
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
            r#""text": "Take with food", "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
            "doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg"}}], "asNeededBoolean": true,
            "route": {"text": "oral"}, "method": {"text": "swallow"}"#
                .to_owned(),
            "dosage: Take with food (5 mg, 2 per 1 d, as needed, oral, swallow)",
        ),
        (
            format!(r#""text": "5mg daily, Oral", "route": {{"text": "oral"}}, {dose}"#),
            "dosage: 5mg daily, Oral (5 mg)",
        ),
        // A number of the wording may be any other.
        (
            r#""text": "Take every 2 hours as needed", "doseAndRate": [{"doseQuantity": {"value": 2}}], "asNeededBoolean": true"#
                .to_owned(),
            "dosage: Take every 2 hours as needed (2)",
        ),
        (format!(r#""text": "5 mg/kg", {dose}"#), "dosage: 5 mg/kg (5 mg)"),
        (format!(r#""text": ".5 mg at night", {dose}"#), "dosage: .5 mg at night (5 mg)"),
        (
            r#""text": "daily, not as needed", "asNeededBoolean": true"#.to_owned(),
            "dosage: daily, not as needed (as needed)",
        ),
        // Another dose than the wording's, however much alike.
        (format!(r#""text": "15 mg daily", {dose}"#), "dosage: 15 mg daily (5 mg)"),
        (format!(r#""text": "2-5 mg daily", {dose}"#), "dosage: 2-5 mg daily (5 mg)"),
        (format!(r#""text": "2.5 mg daily", {dose}"#), "dosage: 2.5 mg daily (5 mg)"),
        (format!(r#""text": "5 tablets of 1 mg", {dose}"#), "dosage: 5 tablets of 1 mg (5 mg)"),
        (
            r#""text": "then 20 mg", "sequence": 2}, {"text": "40 mg", "sequence": 1}, {"text": "stop if dizzy""#.to_owned(),
            "dosage: step 1: 40 mg; dosage: step 2: then 20 mg; dosage: stop if dizzy",
        ),
        (r#""text": "40 mg", "sequence": 1"#.to_owned(), "dosage: 40 mg"),
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

#[test]
fn a_status_is_read_from_whichever_coding_is_of_the_standard() {
    let standing = |members: &str| {
        let resource = format!(r#"{{"resourceType": "Condition", "id": "1", {members}}}"#);
        let bundle = bundle(&[&resource]);
        let record = &bundle.records()[0];
        (record.summary().standing, record.line())
    };
    let (past, line) =
        standing(r#""clinicalStatus": {"coding": [{"code": "X7"}, {"code": "resolved"}]}"#);
    assert_eq!(past, Standing::Past);
    assert!(line.ends_with("; status: resolved"), "{line}");
    let (unclear, line) =
        standing(r#""clinicalStatus": {"coding": [{"code": "X7"}, {"code": "X8"}]}"#);
    assert_eq!(unclear, Standing::Unclear);
    assert!(line.ends_with("; status: X7"), "{line}");
    let active = r#""clinicalStatus": {"coding": [{"code": "active"}]}, "verificationStatus""#;
    let (refuted, line) = standing(&format!(
        r#"{active}: {{"text": "not so", "coding": [{{"code": "V9"}}, {{"code": "refuted"}}]}}"#
    ));
    assert_eq!(refuted, Standing::Past);
    assert!(line.contains("verification: not so"), "{line}");
    let (current, line) = standing(&format!(
        r#"{active}: {{"coding": [{{"code": "V9"}}, {{"code": "confirmed"}}]}}"#
    ));
    assert_eq!(current, Standing::Current);
    assert!(!line.contains("verification"), "{line}");
}
