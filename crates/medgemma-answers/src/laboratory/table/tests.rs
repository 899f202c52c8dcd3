//! Laboratory reports in all their forms.

use proptest::prelude::*;

use super::lab_report;
use crate::{Flag, LabValue};

/// Analyte, value, unit, bounds, flag of each row, as one text.
fn rows(text: &str) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| value.to_string());
    lab_report(text)
        .rows
        .iter()
        .map(|row| {
            let (low, high) = row.range.as_ref().map_or((None, None), |r| (r.low, r.high));
            let value = match &row.value {
                LabValue::Number(value) => value.to_string(),
                LabValue::Below(value) => format!("<{value}"),
                LabValue::Above(value) => format!(">{value}"),
                LabValue::Text(text) => format!("'{text}'"),
            };
            let unit = row.unit.as_deref().unwrap_or("-");
            let flag = row.flag.map_or("-".to_owned(), |flag| format!("{flag:?}"));
            format!(
                "{} {value} {unit} {}..{} {flag}",
                row.analyte,
                number(low),
                number(high)
            )
        })
        .collect()
}

const HB: &str = "Haemoglobin 10.2 g/dL 12..16 Low";
const K: &str = "Potassium 4.1 mmol/L 3.5..5.1 -";

#[test]
fn what_stands_behind_a_number_is_not_made_part_of_it() {
    assert_eq!(
        rows(
            "Platelets: 250 109/L (150-400)\nWBC: 7.4 x109/L (4.0-11.0)\nSodium: 140. Normal\nUrea: 8. Repeated."
        ),
        [
            "Platelets 250 109/L 150..400 -",
            "WBC 7.4 x109/L 4..11 -",
            "Sodium 140 - -..- Normal",
            "Urea 8 - -..- -",
        ]
    );
    let two = lab_report("Sodium: 140 138 mmol/L");
    assert_eq!((two.rows.len(), two.skipped.len()), (0, 1));
}

#[test]
fn panels_and_headings_are_no_rows_that_were_not_read() {
    for result in ["", "--"] {
        let panel = format!(
            r#"{{"name":"Lipid panel","result":"{result}","tests":[{{"test":"LDL","value":130}}]}}"#
        );
        assert_eq!(rows(&panel), ["LDL 130 - -..- -"]);
        assert!(lab_report(&panel).skipped.is_empty());
    }
    let heading = "DOB: 01/02/1950\nCollected: 2024-01-05 10:30\nPhone: 617-555-0123\nTime: 10:30";
    let report = lab_report(heading);
    assert!(report.rows.is_empty() && report.skipped.is_empty());
}

#[test]
fn tables_of_pipes_with_columns_in_any_order() {
    let text = "Here are the results:\n\n| **Test** | Result | Flag | Units | Reference Range (adults) |\n\
            |:---|---:|---|---|---|\n| Haemoglobin | 10.2 | L | g/dL | 12.0 - 16.0 |\n\
            | Potassium | 4.1 | | mmol/L | 3,5-5,1 |\n| | | | | |\n\nIn summary, anaemia.";
    assert_eq!(rows(text), [HB, K]);
    assert_eq!(
        lab_report(text).skipped.len(),
        1,
        "the empty line of the table"
    );
    let bare = "Haemoglobin | 10.2 | g/dL | 12-16 | Low\nPotassium | 4.1 | mmol/L | 3.5-5.1 |";
    assert_eq!(rows(bare), [HB, K]);
    let one = "| Analyte | Value |\n|---|---|\n| Haemoglobin | 10.2 g/dL L |\n| Urea | 8 H |\n| Volume | 2 L |";
    assert_eq!(
        rows(one),
        [
            "Haemoglobin 10.2 g/dL -..- Low",
            "Urea 8 - -..- High",
            "Volume 2 L -..- -"
        ]
    );
}

#[test]
fn tables_of_tabs_and_commas() {
    let tabs = "Test\tResult\tUnit\tRange\tFlag\nHaemoglobin\t10.2\tg/dL\t12-16\tL\nPotassium\t4.1\tmmol/L\t3.5-5.1\t";
    assert_eq!(rows(tabs), [HB, K]);
    let commas = "analyte,value,unit,reference_range,flag\nHaemoglobin,10.2,g/dL,12-16,low\n\"Potassium\",4.1,mmol/L,3.5-5.1,";
    assert_eq!(rows(commas), [HB, K]);
    assert_eq!(
        rows("Well, this is prose, with 10 commas, and more."),
        [] as [&str; 0]
    );
}

