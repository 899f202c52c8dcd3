//! Words and the clauses that they stand in.

use std::ops::Range;

use super::lexicon::{DENY_BEFORE, FINDINGS, phrase_at};
use super::side::word_side;

/// A word in lower case, and its bytes in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) lower: String,
    pub(super) span: Range<usize>,
    /// Whether a comma or a dash stands behind it.
    pub(super) comma: bool,
    /// Whether a colon, or the line between two cells of a table, stands behind it.
    pub(super) colon: bool,
    /// Whether a colon or a dash does: what follows may be the answer to what is named before.
    pub(super) answered: bool,
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
        let mut answered = false;
        for (index, word) in words.iter().enumerate() {
            let last = clause.last();
            let lower = word.lower.as_str();
            let next = words.get(index + 1).map_or("", |word| word.lower.as_str());
            let behind_comma = last.is_some_and(|last| last.comma);
            // "Pneumothorax: no, effusion: small": the first has had its answer.
            answered |= last.is_some_and(|last| last.colon);
            let behind_and = last.is_some_and(|last| last.lower == "and");
            let own = ((behind_comma || behind_and) && ARTICLES.contains(&lower))
                || (behind_comma && matches!(lower, "with" | "otherwise"))
                || (lower == "there" && matches!(next, "is" | "are" | "has" | "was"))
                || (lower == "aside" && next == "from")
                || (lower == "apart" && next == "from")
                || (lower == "other" && next == "than")
                || (behind_comma && answered && labels(&words[index..]))
                || heads(text, &clause, &words[index..], answered);
            // "On the left, a nodule": the place of what follows is no statement.
            let asked = own;
            let own =
                own && (answered || states(&clause[searched.saturating_sub(LONGEST_PHRASE)..]));
            if asked {
                searched = clause.len();
            }
            if (own || TURNS.contains(&lower)) && !clause.is_empty() {
                clauses.push(std::mem::take(&mut clause));
                (searched, answered) = (0, false);
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

/// Whether words begin as "Pleural effusion:" does, which has an answer of its own.
fn labels(words: &[Word]) -> bool {
    let label = words.iter().take(LONGEST_LABEL);
    let end = label.clone().position(|word| word.colon || word.comma);
    end.and_then(|end| words.get(end))
        .is_some_and(|last| last.colon)
}

/// Whether words begin as the "Pleura:" of "Lungs: No consolidation Pleura: Large effusion" does.
fn heads(text: &str, before: &[Word], words: &[Word], answered: bool) -> bool {
    /// Words of a heading within a line.
    const LONGEST: usize = 3;
    let Some((first, last)) = words.first().zip(before.last()) else {
        return false;
    };
    let capital = text[first.span.clone()].starts_with(char::is_uppercase);
    if !capital || last.colon || word_side(first).is_some() {
        return false;
    }
    // "No Pneumothorax: ..." is one thing: without an answer before, a finding must stand in front.
    let named = || {
        FINDINGS.iter().any(|(phrase, _)| {
            let length = phrase.split(' ').count();
            let from = before.len().checked_sub(length);
            from.is_some_and(|from| phrase_at(before, from, phrase).is_some())
        })
    };
    let longest = if answered { LONGEST } else { 1 };
    // The line between two cells is no colon.
    let colon = |word: &Word| {
        let behind = text[word.span.end..].trim_start_matches('*');
        behind.starts_with([':', '\u{ff1a}'])
    };
    let end = words
        .iter()
        .take(longest)
        .position(|word| word.colon || word.comma);
    end.is_some_and(|end| words[end].colon && colon(&words[end])) && (answered || named())
}

/// Words before a colon that may be what is asked for.
const LONGEST_LABEL: usize = 5;

/// Pieces that end with a full stop, a question mark, a semicolon or a line that is
/// followed by an empty one, by an item of a list, or by what begins a statement of its own.
/// A point between digits ends nothing, nor does that of "vs."
fn sentences(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let part = &text[range.clone()];
    let mut pieces = Vec::new();
    let mut start = range.start;
    // Where the line begins, or the sentence in it.
    let mut line = range.start;
    for (at, c) in part.char_indices() {
        let rest = &part[at + c.len_utf8()..];
        let end = range.start + at + c.len_utf8();
        let ends = match c {
            '.' => {
                !rest.starts_with(|next: char| next.is_ascii_digit())
                    && !abbreviates(&part[..at], rest)
            }
            '?' | '!' | ';' => true,
            '\n' => {
                let next = rest.trim_start_matches([' ', '\t']);
                next.starts_with(|next: char| {
                    matches!(next, '\n' | '\r' | '-' | '*' | '|' | '\u{2022}')
                        || next.is_ascii_digit()
                }) || begins(next) && closed(text, line..end)
                    || labelled(next)
            }
            _ => false,
        };
        if ends {
            pieces.push(start..end);
            start = end;
        }
        if ends || c == '\n' {
            line = end;
        }
    }
    pieces.push(start..range.end);
    pieces
}

/// Whether the point between the two is that of a word which is cut short.
fn abbreviates(before: &str, behind: &str) -> bool {
    const CUT: [&str; 14] = [
        "vs", "e.g", "eg", "i.e", "ie", "approx", "dr", "drs", "mr", "mrs", "ms", "prof", "cf",
        "incl",
    ];
    let longest = before.len().saturating_sub(8);
    let from = (longest..before.len()).find(|&at| before.is_char_boundary(at));
    let tail = &before[from.unwrap_or(before.len())..];
    let word = tail
        .rsplit(|c: char| !(c.is_alphabetic() || c == '.'))
        .next()
        .unwrap_or_default()
        .to_lowercase();
    // The first point of "e.g."
    let halves = (word == "e" && behind.starts_with("g."))
        || (word == "i" && behind.starts_with("e."))
        || (word == "e" && behind.starts_with("g,"));
    halves || CUT.contains(&word.as_str())
}

/// Whether a line begins as a statement does.
fn begins(line: &str) -> bool {
    line.starts_with(char::is_uppercase)
}

/// Whether a line begins with a few words and a colon.
fn labelled(line: &str) -> bool {
    let label = line
        .find([':', '\n', '.', ',', ';'])
        .map(|end| &line[..end]);
    label.is_some_and(|label| {
        line[label.len()..].starts_with(':')
            && label.starts_with(char::is_alphabetic)
            && label.split_whitespace().count() <= LONGEST_LABEL
    })
}

/// Whether a line says all of what it says: it names a finding or its absence, and no word at its end asks for more.
fn closed(text: &str, line: Range<usize>) -> bool {
    const OPEN: [&str; 35] = [
        "and", "or", "nor", "no", "not", "of", "the", "a", "an", "with", "without", "in", "on",
        "at", "for", "to", "by", "is", "are", "was", "were", "right", "left", "small", "large",
        "since", "from", "than", "versus", "vs", "new", "any", "which", "that", "dr",
    ];
    const WHOLE: [&str; 11] = [
        "finding",
        "findings",
        "abnormality",
        "abnormalities",
        "process",
        "disease",
        "change",
        "changes",
        "normal",
        "clear",
        "unremarkable",
    ];
    let words = words(text, line);
    let Some(last) = words.last() else {
        return false;
    };
    let lower = last.lower.as_str();
    if last.comma || OPEN.contains(&lower) {
        return false;
    }
    WHOLE.contains(&lower)
        || (0..words.len()).any(|at| {
            FINDINGS
                .iter()
                .any(|(phrase, _)| phrase_at(&words, at, phrase).is_some())
        })
}

fn words(text: &str, range: Range<usize>) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut start = None;
    let part = &text[range.clone()];
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '-' | '\'' | '\u{2019}');
    for (at, c) in part.char_indices().chain([(part.len(), ' ')]) {
        match (start, inside(c)) {
            (None, true) => start = Some(at),
            (Some(from), false) if !part[from..at].contains(char::is_alphanumeric) => {
                // A dash that stands alone.
                if let Some(last) = words.last_mut().filter(|_| part[from..at].contains('-')) {
                    (last.comma, last.answered) = (true, true);
                }
                start = None;
            }
            (Some(from), false) => {
                words.push(Word {
                    lower: part[from..at].to_lowercase().replace('\u{2019}', "'"),
                    span: range.start + from..range.start + at,
                    comma: false,
                    colon: false,
                    answered: false,
                });
                start = None;
            }
            _ => {}
        }
        let Some(last) = words.last_mut().filter(|_| start.is_none()) else {
            continue;
        };
        let next = part
            .get(at + c.len_utf8()..)
            .and_then(|rest| rest.chars().next());
        match c {
            ',' => last.comma = true,
            // Not that of a time of day, nor the dash of "4\u{2013}5 mm".
            ':' | '|' | '\u{ff1a}' if !next.is_some_and(|next| next.is_ascii_digit()) => {
                (last.colon, last.answered) = (true, true);
            }
            '\u{2013}' if !next.is_some_and(char::is_whitespace) => {}
            '\u{2013}' | '\u{2014}' => (last.comma, last.answered) = (true, true),
            _ => {}
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
