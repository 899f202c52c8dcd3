//! Reads `tokenizer.json`: checks what the file holds and assembles the library's parts.
//!
//! The file is parsed here rather than by
//! that crate: its own loader panics on merges longer than any token, builds invalid UTF-8 when a subword prefix cuts
//! a character, gives added tokens other ids than the file declares and only logs it, and accepts patterns whose
//! matching time has no bound.

use std::collections::HashSet;

use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::replace::Replace;
use tokenizers::pre_tokenizers::split::Split;
use tokenizers::{AddedToken, DecoderWrapper};

use crate::error::{Error, Result};
use crate::schema::{
    RawAddedToken, RawDecoder, RawDecoderStep, RawMerge, RawModel, RawNormalizer, RawPattern,
    RawPreTokenizer, RawTokenizer,
};

/// Ids without a token, at most. Whoever looks at all ids up to the highest would otherwise look at four
/// thousand million, and an embedding has a row for each; the largest of published ones has 256 thousand rows.
const MOST_FREE_IDS: usize = 1 << 20;

/// A checked tokenizer and what the streaming decoder needs to know of it.
pub(crate) struct Parts {
    pub(crate) library: tokenizers::Tokenizer,
    pub(crate) id_count: usize,
    pub(crate) special_ids: HashSet<u32>,
    /// `(from, to)` of the decoder's replacement.
    pub(crate) replacement: Option<(String, String)>,
    pub(crate) byte_fallback: bool,
}

/// Parses, checks and assembles; see [`crate::Tokenizer::from_bytes`].
pub(crate) fn read(name: &str, bytes: &[u8]) -> Result<Parts> {
    let raw: RawTokenizer =
        serde_json::from_slice(bytes).map_err(|source| Error::parse(name, source))?;
    assemble(name, raw)
}

/// Checks and assembles what was parsed.
pub(crate) fn assemble(name: &str, raw: RawTokenizer) -> Result<Parts> {
    let file = File { name };
    if raw.version != "1.0" {
        return Err(file.unsupported("version", "\"1.0\"", format!("{:?}", raw.version)));
    }
    let ids = file.ids(&raw.model.vocab, &raw.added_tokens)?;
    let mut library = tokenizers::Tokenizer::new(file.model(raw.model)?);
    if let Some(RawNormalizer::Replace { pattern, content }) = raw.normalizer {
        let pattern = file.literal("normalizer.pattern", pattern)?;
        let replace = Replace::new(pattern, content).map_err(|e| file.assemble(e))?;
        library
            .with_normalizer(Some(replace))
            .map_err(|e| file.assemble(e))?;
    }
    if let Some(RawPreTokenizer::Split {
        pattern,
        behavior,
        invert,
    }) = raw.pre_tokenizer
    {
        let pattern = file.literal("pre_tokenizer.pattern", pattern)?;
        let split = Split::new(pattern, behavior, invert).map_err(|e| file.assemble(e))?;
        library.with_pre_tokenizer(Some(split));
    }
    let Decoder {
        sequence,
        replacement,
        byte_fallback,
    } = file.decoder(raw.decoder)?;
    library.with_decoder(Some(sequence));
    let special_ids = file.add_tokens(&mut library, raw.added_tokens)?;
    Ok(Parts {
        library,
        id_count: ids,
        special_ids,
        replacement,
        byte_fallback,
    })
}

/// The decoder, and what it does in the terms of the streaming decoder.
struct Decoder {
    sequence: Sequence,
    replacement: Option<(String, String)>,
    byte_fallback: bool,
}

/// The checks; holds the file's name for their messages.
struct File<'a> {
    name: &'a str,
}