#[test]
fn a_field_in_quotes_may_have_commas() {
    let text = "analyte,value,unit,reference_range,flag\n\"Bilirubin, total\",1.2,mg/dL,0.1-1.2,\n\
            \"a \"\"b\"\", c\" ,2,mg/dL,1-3,H\nWaist 3\",4,in,,\n\"Waist,5,in,,";
    assert_eq!(
        rows(text),
        [
            "Bilirubin, total 1.2 mg/dL 0.1..1.2 -",
            "a \"\"b\"\", c 2 mg/dL 1..3 High",
            "Waist 3 4 in -..- -",
            "Waist 5 in -..- -"
        ]
    );
}

#[test]
fn what_is_not_read_is_listed() {
    let text = "Platelets: 250000 /uL (150000-400000)\nWBC: 7500/mm3\nCasts: 2 to 5 /hpf\nGlucose: 12 (70-100\n\
            Cultures: 2 of 3\nRBC: 250 00 /mm3\nBlood was drawn at 10\nNote: see 3\nUrea: 8 of what was expected";
    assert_eq!(
        rows(text),
        [
            "Platelets 250000 /uL 150000..400000 -",
            "WBC 7500 /mm3 -..- -"
        ]
    );
    let skipped = lab_report(text).skipped;
    let skipped: Vec<&str> = skipped.iter().map(|it| &text[it.span.clone()]).collect();
    assert_eq!(
        skipped,
        [
            "Casts: 2 to 5 /hpf",
            "Glucose: 12 (70-100",
            "Cultures: 2 of 3",
            "RBC: 250 00 /mm3",
            "Urea: 8 of what was expected"
        ]
    );
    let json = r#"[{"test": "Urea", "result": 8}, {"test": "Sodium", "result": "--"}]"#;
    let report = lab_report(json);
    assert_eq!((report.rows.len(), report.skipped.len()), (1, 1));
}

#[test]
fn a_header_of_unknown_names_is_not_read_by_position() {
    let order = "| Test | Reference | Patient Value | Unit |\n|---|---|---|---|\n| Potassium | <5.0 | 5.9 | mmol/L |";
    assert_eq!(rows(order), ["Potassium 5.9 mmol/L -..5 -"]);
    for header in [
        "| Test | Reference | Quux | Unit |\n|---|---|---|---|\n",
        "| Quux | Frob | Reference | Unit |\n|---|---|---|---|\n",
        "| Test | Reference | Quux | Unit |\n",
    ] {
        let text = format!("{header}| Potassium | <5.0 | 5.9 | mmol/L |");
        let report = lab_report(&text);
        assert_eq!(
            (report.rows.len(), report.skipped.len()),
            (0, 1),
            "{header}"
        );
    }
}

#[test]
fn a_unit_with_spaces_is_no_flag() {
    assert_eq!(
        rows("Sodium: 140 mmol / L (135-145)"),
        ["Sodium 140 mmol / L 135..145 -"]
    );
    let table = "| Test | Result |\n|---|---|\n| Sodium | 140 mmol / L |";
    assert_eq!(rows(table), ["Sodium 140 mmol / L -..- -"]);
}

#[test]
fn hours_of_collection_are_no_flag() {
    let line = lab_report("Protein: 120 mg/24 h (0-150)\nIron: 8 umol/L (9-30) L");
    assert_eq!(line.conflicts(), []);
    for (text, row) in [
        (
            "Protein: 120 mg/24 h (0-150)",
            "Protein 120 mg/24 h 0..150 -",
        ),
        (
            "| Test | Result | Range |\n|---|---|---|\n| Protein | 120 mg/24 h | <150 |",
            "Protein 120 mg/24 h -..150 -",
        ),
        ("ESR: 12 mm/1 h", "ESR 12 mm/1 h -..- -"),
        (
            "Protein: 190 mg/24 h H (0-150)",
            "Protein 190 mg/24 h 0..150 High",
        ),
        (
            r#"{"test": "Protein", "result": "120 mg/24 h"}"#,
            "Protein 120 mg/24 h -..- -",
        ),
    ] {
        assert_eq!(rows(text), [row], "{text}");
    }
}

