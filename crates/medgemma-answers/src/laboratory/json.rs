//! Rows out of JSON, wherever it stands in a text.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::{Map, Value};

use super::column::{Column, column, rank};
use super::number::scaled_number;
use super::row::{Flag, LabReport, LabRow, ReferenceRange, SkippedLine, strip_word};
use super::table::assemble;

/// The rows of all JSON values in the text; where those stand that have any.
pub(super) fn read_json(text: &str, report: &mut LabReport) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut at = 0;
    while let Some(step) = text[at..].find(['[', '{']) {
        at += step;
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                let end = at + values.byte_offset();
                let before = (report.rows.len(), report.skipped.len());
                walk(&value, None, &(at..end), report);
                if before != (report.rows.len(), report.skipped.len()) {
                    spans.push(at..end);
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    if report.rows.is_empty() {
        // The lines of the text may be read in another way.
        report.skipped.clear();
        spans.clear();
    }
    spans
}

/// The rows of a value, which is at most 128 levels deep. `key`: under which it stands in an object.
fn walk(value: &Value, key: Option<&str>, span: &Range<usize>, report: &mut LabReport) {
    match value {
        Value::Object(map) => {
            let row = object_row(map, key, span);
            let (read, name) = (row.is_some(), object_name(map));
            if let Some((row, whole)) = row {
                report.rows.push(row);
                if !whole {
                    report.skipped.push(SkippedLine { span: span.clone() });
                }
            }
            let before = report.rows.len();
            // A panel has its rows within it, with a result of its own or without.
            let inner = map
                .iter()
                .filter(|(key, value)| {
                    (value.is_array() || value.is_object())
                        && (!read || column(key) == Column::Other)
                })
                .filter(|(key, _)| column(key) != Column::Range)
                .filter(|(key, _)| !read || !is_earlier(key));
            for (key, value) in inner {
                // {"test": "Sodium", "result": {"value": 140}}
                let of_it = name.filter(|_| column(key) == Column::Value);
                walk(value, of_it.or(Some(key)), span, report);
            }
            if !read && report.rows.len() == before && is_row(map) {
                report.skipped.push(SkippedLine { span: span.clone() });
            }
        }
        Value::Array(list) => list
            .iter()
            .for_each(|value| walk(value, None, span, report)),
        _ => {}
    }
}

/// Whether a key within a row holds what was measured another time.
fn is_earlier(key: &str) -> bool {
    let key = key.to_lowercase();
    let words = [
        "previous", "prior", "last", "earlier", "history", "baseline", "delta",
    ];
    words.iter().any(|word| key.starts_with(word))
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

/// The values of a column's keys, the most usual name first: which one counts does not depend on their order.
fn ranked(map: &Map<String, Value>, wanted: Column) -> Vec<&Value> {
    let mut found: Vec<(usize, &String, &Value)> = map
        .iter()
        .filter(|(key, value)| column(key) == wanted && !value.is_null())
        .map(|(key, value)| (rank(key), key, value))
        .collect();
    found.sort_by_key(|(rank, key, _)| (*rank, *key));
    found.into_iter().map(|(.., value)| value).collect()
}

/// The text or number of a plain value.
fn plain(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => {
            Some(text.trim().into()).filter(|text: &Cow<'_, str>| !text.is_empty())
        }
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(truth) => Some(truth.to_string().into()),
        _ => None,
    }
}

fn object_name(map: &Map<String, Value>) -> Option<&str> {
    ranked(map, Column::Analyte)
        .into_iter()
        .find_map(|value| value.as_str())
}

/// The row that an object is, and whether all of it was read.
fn object_row(
    map: &Map<String, Value>,
    key: Option<&str>,
    span: &Range<usize>,
) -> Option<(LabRow, bool)> {
    let text = |wanted| {
        let values = ranked(map, wanted).into_iter();
        values
            .filter(|value| !value.is_boolean() || wanted == Column::Flag)
            .find_map(plain)
    };
    // {"Sodium": {"value": 140, ...}}
    let analyte = text(Column::Analyte).or_else(|| key.map(Cow::from))?;
    let unit = text(Column::Unit);
    // Of "status": "final" and "interpretation": "H" the second is a flag.
    let flags = ranked(map, Column::Flag).into_iter().filter_map(plain);
    let flag = flags
        .clone()
        .find(|flag| Flag::read(flag).is_some())
        .or_else(|| flags.clone().find(|flag| !Flag::is_none(flag)));
    let (row, whole) = ranked(map, Column::Value)
        .into_iter()
        .filter(|value| !value.is_boolean())
        .filter_map(plain)
        .find_map(|value| {
            assemble(
                &analyte,
                &value,
                unit.as_deref(),
                flag.as_deref(),
                span.clone(),
            )
        })?;
    let ranges = ranked(map, Column::Range);
    let stated = ranges
        .iter()
        .any(|value| plain(value).is_none_or(|text| !Flag::is_none(&text)));
    let range = ranges.into_iter().find_map(range);
    let whole = whole && (range.is_some() || !stated);
    Some((LabRow { range, ..row }, whole))
}

/// A range as text, as `{"low": 12, "high": 16}` (`min`, `max`), or as `[12, 16]`.
fn range(value: &Value) -> Option<ReferenceRange> {
    let number = |value: &Value| match value {
        Value::String(text) => scaled_number(text.trim()).map(|(number, _)| number),
        other => other.as_f64(),
    };
    let (low, high) = match value {
        Value::Object(map) => {
            let bound = |names: [&str; 4]| {
                names.iter().find_map(|name| {
                    let mut found = map
                        .iter()
                        .filter(|(key, _)| strip_word(key, name).is_some_and(str::is_empty));
                    found.find_map(|(_, value)| number(value))
                })
            };
            (
                bound(["low", "min", "lower", "minimum"]),
                bound(["high", "max", "upper", "maximum"]),
            )
        }
        Value::Array(list) => match list.as_slice() {
            [low, high] => (number(low), number(high)),
            _ => return None,
        },
        other => return ReferenceRange::read(&plain(other)?),
    };
    let end = |bound: Option<f64>| bound.map_or(String::new(), |bound| bound.to_string());
    low.or(high)?;
    Some(ReferenceRange {
        text: format!("{}-{}", end(low), end(high)),
        low,
        high,
    })
}
