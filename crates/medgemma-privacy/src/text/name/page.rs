//! A text as words and the gaps between them: a name is told by the gap as often as by the word.

/// Behind the last word.
const PARAGRAPH_GAP: &str = "\u{2029}";

/// A word of the text.
#[derive(Clone, Copy)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Word<'_> {
    pub(super) fn is_capital(self) -> bool {
        self.text.starts_with(char::is_uppercase)
    }

    /// One letter, as in `J. Doe`.
    pub(super) fn is_initial(self) -> bool {
        self.is_capital() && self.text.chars().count() == 1
    }

    pub(super) fn is_all_capital(self) -> bool {
        self.text.chars().count() > 1 && !self.text.contains(char::is_lowercase)
    }

    /// In lower case, without a possessive.
    pub(super) fn plain(self) -> String {
        let text = self.text.to_lowercase();
        let text = text.trim_end_matches("'s").trim_end_matches("’s");
        text.to_owned()
    }

    /// Where it ends without a possessive, which is no part of a name.
    pub(super) fn name_end(self) -> usize {
        let tail = ["'s", "’s"]
            .into_iter()
            .find(|tail| self.text.ends_with(tail));
        self.end - tail.map_or(0, str::len)
    }
}

/// Letters with apostrophes and hyphens among them.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = None;
    let inner = |c: char| matches!(c, '\'' | '’' | '-');
    let mut push = |from: usize, to: usize| {
        let word = text[from..to].trim_end_matches(inner);
        if !word.is_empty() {
            words.push(Word {
                text: word,
                start: from,
                end: from + word.len(),
            });
        }
    };
    for (at, c) in text.char_indices() {
        match start {
            None if c.is_alphabetic() => start = Some(at),
            Some(from) if !(c.is_alphabetic() || inner(c)) => {
                push(from, at);
                start = None;
            }
            _ => {}
        }
    }
    if let Some(from) = start {
        push(from, text.len());
    }
    words
}

/// The words of a text, and what stands between them.
pub(super) struct Page<'a> {
    pub(super) text: &'a str,
    pub(super) words: &'a [Word<'a>],
}

impl Page<'_> {
    /// What stands between this word and the next.
    pub(super) fn gap(&self, at: usize) -> &str {
        match (self.words.get(at), self.words.get(at + 1)) {
            (Some(word), Some(next)) => &self.text[word.end..next.start],
            _ => PARAGRAPH_GAP,
        }
    }

    pub(super) fn before(&self, at: usize) -> Option<(String, &str)> {
        let before = at.checked_sub(1)?;
        Some((self.words[before].plain(), self.gap(before)))
    }
}