#[test]
fn semicolons_part_fields_with_decimal_commas() {
    let text = "Test;Result;Unit;Range;Flag\nHaemoglobin;10,2;g/dL;12,0-16,0;L\nPotassium;4,1;mmol/L;3,5-5,1;";
    assert_eq!(rows(text), [HB, K]);
}

#[test]
fn words_beside_json_are_read_once() {
    let text = "Sodium: 140 mmol/L (135-145)\nPotassium: 4.1 mmol/L\n```json\n[{\"test\": \"Potassium\", \"value\": 4.1, \
            \"unit\": \"mmol/L\", \"range\": \"3.5-5.1\"}, {\"test\": \"Urea\", \"value\": 8";
    assert_eq!(rows(text), ["Sodium 140 mmol/L 135..145 -", K]);
    assert_eq!(lab_report(text).skipped.len(), 1, "what is cut off");
}

#[test]
fn no_flag_and_no_test_of_a_panel_is_lost() {
    let table = |value: &str, flag: &str| {
        format!(
            "| Test | Result | Unit | Flag |\n|---|---|---|---|\n| Urea | {value} | mmol/L | {flag} |"
        )
    };
    assert_eq!(rows(&table("5.9 H", "")), ["Urea 5.9 mmol/L -..- High"]);
    assert_eq!(rows(&table("5.9 L", "-")), ["Urea 5.9 mmol/L -..- Low"]);
    assert_eq!(
        rows(&table("5.9", "CRITICAL")),
        ["Urea 5.9 mmol/L -..- Critical"]
    );
    assert!(lab_report(&table("5.9 mmol/L", "H")).skipped.is_empty());
    for (value, flag) in [("5.9", "quux"), ("5.9 mg/dL", "H")] {
        let report = lab_report(&table(value, flag));
        assert_eq!(
            (report.rows.len(), report.skipped.len()),
            (1, 1),
            "{value} {flag}"
        );
    }
    let line = lab_report("Urea: 8 mmol/L (2-7) quux");
    assert_eq!((line.rows.len(), line.skipped.len()), (1, 1));
    assert_eq!(
        rows(r#"{"test": "Potassium", "result": "6.8 H", "abnormal": true}"#),
        ["Potassium 6.8 - -..- Abnormal"]
    );
    assert_eq!(
        rows(r#"{"test": "Potassium", "result": "6.8 H"}"#),
        ["Potassium 6.8 - -..- High"]
    );
    let panel =
        r#"{"name": "Lipids", "result": "abnormal", "tests": [{"test": "LDL", "value": 130}]}"#;
    assert_eq!(
        rows(panel),
        ["Lipids 'abnormal' - -..- -", "LDL 130 - -..- -"]
    );
    let within = r#"{"test": "Sodium", "result": {"value": 140, "unit": "mmol/L"}}"#;
    assert_eq!(rows(within), ["Sodium 140 mmol/L -..- -"]);
    let bounds = r#"{"test": "Urea", "value": 8, "range": {"low": "2.5", "high": "7.8"}}"#;
    assert_eq!(rows(bounds), ["Urea 8 - 2.5..7.8 -"]);
    assert_eq!(
        rows(r#"{"test": "Urea", "value": 8, "range": [2, 7]}"#),
        ["Urea 8 - 2..7 -"]
    );
}

#[test]
fn keys_in_any_order_give_the_same_row_and_rows_keep_theirs() {
    for text in [
        r#"{"result": "negative", "value": 140, "name": "Na", "test": "Sodium"}"#,
        r#"{"value": 140, "test": "Sodium", "result": "negative", "name": "Na"}"#,
    ] {
        assert_eq!(rows(text), ["Na 140 - -..- -"], "{text}");
    }
    let unread = r#"{"value": "--", "result": 140, "test": "Sodium"}"#;
    assert_eq!(rows(unread), ["Sodium 140 - -..- -"]);
    let keyed = r#"{"Urea": {"value": 8}, "Albumin": {"value": 40}}"#;
    assert_eq!(rows(keyed), ["Urea 8 - -..- -", "Albumin 40 - -..- -"]);
}

#[test]
fn json_in_its_usual_shapes() {
    let list = r#"```json
[{"test": "Haemoglobin", "result": "10.2", "units": "g/dL", "reference_range": "12.0-16.0", "flag": "L"},
 {"test": "Potassium", "result": 4.1, "units": "mmol/L", "reference_range": {"min": 3.5, "max": 5.1}, "flag": null}]
```"#;
    assert_eq!(rows(list), [HB, K]);
    let keyed = r#"{"results": {"Haemoglobin": {"value": 10.2, "unit": "g/dL", "range": "12-16", "status": "Low"}}}"#;
    assert_eq!(rows(keyed), [HB]);
    let cut = r#"[{"name": "Haemoglobin", "value": "10.2 g/dL", "range": "12-16", "flag": "low"}, {"name": "Potas"#;
    assert_eq!(rows(cut), [HB]);
}

#[test]
fn powers_of_a_unit_scale_neither_value_nor_bounds() {
    let white = "WBC 35 E9/L 4..11 ";
    assert_eq!(
        rows("WBC: 35.0E9/L (4.0-11.0E9/L) H\nPlatelets: 50E9/L (150-400E9/L) L"),
        [
            format!("{white}High"),
            "Platelets 50 E9/L 150..400 Low".into()
        ]
    );
    let json = r#"{"test":"WBC","value":35,"unit":"E9/L","reference_range":"4.0-11.0E9/L"}"#;
    assert_eq!(rows(json), [format!("{white}-")]);
}

#[test]
fn a_row_before_a_line_of_dashes_is_no_header() {
    let text = "| Test | Result |\n|---|---|\n| Sodium | 140 |\n|---|---|\n| Urea | 8 |";
    assert_eq!(rows(text), ["Sodium 140 - -..- -", "Urea 8 - -..- -"]);
    let text = "| Sodium | 140 |\n|---|---|\n| Urea | 8 |";
    assert_eq!(rows(text), ["Sodium 140 - -..- -", "Urea 8 - -..- -"]);
    let text = "| Panel | of day 3 |\n|---|---|\n";
    assert_eq!(lab_report(text).skipped.len(), 1, "it has a digit");
}

#[test]
fn keys_beside_the_row_neither_hide_its_flag_nor_make_another() {
    assert_eq!(
        rows(r#"{"test":"Urea","value":8,"interpretation":"H","status":"final"}"#),
        ["Urea 8 - -..- High"]
    );
    assert_eq!(
        rows(r#"{"lab":"North","test":"BMP","name":"Panel","component":"Urea","value":8}"#),
        ["Urea 8 - -..- -"]
    );
    let text = r#"{"test":"Potassium","value":5.2,"previous":{"value":4.8}}"#;
    assert_eq!(rows(text), ["Potassium 5.2 - -..- -"]);
    let text = format!("Age: 54 years\n{text}");
    assert_eq!(rows(&text), ["Potassium 5.2 - -..- -"]);
    assert!(lab_report(&text).skipped.is_empty());
}

#[test]
fn lines_of_words() {
    let text = "Results:\n- Haemoglobin: 10.2 g/dL (12.0-16.0) L\n* **Potassium**: 4.1 mmol/L (ref 3.5-5.1)\n\
            TSH: <0.01 mIU/L\nNote: see the 3 pages that follow this one\nCollected at: the clinic";
    assert_eq!(rows(text), [HB, K, "TSH <0.01 mIU/L -..- -"]);
}

#[test]
fn rows_say_where_they_stand_and_go_to_json_and_back() {
    let text = "x\n| Test | Result |\n| Urea | 8 |\n";
    let report = lab_report(text);
    assert_eq!(&text[report.rows[0].span.clone()], "| Urea | 8 |");
    let json = serde_json::to_string(&report).expect("it is data");
    assert!(
        json.contains(r#""analyte":"Urea","value":{"number":8.0}"#),
        "{json}"
    );
    assert_eq!(
        serde_json::from_str::<crate::LabReport>(&json).expect("the same"),
        report
    );
    assert_eq!(
        serde_json::to_string(&Flag::CriticalHigh).expect("a word"),
        "\"critical_high\""
    );
}

proptest! {
    #[test]
    fn any_text_is_read(text in "(?s).{0,120}|[|,:\\-\\n a0-9.<>()LH\\t\\[\\]{}\"]{0,120}") {
        for row in lab_report(&text).rows {
            prop_assert!(text.get(row.span).is_some());
            prop_assert!(!row.analyte.is_empty());
        }
    }
}