impl File<'_> {
    fn unsupported(&self, key: &str, expected: &'static str, found: String) -> Error {
        Error::unsupported(self.name, key, expected, &found)
    }

    fn vocabulary(&self, key: &str, fault: &'static str, token: &str) -> Error {
        Error::vocabulary(self.name, key, fault, token)
    }

    fn assemble(&self, source: tokenizers::Error) -> Error {
        Error::Assemble {
            name: self.name.to_owned(),
            source,
        }
    }

    /// A pattern that is plain text. Regular expressions are refused: matching them may take exponential time.
    fn literal(&self, key: &str, pattern: RawPattern) -> Result<String> {
        match pattern {
            RawPattern::String(text) if !text.is_empty() => Ok(text),
            RawPattern::String(_) => {
                Err(self.unsupported(key, "a text of at least one character", "\"\"".to_owned()))
            }
            RawPattern::Regex(_) => {
                Err(self.unsupported(key, "a plain text", "a regular expression".to_owned()))
            }
        }
    }

    /// Checks that each id has one token and each token one id; returns the highest id plus one.
    fn ids(&self, vocab: &Vocab, added: &[RawAddedToken]) -> Result<usize> {
        let most = vocab.len() + added.len() + MOST_FREE_IDS;
        let mut used = HashSet::with_capacity(vocab.len() + added.len());
        for (token, &id) in vocab {
            let fault = if id as usize >= most {
                "gives a token an id far beyond the number of tokens"
            } else if !used.insert(id) {
                "gives a second token the same id"
            } else {
                continue;
            };
            return Err(self.vocabulary("model.vocab", fault, token));
        }
        let mut contents = HashSet::with_capacity(added.len());
        for (index, token) in added.iter().enumerate() {
            let fault = if token.content.is_empty() {
                Some("is empty")
            } else if !contents.insert(token.content.as_str()) {
                Some("is listed twice")
            } else {
                match vocab.get(&token.content) {
                    Some(&id) if id != token.id => Some("has another id in `model.vocab`"),
                    Some(_) => None,
                    None if !used.insert(token.id) => Some("has the id of another token"),
                    None => None,
                }
            };
            if let Some(fault) = fault {
                let key = format!("added_tokens[{index}]");
                return Err(self.vocabulary(&key, fault, &token.content));
            }
        }
        Ok(used.into_iter().max().map_or(0, |id| id as usize + 1))
    }

    fn model(&self, raw: RawModel) -> Result<BPE> {
        if raw.kind != "BPE" {
            return Err(self.unsupported("model.type", "\"BPE\"", format!("{:?}", raw.kind)));
        }
        if let Some(dropout) = raw.dropout.filter(|&p| p != 0.0) {
            return Err(self.unsupported(
                "model.dropout",
                "null: dropout makes encoding random",
                dropout.to_string(),
            ));
        }
        let affixes = [
            (
                "model.continuing_subword_prefix",
                &raw.continuing_subword_prefix,
            ),
            ("model.end_of_word_suffix", &raw.end_of_word_suffix),
        ];
        for (key, affix) in affixes {
            if let Some(affix) = affix.as_ref().filter(|affix| !affix.is_empty()) {
                return Err(self.unsupported(key, "null", format!("{affix:?}")));
            }
        }
        self.unknown_text(&raw)?;
        let merges = self.merges(raw.merges, &raw.vocab)?;
        // The library's cache would keep users' texts in memory, and one of whole texts has few hits.
        let mut builder = BPE::builder()
            .cache_capacity(0)
            .vocab_and_merges(raw.vocab, merges)
            .fuse_unk(raw.fuse_unk)
            .byte_fallback(raw.byte_fallback)
            .ignore_merges(raw.ignore_merges);
        if let Some(unk_token) = raw.unk_token {
            builder = builder.unk_token(unk_token);
        }
        builder.build().map_err(|e| self.assemble(e))
    }

    /// Characters outside the vocabulary must become something: the unknown token or bytes, else text is lost.
    fn unknown_text(&self, raw: &RawModel) -> Result<()> {
        if let Some(unk_token) = &raw.unk_token {
            return match raw.vocab.get(unk_token) {
                Some(_) => Ok(()),
                None => {
                    Err(self.vocabulary("model.unk_token", "is not in `model.vocab`", unk_token))
                }
            };
        }
        if !raw.byte_fallback {
            let found = "null, without `model.byte_fallback`".to_owned();
            return Err(self.unsupported("model.unk_token", "a token for unknown text", found));
        }
        match (0..=u8::MAX)
            .map(|byte| format!("<0x{byte:02X}>"))
            .find(|token| !raw.vocab.contains_key(token))
        {
            Some(token) => Err(self.vocabulary(
                "model.vocab",
                "lacks a byte token and has no unknown token",
                &token,
            )),
            None => Ok(()),
        }
    }

    fn merges(&self, raw: Vec<RawMerge>, vocab: &Vocab) -> Result<Vec<(String, String)>> {
        let mut merged = String::new();
        let mut merges = Vec::with_capacity(raw.len());
        for (index, merge) in raw.into_iter().enumerate() {
            let at = |fault, token: &str| {
                self.vocabulary(&format!("model.merges[{index}]"), fault, token)
            };
            let (left, right) = match merge {
                RawMerge::Pair(left, right) => (left, right),
                RawMerge::Line(line) => match line.split_once(' ') {
                    Some((left, right)) => (left.to_owned(), right.to_owned()),
                    None => return Err(at("is not two tokens with a space between", &line)),
                },
            };
            merged.clear();
            merged.push_str(&left);
            merged.push_str(&right);
            if let Some(token) = [&left, &right, &merged]
                .into_iter()
                .find(|token| !vocab.contains_key(*token))
            {
                return Err(at(
                    "has or makes a token that is not in `model.vocab`",
                    token,
                ));
            }
            merges.push((left, right));
        }
        Ok(merges)
    }

    /// The decoder must be one whose output grows token by token: a replacement, then byte fallback, then joining.
    fn decoder(&self, raw: Option<RawDecoder>) -> Result<Decoder> {
        const EXPECTED: &str =
            "a Sequence of at most one Replace, ByteFallback and Fuse each, in this order";
        let Some(RawDecoder::Sequence { decoders }) = raw else {
            return Err(self.unsupported("decoder", EXPECTED, "null".to_owned()));
        };
        let mut steps: Vec<DecoderWrapper> = Vec::with_capacity(decoders.len());
        let mut replacement = None;
        let (mut byte_fallback, mut fused) = (false, false);
        for (index, step) in decoders.into_iter().enumerate() {
            let key = format!("decoder.decoders[{index}]");
            match step {
                RawDecoderStep::Replace { pattern, content } if steps.is_empty() => {
                    let pattern = self.literal(&format!("{key}.pattern"), pattern)?;
                    let replace = Replace::new(pattern.as_str(), content.as_str())
                        .map_err(|e| self.assemble(e))?;
                    steps.push(replace.into());
                    replacement = Some((pattern, content));
                }
                RawDecoderStep::ByteFallback {} if !byte_fallback && !fused => {
                    byte_fallback = true;
                    steps.push(ByteFallback::new().into());
                }
                RawDecoderStep::Fuse {} if !fused => {
                    fused = true;
                    steps.push(Fuse::new().into());
                }
                _ => {
                    return Err(self.unsupported(
                        &key,
                        EXPECTED,
                        "a step out of this order".to_owned(),
                    ));
                }
            }
        }
        Ok(Decoder {
            sequence: Sequence::new(steps),
            replacement,
            byte_fallback,
        })
    }

    /// Adds the tokens and returns the ids of those that decoding skips.
    fn add_tokens(
        &self,
        library: &mut tokenizers::Tokenizer,
        raw: Vec<RawAddedToken>,
    ) -> Result<HashSet<u32>> {
        let declared: Vec<(u32, String)> = raw
            .iter()
            .map(|token| (token.id, token.content.clone()))
            .collect();
        let tokens = raw.into_iter().map(|token| {
            AddedToken::from(token.content, token.special)
                .single_word(token.single_word)
                .lstrip(token.lstrip)
                .rstrip(token.rstrip)
                .normalized(token.normalized)
        });
        library.add_tokens(tokens).map_err(|e| self.assemble(e))?;
        let mut special_ids = HashSet::new();
        for (index, (id, content)) in declared.iter().enumerate() {
            // The library numbers tokens outside the vocabulary in the order of the file, whatever the file says.
            if library.token_to_id(content) != Some(*id) {
                let fault = "does not continue the ids of `model.vocab`";
                let key = format!("added_tokens[{index}]");
                return Err(self.vocabulary(&key, fault, content));
            }
            // Asked by the token's decoded spelling, because the library's `decode` asks so.
            let spelling = library.id_to_token(*id).unwrap_or_default();
            if library.get_added_vocabulary().is_special_token(&spelling) {
                special_ids.insert(*id);
            }
        }
        Ok(special_ids)
    }
}
