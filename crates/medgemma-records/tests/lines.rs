//! What the line of a record says where saying it otherwise would change its meaning.

mod pages;

use medgemma_records::Standing;
use pages::bundle;

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
