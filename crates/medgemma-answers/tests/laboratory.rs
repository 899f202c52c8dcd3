//! Laboratory lines whose numbers could be taken for what they are not, and boxes that are none.

use medgemma_answers::{BoxProblem, LabReport, boxes, lab_report};

fn report(text: &str) -> LabReport {
    lab_report(text)
}

fn is_outside(value: &str, unit: &str, range: &str) -> Option<bool> {
    let table = format!(
        "| Test | Result | Unit | Reference range |\n|---|---|---|---|\n| Glucose | {value} | {unit} | {range} |"
    );
    let report = report(&table);
    assert_eq!(report.rows.len(), 1, "{table}");
    report.rows[0].is_outside()
}

#[test]
fn a_range_in_another_unit_is_not_compared() {
    assert_eq!(is_outside("5.5", "mmol/L", "70-99 mg/dL"), None);
    assert_eq!(is_outside("250000", "/uL", "150-400 10^3/uL"), None);
    assert_eq!(is_outside("105", "mg/dL", "70-99 mg/dl"), Some(true));
    assert_eq!(is_outside("85", "mg/dL", "70-99"), Some(false));
    assert_eq!(is_outside("12", "mg/L", "<5mg/L"), Some(true));
    assert_eq!(
        is_outside("14", "g/dL", "13-17 g/dL (adult/female)"),
        Some(false)
    );
    assert_eq!(
        is_outside("50", "mL/min/1.73m2", ">60 mL/min/1.73 m2"),
        Some(true)
    );
    assert_eq!(is_outside("150", "mmol / L", "135-145 mmol/L"), Some(true));
    assert_eq!(
        is_outside("250", "10^3/\u{b5}L", "150-400 10^3/uL"),
        Some(false)
    );
}

#[test]
fn of_ranges_for_several_none_is_taken() {
    for range in [
        "13.0-17.0 (M), 12.0-15.0 (F)",
        "70-99 (fasting), 70-140 (2 h)",
        "13.0-17.0 (M) 12.0-15.0 (F)",
        "<15 (M), <12 (F)",
    ] {
        assert_eq!(is_outside("12.5", "g/dL", range), None, "{range}");
    }
    assert_eq!(is_outside("12.5", "g/dL", "13.0-17.0 (adults)"), Some(true));
    for range in [
        "13.5-17.5 g/dL (male, >18 years)",
        "13.5-17.5 (fasting, 8-12 h)",
        "13.5-17.5 (critical <2.5, >6.5)",
        "13.5-17.5 g/dL, adults >18 years",
    ] {
        assert_eq!(is_outside("12.5", "g/dL", range), Some(true), "{range}");
    }
    let line = report("Haemoglobin: 10.2 g/dL (13.0-17.0 M, 12.0-15.0 F)");
    assert_eq!(
        (line.rows.len(), line.rows[0].unit.as_deref()),
        (1, Some("g/dL"))
    );
    assert_eq!(line.rows[0].is_outside(), None);
    assert_eq!(is_outside("4.1", "g/dL", "3,5-5,1"), Some(false));
}

#[test]
fn names_that_begin_with_numbers_are_read() {
    let report = report(
        "1. Sodium: 140 mmol/L (135-145)\n2) Potassium: 4.1 mmol/L\n25-OH Vitamin D: 18 ng/mL (30-100)\n\
         17-OH progesterone: 1.2 ng/mL\n2024-05-01 10: 30\n12: 5\n\
         Estimated glomerular filtration rate (eGFR, CKD-EPI 2021 formula): 58 mL/min\n",
    );
    let names: Vec<&str> = report.rows.iter().map(|row| row.analyte.as_str()).collect();
    let expected = [
        "Sodium",
        "Potassium",
        "25-OH Vitamin D",
        "17-OH progesterone",
    ];
    assert_eq!(names, expected);
    assert_eq!(report.skipped.len(), 1, "{:?}", report.skipped);
}

#[test]
fn hours_are_no_results() {
    let report = report(
        "12-Mar-2024 08:30\n24-hour urine collection started at 08:00\n1. Repeat potassium at 06:00\n\
         The specimen was collected from the patient in the outpatient clinic at 10:30\nVitamin B12:350 pg/mL\n",
    );
    let names: Vec<&str> = report.rows.iter().map(|row| row.analyte.as_str()).collect();
    assert_eq!((names, report.skipped.len()), (vec!["Vitamin B12"], 0));
    let table = "| Test | Result |\n|---|---|\n| BP | 150/95 H |";
    assert!(
        lab_report(table).rows[0].flag.is_some(),
        "a flag of a value with a stroke"
    );
}

#[test]
fn lists_under_the_name_of_a_box_are_boxes_or_told() {
    let found = boxes(
        r#"[{"box_2d":[[1,2,30,40],[50,60,70,80]],"label":"nodule"},{"box_2d":[100,200,300,400],"label":"mass"}]"#,
    );
    let labels: Vec<_> = found
        .boxes
        .iter()
        .map(|found| found.label.as_deref())
        .collect();
    assert_eq!(labels, [Some("nodule"), Some("nodule"), Some("mass")]);
    let found = boxes(r#"{"box_2d":[100,200,300],"label":"nodule"}"#);
    assert_eq!((found.boxes.len(), found.skipped.len()), (0, 1));
    assert_eq!(found.skipped[0].problem, BoxProblem::NotFourNumbers);
    let mixed = boxes(r#"{"box_2d":[[1,2,30,40],[50,60,70]],"label":"nodule"}"#);
    assert_eq!(mixed.boxes[0].label.as_deref(), Some("nodule"));
    assert_eq!((mixed.boxes.len(), mixed.skipped.len()), (1, 1));
    let second = boxes(r#"{"box_2d":[],"bbox":[1,2,30,40],"label":"nodule"}"#);
    assert_eq!(second.boxes[0].label.as_deref(), Some("nodule"));
    let inner = boxes(r#"{"box":[[1,2,30,40],{"box_2d":[50,60,70,80]}]}"#);
    assert_eq!(
        (inner.boxes.len(), inner.skipped.len()),
        (1, 0),
        "{inner:?}"
    );
    let none = boxes(r#"{"box_2d":[],"label":"nodule"}"#);
    assert_eq!((none.boxes.len(), none.skipped.len()), (0, 0));
}
