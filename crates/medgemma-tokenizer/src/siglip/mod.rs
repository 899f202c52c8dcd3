//! The text tokenizer of SigLIP and MedSigLIP: a unigram vocabulary of 32 000 pieces, rows of 64 ids.
//!
//! Differences from Gemma's: texts become lower case without punctuation, `</s>` ends them, there is no `<bos>`, and every
//! row is filled to its full length with the id of `</s>`, which is 1. The text tower has no mask and pools the last
//! position, so that a row of another length gives another embedding; this type therefore never gives one.

mod base64;
mod beside;
mod charsmap;
mod json;
mod model;
mod normalization;
mod sentencepiece;
mod special;
mod unigram;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use crate::chat::is_python_space;
use crate::error::{Error, Result};
use crate::tokenizer::{check_size, read_file};
use model::Model;
pub use normalization::SiglipNormalization;
use special::{Found, SPECIAL, split};
use unigram::Rules;

/// Number of ids of every text: `max_position_embeddings` of SigLIP's text tower, `model_max_length` of its tokenizer.
pub const SIGLIP_TEXT_LENGTH: usize = 64;

/// Largest accepted [`SiglipTextOptions::length`]. No published text tower reads more than 64 ids.
pub const MAX_SIGLIP_TEXT_LENGTH: usize = 8192;

/// How a text becomes ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SiglipTextOptions {
    /// Default: that of `SiglipTokenizer`, which the published code chooses.
    pub normalization: SiglipNormalization,
    /// Whether a text that is too long is cut. Default `false`: it is an error, because what is cut off a finding or a label
    /// may be what tells it from another. If `true`, the first ids that leave room for `</s>` are kept.
    pub truncate: bool,
    /// Number of ids, `</s>` and padding counted. Default [`SIGLIP_TEXT_LENGTH`]; a model's own is
    /// `text_config.max_position_embeddings`.
    pub length: usize,
}

impl Default for SiglipTextOptions {
    fn default() -> Self {
        Self {
            normalization: SiglipNormalization::default(),
            truncate: false,
            length: SIGLIP_TEXT_LENGTH,
        }
    }
}

impl SiglipTextOptions {
    /// Chooses the normalisation.
    #[must_use]
    pub fn with_normalization(mut self, normalization: SiglipNormalization) -> Self {
        self.normalization = normalization;
        self
    }

    /// Cuts texts that are too long instead of refusing them.
    #[must_use]
    pub fn with_truncate(mut self, truncate: bool) -> Self {
        self.truncate = truncate;
        self
    }

    /// Sets the number of ids, 1 to [`MAX_SIGLIP_TEXT_LENGTH`].
    #[must_use]
    pub fn with_length(mut self, length: usize) -> Self {
        self.length = length;
        self
    }
}

/// SigLIP's text tokenizer. Immutable, `Send + Sync`, cheap to clone.
///
/// Read from `tokenizer.json` or `spiece.model`: both hold the same pieces, scores and character map, and either serves
/// either normalisation (see [`SiglipTokenizer::from_dir`] for two files of which the first is not understood).
///
/// ```
/// use medgemma_tokenizer::{SiglipNormalization, SiglipTextOptions, SiglipTokenizer};
///
/// # fn main() -> Result<(), medgemma_tokenizer::Error> {
/// // A real program reads a checkpoint: `SiglipTokenizer::from_dir("medsiglip-448".as_ref())?`.
/// # let file = include_bytes!("../../tests/golden/siglip/spiece.model");
/// let tokenizer = SiglipTokenizer::from_bytes("spiece.model", file)?;
/// let ids = tokenizer.encode("Pleural effusion.", &SiglipTextOptions::default())?;
/// assert_eq!((ids.len(), ids.last()), (64, Some(&1)));
///
/// // Of the two published normalisations only one tells these apart.
/// let json = SiglipTextOptions::default().with_normalization(SiglipNormalization::TokenizerJson);
/// assert_ne!(tokenizer.encode("<90", &json)?, tokenizer.encode("90", &json)?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SiglipTokenizer {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    model: Model,
    /// What is wrong with the `tokenizer.json` in whose place this one serves.
    passed_over: Option<Error>,
    /// How many ids `<unk>` has as plain text, see [`SiglipTokenizer::encode_part`].
    unknown_prefix: usize,
}

