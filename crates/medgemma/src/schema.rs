//! JSON schemas: what an answer must look like.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::grammar;

/// Numbers without a bound of their own end here: 2⁵³ − 1, up to which every integer is the same in
/// every JSON reader (RFC 7493 §2.2).
const LARGEST: u64 = (1 << 53) - 1;

/// A JSON schema that answers are written by: at every token, the model can only choose among those
/// with which the answer can still become JSON of this schema.
///
/// `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`, `patternProperties`,
/// `items`, `prefixItems`, `minItems`, `maxItems`, `minLength`, `maxLength`, `pattern`, `format`,
/// `minimum`, `maximum` and their exclusive kinds, `multipleOf`, `anyOf`, `allOf`, `$ref` within the
/// schema, `$defs`; annotations are passed over, any other keyword is an error. `oneOf` is read as
/// `anyOf`. Properties come in the order of the schema, on one line.
///
/// Three things are narrower than the standard, for answers that end and that every reader takes:
/// objects with named properties and without `additionalProperties` (none with `allOf` anywhere)
/// have no others; numbers without bounds lie within ±(2⁵³ − 1) and have no exponent, and integers no
/// `-0`; texts have no `\u` escapes, since every character can stand for itself.
///
/// A thinking model reasons before the JSON if it wants to, in any words, see
/// [`Reply::reasoning`](crate::Reply::reasoning); [`Schema::without_reasoning`] forbids it. The
/// schema is not part of the prompt: tell the model what is wanted, or show it [`Schema::json`].
#[derive(Clone)]
pub struct Schema {
    given: Value,
    /// With what is narrower than the standard.
    prepared: Value,
    reasoning: bool,
}

impl Schema {
    /// A schema from its JSON.
    ///
    /// # Errors
    /// [`crate::Error::Schema`] for text that is no JSON, and as [`Schema::from_value`].
    pub fn from_json(text: &str) -> Result<Self> {
        let value = serde_json::from_str(text).map_err(|error| crate::Error::Schema {
            reason: format!("it is no JSON: {error}"),
        })?;
        Self::from_value(value)
    }

    /// A schema from its JSON value.
    ///
    /// # Errors
    /// [`crate::Error::Schema`] for a keyword or a value that is not supported, for one that nothing
    /// fulfils, and for one that is too large.
    pub fn from_value(value: Value) -> Result<Self> {
        let mut prepared = match &value {
            Value::Bool(true) => json!({}),
            other => other.clone(),
        };
        let closing = !mentions(&prepared, "allOf");
        narrow(&mut prepared, closing);
        grammar::check(&prepared)?;
        Ok(Self {
            given: value,
            prepared,
            reasoning: true,
        })
    }

    /// The schema of a type that derives `schemars::JsonSchema`.
    ///
    /// # Errors
    /// As [`Schema::from_value`]: a type may have more to it than is supported here.
    #[cfg(feature = "schemars")]
    pub fn of<T: schemars::JsonSchema>() -> Result<Self> {
        Self::from_value(schemars::schema_for!(T).to_value())
    }

    /// The JSON begins at once: a thinking model does not reason before it.
    #[must_use]
    pub fn without_reasoning(mut self) -> Self {
        self.reasoning = false;
        self
    }

    /// The schema as given, on one line, for a prompt.
    #[must_use]
    pub fn json(&self) -> String {
        self.given.to_string()
    }

    /// What answers are written by.
    pub(crate) fn prepared(&self) -> &Value {
        &self.prepared
    }

    /// Whether a thought may come first.
    pub(crate) fn reasoning(&self) -> bool {
        self.reasoning
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema")
            .field("bytes", &self.json().len())
            .field("reasoning", &self.reasoning)
            .finish_non_exhaustive()
    }
}

/// Keywords whose value is a schema.
const ONE: [&str; 3] = ["items", "additionalProperties", "additionalItems"];

/// Keywords whose value is a list of schemas.
const LIST: [&str; 4] = ["prefixItems", "anyOf", "oneOf", "allOf"];

/// Keywords whose value has a schema to each name.
const NAMED: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];

