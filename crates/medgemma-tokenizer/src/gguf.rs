//! A tokenizer from the vocabulary in a GGUF file: pieces with scores and types, as SentencePiece
//! has them, turned into the parts of the `tokenizer.json` that was published beside it.
//!
//! Merges are not in such a file but follow from it: every way to cut a piece into two pieces, by
//! the piece's score, then the longest left and right part first. This is the rule by which
//! `transformers` made Gemma's `tokenizer.json` out of the same pieces (`generate_merges` in
//! `convert_slow_tokenizer.py`, 5.23); it gives that file's 514 906 merges in their order.

use std::cmp::Ordering;

use tokenizers::SplitDelimiterBehavior;
use tokenizers::models::bpe::Vocab;

use crate::error::{Error, Result};
use crate::file::{self, Parts};
use crate::schema::{
    RawAddedToken, RawDecoder, RawDecoderStep, RawMerge, RawModel, RawNormalizer, RawPattern,
    RawPreTokenizer, RawTokenizer,
};
use crate::special::{
    BOS, END_OF_IMAGE, END_OF_TURN, EOS, IMAGE_SOFT_TOKEN, PAD, START_OF_IMAGE, START_OF_TURN,
    THOUGHT_END, THOUGHT_START, UNK,
};

/// A blank in a piece.
const BLANK: &str = "\u{2581}";

/// Longest piece in bytes. Gemma's has 93; the work for one grows with its square.
const MAX_PIECE_BYTES: usize = 1024;

/// The type of a piece that nothing is spelt with.
pub(crate) const UNUSED: i64 = 5;

/// Tokens that decoding leaves out, as `tokenizer.json` marks them. The types in a GGUF file do
/// not tell: converters call Gemma's `<unused…>` control tokens and its image tokens the user's.
const SPECIAL: [&str; 9] = [
    PAD,
    EOS,
    BOS,
    UNK,
    START_OF_TURN,
    END_OF_TURN,
    START_OF_IMAGE,
    END_OF_IMAGE,
    IMAGE_SOFT_TOKEN,
];

/// Whether a piece is a token of its own whatever a file says of its type: `tokenizer.json` declares all
/// of these as added tokens. Fine-tunes that Unsloth exported until April 2026 call the turns' tokens
/// normal, and llama.cpp and Ollama's converter set them right by their spelling too.
pub(crate) fn is_control(piece: &str) -> bool {
    SPECIAL.contains(&piece) || [THOUGHT_START, THOUGHT_END].contains(&piece)
}

/// The vocabulary of a GGUF file, `tokenizer.ggml.…`, borrowed from it.
#[derive(Debug, Clone)]
pub struct GgufVocabulary<'a> {
    /// `model`: how the pieces are meant; only `llama`, SentencePiece's byte pairs, is read here.
    pub model: &'a str,
    /// `tokens`: the pieces by id.
    pub tokens: Vec<&'a str>,
    /// `scores`: one for each piece.
    pub scores: Vec<f64>,
    /// `token_type`: one for each piece; 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused,
    /// 6 byte. Not looked at for the special tokens of Gemma and the marks of its thoughts, which some
    /// files call normal.
    pub types: Vec<i64>,
    /// `unknown_token_id`.
    pub unknown: Option<u32>,
    /// `add_space_prefix`; Gemma's adds none.
    pub add_space_prefix: bool,
}

impl GgufVocabulary<'_> {
    /// The id that the tokenizer made of this vocabulary has for `token`.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<u32> {
        let used = |&id: &usize| {
            let unused = self.types.get(id).is_some_and(|&kind| kind == UNUSED);
            !unused || self.tokens.get(id).is_some_and(|piece| is_control(piece))
        };
        let spelt = self.tokens.iter().position(|&piece| piece == token);
        let spelt = spelt.filter(used);
        let implied = || {
            // As in `read`: it follows the last piece in use.
            let pictures = token == IMAGE_SOFT_TOKEN && self.tokens.contains(&START_OF_IMAGE);
            let last = (0..self.tokens.len()).rev().find(used);
            last.map(|id| id + 1).filter(|_| pictures)
        };
        u32::try_from(spelt.or_else(implied)?).ok()
    }
}

