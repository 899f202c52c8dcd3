//! Names and dates as every reader takes them.

use serde_json::{Map, Value, json};

/// Names that are whole numbers: as `schemars` has them, and as the integer types of serde read them.
const NUMBERED: [(&str, &str); 2] = [
    (r"^\d+$", r"^(0|[1-9]\d{0,14})$"),
    (r"^-?\d+$", r"^(0|-?[1-9]\d{0,14})$"),
];

/// How a date begins that there is: `format` takes 29 February of any year.
const DATE: &str = concat!(
    r"^(\d{4}-(0[13-9]|1[0-2])-|\d{4}-02-([01]\d|2[0-8])|",
    r"(\d\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)"
);

/// The pattern of names in the place of this one.
pub(super) fn of_names(pattern: &str) -> &str {
    let numbered = NUMBERED.iter().find(|(written, _)| *written == pattern);
    numbered.map_or(pattern, |(_, read)| read)
}

/// Keeps to names that integers are read from, and to dates that there are.
pub(super) fn narrow(map: &mut Map<String, Value>) {
    if let Some(Value::Object(named)) = map.get_mut("patternProperties") {
        let renamed = std::mem::take(named).into_iter();
        let renamed = renamed.map(|(pattern, schema)| (of_names(&pattern).to_owned(), schema));
        *named = renamed.collect();
    }
    let format = map.get("format").and_then(Value::as_str);
    if format.is_some_and(|format| ["date", "date-time"].contains(&format)) {
        map.entry("pattern").or_insert_with(|| json!(DATE));
    }
}
