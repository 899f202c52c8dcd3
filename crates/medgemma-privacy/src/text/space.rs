//! White space and hyphens as a reader sees them. Line wraps, columns, no-break spaces, typographic hyphens and invisible
//! characters split what the rules look for, and a rule that counts every kind of them would forget one: they are made
//! equal before, and findings are moved back.

use std::ops::Range;

/// Ends a paragraph, where no identifier goes on.
pub(super) const PARAGRAPH: char = '\u{2029}';

/// Parts the numbers of two columns, which are no groups of one.
const COLUMN: char = '\t';

/// A text in which every run of white space is one character: a space, [`COLUMN`] between numbers that are far
/// apart, `\n` for one end of a line with whatever is around it, [`PARAGRAPH`] for more. Hyphens are `-`; what nobody
/// sees is not there.
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
        while let Some(from) = text[at..].find(|c| is_blank(c) || is_dash(c)) {
            let from = at + from;
            even.text.push_str(&text[at..from]);
            let rest = &text[from..];
            let mut run = &rest[..rest.len() - rest.trim_start_matches(is_blank).len()];
            if run.is_empty() {
                let dash = rest.chars().next().map_or(0, char::len_utf8);
                run = &rest[..dash];
                even.push_dash(run, &rest[dash..]);
            } else if run.contains(char::is_whitespace) {
                even.push_space(run, &rest[run.len()..]);
            }
            at = from + run.len();
            even.steps.push((even.text.len(), at));
        }
        even.text.push_str(&text[at..]);
        even
    }

    fn push_space(&mut self, run: &str, after: &str) {
        self.text.push(match ends_of_lines(run) {
            0 if parts_columns(&self.text, run, after) => COLUMN,
            0 => ' ',
            1 => '\n',
            _ => PARAGRAPH,
        });
    }

    /// Dashes part clauses, too: the long ones are hyphens between digits only.
    fn push_dash(&mut self, dash: &str, after: &str) {
        let long = dash.starts_with(['\u{2014}', '\u{2015}']);
        let within = is_digit(self.text.chars().next_back()) && is_digit(after.chars().next());
        self.text.push_str(if long && !within { dash } else { "-" });
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
    let seen = run.chars().filter(|c| c.is_whitespace());
    (run.contains('\t') || seen.count() > 2)
        && is_digit(before.chars().next_back())
        && is_digit(after.chars().next())
}

fn is_digit(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_ascii_digit())
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || is_invisible(c)
}

/// Soft hyphens, zero width, marks of the direction of writing, variation selectors, tags.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e01ef}')
}

/// What stands for a hyphen: hyphens and dashes of typographers, the minus sign, the small and the full-width hyphen.
fn is_dash(c: char) -> bool {
    matches!(
        c,
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}'
    )
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

    #[test]
    fn hyphens_are_one_and_what_nobody_sees_is_none() {
        let text = "\u{feff}1\u{2011}2\u{2013}3\u{2014}4\u{ff0d}x\u{2014}y \u{200b} Al\u{ad}i\u{200d}\u{2060}ce\u{200b}, 5 \u{200b}\u{200b} 6";
        let even = Even::new(text);
        assert_eq!(even.text, "1-2-3-4-x\u{2014}y Alice, 5 6");
        for (found, expected) in [
            ("1-2", "1\u{2011}2"),
            ("3-4-x", "3\u{2014}4\u{ff0d}x"),
            ("y", "y"),
            ("Alice", "Al\u{ad}i\u{200d}\u{2060}ce\u{200b}"),
        ] {
            let at = even.text.find(found).expect("it is there");
            assert_eq!(&text[even.back(at..at + found.len())], expected);
        }
    }
}
