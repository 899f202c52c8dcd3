//! A sentence for each phrase that names, denies or doubts a finding: `words/sentences.txt` has them, and
//! `src/report/words.rs` sees that no phrase is without one.

use medgemma_answers::{Mention, Polarity, mentions};

/// A finding and what is said of it, in the words of the file.
fn told(mention: &Mention) -> String {
    let finding = serde_json::to_value(mention.finding).expect("a finding is a word");
    let said = match (mention.polarity, mention.qualified) {
        (Polarity::Present, _) => "present",
        (Polarity::Absent, false) => "absent",
        (Polarity::Absent, true) => "absent in part",
        (Polarity::Uncertain, _) => "uncertain",
        (other, _) => panic!("the file has no word for {other:?}"),
    };
    format!("{} {said}", finding.as_str().expect("a finding is a word"))
}

#[test]
fn each_phrase_is_read_as_a_radiologist_reads_it() {
    let mut wrong = String::new();
    let lines = include_str!("words/sentences.txt").lines();
    for line in lines.filter(|line| line.contains('|')) {
        let mut parts = line.split('|').map(str::trim);
        let (Some(_), Some(text), Some(expected), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            panic!("not an entry, a sentence and what it says: {line}");
        };
        let said: Vec<String> = mentions(text, 0..text.len()).iter().map(told).collect();
        if said.join("; ") != expected {
            wrong += &format!("{line}\n  found {said:?}\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
