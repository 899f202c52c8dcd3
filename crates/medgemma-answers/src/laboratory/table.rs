//! Rows out of a text: JSON, Markdown and tab tables, CSV, lines of words.

use std::ops::Range;

use serde_json::{Map, Value};

use super::line::Line;
use super::row::{Flag, LabReport, LabRow, LabValue, ReferenceRange, SkippedLine, strip_word};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Analyte,
    Value,
    Unit,
    Range,
    Flag,
    Other,
}

/// Names of columns and keys, in lower case without underscores.
const NAMES: [(Column, &[&str]); 5] = [
    (
        Column::Analyte,
        &[
            "analyte",
            "test",
            "test name",
            "parameter",
            "component",
            "name",
            "investigation",
            "lab",
            "marker",
        ],
    ),
    (
        Column::Value,
        &[
            "value",
            "result",
            "results",
            "observed value",
            "measured value",
            "your value",
            "level",
        ],
    ),
    (Column::Unit, &["unit", "units", "uom"]),
    (
        Column::Range,
        &[
            "range",
            "reference range",
            "reference",
            "ref range",
            "ref. range",
            "reference interval",
            "biological reference interval",
            "normal range",
            "normal",
            "reference values",
            "ref",
        ],
    ),
    (
        Column::Flag,
        &[
            "flag",
            "flags",
            "status",
            "interpretation",
            "abnormal",
            "abnormal flag",
            "h/l",
        ],
    ),
];

/// Reads a laboratory report: what the model wrote when it was asked for a table or for JSON, or the
/// report's own text. Whatever of the forms below the text holds is read, in its order:
///
/// - JSON, in a fence or bare: objects with keys such as `analyte` (`test`, `name`), `value`
///   (`result`), `unit`, `reference_range` (text, or an object with `low` and `high`), `flag`;
/// - tables of pipes, tabs or commas, with a header line or in the order analyte, value, unit, range, flag;
/// - lines such as `Haemoglobin: 10.2 g/dL (12.0-16.0) L`.
///
/// Prose is passed over. Any text may be given; time and memory grow with its length.
#[must_use]
pub fn lab_report(text: &str) -> LabReport {
    let mut report = LabReport::default();
    if read_json(text, &mut report) {
        return report;
    }
    let mut header: Option<(char, Vec<Column>)> = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let span = start..start + line.trim_end().len();
        start += line.len();
        let line = line.trim();
        let Some((mark, fields)) = fields(line, header.as_ref().map(|header| header.0)) else {
            header = None;
            match Line::read(line, &span) {
                Line::Row(row) => report.rows.push(*row),
                Line::Unread => report.skipped.push(SkippedLine { span }),
                Line::Prose => {}
            }
            continue;
        };
        if let Some(columns) = columns(&fields) {
            header = Some((mark, columns));
        } else if rule(&fields) {
            // The line under a header.
        } else {
            const USUAL: [Column; 5] = [
                Column::Analyte,
                Column::Value,
                Column::Unit,
                Column::Range,
                Column::Flag,
            ];
            let named = header.as_ref().filter(|header| header.0 == mark);
            let columns = named.map_or(USUAL.as_slice(), |header| &header.1);
            match row(&fields, columns, span.clone()) {
                Some(found) => report.rows.push(found),
                // Without a header it may be prose with commas in it.
                None if named.is_some() || mark == '|' => {
                    report.skipped.push(SkippedLine { span });
                }
                None => {}
            }
        }
    }
    report
}

/// A line's fields and what parts them: pipes, tabs, or commas under a header with commas.
fn fields(line: &str, under: Option<char>) -> Option<(char, Vec<&str>)> {
    let mark = ['|', '\t', ',', ';']
        .into_iter()
        .find(|&mark| line.matches(mark).count() >= if mark == '|' { 2 } else { 1 })?;
    let inner = match mark {
        '|' => line.trim_matches('|'),
        _ => line,
    };
    let fields: Vec<&str> = split(inner, mark).into_iter().map(clean).collect();
    // Commas and semicolons part sentences, too: only a header makes a table of them.
    let table = matches!(mark, '|' | '\t') || under == Some(mark) || columns(&fields).is_some();
    table.then_some((mark, fields))
}

