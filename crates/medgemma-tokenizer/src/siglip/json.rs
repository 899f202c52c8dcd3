//! `tokenizer.json` of a SigLIP checkpoint: what it holds, and that it is what this crate does.
//!
//! The file describes a pipeline of regular expressions and steps. It is not run, but compared with the published one,
//! whose steps are written out in `normalization.rs`: an expression may take exponential time, and a pipeline that this crate
//! does not know must not silently give other ids. Truncation, padding, decoder and post-processor are ignored by
//! intent: `</s>` and padding are this crate's to add.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::base64;
use super::charsmap::Charsmap;
use super::model::{EOS, Kind, Model, PAD, Piece, UNK, byte_piece, is_extra};
use crate::error::{Error, Result};

/// The expression that deletes punctuation: all of ASCII's but `/`, `<` and `>`.
const PUNCTUATION: &str = r##"[!"\#\$%\&'\(\)\*\+,\-\.:;=\?@\[\\\]\^_`\{\|\}\~]"##;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTokenizer<N, P> {
    version: String,
    #[serde(default, rename = "truncation")]
    _truncation: IgnoredAny,
    #[serde(default, rename = "padding")]
    _padding: IgnoredAny,
    #[serde(default, rename = "post_processor")]
    _post_processor: IgnoredAny,
    #[serde(default, rename = "decoder")]
    _decoder: IgnoredAny,
    added_tokens: Vec<RawAddedToken>,
    normalizer: N,
    pre_tokenizer: P,
    model: RawModel,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAddedToken {
    id: u32,
    content: String,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    #[serde(rename = "special")]
    _special: bool,
}

#[derive(Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
enum RawNormalizer {
    Sequence { normalizers: Vec<RawStep> },
}

#[derive(Deserialize, PartialEq)]
enum RawPattern {
    String(String),
    Regex(String),
}

#[derive(Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
enum RawStep {
    Lowercase {},
    Replace {
        pattern: RawPattern,
        content: String,
    },
    Strip {
        strip_left: bool,
        strip_right: bool,
    },
    Precompiled {
        precompiled_charsmap: String,
    },
}

#[derive(Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
enum RawPreTokenizer {
    Metaspace {
        replacement: char,
        prepend_scheme: Option<String>,
        split: Option<bool>,
        /// Files of 2023 have it in place of, or beside, `prepend_scheme`.
        add_prefix_space: Option<bool>,
        #[serde(default, rename = "str_rep")]
        _str_rep: IgnoredAny,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModel {
    #[serde(rename = "type")]
    kind: String,
    unk_id: Option<usize>,
    #[serde(default)]
    byte_fallback: bool,
    vocab: Vec<(String, f64)>,
}

/// Parses and checks; `name` stands for the file in errors.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Model> {
    let raw: RawTokenizer<RawNormalizer, RawPreTokenizer> = parse(name, bytes)?;
    let file = File { name };
    file.version(&raw.version)?;
    let RawNormalizer::Sequence { normalizers } = raw.normalizer;
    let charsmap = file.normalizer(normalizers)?;
    file.pre_tokenizer(&raw.pre_tokenizer)?;
    file.model(raw.model, &raw.added_tokens, charsmap)
}

/// Whether the bytes are JSON, whatever it says.
pub(super) fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// As [`read`], whatever the normaliser and the cut into words are: only the pieces of the result are of use.
pub(super) fn read_pieces(name: &str, bytes: &[u8]) -> Result<Vec<Piece>> {
    let raw: RawTokenizer<IgnoredAny, IgnoredAny> = parse(name, bytes)?;
    let file = File { name };
    file.version(&raw.version)?;
    let model = file.model(raw.model, &raw.added_tokens, Charsmap::default())?;
    Ok(model.pieces)
}

/// Parses the JSON file `name`, whatever its schema.
pub(super) fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|source| Error::parse(name, source))
}

/// The checks; holds the file's name for their messages.
struct File<'a> {
    name: &'a str,
}