/// Closes objects, bounds numbers and leaves out `-0`, in `schema` and all within.
fn narrow(schema: &mut Value, closing: bool) {
    let Value::Object(map) = schema else { return };
    bound_numbers(map);
    part_at_zero(map);
    // Alternatives beside properties of their own are read together: each would forbid the other's.
    let mixed = ["anyOf", "oneOf", "$ref"]
        .iter()
        .any(|key| map.contains_key(*key));
    let own = map.contains_key("properties");
    let open = ["additionalProperties", "patternProperties"];
    if closing && own && !mixed && !open.iter().any(|key| map.contains_key(*key)) {
        map.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    for (key, value) in map {
        let key = key.as_str();
        let closing = closing && !(own && ["anyOf", "oneOf"].contains(&key));
        match value {
            Value::Object(named) if NAMED.contains(&key) => {
                named
                    .values_mut()
                    .for_each(|schema| narrow(schema, closing));
            }
            Value::Array(list) if LIST.contains(&key) => {
                list.iter_mut().for_each(|schema| narrow(schema, closing));
            }
            value if ONE.contains(&key) => narrow(value, closing),
            _ => {}
        }
    }
}

/// Gives both bounds to a schema of numbers.
fn bound_numbers(map: &mut Map<String, Value>) {
    let numeric = |name: &Value| name == "number" || name == "integer";
    let numbers = match map.get("type") {
        Some(Value::Array(types)) => types.iter().any(numeric),
        Some(name) => numeric(name),
        None => false,
    };
    if !numbers || map.contains_key("enum") || map.contains_key("const") {
        return;
    }
    let given = |keys: [&str; 2]| {
        let bounds = keys.iter().filter_map(|key| map.get(*key)?.as_f64());
        bounds.reduce(f64::max)
    };
    #[allow(clippy::cast_precision_loss, reason = "2⁵³ − 1 is exact in f64")]
    let largest = LARGEST as f64;
    let minimum = given(["minimum", "exclusiveMinimum"]);
    let maximum = given(["maximum", "exclusiveMaximum"]);
    // A bound beyond the usual ones says that larger numbers are wanted.
    if minimum.is_none() && maximum.is_none_or(|maximum| maximum >= -largest) {
        map.insert("minimum".to_owned(), json!(-largest));
    }
    if maximum.is_none() && minimum.is_none_or(|minimum| minimum <= largest) {
        map.insert("maximum".to_owned(), json!(largest));
    }
}

/// Reads integers of either sign as negative ones or others: one range of both would have `-0`,
/// which no integer type of serde takes.
fn part_at_zero(map: &mut Map<String, Value>) {
    let is = |name: &str, found: &Value| match found {
        Value::Array(types) => types.iter().any(|one| one == name),
        one => one == name,
    };
    let integers = map
        .get("type")
        .is_some_and(|found| is("integer", found) && !is("number", found));
    let bound = |key: &str| map.get(key).and_then(Value::as_f64);
    let signs = bound("minimum").is_none_or(|least| least <= -1.0)
        && bound("exclusiveMinimum").is_none_or(|below| below < -1.0)
        && bound("maximum").is_none_or(|most| most >= 0.0)
        && bound("exclusiveMaximum").is_none_or(|above| above > 0.0);
    if !integers || !signs || map.contains_key("enum") || map.contains_key("const") {
        return;
    }
    let mut others = std::mem::take(map);
    for definitions in ["$defs", "definitions"] {
        if let Some(kept) = others.remove(definitions) {
            map.insert(definitions.to_owned(), kept);
        }
    }
    let mut negative = others.clone();
    negative.remove("exclusiveMaximum");
    negative.insert("type".to_owned(), json!("integer"));
    negative.insert("maximum".to_owned(), json!(-1));
    others.remove("exclusiveMinimum");
    others.insert("minimum".to_owned(), json!(0));
    map.insert("anyOf".to_owned(), json!([negative, others]));
}

/// Whether a key occurs anywhere.
fn mentions(value: &Value, key: &str) -> bool {
    match value {
        Value::Object(map) => {
            map.contains_key(key) || map.values().any(|value| mentions(value, key))
        }
        Value::Array(list) => list.iter().any(|value| mentions(value, key)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Schema, narrow};

    fn narrowed(mut schema: Value) -> Value {
        narrow(&mut schema, true);
        schema
    }

    #[test]
    fn objects_with_named_properties_are_closed_unless_they_say_otherwise() {
        let text = json!({"type": "string"});
        let closed = |schema: Value| narrowed(schema)["additionalProperties"] == json!(false);
        assert!(closed(json!({"properties": {"a": text}})));
        assert!(!closed(
            json!({"properties": {"a": text}, "additionalProperties": true})
        ));
        assert!(!closed(
            json!({"properties": {"a": text}, "patternProperties": {"^x": text}})
        ));
        assert!(
            !closed(json!({"type": "object"})),
            "a map of anything stays one"
        );
        let nested = narrowed(json!({"items": {"properties": {"a": {"properties": {"b": text}}}}}));
        assert_eq!(
            nested["items"]["properties"]["a"]["additionalProperties"],
            json!(false)
        );
        let either = narrowed(json!({"anyOf": [{"properties": {"a": text}}]}));
        assert_eq!(either["anyOf"][0]["additionalProperties"], json!(false));
        // The tag of an enum beside what belongs to each variant: closing one would forbid the other.
        let tagged = json!({"properties": {"kind": text}, "oneOf": [{"properties": {"a": text}}]});
        assert_eq!(narrowed(tagged.clone()), tagged);
    }

    #[test]
    fn numbers_get_the_bounds_they_lack() {
        let largest = json!(9_007_199_254_740_991.0);
        let both = narrowed(json!({"type": ["number", "null"]}));
        assert_eq!(
            (&both["minimum"], &both["maximum"]),
            (&json!(-9_007_199_254_740_991.0), &largest)
        );
        let one = narrowed(json!({"type": "integer", "exclusiveMinimum": 3}));
        assert_eq!((one.get("minimum"), &one["maximum"]), (None, &largest));
        let large = json!({"type": "integer", "minimum": 1e17});
        assert_eq!(narrowed(large.clone()), large);
        let listed = json!({"type": "integer", "enum": [1, 2]});
        assert_eq!(narrowed(listed.clone()), listed);
    }

    #[test]
    fn integers_of_either_sign_are_parted_at_zero() {
        let parted = narrowed(json!({
            "type": ["integer", "null"], "exclusiveMinimum": -5, "maximum": 7,
            "$defs": {"a": {"type": "null"}},
        }));
        let negative = json!({"type": "integer", "exclusiveMinimum": -5, "maximum": -1});
        let others = json!({"type": ["integer", "null"], "minimum": 0, "maximum": 7});
        let whole = json!({"anyOf": [negative, others], "$defs": {"a": {"type": "null"}}});
        assert_eq!(parted, whole);
        let above = narrowed(json!({"type": "integer", "minimum": -1, "exclusiveMaximum": 1}));
        let negative = json!({"type": "integer", "minimum": -1, "maximum": -1});
        let others = json!({"type": "integer", "minimum": 0, "exclusiveMaximum": 1});
        assert_eq!(above, json!({"anyOf": [negative, others]}));
        for one_sign in [
            json!({"type": "integer", "minimum": -0.5, "maximum": 3}),
            json!({"type": "integer", "exclusiveMinimum": -1, "maximum": 3}),
            json!({"type": "integer", "minimum": -9, "maximum": -0.5}),
            json!({"type": "integer", "minimum": -9, "exclusiveMaximum": 0}),
            json!({"type": "number", "minimum": -9, "maximum": 9}),
            json!({"type": ["integer", "number"], "minimum": -9, "maximum": 9}),
        ] {
            assert_eq!(narrowed(one_sign.clone()), one_sign);
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused_with_its_reason() {
        for (schema, reason) in [
            (
                json!({"type": "string", "minLength": 3, "maxLength": 2}),
                "minLength",
            ),
            (json!({"if": {}}), "if"),
            (json!({"type": "text"}), "text"),
            (json!({"$ref": "#/$defs/absent"}), "absent"),
            (json!(false), "nsatisfiable"),
            (json!([1]), "object"),
            (json!({"type": "integer", "minimum": 3, "maximum": 2}), "3"),
        ] {
            let error = Schema::from_value(schema.clone()).expect_err("it cannot be followed");
            assert!(error.to_string().contains(reason), "{schema}: {error}");
        }
        assert!(
            Schema::from_json("{")
                .expect_err("no JSON")
                .to_string()
                .contains("no JSON")
        );
        Schema::from_value(json!(true)).expect("anything is a form, too");
    }
}