/// The fields of a line, of which those in quotes may have the mark in them.
fn split(line: &str, mark: char) -> Vec<&str> {
    let plain = || line.split(mark).collect();
    let mut fields = Vec::new();
    let (mut start, mut quoted, mut begun) = (0, false, false);
    let mut closed = None;
    for (at, c) in line.char_indices() {
        match c {
            '"' if quoted => (quoted, closed) = (false, Some(at + 1)),
            // Within quotes two of them are one.
            '"' => quoted = !begun || closed == Some(at),
            c if c == mark && !quoted => {
                fields.push(&line[start..at]);
                (start, begun) = (at + c.len_utf8(), false);
                continue;
            }
            _ => {}
        }
        begun |= !c.is_whitespace();
    }
    fields.push(&line[start..]);
    // A quote without its like is a sign of something else: inches.
    if quoted { plain() } else { fields }
}

/// Without spaces, quotes and the stars of Markdown.
pub(super) fn clean(field: &str) -> &str {
    field
        .trim()
        .trim_matches(|c| matches!(c, '*' | '"' | '`'))
        .trim()
}

/// The columns that a header names; `None` for a line that is none.
fn columns(fields: &[&str]) -> Option<Vec<Column>> {
    let columns: Vec<Column> = fields.iter().map(|field| column(field)).collect();
    let has = |column| columns.contains(&column);
    (has(Column::Analyte) && has(Column::Value)).then_some(columns)
}

pub(super) fn column(name: &str) -> Column {
    let name = name.replace('_', " ").to_lowercase();
    // "Reference Range (Adults)", "Result [g/dL]"
    let name = name.split(['(', '[']).next().unwrap_or_default().trim();
    let found = NAMES.iter().find(|(_, names)| names.contains(&name));
    found.map_or(Column::Other, |(column, _)| *column)
}

/// Whether a line is `---|:--:|---`.
fn rule(fields: &[&str]) -> bool {
    let dashes = |field: &&str| field.chars().all(|c| matches!(c, '-' | ':' | '=' | ' '));
    fields.iter().all(dashes) && fields.iter().any(|field| field.contains('-'))
}

fn row(fields: &[&str], columns: &[Column], span: Range<usize>) -> Option<LabRow> {
    let field = |wanted| {
        let at = columns.iter().position(|&column| column == wanted)?;
        fields.get(at).copied().filter(|field| !field.is_empty())
    };
    let analyte = field(Column::Analyte)?;
    if !analyte.contains(char::is_alphabetic) {
        return None;
    }
    let written = field(Column::Value)?;
    // "10.2 L" in the column of the result
    let (written, marked) = split_flag(written);
    let (value, own) = LabValue::read(written)?;
    Some(LabRow {
        analyte: analyte.to_owned(),
        value,
        unit: field(Column::Unit).map(str::to_owned).or(own),
        range: field(Column::Range).and_then(ReferenceRange::read),
        flag: field(Column::Flag).and_then(Flag::read).or(marked),
        span,
    })
}

/// A result and the flag that stands behind it. One letter may be a unit (L), so a unit must stand
/// between, or the flag be a word, an arrow, in brackets or two letters.
pub(super) fn split_flag(text: &str) -> (&str, Option<Flag>) {
    let Some((before, last)) = text.trim().rsplit_once(char::is_whitespace) else {
        return (text, None);
    };
    let before = before.trim();
    let plain = last.len() > 1 || before.contains(char::is_whitespace) || !last.is_ascii();
    let numeric = before.contains(|c: char| c.is_ascii_digit());
    match Flag::read(last) {
        Some(flag) if (plain || last == "H") && numeric => (before, Some(flag)),
        _ => (text, None),
    }
}

