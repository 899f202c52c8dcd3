//! JSON as types, with faults that name a place and nothing of what stands there.

use serde::Deserialize;
use serde_json::Value;

/// Why a text could not be read, without anything of what it says.
pub(crate) enum Fault {
    Syntax {
        line: usize,
        column: usize,
    },
    Type {
        key: String,
        expected: &'static str,
        found: &'static str,
    },
}

impl Fault {
    /// Key, what was expected there, what was found. A resource cut out of a page that was parsed is JSON, but for
    /// numbers and escapes, which the parser looks at only when it needs them.
    pub(crate) fn in_resource(self) -> (String, &'static str, &'static str) {
        match self {
            Self::Syntax { .. } => (".".to_owned(), "JSON", "an escape or a number that is none"),
            Self::Type {
                key,
                expected,
                found,
            } => (key, expected, found),
        }
    }
}

/// `json` as a `T`.
pub(crate) fn decode<'a, T: Deserialize<'a>>(json: &'a str) -> std::result::Result<T, Fault> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let read = serde_path_to_error::deserialize(&mut deserializer);
    let error = match read {
        Ok(read) => {
            return match deserializer.end() {
                Ok(()) => Ok(read),
                Err(error) => Err(syntax(&error)),
            };
        }
        Err(error) => error,
    };
    if !error.inner().is_data() {
        return Err(syntax(error.inner()));
    }
    Err(Fault::Type {
        key: error.path().to_string(),
        expected: expected(error.inner()),
        found: found(json, error.path()),
    })
}

fn syntax(error: &serde_json::Error) -> Fault {
    Fault::Syntax {
        line: error.line(),
        column: error.column(),
    }
}

/// What serde expected. Its message quotes the value that it found, so that only the end of it is compared, and only
/// our own words come out.
fn expected(error: &serde_json::Error) -> &'static str {
    let message = error.to_string();
    let message = message
        .split(" at line ")
        .last()
        .map_or(message.as_str(), |place| {
            message[..message.len() - place.len()].trim_end_matches(" at line ")
        });
    const WORDS: [(&str, &str); 6] = [
        ("a string", "a string"),
        ("a boolean", "true or false"),
        ("a number", "a number"),
        ("a sequence", "a list"),
        ("an object", "an object"),
        ("any valid JSON value", "a value"),
    ];
    WORDS
        .into_iter()
        .find(|(words, _)| message.ends_with(&format!("expected {words}")))
        .map_or("each key once, of the type of FHIR R4", |(_, ours)| ours)
}

/// The type of the value at `path`.
fn found(json: &str, path: &serde_path_to_error::Path) -> &'static str {
    use serde_path_to_error::Segment;

    let Ok(page) = serde_json::from_str::<Value>(json) else {
        return "another";
    };
    let mut value = Some(&page);
    for segment in path.iter() {
        value = match segment {
            Segment::Seq { index } => value.and_then(|list| list.get(index)),
            Segment::Map { key } => value.and_then(|object| object.get(key)),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
    }
    match value {
        None => "another",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "true or false",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a string",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
    }
}
