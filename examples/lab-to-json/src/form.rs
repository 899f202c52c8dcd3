//! What is asked for: the list that MedGemma 1.5 was trained to write, as a Rust type.

use medgemma::Schema;
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

/// The question of MedGemma 1.5's evaluation on laboratory reports, word by word.
pub(crate) const QUESTION: &str = "You are a Clinical Data Extraction Specialist. Your job is to parse lab reports with \
high precision. From the given lab report, extract all lab tests into a JSON list. Each test object in the list must \
include: name, result, unit, range, panel, method, specimen, sample_collection_time (formatted as DD-MM-YYYY HH:MM:SS)";

/// The tests of a report. Bounds keep an answer that goes astray from going on without end.
#[derive(Deserialize, Serialize, JsonSchema)]
pub(crate) struct LabTests(#[schemars(length(max = 60))] pub(crate) Vec<LabTest>);

/// One test; what the report does not say is null.
#[derive(Deserialize, Serialize, JsonSchema)]
pub(crate) struct LabTest {
    #[schemars(length(min = 1, max = 60))]
    name: String,
    #[schemars(length(min = 1, max = 40))]
    result: String,
    #[schemars(length(max = 20))]
    unit: Option<String>,
    #[schemars(length(max = 40))]
    range: Option<String>,
    #[schemars(length(max = 60))]
    panel: Option<String>,
    #[schemars(length(max = 40))]
    method: Option<String>,
    #[schemars(length(max = 40))]
    specimen: Option<String>,
    #[schemars(regex(
        pattern = r"^[0-3][0-9]-[01][0-9]-[12][0-9]{3} [0-2][0-9]:[0-5][0-9]:[0-5][0-9]$"
    ))]
    sample_collection_time: Option<String>,
}

/// The schema of the list, with so many tests where their number is known.
pub(crate) fn schema(tests: Option<usize>) -> medgemma::Result<Schema> {
    let mut list = schema_for!(LabTests);
    if let Some(tests) = tests {
        for bound in ["minItems", "maxItems"] {
            list.insert(bound.to_owned(), tests.into());
        }
    }
    Schema::from_value(list.to_value())
}
