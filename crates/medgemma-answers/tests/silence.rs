//! No `Debug` of a public type, and no error, tells what a text says. `{:?}` ends in logs and panics.

use std::fmt::Debug;

use medgemma_answers::{
    BoxProblem, ContradictionKind, Fit, Flag, FlagProblem, Frame, LabValue, Mark, PixelBox, Region,
    SectionKind, boxes, contradictions, draw, lab_report, mentions, sections,
};

/// Words and numbers of the texts below; the names of types and fields hold none of them, and no text
/// is long enough for a size to be one of the numbers.
const TOLD: [&str; 18] = [
    "zebulon",
    "kryptonaemia",
    "quagm",
    "7431",
    "6207",
    "8913",
    "9754",
    "wolver",
    "spleen",
    "287",
    "519",
    "361",
    "907",
    "2.87",
    "pneumothorax",
    "left",
    "right",
    "absent",
];

#[track_caller]
fn silent(what: &impl Debug) -> String {
    let text = format!("{what:?} {what:#?}").to_lowercase();
    for word in TOLD {
        assert!(!text.contains(word), "{word:?} is in {text}");
    }
    format!("{what:?}")
}

const TABLE: &str = "| Test | Result | Unit | Reference range | Flag |
|---|---|---|---|---|
| Kryptonaemia | 7431 | quagm/L | 6207-8913 | L |
| Spleen factor | < 9754 | quagm/L | > 6207 | |
| Zebulon | > 9754 | | up to Wolver | H |
| Wolver test | seen by Zebulon | | | |
| Zebulon was not fasting |
";

const ANSWER: &str = r#"Final Answer: [{"box_2d": [287, 361, 519, 907], "label": "spleen of Zebulon"},
{"box_2d": [519, 361, 287, 907], "label": "Wolver"}, {"box_2d": [287, 361, 519, 9070]}]"#;

const REPORT: &str = "FINDINGS: Large left pneumothorax in Zebulon. No effusion.
IMPRESSION: Large right pneumothorax. Effusion.";

#[test]
fn debug_of_a_laboratory_report_has_sizes_only() {
    let report = lab_report(TABLE);
    assert_eq!((report.rows.len(), report.skipped.len()), (4, 1));
    silent(&report);
    let row = silent(&report.rows[0]);
    let expected = "LabRow { analyte_bytes: 12, value: Number, unit_bytes: Some(7), range: Some(ReferenceRange { \
                    text_bytes: 9, has_low: true, has_high: true }), flagged: true, span: 72..121 }";
    assert_eq!(row, expected);
    let kinds: Vec<_> = report.rows.iter().map(|row| silent(&row.value)).collect();
    assert_eq!(kinds, ["Number", "Below", "Above", "Text(15 bytes)"]);
    for row in &report.rows {
        silent(row);
        silent(&row.range);
    }
    silent(&report.skipped[0]);
    for conflict in report.conflicts() {
        silent(&conflict);
    }
    // What they are asked for, they tell.
    assert_eq!(report.rows[0].value, LabValue::Number(7431.0));
    assert_eq!(report.rows[0].flag, Some(Flag::Low));
}

#[test]
fn debug_of_boxes_has_sizes_only() -> medgemma_answers::Result<()> {
    let found = boxes(ANSWER);
    assert_eq!((found.boxes.len(), found.skipped.len()), (1, 2));
    silent(&found);
    silent(&found.skipped[0]);
    let expected = "Located { label_bytes: Some(17), span: 14..166, .. }";
    assert_eq!(silent(&found.boxes[0]), expected);
    let region = found.boxes[0].region;
    assert_eq!(silent(&region), "Region { .. }");
    silent(&Region::new(287.0, 361.0, 519.0, 907.0));
    let frame = Frame::new(4000, 2000, Fit::Stretch)?;
    silent(&frame);
    let place: Option<PixelBox> = frame.pixels(&region);
    assert_eq!(silent(&place), "Some(PixelBox { .. })");
    let marks: Vec<Mark> = place
        .map(|place| Mark::new(place, "spleen of Zebulon"))
        .into_iter()
        .collect();
    assert_eq!(silent(&marks), "[Mark { label_bytes: 17, .. }]");
    for error in [draw(&[7], 3, 1, &marks), draw(&[], 0, 0, &marks)] {
        let error = error.err();
        assert!(error.is_some());
        silent(&error);
        silent(&error.map(|error| error.to_string()));
    }
    Ok(())
}

#[test]
fn debug_of_a_report_in_words_has_places_only() {
    for section in sections(REPORT) {
        silent(&section);
    }
    let found = mentions(REPORT, 0..REPORT.len());
    assert_eq!(found.len(), 4);
    assert_eq!(silent(&found[0]), "Mention { span: 0..44, .. }");
    let contradictions = contradictions(REPORT);
    assert_eq!(contradictions.len(), 2);
    let expected = "Contradiction { kind: Laterality, first: Mention { span: 10..44, .. }, second: Mention { span: \
                    71..95, .. }, .. }";
    assert_eq!(silent(&contradictions[0]), expected);
    silent(&contradictions);
}

/// Words of this crate, not of a text: kinds and reasons stay readable.
#[test]
fn debug_of_kinds_and_reasons_names_them() {
    let names = [
        format!("{:?}", BoxProblem::NoArea),
        format!("{:?}", FlagProblem::WrongDirection),
        format!("{:?}", ContradictionKind::Negation),
        format!("{:?}", SectionKind::Impression),
    ];
    assert_eq!(
        names,
        ["NoArea", "WrongDirection", "Negation", "Impression"]
    );
}
