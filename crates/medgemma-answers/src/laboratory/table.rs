//! Rows out of a text: JSON beside Markdown and tab tables, CSV, lines of words.

use std::collections::HashSet;
use std::ops::Range;

use super::column::{Column, column};
use super::json::read_json;
use super::line::Line;
use super::row::{Flag, LabReport, LabRow, LabValue, ReferenceRange, SkippedLine};

/// Reads a laboratory report: what the model wrote when it was asked for a table or for JSON, or the
/// report's own text. Whatever of the forms below the text holds is read, in its order:
///
/// - JSON, in a fence or bare: objects with keys such as `analyte` (`test`, `name`), `value`
///   (`result`), `unit`, `reference_range` (text, or an object with `low` and `high`), `flag`;
/// - tables of pipes, tabs or commas, with a header line or in the order analyte, value, unit, range, flag; rows under a
///   header that names no analyte or no value are not read;
/// - lines such as `Haemoglobin: 10.2 g/dL (12.0-16.0) L`.
///
/// Prose is passed over. Any text may be given; time and memory grow with its length.
#[must_use]
pub fn lab_report(text: &str) -> LabReport {
    let mut report = LabReport::default();
    let values = read_json(text, &mut report);
    let data = report.rows.len();
    let mut at = 0;
    for span in values
        .iter()
        .cloned()
        .chain(std::iter::once(text.len()..text.len()))
    {
        read_lines(text, at..span.start, data > 0, &mut report);
        at = span.end;
    }
    // A row that the model wrote as JSON and in words is one.
    let (json, words) = report.rows.split_at(data);
    let known: HashSet<_> = json.iter().map(key).collect();
    let words: Vec<LabRow> = words
        .iter()
        .filter(|row| !known.contains(&key(row)))
        .cloned()
        .collect();
    report.rows.truncate(data);
    report.rows.extend(words);
    report.rows.sort_by_key(|row| row.span.start);
    report.skipped.sort_by_key(|line| line.span.start);
    report
}

/// What tells one row from another.
fn key(row: &LabRow) -> (String, (u8, u64, &str)) {
    let value = match &row.value {
        LabValue::Number(number) => (0, number.to_bits(), ""),
        LabValue::Below(number) => (1, number.to_bits(), ""),
        LabValue::Above(number) => (2, number.to_bits(), ""),
        LabValue::Text(text) => (3, 0, text.as_str()),
    };
    (row.analyte.to_lowercase(), value)
}

/// What the lines above a row of a table say of its columns.
struct Header {
    mark: char,
    columns: Vec<Column>,
}

/// The rows of lines and tables in a part of the text. `beside`: JSON gave rows, of which pieces may be left.
fn read_lines(text: &str, part: Range<usize>, beside: bool, report: &mut LabReport) {
    let mut header: Option<Header> = None;
    let mut start = part.start;
    let mut lines = text[part].split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let span = start..start + line.trim_end().len();
        start += line.len();
        let line = line.trim();
        if beside && is_json_piece(line) {
            // Of an object that is cut off nothing is read, and a number in it is told.
            if line.contains(|c: char| c.is_ascii_digit()) {
                report.skipped.push(SkippedLine { span });
            }
            continue;
        }
        let Some((mark, fields)) = fields(line, header.as_ref().map(|header| header.mark)) else {
            header = None;
            read_words(line, span, beside, report);
            continue;
        };
        if rule(&fields) {
            // The line under a header.
            continue;
        }
        let ruled = lines.peek().is_some_and(|next| {
            let next = self::fields(next.trim(), Some(mark));
            next.is_some_and(|(other, fields)| other == mark && rule(&fields))
        });
        // A table has one header: a row before a line within it is none.
        let numbers = fields.iter().skip(1);
        let numbers = numbers
            .clone()
            .any(|field| LabValue::begins_with_number(field));
        let under = header.as_ref().is_some_and(|header| header.mark == mark);
        let ruled = ruled && !numbers && !under;
        let known = columns(&fields).is_some();
        if known || ruled || names(&fields) {
            if !known && line.contains(|c: char| c.is_ascii_digit()) {
                report.skipped.push(SkippedLine { span });
            }
            let columns = fields.iter().map(|field| column(field)).collect();
            header = Some(Header { mark, columns });
            continue;
        }
        let named = header.as_ref().filter(|header| header.mark == mark);
        let columns = named.map_or(USUAL.as_slice(), |header| &header.columns);
        match row(&fields, columns, span.clone()) {
            Some((found, whole)) => {
                report.rows.push(found);
                if !whole {
                    report.skipped.push(SkippedLine { span });
                }
            }
            // Without a header it may be prose with commas in it.
            None if named.is_some() || mark == '|' => {
                report.skipped.push(SkippedLine { span });
            }
            None => {}
        }
    }
}

/// The row of a line that is in no table, if it has one.
fn read_words(line: &str, span: Range<usize>, beside: bool, report: &mut LabReport) {
    match Line::read(line, &span) {
        // Beside JSON words say other things, too: "Age: 54 years".
        Line::Row(row, _) if beside && !is_laboratory(&row) => {
            if row.unit.is_none() {
                report.skipped.push(SkippedLine { span });
            }
        }
        Line::Row(row, whole) => {
            report.rows.push(*row);
            if !whole {
                report.skipped.push(SkippedLine { span });
            }
        }
        Line::Unread => report.skipped.push(SkippedLine { span }),
        Line::Prose => {}
    }
}

