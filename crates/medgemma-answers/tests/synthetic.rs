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

/// Right, wrong and missed contradictions, and reports without any of which none was told.
fn judge(set: &str) -> [usize; 4] {
    let lines = include_str!("synthetic/reports.jsonl").lines();
    let [mut right, mut wrong, mut missed, mut clean] = [0; 4];
    for line in lines {
        let line: Value = serde_json::from_str(line).expect("a line is JSON");
        if line["set"] != set {
            continue;
        }
        let text = line["text"].as_str().expect("a text");
        let (expected, found) = (expected(&line), found(text));
        right += expected.intersection(&found).count();
        wrong += found.difference(&expected).count();
        missed += expected.difference(&found).count();
        clean += usize::from(expected.is_empty() && found.is_empty());
    }
    [right, wrong, missed, clean]
}

#[test]
fn precision_and_recall_are_those_that_the_readme_states() {
    // Another number, better or worse, is another sentence in the readme.
    let found = ["first", "second", "third"].map(judge);
    assert_eq!(found, [[80, 0, 0, 80], [80, 0, 0, 80], [80, 0, 0, 80]]);
}

#[test]
fn both_kinds_are_words_in_json() {
    let json = serde_json::to_string(&ContradictionKind::Laterality).expect("a word");
    assert_eq!(json, "\"laterality\"");
}