/// What a piece is to the tokenizer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Normal,
    /// Found in a text as a whole before anything is merged.
    Added,
    /// Of no use, such as rows that pad an embedding table.
    Unused,
    Byte,
}

/// Makes the parts; see [`crate::Tokenizer::from_gguf`].
pub(crate) fn read(name: &str, vocabulary: &GgufVocabulary<'_>) -> Result<Parts> {
    let gguf = Gguf { name };
    let types = gguf.check(vocabulary)?;
    let pieces = gguf.pieces(vocabulary, &types)?;
    let mut vocab = Vocab::default();
    for piece in &pieces {
        if vocab.insert(piece.text.clone(), piece.id).is_some() {
            return Err(gguf.vocabulary(piece.id, "is listed twice", &piece.text));
        }
    }
    let mut added: Vec<_> = pieces
        .iter()
        .filter(|piece| piece.kind == Type::Added)
        .map(|piece| added(piece.id, &piece.text))
        .collect();
    // Converters of text models drop it, since it is no piece of SentencePiece's.
    if vocab.contains_key(START_OF_IMAGE) && !vocab.contains_key(IMAGE_SOFT_TOKEN) {
        let next = pieces.iter().map(|piece| piece.id + 1).max().unwrap_or(0);
        added.push(self::added(next, IMAGE_SOFT_TOKEN));
    }
    let unknown = vocabulary.unknown.and_then(|id| {
        let piece = pieces.iter().find(|piece| piece.id == id)?;
        Some(piece.text.clone())
    });
    let merges = merges(&pieces, &vocab);
    let byte_fallback = types.contains(&Type::Byte);
    file::assemble(name, gemma(vocab, merges, added, unknown, byte_fallback))
}

/// One piece that is of use.
struct Piece {
    id: u32,
    text: String,
    score: f64,
    kind: Type,
}

/// The checks; holds the file's name for their messages.
struct Gguf<'a> {
    name: &'a str,
}

impl Gguf<'_> {
    fn unsupported(&self, key: &str, expected: &'static str, found: String) -> Error {
        let key = format!("tokenizer.ggml.{key}");
        Error::unsupported(self.name, &key, expected, &found)
    }

    fn vocabulary(&self, id: u32, fault: &'static str, token: &str) -> Error {
        let key = format!("tokenizer.ggml.tokens[{id}]");
        Error::vocabulary(self.name, &key, fault, token)
    }

    /// The pieces' types, if everything else fits together.
    fn check(&self, vocabulary: &GgufVocabulary<'_>) -> Result<Vec<Type>> {
        if vocabulary.model != "llama" {
            let expected = "\"llama\" (or a tokenizer.json beside the file)";
            return Err(self.unsupported("model", expected, format!("{:?}", vocabulary.model)));
        }
        if vocabulary.add_space_prefix {
            return Err(self.unsupported("add_space_prefix", "false", "true".to_owned()));
        }
        let tokens = vocabulary.tokens.len();
        for (key, count) in [
            ("scores", vocabulary.scores.len()),
            ("token_type", vocabulary.types.len()),
        ] {
            if count != tokens {
                let found = format!("{count} values for {tokens} tokens");
                return Err(self.unsupported(key, "one value for each token", found));
            }
        }
        if u32::try_from(tokens).is_err() {
            return Err(self.unsupported("tokens", "fewer than 2³² tokens", tokens.to_string()));
        }
        let rows = vocabulary.types.iter().zip(&vocabulary.tokens);
        let types = rows.map(|(&number, piece)| match number {
            1..=6 if is_control(piece) => Ok(Type::Added),
            1 => Ok(Type::Normal),
            2..=4 => Ok(Type::Added),
            UNUSED => Ok(Type::Unused),
            6 => Ok(Type::Byte),
            other => Err(self.unsupported("token_type", "types from 1 to 6", other.to_string())),
        });
        types.collect()
    }

    /// The pieces that are of use, by id.
    fn pieces(&self, vocabulary: &GgufVocabulary<'_>, types: &[Type]) -> Result<Vec<Piece>> {
        let rows = vocabulary.tokens.iter().zip(&vocabulary.scores).zip(types);
        let mut pieces = Vec::new();
        for (id, ((&text, &score), &kind)) in (0_u32..).zip(rows) {
            if kind == Type::Unused {
                continue;
            }
            if text.is_empty() || text.len() > MAX_PIECE_BYTES {
                let fault = "is empty or longer than any token of Gemma's";
                return Err(self.vocabulary(id, fault, text));
            }
            pieces.push(Piece {
                id,
                // Converters write runs of blanks as the text that they stand for.
                text: if kind == Type::Added {
                    text.replace(' ', BLANK)
                } else {
                    text.to_owned()
                },
                // Scores of other pieces are the converter's own.
                score: if kind == Type::Normal { score } else { 0.0 },
                kind,
            });
        }
        Ok(pieces)
    }
}

