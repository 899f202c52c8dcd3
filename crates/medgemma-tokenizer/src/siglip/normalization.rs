//! What becomes of a text before it is cut into pieces: the two ways in use for SigLIP's vocabulary.
//!
//! Sources: `SiglipTokenizer` of `transformers` 5.23 (`tokenization_siglip.py`) over SentencePiece 0.2.3
//! (`normalizer.cc`), and the `normalizer` of the `tokenizer.json` published with MedSigLIP, as `tokenizers` 0.23 runs it.

use std::fmt;
use std::str::FromStr;

use unicode_segmentation::UnicodeSegmentation;

use super::charsmap::Charsmap;
use crate::chat::{is_python_space, trim};
use crate::error::{Error, shorten};

/// A blank in a piece.
pub(super) const BLANK: char = '\u{2581}';

/// Which of the two published normalisations a text goes through. Both make it lower case and delete punctuation; the
/// ids differ wherever a text has `/`, `<` or `>` (`SpO2 <90%`, `w/o contrast`), a space at its beginning, a Greek capital
/// sigma at the end of a word, or spells a special token.
///
/// Each has a name, the same in [`Display`](fmt::Display) and [`FromStr`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SiglipNormalization {
    /// `siglip-tokenizer`: the class `SiglipTokenizer` of `transformers`, which `AutoProcessor` and `AutoTokenizer` choose
    /// for the published checkpoints up to 5.23, and Google's serving container for MedSigLIP calls by name. Deletes all 32 characters of Python's `string.punctuation`, so that
    /// `<90` and `90` are the same text.
    #[default]
    SiglipTokenizer,
    /// `tokenizer-json`: the normaliser in `tokenizer.json`, which `transformers.js` runs. Keeps `/`, `<` and `>`.
    TokenizerJson,
}

impl SiglipNormalization {
    /// Both, for a help text or a test.
    pub const ALL: [Self; 2] = [Self::SiglipTokenizer, Self::TokenizerJson];

    /// The name, such as `tokenizer-json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SiglipTokenizer => "siglip-tokenizer",
            Self::TokenizerJson => "tokenizer-json",
        }
    }
}

impl fmt::Display for SiglipNormalization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for SiglipNormalization {
    type Err = Error;

    /// # Errors
    /// [`Error::NormalizationName`] for any text but one of the names.
    fn from_str(name: &str) -> Result<Self, Error> {
        let named = Self::ALL.into_iter().find(|each| each.name() == name);
        named.ok_or_else(|| Error::NormalizationName {
            expected: Self::ALL.map(Self::name).join(", "),
            found: shorten(name),
        })
    }
}

/// `canonicalize_text` of `SiglipTokenizer`: Python's `lower`, without punctuation, white space collapsed and stripped.
pub(super) fn canonicalize(text: &str) -> String {
    // Like Python's, this writes a capital sigma at the end of a word as the final one.
    let mut text = text.to_lowercase();
    text.retain(|c| !c.is_ascii_punctuation());
    trim(&collapse(&text, is_python_space)).to_owned()
}

/// `Normalizer::Normalize` of SentencePiece with the settings of SigLIP's model: the character map by its longest
/// matches, blanks collapsed and stripped, one blank put before.
pub(super) fn sentencepiece(charsmap: &Charsmap, text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    // Blanks at the beginning count as following another.
    let mut after_blank = true;
    while let Some(character) = rest.chars().next() {
        let (length, replacement) = match charsmap.longest(rest) {
            Some(found) => found,
            None => (character.len_utf8(), &rest[..character.len_utf8()]),
        };
        rest = &rest[length..];
        let replacement = match after_blank {
            true => replacement.trim_start_matches(' '),
            false => replacement,
        };
        if replacement.is_empty() {
            continue;
        }
        if out.is_empty() {
            out.push(BLANK);
        }
        out.extend(replacement.chars().map(to_blank));
        after_blank = replacement.ends_with(' ');
    }
    // What a text spells as a blank counts at the end, though not at the beginning.
    out.truncate(out.trim_end_matches(BLANK).len());
    out
}

/// The normaliser of `tokenizer.json`, its six steps in order, and the `Metaspace` step after it up to the cut into words.
pub(super) fn tokenizer_json(charsmap: &Charsmap, text: &str) -> String {
    // Letter by letter: without regard to where a sigma stands.
    let mut text: String = text.chars().flat_map(char::to_lowercase).collect();
    text.retain(|c| !c.is_ascii_punctuation() || matches!(c, '/' | '<' | '>'));
    let text = collapse(&text, char::is_whitespace);
    let text = collapse(&mapped(charsmap, text.trim()), |c| c == ' ');
    let text: String = text.chars().map(to_blank).collect();
    match text.is_empty() || text.starts_with(BLANK) {
        true => text,
        false => format!("{BLANK}{text}"),
    }
}

/// `Precompiled` of `tokenizers`: a grapheme of at most 5 bytes is replaced as a whole by the shortest match at its
/// beginning, otherwise character by character. Not what SentencePiece does with the same map, but what is run.
fn mapped(charsmap: &Charsmap, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for grapheme in text.graphemes(true) {
        let whole = match grapheme.len() {
            ..6 => charsmap.shortest(grapheme),
            _ => None,
        };
        if let Some(replacement) = whole {
            out.push_str(replacement);
            continue;
        }
        for (at, character) in grapheme.char_indices() {
            let character = &grapheme[at..at + character.len_utf8()];
            out.push_str(charsmap.shortest(character).unwrap_or(character));
        }
    }
    out
}

/// Every run of characters that are `blank` becomes one space.
fn collapse(text: &str, blank: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut after_blank = false;
    for character in text.chars() {
        let is_blank = blank(character);
        if !is_blank {
            out.push(character);
        } else if !after_blank {
            out.push(' ');
        }
        after_blank = is_blank;
    }
    out
}

fn to_blank(character: char) -> char {
    match character {
        ' ' => BLANK,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::charsmap::Charsmap;
    use super::{canonicalize, sentencepiece, tokenizer_json};

    /// By hand, without a character map: where each normalisation puts its blanks.
    #[test]
    fn blanks_are_put_where_each_reference_puts_them() {
        let map = Charsmap::parse(&[]).expect("an empty map");
        for (text, expected) in [
            ("", ""),
            ("   ", ""),
            ("a", "\u{2581}a"),
            ("  a  b ", "\u{2581}a\u{2581}b"),
            ("\u{2581}a", "\u{2581}\u{2581}a"),
            ("a\u{2581}", "\u{2581}a"),
        ] {
            assert_eq!(sentencepiece(&map, text), expected, "{text:?}");
        }
        for (text, expected) in [
            ("", ""),
            (" \n ", ""),
            ("A", "\u{2581}a"),
            (" a\t b ", "\u{2581}a\u{2581}b"),
            ("\u{2581}a", "\u{2581}a"),
            ("w/o <3!", "\u{2581}w/o\u{2581}<3"),
        ] {
            assert_eq!(tokenizer_json(&map, text), expected, "{text:?}");
        }
        assert_eq!(canonicalize(" W/o\u{1c} <3! "), "wo 3");
    }
}
