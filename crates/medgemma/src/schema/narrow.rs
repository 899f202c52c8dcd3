//! What is read more narrowly than the standard says, so that answers end and every reader takes them:
//! objects closed, numbers bounded, values of any kind spelled out.

use std::cell::Cell;

use serde_json::{Map, Value, json};

use super::numbers;

/// Keywords whose value is a schema for parts of a value.
const ONE: [&str; 3] = ["items", "additionalProperties", "additionalItems"];

/// Keywords whose value is a list of such schemas; `items` before the drafts of 2020.
const LIST: [&str; 2] = ["prefixItems", "items"];

/// Keywords whose value has a schema to each name.
const NAMED: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];

/// Keywords whose value is a list of schemas for the value itself.
const IN_PLACE: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// Keywords that say of what type a value is without `type`.
const SAID: [&str; 6] = ["enum", "const", "$ref", "allOf", "anyOf", "oneOf"];

/// Name and address of what describes a value of any kind.
const ANY: (&str, &str) = ("medgemma-any", "#/$defs/medgemma-any");

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

/// The schema with what is narrower.
pub(super) fn narrowed(given: &Value) -> Value {
    let narrowing = Narrowing {
        given,
        any: Cell::new(false),
    };
    let mut schema = given.clone();
    narrowing.schema(&mut schema, None, &[]);
    if narrowing.any.get()
        && let Value::Object(map) = &mut schema
    {
        let mut any = json!({});
        narrowing.schema(&mut any, None, &[]);
        let definitions = map.entry("$defs").or_insert_with(|| json!({}));
        if let Value::Object(definitions) = definitions {
            definitions.insert(ANY.0.to_owned(), any);
        }
    }
    schema
}

struct Narrowing<'a> {
    /// References are looked up here.
    given: &'a Value,
    /// Whether a value of any kind is asked for.
    any: Cell<bool>,
}

/// What is said of an object's names by schemas that it has to fulfil together.
#[derive(Clone, Default)]
struct Names {
    /// In the order of the schema.
    known: Vec<String>,
    /// Others are allowed, too.
    open: bool,
}

impl Narrowing<'_> {
    /// Narrows a schema and all within. `beside`: what those say that the same value has to fulfil, if
    /// there are any; `copied`: the references that it was copied from.
    fn schema(&self, schema: &mut Value, beside: Option<&Names>, copied: &[String]) {
        if schema == &Value::Bool(true) && beside.is_none() {
            *schema = self.any();
        }
        let Value::Object(map) = schema else { return };
        let said = SAID.iter().any(|key| map.contains_key(*key));
        let combined = beside.is_some() || parts(map) > 1;
        if !said && !combined && !map.contains_key("type") {
            let types = ["null", "boolean", "number", "string", "array", "object"];
            map.insert("type".to_owned(), json!(types));
        }
        numbers::narrow(map);
        texts(map);
        let beside = beside.cloned().unwrap_or_default();
        let mut copied = copied.to_vec();
        if combined || refers_elsewhere(map) {
            copied.extend(self.copy_reference(map, &copied));
        }
        self.children(map, &copied);
        if combined {
            let mut all = beside.clone();
            self.names(map, &mut all, 0);
            self.in_place(map, &beside, &copied);
            close(map, &all);
        } else {
            for key in IN_PLACE {
                let list = map.get_mut(key).and_then(Value::as_array_mut);
                let alternatives = list.into_iter().flatten();
                alternatives.for_each(|one| self.schema(one, None, &copied));
            }
            if map.contains_key("properties") {
                let mut own = Names::default();
                self.names(map, &mut own, 0);
                close(map, &own);
            }
            if !said {
                self.spell_out(map);
            }
        }
    }

    /// Narrows schemas of parts of a value.
    fn children(&self, map: &mut Map<String, Value>, copied: &[String]) {
        for (key, value) in map {
            let key = key.as_str();
            match value {
                Value::Object(named) if NAMED.contains(&key) => {
                    let named = named.values_mut();
                    named.for_each(|one| self.schema(one, None, copied));
                }
                Value::Array(list) if LIST.contains(&key) => {
                    list.iter_mut()
                        .for_each(|one| self.schema(one, None, copied));
                }
                one if ONE.contains(&key) => self.schema(one, None, copied),
                _ => {}
            }
        }
    }

    /// Narrows schemas of the value itself, each beside all but its alternatives.
    fn in_place(&self, map: &mut Map<String, Value>, beside: &Names, copied: &[String]) {
        // Before any is closed: each then has the names of all.
        let given = map.clone();
        for key in IN_PLACE {
            let mut others = given.clone();
            if key != "allOf" {
                others.retain(|other, _| other != key);
            }
            let mut beside = beside.clone();
            self.names(&others, &mut beside, 0);
            let list = map.get_mut(key).and_then(Value::as_array_mut);
            for one in list.into_iter().flatten() {
                self.schema(one, Some(&beside), copied);
            }
        }
    }

    /// A copy in place of a reference, since what it refers to is closed for itself; the reference that was
    /// followed.
    fn copy_reference(&self, map: &mut Map<String, Value>, copied: &[String]) -> Option<String> {
        let reference = map.get("$ref")?.as_str()?.to_owned();
        if copied.contains(&reference) {
            return None;
        }
        let mut copy = self.target(&reference)?.clone();
        if let Value::Object(copy) = &mut copy {
            copy.retain(|key, _| {
                !["$defs", "definitions", "$schema", "$id"].contains(&key.as_str())
            });
        }
        let all = map.entry("allOf").or_insert_with(|| json!([]));
        all.as_array_mut()?.push(copy);
        map.retain(|key, _| key != "$ref");
        Some(reference)
    }

    fn target(&self, reference: &str) -> Option<&Value> {
        self.given.pointer(reference.strip_prefix('#')?)
    }

    /// Adds what a schema says of an object's names, in all of its parts.
    fn names(&self, map: &Map<String, Value>, names: &mut Names, depth: usize) {
        // What is deeper refers to itself.
        if depth > 32 {
            names.open = true;
            return;
        }
        if let Some(Value::Object(properties)) = map.get("properties") {
            for name in properties.keys() {
                if !names.known.contains(name) {
                    names.known.push(name.clone());
                }
            }
        }
        let others = map.get("additionalProperties");
        names.open |= others.is_some_and(|others| others != &Value::Bool(false))
            || map.contains_key("patternProperties");
        let reference = map.get("$ref").and_then(Value::as_str);
        let lists = IN_PLACE.iter().filter_map(|key| map.get(*key)?.as_array());
        let parts = lists.flatten();
        for part in parts.chain(reference.and_then(|reference| self.target(reference))) {
            if let Value::Object(part) = part {
                self.names(part, names, depth + 1);
            }
        }
    }

    /// Says of items and of other names that they are of any kind, where nothing is said of them.
    fn spell_out(&self, map: &mut Map<String, Value>) {
        let items = if matches!(map.get("items"), Some(Value::Array(_))) {
            "additionalItems"
        } else {
            "items"
        };
        for (kind, key) in [("array", items), ("object", "additionalProperties")] {
            if is(map, kind) && !map.contains_key(key) {
                map.insert(key.to_owned(), self.any());
            }
        }
    }

    /// A value of any kind: the parser's own has exponents without end, which no reader takes.
    fn any(&self) -> Value {
        self.any.set(true);
        json!({"$ref": ANY.1})
    }
}

