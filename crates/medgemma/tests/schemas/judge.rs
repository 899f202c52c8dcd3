//! A judge of values by a schema, apart from the one under test.

use serde_json::{Number, Value};

/// Whether a value fulfils a schema, for the keywords that are drawn here.
pub(super) fn fulfils(value: &Value, schema: &Value, root: &Value) -> bool {
    let Value::Object(schema) = schema else {
        return schema == &Value::Bool(true);
    };
    schema.iter().all(|(key, said)| match key.as_str() {
        "type" => match said {
            Value::Array(types) => types.iter().any(|kind| is_a(value, kind)),
            kind => is_a(value, kind),
        },
        "const" => equal(value, said),
        "enum" => said.as_array().unwrap().iter().any(|one| equal(value, one)),
        "anyOf" | "oneOf" => {
            let mut options = said.as_array().unwrap().iter();
            options.any(|one| fulfils(value, one, root))
        }
        "allOf" => {
            let mut all = said.as_array().unwrap().iter();
            all.all(|one| fulfils(value, one, root))
        }
        "$ref" => {
            let place = said.as_str().unwrap().strip_prefix('#').unwrap();
            fulfils(value, root.pointer(place).unwrap(), root)
        }
        _ => match value {
            Value::Number(number) => number_fulfils(number, key, said),
            Value::String(text) => text_fulfils(text, key, said),
            Value::Array(items) => match key.as_str() {
                "minItems" => items.len() as u64 >= said.as_u64().unwrap(),
                "maxItems" => items.len() as u64 <= said.as_u64().unwrap(),
                "prefixItems" => {
                    let mut pairs = items.iter().zip(said.as_array().unwrap());
                    pairs.all(|(item, said)| fulfils(item, said, root))
                }
                "items" => {
                    let before = schema.get("prefixItems").and_then(Value::as_array);
                    let mut others = items.iter().skip(before.map_or(0, Vec::len));
                    others.all(|item| fulfils(item, said, root))
                }
                _ => true,
            },
            Value::Object(map) => match key.as_str() {
                "required" => {
                    let mut names = said.as_array().unwrap().iter();
                    names.all(|name| map.contains_key(name.as_str().unwrap()))
                }
                "properties" => map.iter().all(|(name, value)| {
                    said.get(name).is_none_or(|said| fulfils(value, said, root))
                }),
                "additionalProperties" => map.iter().all(|(name, value)| {
                    let named = schema.get("properties").and_then(|named| named.get(name));
                    named.is_some() || fulfils(value, said, root)
                }),
                _ => true,
            },
            _ => true,
        },
    })
}

fn is_a(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        // As serde reads it: no fraction, no -0.
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    }
}

fn equal(value: &Value, other: &Value) -> bool {
    let whole = |value: &Value| value.as_number().and_then(Number::as_i128);
    if let (Some(value), Some(other)) = (whole(value), whole(other)) {
        return value == other;
    }
    match (value.as_f64(), other.as_f64()) {
        (Some(value), Some(other)) => value.to_bits() == other.to_bits() || value == other,
        _ => value == other,
    }
}

fn number_fulfils(number: &Number, key: &str, said: &Value) -> bool {
    let whole = number
        .as_i128()
        .zip(said.as_number().and_then(Number::as_i128));
    let order = match whole {
        Some((number, bound)) => number.cmp(&bound),
        // What is said otherwise than by a number is no matter of numbers.
        None => match (number.as_f64(), said.as_f64()) {
            (Some(number), Some(bound)) => number.total_cmp(&bound),
            _ => return true,
        },
    };
    match key {
        "minimum" => order.is_ge(),
        "maximum" => order.is_le(),
        "exclusiveMinimum" => order.is_gt(),
        "exclusiveMaximum" => order.is_lt(),
        "multipleOf" => match whole {
            Some((number, step)) => number % step == 0,
            None => {
                let times = number.as_f64().unwrap() / said.as_f64().unwrap();
                (times - times.round()).abs() < 1e-9
            }
        },
        _ => true,
    }
}

fn text_fulfils(text: &str, key: &str, said: &Value) -> bool {
    let length = text.chars().count() as u64;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match (key, said.as_str().unwrap_or_default()) {
        ("minLength", _) => length >= said.as_u64().unwrap(),
        ("maxLength", _) => length <= said.as_u64().unwrap(),
        ("pattern", "^[A-Z]{2}[0-9]{1,3}$") => {
            let (letters, number) = text.split_at_checked(2).unwrap_or_default();
            letters.bytes().all(|byte| byte.is_ascii_uppercase())
                && digits(number)
                && (1..=3).contains(&number.len())
        }
        ("pattern", "[0-9]{2}") => text
            .as_bytes()
            .windows(2)
            .any(|two| two.iter().all(u8::is_ascii_digit)),
        ("format", "date") => is_date(text),
        ("format", "date-time") => {
            let (date, time) = text.split_at_checked(10).unwrap_or_default();
            is_date(date) && time.starts_with(['t', 'T'])
        }
        ("format", "uuid") => {
            let lengths: Vec<usize> = text.split('-').map(str::len).collect();
            lengths == [8, 4, 4, 4, 12]
        }
        _ => true,
    }
}

/// Whether there was, or will be, that day.
fn is_date(text: &str) -> bool {
    let numbers: Vec<u32> = text
        .split('-')
        .map_while(|part| part.parse().ok())
        .collect();
    let [year, month, day] = numbers[..] else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (1..=12).contains(&month) && (1..=days).contains(&day)
}