/// Whether a row in words has a range, a flag or a unit of laboratories.
fn is_laboratory(row: &LabRow) -> bool {
    const UNITS: [&str; 13] = [
        "g", "fl", "pg", "iu", "u", "meq", "mmol", "mmhg", "s", "sec", "seconds", "mosm", "ratio",
    ];
    const OTHERS: [&str; 4] = ["beat", "breath", "kg/m", "/min"];
    row.range.is_some()
        || row.flag.is_some()
        || row.unit.as_ref().is_some_and(|unit| {
            let unit = unit.to_lowercase();
            let other = OTHERS.iter().any(|other| unit.starts_with(other));
            !other && (unit.contains(['/', '%', '^']) || UNITS.contains(&unit.as_str()))
        })
}

/// Columns of a table without a header.
const USUAL: [Column; 5] = [
    Column::Analyte,
    Column::Value,
    Column::Unit,
    Column::Range,
    Column::Flag,
];

/// Whether a line is left of JSON that is cut off.
fn is_json_piece(line: &str) -> bool {
    line.trim_start_matches([',', ' '])
        .starts_with(['"', '{', '[', '}', ']'])
}

/// A line's fields and what parts them: pipes, tabs, or commas or semicolons under a header with them.
fn fields(line: &str, under: Option<char>) -> Option<(char, Vec<&str>)> {
    let marks = under.into_iter().chain(['|', '\t', ',', ';']);
    marks
        .filter(|&mark| line.matches(mark).count() >= if mark == '|' { 2 } else { 1 })
        .find_map(|mark| {
            let inner = match mark {
                '|' => line.trim_matches('|'),
                _ => line,
            };
            let fields: Vec<&str> = split(inner, mark).into_iter().map(clean).collect();
            // Commas and semicolons part sentences, too: only a header makes a table of them.
            let table =
                matches!(mark, '|' | '\t') || under == Some(mark) || columns(&fields).is_some();
            table.then_some((mark, fields))
        })
}

/// Whether most fields are names of columns, though the analyte's or the value's is not among them.
fn names(fields: &[&str]) -> bool {
    let known = fields.iter().map(|field| column(field));
    let known: Vec<Column> = known.filter(|column| *column != Column::Other).collect();
    let leads = known.contains(&Column::Analyte) || known.contains(&Column::Value);
    let digits = fields
        .iter()
        .any(|field| field.contains(|c: char| c.is_ascii_digit()));
    known.len() >= 2 && 2 * known.len() >= fields.len() && leads && !digits
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

/// Whether a line is `---|:--:|---`.
fn rule(fields: &[&str]) -> bool {
    let dashes = |field: &&str| field.chars().all(|c| matches!(c, '-' | ':' | '=' | ' '));
    fields.iter().all(dashes) && fields.iter().any(|field| field.contains('-'))
}

/// A row, and whether all of its fields were read.
fn row(fields: &[&str], columns: &[Column], span: Range<usize>) -> Option<(LabRow, bool)> {
    let field = |wanted| {
        let at = columns.iter().position(|&column| column == wanted)?;
        fields.get(at).copied().filter(|field| !field.is_empty())
    };
    let analyte = field(Column::Analyte)?;
    if !analyte.contains(char::is_alphabetic) {
        return None;
    }
    let written = field(Column::Value)?;
    let row = assemble(
        analyte,
        written,
        field(Column::Unit),
        field(Column::Flag),
        span,
    )?;
    let range = field(Column::Range).and_then(ReferenceRange::read);
    Some((LabRow { range, ..row.0 }, row.1))
}

/// A row without its range of texts as written, and whether all of them were read.
pub(super) fn assemble(
    analyte: &str,
    written: &str,
    unit: Option<&str>,
    flag: Option<&str>,
    span: Range<usize>,
) -> Option<(LabRow, bool)> {
    // "10.2 L" in the column of the result
    let (written, mut marked) = split_flag(written);
    let (value, mut own) = LabValue::read(written)?;
    let mut whole = true;
    if let (Some(unit), Some(beside)) = (unit, &own) {
        // With a unit of its own column, what stands behind the number is a flag, or the unit again.
        let bare = |unit: &str| unit.replace(' ', "").to_lowercase();
        match Flag::read(beside) {
            Some(flag) if bare(unit) != bare(beside) => marked = Some(flag),
            _ => whole = bare(unit) == bare(beside),
        }
        own = None;
    }
    let stated = flag.filter(|flag| !Flag::is_none(flag));
    let read = stated.and_then(Flag::read);
    whole &= stated.is_none() || read.is_some();
    let row = LabRow {
        analyte: analyte.to_owned(),
        value,
        unit: unit.map(str::to_owned).or(own),
        range: None,
        flag: read.or(marked),
        span,
    };
    Some((row, whole))
}

/// A result and the flag that stands behind it. One letter may be a unit (L), so a unit must stand
/// between, or the flag be a word, an arrow, in brackets or two letters.
pub(super) fn split_flag(text: &str) -> (&str, Option<Flag>) {
    let Some((before, last)) = text.trim().rsplit_once(char::is_whitespace) else {
        return (text, None);
    };
    let before = before.trim();
    // "140 mmol / L" has a unit.
    if before.ends_with(['/', '\u{b7}', '*', '\u{d7}', '^']) || before.ends_with(" per") {
        return (text, None);
    }
    // "120 mg/24 h", "2 g/24 st": hours.
    if let Some((unit, time)) = before.rsplit_once('/')
        && unit.ends_with(char::is_alphabetic)
        && !time.is_empty()
        && time.bytes().all(|byte| byte.is_ascii_digit())
    {
        return (text, None);
    }
    let plain = last.len() > 1 || before.contains(char::is_whitespace) || !last.is_ascii();
    let numeric = before.contains(|c: char| c.is_ascii_digit());
    match Flag::read(last) {
        Some(flag) if (plain || last == "H") && numeric => (before, Some(flag)),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests;
