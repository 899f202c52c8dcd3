//! What schemas say of one value that has to fulfil them together, and what none of them says.

use serde_json::{Map, Value};

use super::super::keywords::refused;
use super::super::numbers::Steps;
use super::super::texts;
use super::{budget, is};
use crate::error::Result;

/// Names in the order of the schema, found fast: the values say nothing.
pub(super) type Names = Map<String, Value>;

/// All that is said of a value. Of alternatives, whatever one of them says.
#[derive(Clone, Default)]
pub(super) struct Said {
    /// There are `properties`, though they may name none.
    named: bool,
    /// Names that have a schema, in its order.
    pub(super) described: Names,
    /// Names that must be there.
    required: Names,
    /// Patterns of names that have a schema.
    pub(super) patterns: Names,
    /// Names without a schema of their own are allowed.
    open: bool,
    /// Of what kind such names are, or that there are none.
    others: bool,
    /// Of what kind items are.
    items: bool,
    /// So many items have schemas of their own.
    pub(super) first: usize,
    /// Of what type the value is.
    pub(super) typed: bool,
    object: bool,
    array: bool,
    /// The largest `minProperties`.
    least: u64,
    pub(super) steps: Steps,
    /// Alternatives describe what the others do not.
    pub(super) differs: bool,
}

/// What one schema is to say, since no other does.
pub(super) struct Lacks {
    /// Names that must be there, of any kind.
    pub(super) names: Names,
    /// That other names are of any kind.
    pub(super) others: bool,
    /// That items are of any kind.
    pub(super) items: bool,
}

impl Said {
    /// Adds what one schema says, without its parts.
    pub(super) fn add(&mut self, map: &Map<String, Value>) -> Result<()> {
        let named = |key: &str| {
            map.get(key)
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
        };
        self.named |= map.contains_key("properties");
        for (name, _) in named("properties") {
            push(&mut self.described, name);
        }
        for (pattern, _) in named("patternProperties") {
            push(&mut self.patterns, texts::of_names(pattern));
            self.open = true;
        }
        let required = map.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            push(&mut self.required, name);
        }
        let others = map.get("additionalProperties");
        self.open |= others.is_some_and(|others| others != &Value::Bool(false));
        self.others |= others.is_some();
        let first = |key: &str| map.get(key).and_then(Value::as_array).map_or(0, Vec::len);
        self.first = self.first.max(first("prefixItems")).max(first("items"));
        self.items |= map.get("items").is_some_and(|items| !items.is_array())
            || map.contains_key("additionalItems");
        let literal = map.contains_key("enum") || map.contains_key("const");
        self.typed |= literal || map.contains_key("type");
        self.object |= is(map, "object");
        self.array |= is(map, "array");
        let least = map.get("minProperties").and_then(Value::as_u64);
        self.least = self.least.max(least.unwrap_or(0));
        if let Some(Value::Number(step)) = map.get("multipleOf") {
            self.steps = self.steps.and(Steps::one(step)?);
        }
        Ok(())
    }

    /// Adds what others say. `differs` is left as it is: theirs is their own.
    pub(super) fn extend(&mut self, other: &Self) {
        for (list, more) in [
            (&mut self.described, &other.described),
            (&mut self.required, &other.required),
            (&mut self.patterns, &other.patterns),
        ] {
            more.keys().for_each(|name| push(list, name));
        }
        self.named |= other.named;
        self.open |= other.open;
        self.others |= other.others;
        self.items |= other.items;
        self.first = self.first.max(other.first);
        self.typed |= other.typed;
        self.object |= other.object;
        self.array |= other.array;
        self.least = self.least.max(other.least);
        self.steps = self.steps.and(other.steps);
    }

    /// What it takes to copy it, or to enter it into a schema.
    pub(super) fn cost(&self) -> usize {
        let lists = [&self.described, &self.required, &self.patterns];
        let names = budget::names(lists.into_iter().flat_map(Map::keys));
        1 + names + self.first
    }

    /// How many names, patterns and items are described.
    pub(super) fn count(&self) -> usize {
        self.described.len() + self.patterns.len() + self.first
    }

    /// With what is lacking: another schema is to say it.
    pub(super) fn of_every_kind(&mut self) {
        (self.others, self.items) = (true, true);
    }

    /// The value is of any type.
    pub(super) fn of_any_type(&mut self) {
        (self.typed, self.object, self.array) = (true, true, true);
    }

    /// That objects end with the names described, if there are any.
    pub(super) fn closed(&self) -> bool {
        !self.open && (self.named || !self.described.is_empty())
    }

    /// What a schema of this value is to say in the others' place.
    pub(super) fn lacks(&self, map: &Map<String, Value>) -> Lacks {
        let literal = map.contains_key("enum") || map.contains_key("const");
        let may_be = |kind| !literal && (!map.contains_key("type") || is(map, kind));
        let (objects, arrays) = (may_be("object"), may_be("array"));
        let mut names = self.required.clone();
        names.retain(|name, _| objects && self.closed() && !self.described.contains_key(name));
        Lacks {
            names,
            others: objects && self.object && !self.others && !self.closed(),
            items: arrays && self.array && !self.items,
        }
    }

    /// With what a schema above has said in the others' place.
    pub(super) fn and(mut self, lacks: &Lacks) -> Self {
        lacks
            .names
            .keys()
            .for_each(|name| push(&mut self.described, name));
        self.others |= lacks.others;
        self.items |= lacks.items;
        self
    }

    /// Refuses what the parser would get wrong.
    pub(super) fn check(&self) -> Result<()> {
        let free = !self.closed() && (self.open || !self.others);
        let required = u64::try_from(self.required.len()).unwrap_or(u64::MAX);
        if free && self.least.saturating_sub(required) > 1 {
            return Err(refused(
                "`minProperties` above 1 where names are free: the same name twice would do; name the properties",
            ));
        }
        self.steps.check()
    }
}

/// What it takes to add what one schema says, without its parts.
pub(super) fn cost(map: &Map<String, Value>) -> usize {
    let named = ["properties", "patternProperties"].into_iter();
    let named = named.filter_map(|key| map.get(key).and_then(Value::as_object));
    let required = map.get("required").and_then(Value::as_array);
    budget::names(named.flat_map(Map::keys)) + required.map_or(0, Vec::len)
}

fn push(list: &mut Names, name: &str) {
    if !list.contains_key(name) {
        list.insert(name.to_owned(), Value::Null);
    }
}
