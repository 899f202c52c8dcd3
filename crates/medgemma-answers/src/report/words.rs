//! Sees that each phrase of the lexicon has a sentence in `tests/words/sentences.txt`, which `tests/words.rs` reads.

use super::clause::clauses;
use super::lexicon::{
    BETWEEN, DENY_BEFORE, DENY_BEHIND, DOUBT_BEFORE, DOUBT_BEHIND, DOUBT_EITHER, FINDINGS, NEARLY,
    NO_FINDINGS, NOT, NOT_DENIED, NOT_YET, PARTLY, QUALIFIERS, phrase_at,
};

const SENTENCES: &str = include_str!("../../tests/words/sentences.txt");

/// The lists that the file has, each under its name.
fn lists() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        (
            "FINDINGS",
            FINDINGS.iter().map(|(phrase, _)| *phrase).collect(),
        ),
        ("NO_FINDINGS", NO_FINDINGS.to_vec()),
        ("DENY_BEFORE", DENY_BEFORE.to_vec()),
        ("DENY_BEHIND", DENY_BEHIND.to_vec()),
        ("NOT", NOT.to_vec()),
        ("NOT_YET", NOT_YET.to_vec()),
        ("BETWEEN", BETWEEN.to_vec()),
        ("PARTLY", PARTLY.to_vec()),
        ("NEARLY", NEARLY.to_vec()),
        ("NOT_DENIED", NOT_DENIED.to_vec()),
        ("DOUBT_BEFORE", DOUBT_BEFORE.to_vec()),
        ("DOUBT_BEHIND", DOUBT_BEHIND.to_vec()),
        ("DOUBT_EITHER", DOUBT_EITHER.to_vec()),
        ("QUALIFIERS", QUALIFIERS.to_vec()),
    ]
}

/// Entries and sentences of a list in the file.
fn section(name: &str) -> Vec<(&'static str, &'static str)> {
    let heading = format!("[{name}]");
    let mut lines = SENTENCES.lines().skip_while(|line| *line != heading);
    lines.next();
    lines
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" | "))
        .map(|(entry, rest)| (entry, rest.split('|').next().unwrap_or_default()))
        .collect()
}

#[test]
fn each_phrase_has_a_sentence_with_it_and_the_file_no_other() {
    let mut wrong = String::new();
    for (name, phrases) in lists() {
        let sentences = section(name);
        for phrase in &phrases {
            if !sentences.iter().any(|(entry, _)| entry == phrase) {
                wrong += &format!("{name}: {phrase:?} has no sentence\n");
            }
        }
        for (entry, text) in sentences {
            let clauses = clauses(text, 0..text.len());
            let within = clauses
                .iter()
                .any(|words| (0..words.len()).any(|at| phrase_at(words, at, entry).is_some()));
            if !phrases.contains(&entry) || !within {
                wrong += &format!("{name}: {entry:?} is no phrase of it, or not in {text:?}\n");
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
