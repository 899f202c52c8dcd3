//! What is read more narrowly than the standard says, so that answers end and every reader takes them:
//! objects closed, numbers bounded, values of any kind spelled out.

mod budget;
mod following;
mod said;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use self::budget::Budget;
use self::following::refers_elsewhere;
use self::said::{Lacks, Said};
use super::{keywords, numbers, texts};
use crate::error::{Error, Result};

/// Keywords whose value is a schema for parts of a value.
const ONE: [&str; 2] = ["items", "additionalProperties"];

/// Keywords whose value has a schema to each name.
const NAMED: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];

/// Keywords whose value is a list of schemas for the value itself.
const IN_PLACE: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// Keywords that say of what type a value is without `type`.
const SAID: [&str; 6] = ["enum", "const", "$ref", "allOf", "anyOf", "oneOf"];

/// Keywords that say something to which other schemas of the same value may add.
const OWN: [&str; 8] = [
    "properties",
    "patternProperties",
    "additionalProperties",
    "required",
    "minProperties",
    "items",
    "prefixItems",
    "multipleOf",
];

/// Name and address of what describes a value of any kind.
const ANY: (&str, &str) = ("medgemma-any", "#/$defs/medgemma-any");

/// The schema with what is narrower. `derived`: from a type, see [`Narrowing::derived`].
pub(super) fn narrowed(given: &Value, derived: bool) -> Result<Value> {
    let narrowing = Narrowing {
        given,
        derived,
        any: Cell::new(false),
        budget: Budget::default(),
    };
    let mut schema = given.clone();
    keywords::draft(&mut schema)?;
    narrowing.schema(&mut schema, None, &[])?;
    if narrowing.any.get()
        && let Value::Object(map) = &mut schema
    {
        let mut any = json!({});
        narrowing.schema(&mut any, None, &[])?;
        let definitions = map.entry("$defs").or_insert_with(|| json!({}));
        if let Value::Object(definitions) = definitions {
            definitions.insert(ANY.0.to_owned(), any);
        }
    }
    Ok(schema)
}

struct Narrowing<'a> {
    /// References are looked up here.
    given: &'a Value,
    /// From a Rust type: what is closed then makes room for names beside it. `schemars` leaves
    /// `deny_unknown_fields` as it is where a type is flattened by reference, and serde reads the names all the same.
    derived: bool,
    /// Whether a value of any kind is asked for.
    any: Cell<bool>,
    budget: Budget,
}

