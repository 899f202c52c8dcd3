//! JSON objects that list tensors, in headers and indices, read within bounds: a stranger says how much there
//! is of them, and two bytes of a list may become forty in memory.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Value};

use super::json::shorten;
use super::source::MAX_ENTRIES;

/// The member of a safetensors header that is no tensor.
pub(super) const METADATA: &str = "__metadata__";

/// Values of a list, and members of an object, that tell of one tensor, at most: there are three members, and
/// a shape has four sizes or five.
const MOST: usize = 8;

/// Levels of what tells of a tensor: an object, and the lists in it.
const LEVELS: usize = 2;

/// The members of a JSON object in file order, doubles kept: JSON maps would drop all but the last. Of
/// [`METADATA`] nothing is kept but the name.
pub(super) struct Members(pub(super) Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Tensors)
    }
}

struct Tensors;

impl<'de> Visitor<'de> for Tensors {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if members.len() == MAX_ENTRIES {
                return Err(too_many("tensors"));
            }
            let value = if key == METADATA {
                map.next_value::<Metadata>()?;
                Value::Null
            } else {
                let told = map.next_value_seed(Bounded { levels: LEVELS });
                let named = |e| A::Error::custom(format_args!("tensor `{}`: {e}", shorten(&key)));
                told.map_err(named)?
            };
            members.push((key, value));
        }
        Ok(Members(members))
    }
}

fn too_many<E: Error>(what: &str) -> E {
    E::custom(format_args!("more than {MAX_ENTRIES} {what}"))
}

/// [`METADATA`], counted and not kept: the reference reader keeps it.
struct Metadata;

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Metadata {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "texts by name as `{METADATA}`")
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut count = 0;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            count += 1;
            if count > MAX_ENTRIES {
                return Err(too_many("texts of metadata"));
            }
        }
        Ok(self)
    }
}

/// A JSON value of at most so many levels of lists and objects, of at most [`MOST`] values each.
#[derive(Clone, Copy)]
struct Bounded {
    levels: usize,
}

impl Bounded {
    /// What the values of a list or an object may be.
    fn inside<E: Error>(self) -> Result<Self, E> {
        let levels = self.levels.checked_sub(1);
        let levels = levels.ok_or_else(|| E::custom("lists within its lists"))?;
        Ok(Self { levels })
    }

    /// Refuses another value after `count`.
    fn room<E: Error>(count: usize) -> Result<(), E> {
        if count < MOST {
            return Ok(());
        }
        let found = format_args!("more than {MOST} sizes, or members of its entry");
        Err(E::custom(found))
    }
}

impl<'de> DeserializeSeed<'de> for Bounded {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what a file says of a tensor")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(inside)? {
            Self::room(values.len())?;
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let (mut members, mut count) = (Map::new(), 0);
        while let Some(key) = object.next_key::<String>()? {
            Self::room(count)?;
            count += 1;
            members.insert(key, object.next_value_seed(inside)?);
        }
        Ok(Value::Object(members))
    }
}
