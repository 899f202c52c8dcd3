//! Special tokens spelt in a text: `Trie.split` and the loop after it in `PreTrainedTokenizer.tokenize` of `transformers`
//! 5.23, and `AddedVocabulary` of `tokenizers` 0.23, which agree on where such a token is found.

use super::model::{EOS, PAD, UNK};

/// The published special tokens, and whether white space around them goes (`lstrip` and `rstrip`). `tokenizer.json` has all
/// three, `SiglipTokenizer` all but the first.
pub(super) const SPECIAL: [(&str, bool); 3] = [(PAD, false), (EOS, true), (UNK, true)];

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found<'a> {
    Text(&'a str),
    Special(&'static str),
}

/// Cuts `text` at the special tokens in it; empty parts are left out.
pub(super) fn split<'a>(
    text: &'a str,
    special: &[(&'static str, bool)],
    is_space: impl Fn(char) -> bool,
) -> Vec<Found<'a>> {
    let mut parts = Vec::new();
    let mut rest = text;
    // No special token begins as another ends, so that the first one found is the one meant.
    while let Some((at, token, strips)) = special
        .iter()
        .filter_map(|&(token, strips)| Some((rest.find(token)?, token, strips)))
        .min()
    {
        let (mut before, mut after) = (&rest[..at], &rest[at + token.len()..]);
        if strips {
            before = before.trim_end_matches(&is_space);
            after = after.trim_start_matches(&is_space);
        }
        if !before.is_empty() {
            parts.push(Found::Text(before));
        }
        parts.push(Found::Special(token));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Found::Text(rest));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::{Found, SPECIAL, split};

    #[test]
    fn a_text_is_cut_at_special_tokens() {
        let cut = |text| split(text, &SPECIAL, char::is_whitespace);
        assert_eq!(cut(""), []);
        assert_eq!(cut(" a "), [Found::Text(" a ")]);
        let (pad, eos, unk) = (
            Found::Special("<pad>"),
            Found::Special("</s>"),
            Found::Special("<unk>"),
        );
        assert_eq!(
            cut("a </s>\n<unk>b"),
            [Found::Text("a"), eos, unk, Found::Text("b")]
        );
        assert_eq!(
            cut("a <pad> b"),
            [Found::Text("a "), pad, Found::Text(" b")]
        );
        assert_eq!(cut("</s </s>"), [Found::Text("</s"), eos]);
        assert_eq!(cut(" </s> <pad> "), [eos, pad, Found::Text(" ")]);
    }
}