impl File<'_> {
    fn unsupported(&self, key: &str, expected: &'static str, found: String) -> Error {
        Error::unsupported(self.name, key, expected, &found)
    }

    fn version(&self, version: &str) -> Result<()> {
        match version {
            "1.0" => Ok(()),
            other => Err(self.unsupported("version", "\"1.0\"", format!("{other:?}"))),
        }
    }

    fn model(
        &self,
        raw: RawModel,
        added_tokens: &[RawAddedToken],
        charsmap: Charsmap,
    ) -> Result<Model> {
        let byte_fallback = raw.byte_fallback;
        let pieces = self.pieces(raw)?;
        let mut model = Model::new(self.name, pieces, charsmap, byte_fallback)?;
        model.added = self.added_tokens(added_tokens, &model)?;
        Ok(model)
    }

    /// Holds the six steps against the published ones and returns the character map among them.
    fn normalizer(&self, steps: Vec<RawStep>) -> Result<Charsmap> {
        const EXPECTED: [&str; 6] = [
            "Lowercase",
            "Replace of all ASCII punctuation but / < > by nothing",
            "Replace of \\s+ by a space",
            "Strip on both sides",
            "Precompiled",
            "Replace of two or more spaces by one",
        ];
        if steps.len() != EXPECTED.len() {
            let expected = "the six steps published with SigLIP";
            return Err(self.unsupported(
                "normalizer.normalizers",
                expected,
                steps.len().to_string(),
            ));
        }
        let mut charsmap = None;
        for (index, (step, expected)) in steps.into_iter().zip(EXPECTED).enumerate() {
            let key = format!("normalizer.normalizers[{index}]");
            let replaces = |text: &str, by: &str, with: &RawPattern, content: &str| {
                *with == RawPattern::Regex(text.to_owned()) && content == by
            };
            let known = match (index, &step) {
                (0, RawStep::Lowercase {}) => true,
                (1, RawStep::Replace { pattern, content }) => {
                    replaces(PUNCTUATION, "", pattern, content)
                }
                (2, RawStep::Replace { pattern, content }) => {
                    replaces(r"\s+", " ", pattern, content)
                }
                (
                    3,
                    RawStep::Strip {
                        strip_left,
                        strip_right,
                    },
                ) => *strip_left && *strip_right,
                (
                    4,
                    RawStep::Precompiled {
                        precompiled_charsmap,
                    },
                ) => {
                    charsmap = Some(self.charsmap(&key, precompiled_charsmap)?);
                    true
                }
                (5, RawStep::Replace { pattern, content }) => {
                    replaces(" {2,}", " ", pattern, content)
                }
                _ => false,
            };
            if !known {
                return Err(self.unsupported(&key, expected, step.describe()));
            }
        }
        charsmap
            .ok_or_else(|| self.unsupported("normalizer", "a Precompiled step", "none".to_owned()))
    }

    fn charsmap(&self, key: &str, text: &str) -> Result<Charsmap> {
        let decoded = base64::decode(text).ok_or("is no base64");
        decoded
            .and_then(|bytes| Charsmap::parse(&bytes))
            .map_err(|fault| {
                let key = format!("{key}.precompiled_charsmap");
                Error::vocabulary(self.name, &key, fault, text)
            })
    }

    fn pre_tokenizer(&self, raw: &RawPreTokenizer) -> Result<()> {
        let RawPreTokenizer::Metaspace {
            replacement,
            prepend_scheme,
            split,
            add_prefix_space,
            ..
        } = raw;
        let always = prepend_scheme
            .as_deref()
            .is_none_or(|scheme| scheme == "always");
        if *replacement == super::normalization::BLANK
            && always
            && split.unwrap_or(true)
            && add_prefix_space.unwrap_or(true)
        {
            return Ok(());
        }
        let found = format!("{replacement:?}, {prepend_scheme:?}, {split:?}, {add_prefix_space:?}");
        Err(self.unsupported(
            "pre_tokenizer",
            "Metaspace with ▁, always put before, that splits",
            found,
        ))
    }

    fn pieces(&self, raw: RawModel) -> Result<Vec<Piece>> {
        if raw.kind != "Unigram" {
            return Err(self.unsupported("model.type", "\"Unigram\"", format!("{:?}", raw.kind)));
        }
        let unknown = raw.unk_id.and_then(|id| raw.vocab.get(id));
        if unknown.is_none_or(|(text, _)| text != UNK) {
            return Err(self.unsupported(
                "model.unk_id",
                "the id of `<unk>`",
                format!("{:?}", raw.unk_id),
            ));
        }
        let bytes: Vec<String> = (0..=u8::MAX).map(byte_piece).collect();
        let piece = |(text, score): (String, f64)| {
            let kind = match text.as_str() {
                PAD | EOS => Kind::Control,
                UNK => Kind::Unknown,
                extra if is_extra(extra) => Kind::Extra,
                other
                    if raw.byte_fallback
                        && bytes.binary_search_by(|b| b.as_str().cmp(other)).is_ok() =>
                {
                    Kind::Byte
                }
                _ => Kind::Normal,
            };
            Piece { text, score, kind }
        };
        Ok(raw.vocab.into_iter().map(piece).collect())
    }

    /// Only the published three, treated as published, and those that [`is_extra`], whose ids are given back; `special`
    /// tells how texts are decoded, and is of no matter here.
    fn added_tokens(&self, raw: &[RawAddedToken], model: &Model) -> Result<Vec<u32>> {
        let mut extra = Vec::new();
        for (index, token) in raw.iter().enumerate() {
            let key = format!("added_tokens[{index}]");
            let content = token.content.as_str();
            let strips = [EOS, UNK].contains(&content);
            let published = (strips || content == PAD || is_extra(content))
                && (token.lstrip, token.rstrip) == (strips, strips)
                && !token.normalized
                && !token.single_word;
            if !published {
                let expected = "`<pad>`, `</s>`, `<unk>` or an `▁<extra_id_…>`, not normalised, `</s>` and `<unk>` with \
                    `lstrip` and `rstrip`";
                return Err(self.unsupported(&key, expected, format!("{:?}", token.content)));
            }
            if model.id(content) != Some(token.id) {
                let fault = "has another id in `model.vocab`";
                return Err(Error::vocabulary(self.name, &key, fault, content));
            }
            if is_extra(content) {
                extra.push(token.id);
            }
        }
        Ok(extra)
    }
}

impl RawStep {
    /// For a message.
    fn describe(&self) -> String {
        match self {
            Self::Lowercase {} => "Lowercase".to_owned(),
            Self::Replace { pattern, content } => {
                let (RawPattern::String(text) | RawPattern::Regex(text)) = pattern;
                format!("Replace of {text:?} by {content:?}")
            }
            Self::Strip {
                strip_left,
                strip_right,
            } => format!("Strip, left {strip_left}, right {strip_right}"),
            Self::Precompiled { .. } => "Precompiled".to_owned(),
        }
    }
}
