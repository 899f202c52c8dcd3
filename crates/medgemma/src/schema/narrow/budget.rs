//! How much may be made of a schema: few words can stand for very many.
//!
//! References beside others are copied, and schemas of one value each get the names of all, so that what is made
//! may grow as the square of what was given, or faster.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::super::keywords::refused;
use crate::error::Result;

/// So many schemas at most are looked at, copies included. The parser stops at 50 000.
const MOST: usize = 100_000;

/// So many names and values at most are copied from schemas to others, long texts counted several times: some 100
/// MB, and several times what schemas have copied that the parser takes.
const MOST_COPIED: usize = 500_000;

/// Bytes of a text that count once.
const TEXT: usize = 64;

/// So deep at most: what a reader of JSON takes.
const DEEPEST: usize = 128;

/// What was done so far for one schema.
#[derive(Default)]
pub(super) struct Budget {
    /// Schemas looked at.
    seen: Cell<usize>,
    /// Names and values copied.
    copied: Cell<usize>,
    depth: Cell<usize>,
}

impl Budget {
    /// Does what is a step into a schema, unless there are too many.
    pub(super) fn deeper(&self, step: impl FnOnce() -> Result<()>) -> Result<()> {
        spend(&self.seen, 1, MOST)?;
        self.depth.set(self.depth.get() + 1);
        if self.depth.get() > DEEPEST {
            return Err(refused(
                "it is too deep: schemas within schemas, or references one after the other",
            ));
        }
        let done = step();
        self.depth.set(self.depth.get() - 1);
        done
    }

    /// Counts what is about to be copied, as [`names`] and [`values`] tell.
    pub(super) fn copy(&self, cost: usize) -> Result<()> {
        spend(&self.copied, cost, MOST_COPIED)
    }
}

/// What it costs to copy these names.
pub(super) fn names<'a>(names: impl IntoIterator<Item = &'a String>) -> usize {
    names.into_iter().map(|name| text(name)).sum()
}

/// What it costs to copy a schema with all within.
pub(super) fn values(map: &Map<String, Value>) -> usize {
    map.iter().map(|(key, one)| text(key) + value(one)).sum()
}

/// What it costs to copy a value.
pub(super) fn value(value: &Value) -> usize {
    match value {
        Value::String(string) => text(string),
        Value::Array(list) => 1 + list.iter().map(self::value).sum::<usize>(),
        Value::Object(map) => 1 + values(map),
        _ => 1,
    }
}

/// What it costs to copy a name or a text.
pub(super) fn text(text: &str) -> usize {
    1 + text.len() / TEXT
}

fn spend(spent: &Cell<usize>, cost: usize, most: usize) -> Result<()> {
    spent.set(spent.get().saturating_add(cost));
    if spent.get() > most {
        return Err(refused(
            "it is too large: its references, followed where they are beside others, and the names of schemas that one value has to fulfil, given to each of them, stand for too many schemas",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::super::narrowed;

    fn named(prefix: &str, count: usize) -> Map<String, Value> {
        let names = (0..count).map(|at| (format!("{prefix}{at}"), json!(false)));
        names.collect()
    }

    /// Some kilobytes each, of which gigabytes would be made.
    #[test]
    fn what_is_copied_to_many_schemas_is_refused_before_it_takes_all_memory() {
        let mut all_names = vec![json!({"properties": named("a", 4000)})];
        all_names.resize(2001, json!({"properties": {}}));
        let codes: Vec<usize> = (0..20_000).collect();
        let codes = json!({"a": {"enum": codes}});
        let coded = vec![json!({"$ref": "#/$defs/a"}); 400];
        let listed = vec![json!({"$ref": "#/$defs/a/enum"}); 400];
        let long = json!({"properties": {"a".repeat(1 << 20): false}});
        let mut long = vec![long];
        long.resize(600, json!({"properties": {}}));
        let required: Vec<String> = (0..4000).map(|at| format!("a{at}")).collect();
        let mut required = vec![json!({"required": required})];
        required.resize(600, json!({"properties": {}}));
        let mut items = vec![json!({"prefixItems": vec![true; 4000]})];
        items.resize(600, json!({"type": "array"}));
        let mut parted = codes["a"].clone();
        for _ in 0..20 {
            parted = json!({"type": ["integer", "object"], "properties": {"a": parted}});
        }
        for (what, schema) in [
            ("names", json!({"allOf": all_names})),
            ("codes", json!({"allOf": coded, "$defs": codes})),
            ("a list", json!({"allOf": listed, "$defs": codes})),
            ("a long name", json!({"allOf": long})),
            ("required names", json!({"allOf": required})),
            ("items", json!({"allOf": items})),
            (
                "alternatives",
                json!({"properties": named("a", 4000), "anyOf": all_names}),
            ),
            ("many parts", json!({"allOf": vec![json!({}); 20_000]})),
            ("parted integers", parted),
        ] {
            let Err(error) = narrowed(&schema, false) else {
                panic!("{what}: taken");
            };
            assert!(error.to_string().contains("too large"), "{what}: {error}");
        }
    }

    /// As many as the parser takes.
    #[test]
    fn many_names_and_long_lists_are_taken() {
        let codes: Vec<String> = (0..20_000).map(|at| format!("code {at}")).collect();
        let parts = (0..20).map(|at| json!({"properties": named(&format!("part {at}, "), 50)}));
        let parts: Vec<Value> = parts.collect();
        let code = json!({"$ref": "#/$defs/code", "properties": {}});
        let each: Vec<Value> = (0..8).map(|_| code.clone()).collect();
        for (what, schema) in [
            ("properties", json!({"properties": named("a", 40_000)})),
            ("parts of one value", json!({"allOf": parts})),
            (
                "codes",
                json!({"prefixItems": each, "$defs": {"code": {"enum": codes}}}),
            ),
        ] {
            if let Err(error) = narrowed(&schema, false) {
                panic!("{what}: {error}");
            }
        }
    }
}
