//! The schema of `tokenizer.json` as far as Gemma tokenizers use it: what the file holds, before any check.
//!
//! Keys as written by the `tokenizers` crate 0.23 (version 1.0). Unknown keys are errors, because one may change what
//! the tokenizer does; truncation, padding and the post-processor are named and ignored by intent.

use serde::Deserialize;
use serde::de::IgnoredAny;
use tokenizers::SplitDelimiterBehavior;
use tokenizers::models::bpe::Vocab;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTokenizer {
    pub(crate) version: String,
    #[serde(default, rename = "truncation")]
    pub(crate) _truncation: IgnoredAny,
    #[serde(default, rename = "padding")]
    pub(crate) _padding: IgnoredAny,
    #[serde(default, rename = "post_processor")]
    pub(crate) _post_processor: IgnoredAny,
    #[serde(default)]
    pub(crate) added_tokens: Vec<RawAddedToken>,
    pub(crate) normalizer: Option<RawNormalizer>,
    pub(crate) pre_tokenizer: Option<RawPreTokenizer>,
    pub(crate) decoder: Option<RawDecoder>,
    pub(crate) model: RawModel,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAddedToken {
    pub(crate) id: u32,
    pub(crate) content: String,
    #[serde(default)]
    pub(crate) single_word: bool,
    #[serde(default)]
    pub(crate) lstrip: bool,
    #[serde(default)]
    pub(crate) rstrip: bool,
    #[serde(default)]
    pub(crate) normalized: bool,
    #[serde(default)]
    pub(crate) special: bool,
}

#[derive(Deserialize)]
pub(crate) enum RawPattern {
    String(String),
    Regex(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub(crate) enum RawNormalizer {
    Replace {
        pattern: RawPattern,
        content: String,
    },
}

#[derive(Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub(crate) enum RawPreTokenizer {
    Split {
        pattern: RawPattern,
        behavior: SplitDelimiterBehavior,
        invert: bool,
    },
}

#[derive(Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub(crate) enum RawDecoder {
    Sequence { decoders: Vec<RawDecoderStep> },
}

#[derive(Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub(crate) enum RawDecoderStep {
    Replace {
        pattern: RawPattern,
        content: String,
    },
    ByteFallback {},
    Fuse {},
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawModel {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) dropout: Option<f32>,
    pub(crate) unk_token: Option<String>,
    pub(crate) continuing_subword_prefix: Option<String>,
    pub(crate) end_of_word_suffix: Option<String>,
    #[serde(default)]
    pub(crate) fuse_unk: bool,
    #[serde(default)]
    pub(crate) byte_fallback: bool,
    #[serde(default)]
    pub(crate) ignore_merges: bool,
    pub(crate) vocab: Vocab,
    pub(crate) merges: Vec<RawMerge>,
}

/// A merge is a pair, or in files written before 2024 both tokens in one string with a space between.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum RawMerge {
    Pair(String, String),
    Line(String),
}
