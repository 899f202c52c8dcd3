//! `spiece.model` of a SigLIP checkpoint: SentencePiece's `ModelProto` (`sentencepiece_model.proto`, 0.2.3), as far as a
//! unigram model with SigLIP's settings has it. Protocol buffers' wire format is read here, without a library: fields
//! are a number, a kind of four, and a value; unknown ones are passed over.

use super::charsmap::Charsmap;
use super::model::{Kind, Model, Piece, is_extra};
use crate::error::{Error, Result};

/// Bytes of a piece that is no text, for a message.
const SHOWN_BYTES: usize = 32;

/// Field numbers of the `.proto` file.
mod field {
    pub(super) const PIECES: u64 = 1;
    pub(super) const TRAINER_SPEC: u64 = 2;
    pub(super) const NORMALIZER_SPEC: u64 = 3;
    pub(super) const PIECE: u64 = 1;
    pub(super) const SCORE: u64 = 2;
    pub(super) const TYPE: u64 = 3;
    pub(super) const MODEL_TYPE: u64 = 3;
    pub(super) const SUFFIX_BLANKS: u64 = 24;
    pub(super) const BYTE_FALLBACK: u64 = 35;
    pub(super) const CHARSMAP: u64 = 2;
    pub(super) const ADD_DUMMY_PREFIX: u64 = 3;
    pub(super) const REMOVE_EXTRA_WHITESPACES: u64 = 4;
    pub(super) const ESCAPE_WHITESPACES: u64 = 5;
}

/// Parses and checks; `name` stands for the file in errors.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Model> {
    let file = File { name };
    let mut pieces = Vec::new();
    let (mut trainer, mut normalizer) = (None, None);
    for field in file.fields(bytes) {
        match field? {
            (field::PIECES, Value::Bytes(piece)) => pieces.push(file.piece(pieces.len(), piece)?),
            (field::TRAINER_SPEC, Value::Bytes(spec)) => trainer = Some(file.trainer(spec)?),
            (field::NORMALIZER_SPEC, Value::Bytes(spec)) => {
                normalizer = Some(file.normalizer(spec)?)
            }
            _ => {}
        }
    }
    // Both follow the pieces in every file: one that ends before them was cut off.
    let missing = |key| file.unsupported(key, "a message", "nothing".to_owned());
    let trainer = trainer.ok_or_else(|| missing("trainer_spec"))?;
    let normalizer = normalizer.ok_or_else(|| missing("normalizer_spec"))?;
    let settings = [
        (
            "trainer_spec.model_type",
            trainer.model_type == 1,
            "1 (unigram)",
        ),
        (
            "trainer_spec.treat_whitespace_as_suffix",
            !trainer.suffix_blanks,
            "false",
        ),
        (
            "normalizer_spec.add_dummy_prefix",
            normalizer.add_dummy_prefix,
            "true",
        ),
        (
            "normalizer_spec.remove_extra_whitespaces",
            normalizer.remove_extra_whitespaces,
            "true",
        ),
        (
            "normalizer_spec.escape_whitespaces",
            normalizer.escape_whitespaces,
            "true",
        ),
    ];
    if let Some((key, _, expected)) = settings
        .into_iter()
        .find(|(_, as_published, _)| !as_published)
    {
        return Err(file.unsupported(key, expected, "another setting".to_owned()));
    }
    let charsmap = Charsmap::parse(normalizer.charsmap).map_err(|fault| {
        let key = "normalizer_spec.precompiled_charsmap";
        let found = format!("{} bytes", normalizer.charsmap.len());
        Error::vocabulary(name, key, fault, &found)
    })?;
    Model::new(name, pieces, charsmap, trainer.byte_fallback)
}

/// Of `TrainerSpec`, what changes ids; the defaults are the `.proto` file's.
struct Trainer {
    model_type: u64,
    suffix_blanks: bool,
    byte_fallback: bool,
}

impl Default for Trainer {
    fn default() -> Self {
        Self {
            model_type: 1,
            suffix_blanks: false,
            byte_fallback: false,
        }
    }
}

/// Of `NormalizerSpec`, the same.
struct Normalizer<'a> {
    charsmap: &'a [u8],
    add_dummy_prefix: bool,
    remove_extra_whitespaces: bool,
    escape_whitespaces: bool,
}

impl Default for Normalizer<'_> {
    fn default() -> Self {
        Self {
            charsmap: &[],
            add_dummy_prefix: true,
            remove_extra_whitespaces: true,
            escape_whitespaces: true,
        }
    }
}

