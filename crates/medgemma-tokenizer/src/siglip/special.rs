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
    Special(&'a str),
}

/// Cuts `text` at the special tokens in it; empty parts are left out.
pub(super) fn split<'a>(
    text: &'a str,
    special: &[(&'a str, bool)],
    is_space: impl Fn(char) -> bool,
) -> Vec<Found<'a>> {
    let mut parts = Vec::new();
    let mut from = 0;
    // Each is looked for again only when it has been passed: a text of one kind alone would otherwise be searched for
    // the others from every place.
    let mut next: Vec<Option<usize>> = special.iter().map(|(token, _)| text.find(token)).collect();
    // No special token begins as another ends, so that the first one found is the one meant.
    while let Some((at, token, strips)) = special
        .iter()
        .zip(&next)
        .filter_map(|(&(token, strips), &at)| Some((at?, token, strips)))
        .min()
    {
        let (mut before, mut after) = (&text[from..at], &text[at + token.len()..]);
        if strips {
            before = before.trim_end_matches(&is_space);
            after = after.trim_start_matches(&is_space);
        }
        if !before.is_empty() {
            parts.push(Found::Text(before));
        }
        parts.push(Found::Special(token));
        from = text.len() - after.len();
        for (next, (token, _)) in next.iter_mut().zip(special) {
            if next.is_some_and(|at| at < from) {
                *next = after.find(token).map(|at| from + at);
            }
        }
    }
    if from < text.len() {
        parts.push(Found::Text(&text[from..]));
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
        let mixed = cut("<unk></s>a<pad></s><unk>b<pad>");
        let (a, b) = (Found::Text("a"), Found::Text("b"));
        assert_eq!(mixed, [unk, eos, a, pad, eos, unk, b, pad]);
    }

    /// A text of one token alone, 8 MB: with a search for the others from each place it would take an hour.
    #[test]
    fn a_long_text_is_cut_in_one_pass() {
        let text = "</s>".repeat(2 << 20);
        let parts = split(&text, &SPECIAL, char::is_whitespace);
        assert_eq!(parts.len(), 2 << 20);
    }
}