impl SiglipTokenizer {
    /// Reads the tokenizer of a checkpoint: `tokenizer.json`, or `spiece.model` where there is none.
    ///
    /// `spiece.model` also serves for a `tokenizer.json` that is no JSON, and for one of the same pieces with another
    /// normaliser or cut into words than the published: [`name`](Self::name) then tells the file,
    /// [`passed_over`](Self::passed_over) what is wrong with the first. A `tokenizer.json` with other pieces or tokens than the
    /// published, or one that cannot be read, is an error: `spiece.model` would give other ids, silently.
    ///
    /// What lies beside it and would give other ids is refused: in `tokenizer_config.json` (or, where that has no
    /// `added_tokens_decoder`, in `special_tokens_map.json` and `added_tokens.json`), tokens that a fine-tune added and special
    /// tokens other than the published; `do_lower_case` must not be `false`.
    ///
    /// # Errors
    /// [`Error::Read`] if neither is there, otherwise as [`from_file`](Self::from_file), of `tokenizer.json` where it is
    /// there; [`Error::Unsupported`] and [`Error::Parse`] of a file beside it.
    pub fn from_dir(dir: &Path) -> Result<Self> {
        let tokenizer = Self::from_files(dir)?;
        beside::check(dir, &tokenizer.inner.model)?;
        Ok(tokenizer)
    }

    /// As [`from_dir`](Self::from_dir), whatever lies beside.
    fn from_files(dir: &Path) -> Result<Self> {
        let (json, model) = (dir.join("tokenizer.json"), dir.join("spiece.model"));
        let bytes = match read_file(&json) {
            Err(Error::Read { source, .. })
                if source.kind() == ErrorKind::NotFound && model.exists() =>
            {
                return Self::from_file(&model);
            }
            bytes => bytes?,
        };
        let name = json.display().to_string();
        let error = match Self::from_bytes(&name, &bytes) {
            Err(error) if model.exists() && !matches!(error, Error::TooLarge { .. }) => error,
            read => return read,
        };
        let pieces = match json::is_json(&bytes) {
            true => Some(json::read_pieces(&name, &bytes)?),
            false => None,
        };
        let name = model.display().to_string();
        let model = read_file(&model).and_then(|bytes| read_model(&name, &bytes));
        let same = |found: &Model| pieces.is_none_or(|pieces| found.is_spelt_as(&pieces));
        // If the second serves no better, the error is the first's.
        match model {
            Ok(model) if same(&model) => Ok(Self::new(&name, model, Some(error))),
            _ => Err(error),
        }
    }

    /// Reads a `tokenizer.json` or a `spiece.model`; the content tells which.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::TooLarge`] for the file, otherwise as [`from_bytes`](Self::from_bytes).
    pub fn from_file(path: &Path) -> Result<Self> {
        Self::from_bytes(&path.display().to_string(), &read_file(path)?)
    }

