//! Names that an object has twice: JSON by its grammar, and every reader keeps another of the values.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Line and column of the first name that its object has already; `None` for text that is no JSON, too.
pub(crate) fn repeated_name(text: &str) -> Option<(usize, usize)> {
    let error = serde_json::from_str::<Once>(text).err()?;
    // Of all that can be wrong, this alone is not the text's form.
    error.is_data().then(|| (error.line(), error.column()))
}

/// JSON whose objects have each name once.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Names)
    }
}

struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Once;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_str<E>(self, _: &str) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Once, A::Error> {
        while items.next_element::<Once>()?.is_some() {}
        Ok(Once)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Once, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = object.next_key::<String>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a name twice"));
            }
            object.next_value::<Once>()?;
        }
        Ok(Once)
    }
}

#[cfg(test)]
mod tests {
    use super::repeated_name;

    #[test]
    fn a_name_is_repeated_within_one_object_only() {
        for (text, place) in [
            (r#"{"Hb": 9.1, "Hb": 13.5}"#, Some((1, 16))),
            ("[{\"a\": {\"b\": 1,\n\"b\": 1}}]", Some((2, 3))),
            (r#"{"a": 1, "\u0061": 1}"#, Some((1, 17))),
            (
                r#"{"a": {"a": [null, true, "a", -1, 2.5]}, "b": {"a": 1}}"#,
                None,
            ),
            (r#"[{"a": 1}, {"a": 1}]"#, None),
            (r#"{"a": 1e999, "a": 1"#, None),
            (r#"{"a": 1, "#, None),
        ] {
            assert_eq!(repeated_name(text), place, "{text}");
        }
    }
}
