//! How often contradictions are found, on synthetic reports: `tests/synthetic/generate.py` says what
//! they are worth. The figures are in the crate's README.

use std::collections::BTreeSet;

use medgemma_answers::{ContradictionKind, contradictions};
use serde_json::Value;

/// Kind and finding, as the file has them.
type Found = BTreeSet<(String, String)>;

fn expected(line: &Value) -> Found {
    let list = line["expected"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    list.iter()
        .map(|pair| (text(&pair["kind"]), text(&pair["finding"])))
        .collect()
}

fn found(text: &str) -> Found {
    let word = |value: Value| value.as_str().expect("a text").to_owned();
    contradictions(text)
        .into_iter()
        .map(|pair| {
            let json = serde_json::to_value(&pair).expect("it is data");
            (word(json["kind"].clone()), word(json["finding"].clone()))
        })
        .collect()
}

#[test]
fn precision_and_recall_are_those_that_the_readme_states() {
    let lines = include_str!("synthetic/reports.jsonl").lines();
    let (mut right, mut wrong, mut missed, mut clean, mut reports) = (0, 0, 0, 0, 0);
    for line in lines {
        let line: Value = serde_json::from_str(line).expect("a line is JSON");
        let text = line["text"].as_str().expect("a text");
        let (expected, found) = (expected(&line), found(text));
        right += expected.intersection(&found).count();
        wrong += found.difference(&expected).count();
        missed += expected.difference(&found).count();
        clean += usize::from(expected.is_empty() && found.is_empty());
        reports += 1;
        if expected != found && std::env::args().any(|argument| argument == "--nocapture") {
            println!("{text}\n  expected {expected:?}\n  found    {found:?}\n");
        }
    }
    println!(
        "{reports} reports: {right} right, {wrong} wrong, {missed} missed; {clean} of 150 without are clean"
    );
    assert_eq!((right, wrong, missed, clean), (0, 0, 0, 0));
}

#[test]
fn both_kinds_are_words_in_json() {
    let json = serde_json::to_string(&ContradictionKind::Laterality).expect("a word");
    assert_eq!(json, "\"laterality\"");
}
