//! Schemas of one value, wherever they stand: read for what they say, or copied where a reference is.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::numbers::Steps;
use super::said::{self, Said};
use super::{IN_PLACE, Narrowing, budget};
use crate::error::Result;

impl Narrowing<'_> {
    /// The list of alternatives that describe different names.
    pub(super) fn differing(&self, map: &Map<String, Value>) -> Result<Option<&'static str>> {
        for key in ["anyOf", "oneOf"] {
            let mut said = Said::default();
            self.say_list(map, key, &mut said, &mut BTreeSet::new())?;
            if said.differs {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// A copy, which is counted.
    pub(super) fn copy(&self, said: &Said) -> Result<Said> {
        self.budget.copy(said.cost())?;
        Ok(said.clone())
    }

    /// A copy in place of a reference, since what it refers to is closed for itself; the reference that was
    /// followed.
    pub(super) fn copy_reference(
        &self,
        map: &mut Map<String, Value>,
        copied: &[String],
    ) -> Result<Option<String>> {
        let Some(reference) = map.get("$ref").and_then(Value::as_str) else {
            return Ok(None);
        };
        let reference = reference.to_owned();
        let target = self.target(&reference);
        let Some(target) = target.filter(|_| !copied.contains(&reference)) else {
            return Ok(None);
        };
        let copy = self.copy_target(target)?;
        let all = map.entry("allOf").or_insert_with(|| json!([]));
        let Some(all) = all.as_array_mut() else {
            return Ok(None);
        };
        all.push(copy);
        map.retain(|key, _| key != "$ref");
        Ok(Some(reference))
    }

    /// What a reference refers to, without what only a whole document has.
    fn copy_target(&self, target: &Value) -> Result<Value> {
        let Value::Object(target) = target else {
            self.budget.copy(budget::value(target))?;
            return Ok(target.clone());
        };
        let left_out = ["$defs", "definitions", "$schema", "$id"];
        let kept = target
            .iter()
            .filter(|(key, _)| !left_out.contains(&key.as_str()));
        let mut copy = Map::new();
        for (key, value) in kept {
            self.budget.copy(budget::text(key) + budget::value(value))?;
            copy.insert(key.clone(), value.clone());
        }
        Ok(Value::Object(copy))
    }

    fn target(&self, reference: &str) -> Option<&Value> {
        self.given.pointer(reference.strip_prefix('#')?)
    }

    /// Adds what a schema says, in all of its parts but one list. `followed`: references, each once: whatever is said
    /// twice shows where one of the two is narrowed beside the other.
    pub(super) fn say(
        &self,
        map: &Map<String, Value>,
        without: Option<&str>,
        said: &mut Said,
        followed: &mut BTreeSet<String>,
    ) -> Result<()> {
        self.budget.deeper(|| {
            self.budget.copy(said::cost(map))?;
            said.add(map)?;
            for key in IN_PLACE.into_iter().filter(|key| Some(*key) != without) {
                self.say_list(map, key, said, followed)?;
            }
            let reference = map.get("$ref").and_then(Value::as_str);
            if let Some(reference) = reference
                && followed.insert(reference.to_owned())
                && let Some(Value::Object(part)) = self.target(reference)
            {
                self.say(part, None, said, followed)?;
            }
            Ok(())
        })
    }

    /// Adds what the schemas of a list say that describe the value itself.
    fn say_list(
        &self,
        map: &Map<String, Value>,
        key: &str,
        said: &mut Said,
        followed: &mut BTreeSet<String>,
    ) -> Result<()> {
        let list = map.get(key).and_then(Value::as_array);
        let (before, count) = (said.steps, said.count());
        let mut either = Steps::default();
        for part in list.into_iter().flatten().filter_map(Value::as_object) {
            if key != "allOf" {
                said.steps = Steps::default();
            }
            self.say(part, None, said, followed)?;
            either = either.or(said.steps);
        }
        if key != "allOf" {
            said.steps = before.and(either);
            said.differs |= said.count() > count;
        }
        Ok(())
    }
}

/// Whether a schema refers to what is no definition: that is not narrowed where it is, or has moved.
pub(super) fn refers_elsewhere(map: &Map<String, Value>) -> bool {
    let reference = map.get("$ref").and_then(Value::as_str);
    reference.is_some_and(|reference| {
        let mut definitions = ["#/$defs/", "#/definitions/"].iter();
        let defines = |place: &&str| {
            let name = reference.strip_prefix(*place);
            name.is_some_and(|name| !name.contains('/'))
        };
        reference != "#" && !definitions.any(defines)
    })
}