impl Narrowing<'_> {
    /// Narrows a schema and all within. `beside`: what those say that the same value has to fulfil, if
    /// there are any; `copied`: the references that it was copied from.
    fn schema(&self, schema: &mut Value, beside: Option<&Said>, copied: &[String]) -> Result<()> {
        if schema == &Value::Bool(true) {
            *schema = beside.map_or_else(|| self.any(), |_| json!({}));
        }
        let Value::Object(map) = schema else {
            return Ok(());
        };
        self.budget.deeper(|| self.object(map, beside, copied))
    }

    fn object(
        &self,
        map: &mut Map<String, Value>,
        beside: Option<&Said>,
        copied: &[String],
    ) -> Result<()> {
        keywords::check(map)?;
        keywords::tuples(map)?;
        let said = SAID.iter().any(|key| map.contains_key(*key));
        let combined = beside.is_some() || parts(map) > 1;
        let mut copied = Cow::Borrowed(copied);
        if (combined || refers_elsewhere(map))
            && let Some(reference) = self.copy_reference(map, &copied)?
        {
            copied.to_mut().push(reference);
        }
        // Else its parts or its values say all.
        let whole = combined || !said || map.contains_key("properties");
        let mut beside = beside.map_or_else(|| Ok(Said::default()), |said| self.copy(said))?;
        beside.differs = false;
        let mut all = self.copy(&beside)?;
        if whole {
            self.say(map, None, &mut all, &mut BTreeSet::new())?;
            all.check()?;
        }
        let typed = if combined {
            all.typed
        } else {
            said || map.contains_key("type")
        };
        if !typed {
            let types = ["null", "boolean", "number", "string", "array", "object"];
            map.insert("type".to_owned(), json!(types));
            all.of_any_type();
            beside.of_any_type();
        }
        let mut lacks = all.lacks(map);
        // Alternatives that describe different names say themselves of what kind the others are.
        let left = all.differs;
        if left {
            (lacks.others, lacks.items) = (false, false);
        }
        if is(map, "integer") && !numbers::listed(map) {
            // It may be parted at zero, in two copies.
            self.budget.copy(budget::values(map))?;
        }
        numbers::narrow(map);
        texts::narrow(map);
        self.children(map, &copied)?;
        if combined {
            self.in_place(map, &beside.and(&lacks), left, &copied)?;
        } else {
            for key in IN_PLACE {
                let list = map.get_mut(key).and_then(Value::as_array_mut);
                for one in list.into_iter().flatten() {
                    self.schema(one, None, &copied)?;
                }
            }
        }
        if whole {
            self.complete(map, &all, &lacks)?;
        }
        Ok(())
    }

    /// Narrows schemas of parts of a value.
    fn children(&self, map: &mut Map<String, Value>, copied: &[String]) -> Result<()> {
        for (key, value) in map {
            let key = key.as_str();
            match value {
                Value::Object(named) if NAMED.contains(&key) => {
                    for (name, one) in named {
                        let narrowed = self.schema(one, None, copied);
                        narrowed.map_err(|error| within(error, key, name))?;
                    }
                }
                Value::Array(list) if key == "prefixItems" => {
                    let mut list = list.iter_mut();
                    list.try_for_each(|one| self.schema(one, None, copied))?;
                }
                one if ONE.contains(&key) => self.schema(one, None, copied)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Narrows schemas of the value itself, each beside all others but its alternatives. `left`: alternatives are to
    /// say what is lacking, those of one list.
    fn in_place(
        &self,
        map: &mut Map<String, Value>,
        beside: &Said,
        left: bool,
        copied: &[String],
    ) -> Result<()> {
        let choice = if left { self.differing(map)? } else { None };
        // Before any is closed: each then has the names of all.
        let mut lists = Vec::new();
        for key in IN_PLACE {
            if map.get(key).is_some_and(Value::is_array) {
                let mut beside = self.copy(beside)?;
                self.say(map, Some(key), &mut beside, &mut BTreeSet::new())?;
                lists.push((key, beside));
            }
        }
        for (key, beside) in lists {
            let Some(Value::Array(list)) = map.get_mut(key) else {
                continue;
            };
            let mut parts = Vec::new();
            if key == "allOf" {
                for one in &*list {
                    let mut said = Said::default();
                    if let Value::Object(one) = one {
                        self.say(one, None, &mut said, &mut BTreeSet::new())?;
                    }
                    parts.push(said);
                }
            }
            let part = parts.iter().position(|part| part.differs);
            let part = part.filter(|_| choice.is_none());
            for (at, one) in list.iter_mut().enumerate() {
                let mut beside = self.copy(&beside)?;
                let says = choice == Some(key) || part == Some(at);
                if left && !says {
                    beside.of_every_kind();
                }
                for (_, said) in parts.iter().enumerate().filter(|(other, _)| *other != at) {
                    self.budget.copy(said.cost())?;
                    beside.extend(said);
                }
                self.schema(one, Some(&beside), copied)?;
            }
        }
        Ok(())
    }

    /// Forbids other names than those known, and says what nothing else does.
    fn complete(&self, map: &mut Map<String, Value>, all: &Said, lacks: &Lacks) -> Result<()> {
        // At most so much is entered.
        self.budget.copy(all.cost())?;
        let strict = !self.derived && map.get("additionalProperties") == Some(&Value::Bool(false));
        if !strict {
            let untyped =
                !map.contains_key("type") && !SAID.iter().any(|key| map.contains_key(*key));
            let object = is(map, "object") || untyped;
            let closes = all.closed() && (object || map.contains_key("properties"));
            let known = (closes || lacks.others).then_some(&all.described);
            let known = known.into_iter().flat_map(Map::keys);
            let known = known.map(|name| (name, Value::Bool(true)));
            let asked = lacks.names.keys().map(|name| (name, self.any()));
            enter(map, "properties", known.chain(asked));
            if closes {
                map.insert("additionalProperties".to_owned(), Value::Bool(false));
            } else if lacks.others {
                let patterns = all.patterns.keys();
                enter(
                    map,
                    "patternProperties",
                    patterns.map(|pattern| (pattern, Value::Bool(true))),
                );
                map.insert("additionalProperties".to_owned(), self.any());
            }
        }
        if lacks.items {
            if all.first > 0 {
                let first = map.entry("prefixItems").or_insert_with(|| json!([]));
                if let Value::Array(first) = first {
                    first.resize(all.first.max(first.len()), Value::Bool(true));
                }
            }
            map.insert("items".to_owned(), self.any());
        }
        Ok(())
    }

    /// A value of any kind: the parser's own has exponents without end, which no reader takes.
    fn any(&self) -> Value {
        self.any.set(true);
        json!({"$ref": ANY.1})
    }
}

/// An error with the definition that it is in: nothing may refer to it.
fn within(error: Error, key: &str, name: &str) -> Error {
    match error {
        Error::Schema { reason } if ["$defs", "definitions"].contains(&key) => {
            keywords::refused(format!("{reason} (in `{key}`, `{name}`)"))
        }
        error => error,
    }
}

/// Adds schemas to those that a keyword has by name, if there are any.
fn enter<'a>(
    map: &mut Map<String, Value>,
    key: &str,
    schemas: impl Iterator<Item = (&'a String, Value)>,
) {
    let mut schemas = schemas.peekable();
    if schemas.peek().is_none() {
        return;
    }
    if let Value::Object(named) = map.entry(key).or_insert_with(|| json!({})) {
        for (name, schema) in schemas {
            named.entry(name).or_insert(schema);
        }
    }
}

/// Whether values of this type are among those of a schema that names types.
pub(super) fn is(map: &Map<String, Value>, kind: &str) -> bool {
    match map.get("type") {
        Some(Value::Array(types)) => types.iter().any(|one| one == kind),
        one => one.is_some_and(|one| one == kind),
    }
}

/// How many schemas say something of one value.
fn parts(map: &Map<String, Value>) -> usize {
    let own = OWN.iter().any(|key| map.contains_key(*key));
    let all = map
        .get("allOf")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let others = ["$ref", "anyOf", "oneOf"].iter();
    usize::from(own) + all + others.filter(|key| map.contains_key(**key)).count()
}

#[cfg(test)]
mod tests;
