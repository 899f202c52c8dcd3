//! Names of columns and keys.

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
            "component",
            "analyte",
            "analyte name",
            "parameter",
            "parameter name",
            "test parameter",
            "biomarker",
            "marker",
            "test name",
            "lab test name",
            "investigation",
            "assay",
            "name",
            "test",
            "lab test",
            "laboratory test",
            "blood test",
            "lab",
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
            "patient value",
            "patient result",
            "patient's value",
            "patient's result",
            "observed",
            "observed result",
            "measured",
            "measured result",
            "result value",
            "test result",
            "test results",
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
            "reference value",
            "reference ranges",
            "reference intervals",
            "reference limits",
            "ref interval",
            "normal values",
            "normal value",
            "normal ranges",
            "expected range",
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

pub(super) fn column(name: &str) -> Column {
    place(name).map_or(Column::Other, |(column, _)| column)
}

/// How usual a name is for its column; the smallest is the most usual.
pub(super) fn rank(name: &str) -> usize {
    place(name).map_or(usize::MAX, |(_, rank)| rank)
}

/// The column of a name, and where among its names it is.
fn place(name: &str) -> Option<(Column, usize)> {
    let name = name.replace('_', " ").to_lowercase();
    // "Reference Range (Adults)", "Result [g/dL]"
    let name = name.split(['(', '[']).next().unwrap_or_default().trim();
    NAMES.iter().find_map(|(column, names)| {
        let rank = names.iter().position(|known| *known == name)?;
        Some((*column, rank))
    })
}
