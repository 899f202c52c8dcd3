//! What a model says it wants, in whatever form it says it.

use serde_json::Value;

use crate::json;
use crate::kind::Kind;

/// What was searched for within a kind: codes, categories, or words. Empty for everything.
pub(crate) type Terms = Vec<String>;

/// Terms of one search at most.
const MAX_TERMS: usize = 64;

/// The kinds that an answer names, of those that there are, each once, in its order: from JSON if there is a list or
/// an object that names any, else from the words.
pub(crate) fn kinds(answer: &str, present: &[Kind]) -> Vec<Kind> {
    let named = |names: &[String]| {
        let mut kinds = Vec::new();
        for kind in names.iter().flat_map(|name| Kind::read(name)) {
            if present.contains(&kind) && !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    };
    let from_json = json::first(answer, |value| {
        let kinds = named(&names(value, 0));
        (!kinds.is_empty()).then_some(kinds)
    });
    from_json.unwrap_or_else(|| {
        // In plain words only names as FHIR has them count: an apology may speak of tests and drugs.
        let words = answer.split(|letter: char| !letter.is_ascii_alphanumeric());
        let words: Vec<String> = words
            .filter(|word| is_name(word))
            .map(str::to_owned)
            .collect();
        named(&words)
    })
}

fn is_name(word: &str) -> bool {
    let singular = word.strip_suffix(['s', 'S']).unwrap_or(word);
    let is = |kind: &Kind| {
        kind.name().eq_ignore_ascii_case(word) || kind.name().eq_ignore_ascii_case(singular)
    };
    Kind::ALL.iter().any(is)
}

/// Names in a value: texts of a list, or of what an object's members hold, to some depth. A key that is a
/// kind's name counts for what it holds: `{"Observation": true}`.
fn names(value: &Value, depth: usize) -> Vec<String> {
    match value {
        _ if depth > 3 => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => list
            .iter()
            .flat_map(|item| names(item, depth + 1))
            .collect(),
        Value::Object(object) => {
            let member = |(key, value): (&String, &Value)| match value {
                Value::Bool(false) => Vec::new(),
                _ if is_name(key) => vec![key.clone()],
                value => names(value, depth + 1),
            };
            object.iter().flat_map(member).collect()
        }
        _ => Vec::new(),
    }
}

/// The search that an answer makes: a JSON object, or a call of a tool with its arguments in one, as the published agent's
/// model writes it, or a bare list of codes. `None` if there is none of these.
pub(crate) fn search(answer: &str) -> Option<Terms> {
    json::first(answer, |value| terms(value, 0))
}

fn terms(value: &Value, depth: usize) -> Option<Terms> {
    const TERMS: [&str; 7] = [
        "codes",
        "code",
        "filter_code",
        "filter_codes",
        "filter",
        "category",
        "terms",
    ];
    const WITHIN: [&str; 6] = [
        "args",
        "arguments",
        "parameters",
        "input",
        "function",
        "tool_calls",
    ];
    const KIND: [&str; 5] = [
        "resource",
        "fhir_resource",
        "resourceType",
        "resource_type",
        "kind",
    ];
    if let Value::Array(list) = value {
        // A list of calls: the first, since each kind is asked for alone.
        let is_codes = list.iter().all(|item| item.is_string() || item.is_number());
        let call = || terms(list.first().filter(|first| first.is_object())?, depth + 1);
        return if is_codes {
            Some(split(json::texts(value)))
        } else {
            call()
        };
    }
    let found = json::member(value, &TERMS).filter(|found| !found.is_object());
    if let Some(found) = found {
        return Some(split(json::texts(found)));
    }
    if let Some(within) = json::member(value, &WITHIN).filter(|_| depth < 3) {
        return terms(within, depth + 1);
    }
    // Without codes a call is for everything.
    json::member(value, &KIND).is_some().then(Vec::new)
}

/// One text may hold several, and each the system that it is of: `http://loinc.org|2951-2,http://loinc.org|2823-3`.
fn split(texts: Vec<String>) -> Terms {
    let parts = texts.iter().flat_map(|text| text.split([',', ';']));
    let codes = parts.map(|part| {
        part.rsplit(['|', '='])
            .next()
            .unwrap_or(part)
            .trim()
            .to_lowercase()
    });
    let mut terms = Terms::new();
    for code in codes.filter(|code| !["", "null", "none", "all", "*"].contains(&code.as_str())) {
        if !terms.contains(&code) && terms.len() < MAX_TERMS {
            terms.push(code);
        }
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_in_all_forms() {
        let present = [Kind::Condition, Kind::Observation, Kind::MedicationRequest];
        for answer in [
            r#"["Observation", "Condition"]"#,
            "```json\n[\"observations\", \"CONDITION\", \"Observation\", \"Immunization\"]\n```",
            "['Observation', 'Condition']",
            r#"{"resource_types": ["Observation", "Condition"]}"#,
            r#"[{"resourceType": "Observation"}, {"resourceType": "Condition"}]"#,
            r#"I looked at [what there is]. {"answer": ["Observation", "diagnoses", "Procedure"]}"#,
            "We need Observation, and then Conditions.",
            "1. **Observation**\n2. Condition",
            r#"["Observation", "Condition""#,
        ] {
            assert_eq!(
                kinds(answer, &present),
                [Kind::Observation, Kind::Condition],
                "{answer}"
            );
        }
        assert_eq!(
            kinds(r#"{"Condition": true, "Observation": false}"#, &present),
            [Kind::Condition]
        );
        assert_eq!(
            kinds(r#"["medications"]"#, &present),
            [Kind::MedicationRequest]
        );
        for answer in [
            "",
            "[]",
            "Sorry, I cannot give drugs or tests.",
            r#"["Procedure"]"#,
            "{}",
            "[[[[[[\"Condition\"]]]]]]",
        ] {
            assert_eq!(
                kinds(answer, &[Kind::Observation, Kind::MedicationRequest]),
                [],
                "{answer}"
            );
        }
    }

    #[test]
    fn searches_are_read_in_all_forms() {
        for answer in [
            r#"{"resource": "Observation", "codes": ["4548-4", "2951-2"]}"#,
            r#"{"name": "get_patient_fhir_resource", "args": {"patient_id": "1", "fhir_resource": "Observation", "filter_code": "4548-4,2951-2"}}"#,
            "```json\n[{\"function\": {\"name\": \"x\", \"arguments\": {\"Code\": \"http://loinc.org|4548-4;2951-2\"}}}]\n```",
            r#"Use ["4548-4", "2951-2", "4548-4"]"#,
            "{'resource': 'Observation', 'codes': ['HbA1c = 4548-4', '2951-2']}",
        ] {
            assert_eq!(
                search(answer),
                Some(vec!["4548-4".to_owned(), "2951-2".to_owned()]),
                "{answer}"
            );
        }
        for answer in [
            r#"{"resource": "Observation", "codes": []}"#,
            r#"{"fhir_resource": "Observation"}"#,
            r#"{"fhir_resource": "Observation", "filter_code": null}"#,
            r#"{"codes": "all"}"#,
            "[]",
        ] {
            assert_eq!(search(answer), Some(vec![]), "{answer}");
        }
        assert_eq!(
            search(r#"{"code": 73211009}"#),
            Some(vec!["73211009".to_owned()])
        );
        for answer in [
            "",
            "all of them",
            r#"{"a": 1}"#,
            r#"{"args": {"args": {"args": {"args": {"code": "1"}}}}}"#,
            "[[]]",
        ] {
            assert_eq!(search(answer), None, "{answer}");
        }
    }
}