    /// Reads the bytes of a `tokenizer.json` or a `spiece.model`; `name` stands for the file in error messages.
    ///
    /// # Errors
    /// [`Error::TooLarge`]; [`Error::Parse`] or [`Error::SentencePiece`] for bytes that are neither, [`Error::Unsupported`] for a tokenizer of
    /// another kind, [`Error::Vocabulary`] and [`Error::MissingToken`] for pieces that do not fit each other.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self> {
        Ok(Self::new(name, read_model(name, bytes)?, None))
    }

    fn new(name: &str, model: Model, passed_over: Option<Error>) -> Self {
        let mut prefix = Vec::new();
        let unknown = normalization::sentencepiece(&model.charsmap, model::UNK);
        model.cut(&unknown, Rules::SentencePiece, &mut prefix);
        Self {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                unknown_prefix: prefix.len(),
                passed_over,
                model,
            }),
        }
    }

    /// Name of the file, as given.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// What is wrong with the `tokenizer.json` in whose place [`from_dir`](Self::from_dir) took `spiece.model`.
    pub fn passed_over(&self) -> Option<&Error> {
        self.inner.passed_over.as_ref()
    }

    /// Encodes a text into a row of exactly `options.length` ids: the text's, `</s>`, and `</s>` again up to the end.
    ///
    /// Any text has a row, the empty one included. `</s>` and `<unk>` (with [`SiglipNormalization::TokenizerJson`] also
    /// `<pad>`) spelt in the text are those tokens, as in the reference.
    ///
    /// # Errors
    /// [`Error::TextTooLong`] with the number of ids, unless `options.truncate`; [`Error::TextLength`] for a length of 0 or
    /// above [`MAX_SIGLIP_TEXT_LENGTH`]; [`Error::NoNormalizer`] for [`SiglipNormalization::TokenizerJson`] where that file is
    /// [`passed_over`](Self::passed_over).
    pub fn encode(&self, text: &str, options: &SiglipTextOptions) -> Result<Vec<u32>> {
        let SiglipTextOptions {
            normalization,
            truncate,
            length,
        } = *options;
        if !(1..=MAX_SIGLIP_TEXT_LENGTH).contains(&length) {
            return Err(Error::TextLength {
                limit: MAX_SIGLIP_TEXT_LENGTH,
                found: length,
            });
        }
        let eos = self.inner.model.eos;
        let mut ids = match (normalization, self.passed_over()) {
            (SiglipNormalization::SiglipTokenizer, _) => self.encode_as_siglip_tokenizer(text),
            (SiglipNormalization::TokenizerJson, None) => self.encode_as_tokenizer_json(text),
            (SiglipNormalization::TokenizerJson, Some(error)) => {
                return Err(Error::NoNormalizer {
                    name: self.name().to_owned(),
                    reason: error.to_string(),
                });
            }
        };
        if truncate {
            ids.truncate(length - 1);
        }
        // `SiglipTokenizer` adds none behind one that the text spells; where padding follows, that is no difference.
        let ended =
            normalization == SiglipNormalization::SiglipTokenizer && ids.last() == Some(&eos);
        if !ended {
            ids.push(eos);
        }
        if ids.len() > length {
            return Err(Error::TextTooLong {
                limit: length,
                found: ids.len(),
            });
        }
        ids.resize(length, eos);
        Ok(ids)
    }

    /// `SiglipTokenizer.tokenize`: a blank before the whole, special tokens apart, every part in between by itself.
    fn encode_as_siglip_tokenizer(&self, text: &str) -> Vec<u32> {
        let blank = normalization::BLANK;
        let text = format!("{blank}{}", text.replace(blank, " "));
        let mut ids = Vec::new();
        for part in split(&text, &SPECIAL[1..], is_python_space) {
            match part {
                Found::Special(token) => ids.extend(self.inner.model.id(token)),
                Found::Text(text) => self.encode_part(text, &mut ids),
            }
        }
        ids
    }

    /// `SiglipTokenizer._tokenize`: the text is encoded behind a spelt-out `<unk>`, whose ids are then taken off, so that
    /// SentencePiece puts its blank before the `<unk>` and not before the text.
    fn encode_part(&self, text: &str, ids: &mut Vec<u32>) {
        let model = &self.inner.model;
        let text = format!("{}{}", model::UNK, normalization::canonicalize(text));
        let mut cut = Vec::new();
        let text = normalization::sentencepiece(&model.charsmap, &text);
        model.cut(&text, Rules::SentencePiece, &mut cut);
        // With fewer, the reference keeps them all.
        let taken = if cut.len() >= self.inner.unknown_prefix {
            self.inner.unknown_prefix
        } else {
            0
        };
        ids.extend_from_slice(&cut[taken..]);
    }

    /// `tokenizer.json` as `tokenizers` runs it: special tokens apart, each part normalised and cut word by word.
    fn encode_as_tokenizer_json(&self, text: &str) -> Vec<u32> {
        let model = &self.inner.model;
        let mut ids = Vec::new();
        // Most texts have none of them, and are not looked through for each.
        let any = text.contains("\u{2581}<extra_id_");
        let added = model.added.iter().filter(|_| any);
        let added = added.map(|&id| (model.pieces[id as usize].text.as_str(), false));
        let special: Vec<_> = SPECIAL.into_iter().chain(added).collect();
        for part in split(text, &special, char::is_whitespace) {
            match part {
                Found::Special(token) => ids.extend(model.id(token)),
                Found::Text(text) => {
                    let text = normalization::tokenizer_json(&model.charsmap, text);
                    // A word is a blank and what follows it.
                    let mut rest = text.as_str();
                    while let Some(first) = rest.chars().next() {
                        let from = first.len_utf8();
                        let next = rest[from..].find(normalization::BLANK);
                        let (word, after) = rest.split_at(next.map_or(rest.len(), |at| from + at));
                        model.cut(word, Rules::Tokenizers, &mut ids);
                        rest = after;
                    }
                }
            }
        }
        ids
    }

    /// Id of a piece, given as the vocabulary spells it (a leading space is `▁`).
    pub fn id(&self, piece: &str) -> Option<u32> {
        self.inner.model.id(piece)
    }

    /// The piece of an id as the vocabulary spells it, or `None` beyond the vocabulary.
    pub fn piece(&self, id: u32) -> Option<&str> {
        let piece = self.inner.model.pieces.get(id as usize)?;
        Some(&piece.text)
    }

    /// Number of pieces, 32 000 for SigLIP: the rows of the text tower's embedding table.
    pub fn vocab_size(&self) -> usize {
        self.inner.model.pieces.len()
    }

    /// Id of `</s>`, which ends a text and fills its row: 1 for SigLIP.
    pub fn eos(&self) -> u32 {
        self.inner.model.eos
    }
}

/// The vocabulary of either file.
fn read_model(name: &str, bytes: &[u8]) -> Result<Model> {
    check_size(name, bytes)?;
    // A `ModelProto` begins with the key of its first field, which is the byte of a line feed, and with a length.
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') | None => json::read(name, bytes),
        Some(_) => sentencepiece::read(name, bytes),
    }
}

impl std::fmt::Debug for SiglipTokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SiglipTokenizer")
            .field("name", &self.inner.name)
            .field("vocab_size", &self.vocab_size())
            .finish()
    }
}
