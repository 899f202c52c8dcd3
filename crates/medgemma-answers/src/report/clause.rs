//! Words and the clauses that they stand in.

use std::ops::Range;

use super::lexicon::{DENY_BEFORE, FINDINGS, phrase_at};

/// A word in lower case, and its bytes in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) lower: String,
    pub(super) span: Range<usize>,
    /// Whether a comma stands behind it.
    pub(super) comma: bool,
}

/// Words that begin a clause of its own: what was denied before is not denied behind.
const TURNS: [&str; 8] = [
    "but",
    "however",
    "although",
    "though",
    "except",
    "whereas",
    "nevertheless",
    "yet",
];

/// Words of a phrase of the lexicon at most.
const LONGEST_PHRASE: usize = 8;

/// Words that say of a second thing that it is there.
const ARTICLES: [&str; 4] = ["a", "an", "the", "there"];

/// The clauses of `text[range]`, each with its words. A clause ends with its sentence, at a
/// semicolon, a word such as "but", and where "and there", ", a" or ", with" begins a
/// statement of its own.
pub(super) fn clauses(text: &str, range: Range<usize>) -> Vec<Vec<Word>> {
    let mut clauses = Vec::new();
    for sentence in sentences(text, range) {
        let words = words(text, sentence);
        let mut clause: Vec<Word> = Vec::new();
        // How many words of the clause were searched in vain, so that no word is searched for each that follows.
        let mut searched = 0_usize;
        for (index, word) in words.iter().enumerate() {
            let last = clause.last();
            let lower = word.lower.as_str();
            let next = words.get(index + 1).map_or("", |word| word.lower.as_str());
            let behind_comma = last.is_some_and(|last| last.comma);
            let behind_and = last.is_some_and(|last| last.lower == "and");
            let own = ((behind_comma || behind_and) && ARTICLES.contains(&lower))
                || (behind_comma && matches!(lower, "with" | "otherwise"))
                || (lower == "there" && matches!(next, "is" | "are" | "has" | "was"))
                || (lower == "aside" && next == "from")
                || (lower == "apart" && next == "from")
                || (lower == "other" && next == "than");
            // "On the left, a nodule": the place of what follows is no statement.
            let asked = own;
            let own = own && states(&clause[searched.saturating_sub(LONGEST_PHRASE)..]);
            if asked {
                searched = clause.len();
            }
            if (own || TURNS.contains(&lower)) && !clause.is_empty() {
                clauses.push(std::mem::take(&mut clause));
                searched = 0;
            }
            clause.push(word.clone());
        }
        if !clause.is_empty() {
            clauses.push(clause);
        }
    }
    clauses
}

/// Whether words say something of a finding, or deny something.
fn states(words: &[Word]) -> bool {
    (0..words.len()).any(|at| {
        let begins = |phrase: &str| phrase_at(words, at, phrase).is_some();
        FINDINGS.iter().any(|(phrase, _)| begins(phrase))
            || DENY_BEFORE.iter().any(|phrase| begins(phrase))
    })
}

/// Pieces that end with a full stop, a question mark, a semicolon or a line that is
/// followed by an empty one or by an item of a list. A point between digits ends nothing.
fn sentences(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let part = &text[range.clone()];
    let mut pieces = Vec::new();
    let mut start = range.start;
    for (at, c) in part.char_indices() {
        let rest = &part[at + c.len_utf8()..];
        let ends = match c {
            '.' => !rest.starts_with(|next: char| next.is_ascii_digit()),
            '?' | '!' | ';' => true,
            '\n' => rest
                .trim_start_matches([' ', '\t'])
                .starts_with(|next: char| {
                    matches!(next, '\n' | '\r' | '-' | '*' | '\u{2022}') || next.is_ascii_digit()
                }),
            _ => false,
        };
        if ends {
            let end = range.start + at + c.len_utf8();
            pieces.push(start..end);
            start = end;
        }
    }
    pieces.push(start..range.end);
    pieces
}

fn words(text: &str, range: Range<usize>) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut start = None;
    let part = &text[range.clone()];
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '-' | '\'');
    for (at, c) in part.char_indices().chain([(part.len(), ' ')]) {
        match (start, inside(c)) {
            (None, true) => start = Some(at),
            (Some(from), false) if !part[from..at].contains(char::is_alphanumeric) => start = None,
            (Some(from), false) => {
                words.push(Word {
                    lower: part[from..at].to_lowercase(),
                    span: range.start + from..range.start + at,
                    comma: false,
                });
                start = None;
            }
            _ => {}
        }
        if c == ','
            && let Some(last) = words.last_mut()
        {
            last.comma = true;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::clauses;

    fn split(text: &str) -> Vec<String> {
        let joined = |clause: Vec<super::Word>| {
            let words: Vec<_> = clause.into_iter().map(|word| word.lower).collect();
            words.join(" ")
        };
        clauses(text, 0..text.len())
            .into_iter()
            .map(joined)
            .collect()
    }

    #[test]
    fn clauses_end_where_another_statement_begins() {
        assert_eq!(
            split("No 1.5 cm nodule. Clear"),
            ["no 1 5 cm nodule", "clear"]
        );
        assert_eq!(
            split("no effusion, pneumothorax, or mass"),
            ["no effusion pneumothorax or mass"]
        );
        assert_eq!(
            split("No effusion but a mass"),
            ["no effusion", "but a mass"]
        );
        assert_eq!(split("No effusion, a mass"), ["no effusion", "a mass"]);
        assert_eq!(split("On the left, a mass"), ["on the left a mass"]);
        assert_eq!(
            split("No mass and there is a cyst"),
            ["no mass and", "there is a cyst"]
        );
        assert_eq!(
            split("no mass apart from a cyst; normal"),
            ["no mass", "apart from a cyst", "normal"]
        );
        assert_eq!(
            split("one\n- two\nthree\n\nfour"),
            ["one", "two three", "four"]
        );
    }

    #[test]
    fn no_phrase_is_longer_than_the_longest() {
        let phrases = super::FINDINGS.iter().map(|(phrase, _)| phrase);
        let longest = phrases
            .chain(super::DENY_BEFORE)
            .map(|phrase| phrase.split_whitespace().count())
            .max();
        assert!(longest <= Some(super::LONGEST_PHRASE), "{longest:?}");
    }

    #[test]
    fn words_know_their_place() {
        let text = "Die Lunge? \u{c4}u\u{df}erst klar, ja";
        let found = clauses(text, 0..text.len());
        let word = &found[1][0];
        assert_eq!(
            (&text[word.span.clone()], word.comma),
            ("\u{c4}u\u{df}erst", false)
        );
        assert!(found[1][1].comma);
    }
}
