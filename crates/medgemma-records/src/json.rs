//! JSON in a model's words: in fences, among sentences, cut off, in single quotes. Bounded in time and depth whatever the
//! text is.

use serde_json::Value;

/// Where JSON may begin at most: a text that opens brackets without end is given up.
const MAX_ATTEMPTS: usize = 64;

/// Characters of an answer that are looked at.
const MAX_LENGTH: usize = 1 << 16;

/// The first list or object of a text, of those that `wanted` takes.
pub(crate) fn first<T>(answer: &str, wanted: impl Fn(&Value) -> Option<T>) -> Option<T> {
    let mut end = answer.len().min(MAX_LENGTH);
    while !answer.is_char_boundary(end) {
        end -= 1;
    }
    let answer = &answer[..end];
    let mut skip = 0;
    for (at, _) in answer.match_indices(['[', '{']).take(MAX_ATTEMPTS) {
        // What lies within a value that was refused is part of it.
        if at < skip {
            continue;
        }
        let Some((value, length)) = value_at(&answer[at..]) else {
            continue;
        };
        match wanted(&value) {
            Some(found) => return Some(found),
            None => skip = at + length,
        }
    }
    None
}

/// A value at the beginning of a text, and its length. Python's way of writing one is taken too.
fn value_at(text: &str) -> Option<(Value, usize)> {
    let read = |text: &str| {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        let value = values.next()?.ok()?;
        Some((value, values.byte_offset()))
    };
    read(text).or_else(|| {
        // Models that have seen more Python than JSON. Only where there is no double quote can the single one mean that.
        let end = text.find(['\n', '`']).unwrap_or(text.len());
        let line = &text[..end];
        let as_json = line.replace('\'', "\"").replace("None", "null");
        (!line.contains('"')).then(|| read(&as_json))?
    })
}

/// Facts as a JSON list of objects: each as text with its sources in brackets. `None` if the answer has no such list.
pub(crate) fn facts(answer: &str) -> Option<Vec<String>> {
    first(answer, |value| {
        let list = value
            .as_array()
            .or_else(|| value.get("facts")?.as_array())?;
        let facts: Vec<String> = list.iter().filter_map(fact).collect();
        (!facts.is_empty() && facts.len() == list.len()).then_some(facts)
    })
}

fn fact(value: &Value) -> Option<String> {
    let text = member(value, &["fact", "text", "statement"])?.as_str()?;
    let sources = member(
        value,
        &[
            "source",
            "sources",
            "citation",
            "citations",
            "reference",
            "references",
        ],
    );
    let sources = sources.map(texts).unwrap_or_default();
    // A fact is one line, as in the other form.
    let mut fact = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for source in sources {
        fact += &format!(" [{source}]");
    }
    Some(fact)
}

/// The first member of an object that has one of these names, in any case.
pub(crate) fn member<'a>(object: &'a Value, names: &[&str]) -> Option<&'a Value> {
    let object = object.as_object()?;
    let named = |name: &&str| {
        object
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
    };
    names.iter().find_map(named).map(|(_, value)| value)
}

/// Texts in a value: itself, or those of a list; numbers count as texts.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.trim().to_owned()],
        Value::Number(number) => vec![number.to_string()],
        Value::Array(list) => list
            .iter()
            .filter(|item| !item.is_array())
            .flat_map(texts)
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(answer: &str) -> Option<Vec<String>> {
        first(answer, |value| value.is_array().then(|| texts(value)))
    }

    #[test]
    fn lists_are_found_wherever_they_stand() {
        for answer in [
            r#"["a", "b"]"#,
            "```json\n[\"a\",\n \"b\"]\n```",
            r#"Sure [as asked]: ["a", "b"]. Anything else?"#,
            "['a', 'b']",
            r#"{"x": ["c"]} ["a", "b"]"#,
        ] {
            assert_eq!(
                list(answer),
                Some(vec!["a".to_owned(), "b".to_owned()]),
                "{answer}"
            );
        }
        for answer in [
            "",
            "[",
            "[\"a\", ",
            "a, b",
            &"[".repeat(1 << 17),
            &"[{\"é".repeat(1 << 15),
        ] {
            assert_eq!(list(answer), None);
        }
    }

    #[test]
    fn facts_come_with_their_sources() {
        let answer = r#"{"facts": [{"fact": "a\nb", "Source": "Observation/1"}, {"text": "c", "sources": ["x", 2]}, {"text": "d"}]}"#;
        assert_eq!(
            facts(answer),
            Some(
                ["a b [Observation/1]", "c [x] [2]", "d"]
                    .map(str::to_owned)
                    .to_vec()
            )
        );
        assert_eq!(facts(r#"[{"fact": "a"}, "b"]"#), None);
        assert_eq!(facts("- a [Observation/1]"), None);
    }
}
