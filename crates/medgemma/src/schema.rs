//! JSON schemas: what an answer must look like.

mod keywords;
mod narrow;
mod numbers;
mod texts;

use std::fmt;

use serde_json::Value;

use self::narrow::narrowed;
use crate::error::Result;
use crate::grammar;

/// A JSON schema that answers are written by: at every token, the model can only choose among those
/// with which the answer can still become JSON of this schema.
///
/// `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`, `patternProperties`,
/// `minProperties`, `maxProperties`, `items`, `prefixItems`, `additionalItems`, `minItems`, `maxItems`,
/// `minLength`, `maxLength`, `pattern`, `format`, `minimum`, `maximum` and their exclusive kinds (draft 4's
/// `true`, too), `multipleOf`, `anyOf`, `allOf`, `$ref` within the schema, `$defs` and `definitions`, whatever
/// draft `$schema` names; any other keyword of JSON Schema is an error. Annotations are passed over, and so are
/// words that JSON Schema does not know: mind the spelling. `oneOf` is read as `anyOf`. Properties come
/// in the order of the schema, on one line. Integers of `enum` and `const` beyond 2⁵³ that `f64` does not hold are
/// refused: give codes as texts.
///
/// Some things are narrower than the standard, for answers that end and that every reader takes:
/// objects with named properties and without `additionalProperties` have no others; numbers without
/// bounds lie within ±(2⁵³ − 1) and have no exponent, integers no `-0`, and those of a `format` such as
/// `int32` fit into it; texts have no `\u` escapes, since every character can stand for itself.
/// `docs/structured.md` has the table.
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
        Self::new(value, false)
    }

    fn new(given: Value, derived: bool) -> Result<Self> {
        let prepared = narrowed(&given, derived)?;
        grammar::check(&prepared)?;
        Ok(Self {
            given,
            prepared,
            reasoning: true,
        })
    }

    /// The schema of a type that derives `schemars::JsonSchema`.
    ///
    /// Where a type with `deny_unknown_fields` is flattened, or has a tag, its schema may forbid the names
    /// beside it, which serde reads: such a schema makes room for them here, and in [`Schema::from_value`] does not.
    ///
    /// # Errors
    /// As [`Schema::from_value`]: a type may have more to it than is supported here.
    #[cfg(feature = "schemars")]
    pub fn of<T: schemars::JsonSchema>() -> Result<Self> {
        Self::new(schemars::schema_for!(T).to_value(), true)
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

#[cfg(test)]
mod tests;
