//! What a schema's keywords may have for values, where the parser would take another number, look at nothing, or
//! stumble.

use serde_json::{Map, Value};

use super::numbers;
use crate::error::{Error, Result};

/// Keywords that count.
const COUNTS: [&str; 6] = [
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
];

/// Keywords whose value is a list.
const LISTS: [&str; 6] = ["enum", "allOf", "anyOf", "oneOf", "prefixItems", "required"];

/// Keywords whose value is an object.
const OBJECTS: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];

/// Keywords whose value is a text.
const TEXTS: [&str; 3] = ["pattern", "format", "$ref"];

/// How `$schema` may end, by draft. The first has `prefixItems`.
const DRAFTS: [&str; 5] = [
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
    "http://json-schema.org/draft-04/schema",
];

/// An error with this reason.
pub(super) fn refused(reason: impl Into<String>) -> Error {
    Error::Schema {
        reason: reason.into(),
    }
}

/// Refuses values that a keyword cannot have, and numbers that would come out as others.
pub(super) fn check(map: &Map<String, Value>) -> Result<()> {
    for (key, value) in map {
        let key = key.as_str();
        let expected = match key {
            _ if COUNTS.contains(&key) => (!value.is_u64()).then_some("a whole number from 0"),
            "minimum" | "maximum" | "multipleOf" => (!value.is_number()).then_some("a number"),
            "exclusiveMinimum" | "exclusiveMaximum" => {
                (!value.is_number() && !value.is_boolean()).then_some("a number")
            }
            _ if LISTS.contains(&key) => (!value.is_array()).then_some("a list"),
            _ if OBJECTS.contains(&key) => (!value.is_object()).then_some("an object"),
            _ if TEXTS.contains(&key) => (!value.is_string()).then_some("a text"),
            _ => None,
        };
        if let Some(expected) = expected {
            return Err(refused(format!("the value of `{key}` must be {expected}")));
        }
        match value {
            Value::Array(values) if key == "enum" => {
                values.iter().try_for_each(numbers::exact_literal)?
            }
            value if key == "const" => numbers::exact_literal(value)?,
            Value::Number(step) if key == "multipleOf" => {
                numbers::Steps::one(step)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Takes `$schema` away: the keywords of every draft are followed, where the parser would pass over those that an
/// older one does not know.
///
/// # Errors
/// For another dialect than JSON Schema's own.
pub(super) fn draft(schema: &mut Value) -> Result<()> {
    let Value::Object(map) = schema else {
        return Ok(());
    };
    let Some(named) = map.get("$schema") else {
        return Ok(());
    };
    // With or without an empty fragment, `http` or `https`.
    let named = named.as_str().unwrap_or_default().trim_end_matches('#');
    let Some(at) = DRAFTS.iter().position(|draft| place(draft) == place(named)) else {
        return Err(refused(format!(
            "`$schema` is none of JSON Schema's drafts 4 to 2020-12, which are followed: {}",
            DRAFTS.join(", ")
        )));
    };
    let older = at > 0;
    map.retain(|key, _| key != "$schema");
    if older && names(schema, "prefixItems") {
        return Err(refused(
            "`prefixItems` is a keyword of draft 2020-12, and `$schema` names an older one: name that, or use a list of `items`",
        ));
    }
    Ok(())
}

/// An address without its scheme.
fn place(address: &str) -> Option<&str> {
    let without = |scheme| address.strip_prefix(scheme);
    without("https://").or_else(|| without("http://"))
}

/// Whether a key is anywhere but in values that are given word by word.
fn names(value: &Value, wanted: &str) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| {
            key == wanted && value.is_array()
                || !["enum", "const", "default", "examples"].contains(&key.as_str())
                    && names(value, wanted)
        }),
        Value::Array(list) => list.iter().any(|value| names(value, wanted)),
        _ => false,
    }
}

/// Tuples as since draft 2020-12. Without a list of `items`, `additionalItems` says nothing, but the parser then reads
/// `prefixItems` as if it were not there.
pub(super) fn tuples(map: &mut Map<String, Value>) -> Result<()> {
    let others = map.get("additionalItems").cloned();
    map.retain(|key, _| key != "additionalItems");
    if !map.get("items").is_some_and(Value::is_array) {
        return Ok(());
    }
    if map.contains_key("prefixItems") {
        return Err(refused(
            "`prefixItems` and a list of `items` say the same: leave one out",
        ));
    }
    let first = map.get("items").cloned().unwrap_or_default();
    map.retain(|key, _| key != "items");
    map.insert("prefixItems".to_owned(), first);
    if let Some(others) = others {
        map.insert("items".to_owned(), others);
    }
    Ok(())
}