/// Whether values of this type are among those of a schema that names types.
pub(super) fn is(map: &Map<String, Value>, kind: &str) -> bool {
    match map.get("type") {
        Some(Value::Array(types)) => types.iter().any(|one| one == kind),
        one => one.is_some_and(|one| one == kind),
    }
}

/// Whether a schema refers to what is no definition: that is not narrowed where it is, or has moved.
fn refers_elsewhere(map: &Map<String, Value>) -> bool {
    let reference = map.get("$ref").and_then(Value::as_str);
    reference.is_some_and(|reference| {
        let definitions = ["#/$defs/", "#/definitions/"].iter();
        reference != "#"
            && !definitions
                .copied()
                .any(|place| reference.starts_with(place))
    })
}

/// How many schemas say something of one value.
fn parts(map: &Map<String, Value>) -> usize {
    let own = ["properties", "patternProperties", "additionalProperties"];
    let own = own.iter().any(|key| map.contains_key(*key));
    let all = map
        .get("allOf")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let others = ["$ref", "anyOf", "oneOf"].iter();
    usize::from(own) + all + others.filter(|key| map.contains_key(**key)).count()
}

/// Forbids other names than those known.
fn close(map: &mut Map<String, Value>, names: &Names) {
    let object = map.get("type").is_some_and(|kind| kind == "object");
    let combined = object && !names.known.is_empty();
    if names.open || !(map.contains_key("properties") || combined) {
        return;
    }
    let own = map.entry("properties").or_insert_with(|| json!({}));
    if let Value::Object(own) = own {
        for name in &names.known {
            own.entry(name).or_insert(Value::Bool(true));
        }
    }
    map.insert("additionalProperties".to_owned(), Value::Bool(false));
}

/// Keeps to names that integers are read from, and to dates that there are.
fn texts(map: &mut Map<String, Value>) {
    if let Some(Value::Object(named)) = map.get_mut("patternProperties") {
        let renamed = std::mem::take(named).into_iter().map(|(pattern, schema)| {
            let numbered = NUMBERED.iter().find(|(written, _)| *written == pattern);
            (
                numbered.map_or(pattern, |(_, read)| (*read).to_owned()),
                schema,
            )
        });
        *named = renamed.collect();
    }
    let format = map.get("format").and_then(Value::as_str);
    if format.is_some_and(|format| ["date", "date-time"].contains(&format)) {
        map.entry("pattern").or_insert_with(|| json!(DATE));
    }
}

#[cfg(test)]
mod tests;