/// The rows of all JSON values in the text; whether there was any.
fn read_json(text: &str, report: &mut LabReport) -> bool {
    let mut at = 0;
    while let Some(step) = text[at..].find(['[', '{']) {
        at += step;
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                let end = at + values.byte_offset();
                walk(&value, None, &(at..end), report);
                at = end;
            }
            _ => at += 1,
        }
    }
    let found = !report.rows.is_empty();
    if !found {
        // The lines of the text may be read in another way.
        report.skipped.clear();
    }
    found
}

/// The rows of a value, which is at most 128 levels deep. `key`: under which it stands in an object.
fn walk(value: &Value, key: Option<&str>, span: &Range<usize>, report: &mut LabReport) {
    match value {
        Value::Object(map) => match object_row(map, key, span) {
            Some(row) => report.rows.push(row),
            None => {
                let before = report.rows.len();
                map.iter()
                    .for_each(|(key, value)| walk(value, Some(key), span, report));
                // A panel has its rows within it.
                if report.rows.len() == before && is_row(map) {
                    report.skipped.push(SkippedLine { span: span.clone() });
                }
            }
        },
        Value::Array(list) => list
            .iter()
            .for_each(|value| walk(value, None, span, report)),
        _ => {}
    }
}

/// Whether an object is a row, as its keys have it, with a plain value.
fn is_row(map: &Map<String, Value>) -> bool {
    let has = |wanted| {
        let plain = |value: &Value| matches!(value, Value::String(_) | Value::Number(_));
        map.iter()
            .any(|(key, value)| column(key) == wanted && plain(value))
    };
    has(Column::Analyte) && has(Column::Value)
}

fn object_row(map: &Map<String, Value>, key: Option<&str>, span: &Range<usize>) -> Option<LabRow> {
    let field = |wanted| {
        let mut fields = map.iter().filter(|(key, _)| column(key) == wanted);
        fields.find_map(|(_, value)| Some(value).filter(|value| !value.is_null()))
    };
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let analyte = field(Column::Analyte).and_then(text);
    // {"Sodium": {"value": 140, ...}}
    let analyte = analyte.or_else(|| key.map(str::to_owned))?;
    let (value, own) = match field(Column::Value)? {
        Value::Number(number) => (LabValue::Number(number.as_f64()?), None),
        other => LabValue::read(&text(other)?)?,
    };
    Some(LabRow {
        analyte,
        value,
        unit: field(Column::Unit).and_then(text).or(own),
        range: field(Column::Range).and_then(range),
        flag: field(Column::Flag)
            .and_then(text)
            .and_then(|text| Flag::read(&text)),
        span: span.clone(),
    })
}

/// A range as text, or as `{"low": 12, "high": 16}` (`min`, `max`).
fn range(value: &Value) -> Option<ReferenceRange> {
    let Value::Object(map) = value else {
        return ReferenceRange::read(value.as_str()?);
    };
    let bound = |names: [&str; 2]| {
        let mut found = map.iter().filter(|(key, _)| {
            names
                .iter()
                .any(|name| strip_word(key, name).is_some_and(str::is_empty))
        });
        found.find_map(|(_, value)| value.as_f64())
    };
    let (low, high) = (bound(["low", "min"]), bound(["high", "max"]));
    let end = |bound: Option<f64>| bound.map_or(String::new(), |bound| bound.to_string());
    low.or(high)?;
    Some(ReferenceRange {
        text: format!("{}-{}", end(low), end(high)),
        low,
        high,
    })
}

#[cfg(test)]
mod tests {
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
        let heading =
            "DOB: 01/02/1950\nCollected: 2024-01-05 10:30\nPhone: 617-555-0123\nTime: 10:30";
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
}
