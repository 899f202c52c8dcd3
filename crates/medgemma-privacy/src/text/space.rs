//! White space as a reader sees it. Line wraps, columns, no-break spaces split what the rules look for, and a rule
//! that counts every kind of space would forget one: they are made equal before, and findings are moved back.

use std::ops::Range;

/// Ends a paragraph, where no identifier goes on.
pub(super) const PARAGRAPH: char = '\u{2029}';

/// Parts the numbers of two columns, which are no groups of one.
const COLUMN: char = '\t';

/// A text in which every run of white space is one character: a space, [`COLUMN`] between numbers that are far
/// apart, `\n` for one end of a line with whatever is around it, [`PARAGRAPH`] for more.
pub(super) struct Even {
    pub(super) text: String,
    /// Where even text and text begin to run in step again: bytes of the one, of the other.
    steps: Vec<(usize, usize)>,
}

impl Even {
    pub(super) fn new(text: &str) -> Self {
        let mut even = Self {
            text: String::with_capacity(text.len()),
            steps: vec![(0, 0)],
        };
        let mut at = 0;
        while let Some(from) = text[at..].find(char::is_whitespace) {
            let from = at + from;
            let rest = &text[from..];
            let run = &rest[..rest.len() - rest.trim_start().len()];
            even.text.push_str(&text[at..from]);
            even.text.push(match ends_of_lines(run) {
                0 if parts_columns(&text[..from], run, &text[from + run.len()..]) => COLUMN,
                0 => ' ',
                1 => '\n',
                _ => PARAGRAPH,
            });
            at = from + run.len();
            even.steps.push((even.text.len(), at));
        }
        even.text.push_str(&text[at..]);
        even
    }

    /// A range of the even text that begins and ends with no white space, in bytes of the text.
    pub(super) fn back(&self, range: Range<usize>) -> Range<usize> {
        let to = |at: usize| {
            let step = self.steps.partition_point(|step| step.0 <= at) - 1;
            let (even, text) = self.steps[step];
            text + (at - even)
        };
        // A run of white space behind the range begins before its step, and is no part of it.
        to(range.start)..to(range.end)
    }
}

/// Whether a run within a line, with a tab or as wide as one, has digits on both sides.
fn parts_columns(before: &str, run: &str, after: &str) -> bool {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    (run.contains('\t') || run.chars().count() > 2)
        && digit(before.chars().next_back())
        && digit(after.chars().next())
}

fn ends_of_lines(run: &str) -> usize {
    let windows = run.matches("\r\n").count();
    let of = |c| match c {
        '\n' | '\r' | '\u{b}' | '\u{85}' | '\u{2028}' => 1,
        '\u{c}' | PARAGRAPH => 2,
        _ => 0,
    };
    run.chars().map(of).sum::<usize>() - windows
}

#[cfg(test)]
mod tests {
    use super::Even;

    #[test]
    fn runs_are_one_character_and_ranges_find_back() {
        let text = "a  b\u{a0}c \r\n d\n \ne\tf\u{2003}\u{c}g ";
        let even = Even::new(text);
        assert_eq!(even.text, "a b c\nd\u{2029}e f\u{2029}g ");
        for letter in ["a", "b", "c", "d", "e", "f", "g", "a b", "c\nd"] {
            let at = even.text.find(letter).expect("it is there");
            let back = &text[even.back(at..at + letter.len())];
            let words: Vec<&str> = back.split_whitespace().collect();
            assert_eq!(words, letter.split_whitespace().collect::<Vec<_>>());
            assert_eq!(back.trim(), back);
        }
    }
}