/// A field's value. Groups, which this file does not have, are refused.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
    Fixed64,
}

/// The checks; holds the file's name for their messages.
struct File<'a> {
    name: &'a str,
}

impl File<'_> {
    fn unsupported(&self, key: &str, expected: &'static str, found: String) -> Error {
        Error::unsupported(self.name, key, expected, &found)
    }

    /// Number and value of every field of a message, in order; an error ends them.
    fn fields<'b>(&self, message: &'b [u8]) -> impl Iterator<Item = Result<(u64, Value<'b>)>> {
        let mut rest = message;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let left = rest.len();
            let field = next_field(&mut rest).ok_or_else(|| {
                rest = &[];
                Error::SentencePiece {
                    name: self.name.to_owned(),
                    at: message.len() - left,
                    length: message.len(),
                }
            });
            Some(field)
        })
    }

    fn piece(&self, id: usize, message: &[u8]) -> Result<Piece> {
        let (mut text, mut score, mut kind) = (&[][..], 0.0, 1);
        for field in self.fields(message) {
            match field? {
                (field::PIECE, Value::Bytes(bytes)) => text = bytes,
                (field::SCORE, Value::Fixed32(bytes)) => score = f32::from_le_bytes(bytes),
                (field::TYPE, Value::Number(number)) => kind = number,
                _ => {}
            }
        }
        let key = format!("pieces[{id}]");
        let text = std::str::from_utf8(text).map_err(|_| {
            let beginning = &text[..text.len().min(SHOWN_BYTES)];
            self.unsupported(&key, "a piece in UTF-8", format!("{beginning:02x?}"))
        })?;
        let kind = match kind {
            1 => Kind::Normal,
            2 => Kind::Unknown,
            3 => Kind::Control,
            4 if is_extra(text) => Kind::Extra,
            6 => Kind::Byte,
            other => {
                let expected = "1 (normal), 2 (unknown), 3 (control), 6 (byte), or 4 (user defined) of an `▁<extra_id_…>`";
                return Err(self.unsupported(&format!("{key}.type"), expected, other.to_string()));
            }
        };
        Ok(Piece {
            text: text.to_owned(),
            score: f64::from(score),
            kind,
        })
    }

    fn trainer(&self, message: &[u8]) -> Result<Trainer> {
        let mut trainer = Trainer::default();
        for field in self.fields(message) {
            match field? {
                (field::MODEL_TYPE, Value::Number(number)) => trainer.model_type = number,
                (field::SUFFIX_BLANKS, Value::Number(flag)) => trainer.suffix_blanks = flag != 0,
                (field::BYTE_FALLBACK, Value::Number(flag)) => trainer.byte_fallback = flag != 0,
                _ => {}
            }
        }
        Ok(trainer)
    }

    fn normalizer<'b>(&self, message: &'b [u8]) -> Result<Normalizer<'b>> {
        let mut normalizer = Normalizer::default();
        for field in self.fields(message) {
            match field? {
                (field::CHARSMAP, Value::Bytes(bytes)) => normalizer.charsmap = bytes,
                (field::ADD_DUMMY_PREFIX, Value::Number(flag)) => {
                    normalizer.add_dummy_prefix = flag != 0
                }
                (field::REMOVE_EXTRA_WHITESPACES, Value::Number(flag)) => {
                    normalizer.remove_extra_whitespaces = flag != 0;
                }
                (field::ESCAPE_WHITESPACES, Value::Number(flag)) => {
                    normalizer.escape_whitespaces = flag != 0
                }
                _ => {}
            }
        }
        Ok(normalizer)
    }
}

/// Takes one field off the front; `None` if the bytes are not one.
fn next_field<'b>(rest: &mut &'b [u8]) -> Option<(u64, Value<'b>)> {
    let key = varint(rest)?;
    let value = match key & 7 {
        0 => Value::Number(varint(rest)?),
        1 => {
            take(rest, 8)?;
            Value::Fixed64
        }
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Value::Bytes(take(rest, length)?)
        }
        5 => Value::Fixed32(take(rest, 4)?.try_into().ok()?),
        _ => return None,
    };
    Some((key >> 3, value))
}

/// A number of 7 bits a byte, least significant first, at most ten bytes.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for index in 0..10 {
        let byte = take(rest, 1)?[0];
        number |= u64::from(byte & 0x7F) << (7 * index);
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn take<'b>(rest: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}