/// An added token as Gemma's `tokenizer.json` declares them.
fn added(id: u32, content: &str) -> RawAddedToken {
    RawAddedToken {
        id,
        content: content.to_owned(),
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: SPECIAL.contains(&content),
    }
}

/// Every way to cut a piece into two, best first.
fn merges(pieces: &[Piece], vocab: &Vocab) -> Vec<RawMerge> {
    struct Merge<'a> {
        left: &'a str,
        right: &'a str,
        score: f64,
        lengths: (usize, usize),
    }
    let mut merges = Vec::new();
    for piece in pieces {
        let text = piece.text.as_str();
        let count = text.chars().count();
        let cuts = text.char_indices().enumerate().skip(1);
        let mut cut: Vec<_> = cuts
            .filter_map(|(chars, (at, _))| {
                let (left, right) = text.split_at(at);
                let ids = (*vocab.get(left)?, *vocab.get(right)?);
                let merge = Merge {
                    left,
                    right,
                    score: piece.score,
                    lengths: (chars, count - chars),
                };
                Some((ids, merge))
            })
            .collect();
        cut.sort_by_key(|(ids, _)| *ids);
        merges.extend(cut.into_iter().map(|(_, merge)| merge));
    }
    // Equal ones stay in the order of their pieces; metadata has no scores that are not finite.
    merges.sort_by(|a, b| {
        let by_score = b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal);
        by_score.then(b.lengths.cmp(&a.lengths))
    });
    let pair = |merge: Merge<'_>| RawMerge::Pair(merge.left.to_owned(), merge.right.to_owned());
    merges.into_iter().map(pair).collect()
}

/// The parts that are the same in every `tokenizer.json` of Gemma 3, around these.
fn gemma(
    vocab: Vocab,
    merges: Vec<RawMerge>,
    added_tokens: Vec<RawAddedToken>,
    unk_token: Option<String>,
    byte_fallback: bool,
) -> RawTokenizer {
    let blank = || RawPattern::String(" ".to_owned());
    let decoders = vec![
        RawDecoderStep::Replace {
            pattern: RawPattern::String(BLANK.to_owned()),
            content: " ".to_owned(),
        },
        RawDecoderStep::ByteFallback {},
        RawDecoderStep::Fuse {},
    ];
    RawTokenizer {
        version: "1.0".to_owned(),
        _truncation: serde::de::IgnoredAny,
        _padding: serde::de::IgnoredAny,
        _post_processor: serde::de::IgnoredAny,
        added_tokens,
        normalizer: Some(RawNormalizer::Replace {
            pattern: blank(),
            content: BLANK.to_owned(),
        }),
        pre_tokenizer: Some(RawPreTokenizer::Split {
            pattern: blank(),
            behavior: SplitDelimiterBehavior::MergedWithPrevious,
            invert: false,
        }),
        decoder: Some(RawDecoder::Sequence { decoders }),
        model: RawModel {
            kind: "BPE".to_owned(),
            dropout: None,
            unk_token,
            continuing_subword_prefix: None,
            end_of_word_suffix: None,
            fuse_unk: true,
            byte_fallback,
            ignore_merges: false,
            vocab,
            merges,
        },
    }
}
