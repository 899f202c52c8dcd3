//! A checked unigram vocabulary: pieces by id, ready to be looked up by their beginning.

use std::collections::HashSet;

use super::charsmap::Charsmap;
use super::normalization::BLANK;
use crate::error::{Error, Result};

/// Longest piece in bytes. SigLIP's has 18; the work for a text grows with it.
const MAX_PIECE_BYTES: usize = 1024;

/// End of a text, and what fills the row behind it.
pub(super) const EOS: &str = "</s>";
/// In the vocabulary by this name, but SigLIP pads with [`EOS`].
pub(super) const PAD: &str = "<pad>";
/// Stands for text that the vocabulary cannot spell.
pub(super) const UNK: &str = "<unk>";

/// What a piece is to a reader of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    /// Such as [`EOS`]: set by the tokenizer, never found in a text.
    Control,
    Unknown,
    /// One byte, spelt `<0xNN>`.
    Byte,
    /// One that [`is_extra`].
    Extra,
}

/// One row of the vocabulary.
pub(super) struct Piece {
    pub(super) text: String,
    /// Logarithm of its probability.
    pub(super) score: f64,
    pub(super) kind: Kind,
}

/// A unigram model and its character map.
pub(super) struct Model {
    pub(super) pieces: Vec<Piece>,
    /// Ids in the order of the pieces' bytes.
    pub(super) sorted: Vec<u32>,
    /// The lowest score of a normal piece.
    pub(super) lowest: f64,
    /// The highest one, or what SentencePiece has where all are below zero: the smallest number (`FLT_MIN`).
    pub(super) highest: f64,
    pub(super) unknown: u32,
    pub(super) eos: u32,
    /// Ids of the bytes, if unknown text is spelt with them.
    pub(super) bytes: Option<Box<[u32; 256]>>,
    /// Ids that `tokenizer.json` declares as added tokens beside the special ones: found in a text as a whole.
    pub(super) added: Vec<u32>,
    pub(super) charsmap: Charsmap,
}

impl Model {
    /// Checks the pieces; `name` stands for the file in errors.
    ///
    /// # Errors
    /// [`Error::Vocabulary`] for pieces that contradict each other, [`Error::MissingToken`] without the special ones.
    pub(super) fn new(
        name: &str,
        pieces: Vec<Piece>,
        charsmap: Charsmap,
        byte_fallback: bool,
    ) -> Result<Self> {
        check(name, &pieces)?;
        let extra = (0..)
            .zip(&pieces)
            .filter(|(_, piece)| piece.kind == Kind::Extra);
        let added: Vec<u32> = extra.map(|(id, _)| id).collect();
        if let Some(&beyond) = added.get(MOST_EXTRA) {
            let fault = "is one more of `▁<extra_id_…>` than any model has";
            let text = &pieces[beyond as usize].text;
            return Err(faulty(name, beyond as usize, fault, text));
        }
        let mut sorted: Vec<u32> = (0..).take(pieces.len()).collect();
        sorted.sort_unstable_by_key(|&id| pieces[id as usize].text.as_bytes());
        let id_of = |text: &str| {
            let found = sorted
                .binary_search_by_key(&text.as_bytes(), |&id| pieces[id as usize].text.as_bytes());
            found.ok().map(|at| sorted[at])
        };
        let required = |token| {
            id_of(token).ok_or_else(|| Error::MissingToken {
                name: name.to_owned(),
                token,
            })
        };
        let (unknown, eos) = (required(UNK)?, required(EOS)?);
        let bytes = byte_fallback.then(|| {
            let mut bytes = Box::new([0; 256]);
            for (byte, id) in (0..=u8::MAX).zip(bytes.iter_mut()) {
                let text = byte_piece(byte);
                let fault = "is not there, though unknown text is spelt in bytes";
                *id = id_of(&text).ok_or_else(|| faulty(name, pieces.len(), fault, &text))?;
            }
            Ok(bytes)
        });
        let bytes = bytes.transpose()?;
        let normal = pieces.iter().filter(|piece| piece.kind == Kind::Normal);
        let scores = normal.map(|piece| piece.score);
        let lowest = scores.clone().fold(0.0, f64::min);
        let highest = scores.fold(f64::from(f32::MIN_POSITIVE), f64::max);
        Ok(Self {
            added,
            sorted,
            lowest,
            highest,
            unknown,
            eos,
            bytes,
            charsmap,
            pieces,
        })
    }

    /// Whether its pieces are spelt as these, in their order.
    pub(super) fn is_spelt_as(&self, pieces: &[Piece]) -> bool {
        let texts = pieces.iter().map(|piece| &piece.text);
        texts.eq(self.pieces.iter().map(|piece| &piece.text))
    }

    /// The id of a piece by its spelling.
    pub(super) fn id(&self, text: &str) -> Option<u32> {
        let spelt = |&id: &u32| self.pieces[id as usize].text.as_bytes();
        let at = self.sorted.binary_search_by_key(&text.as_bytes(), spelt);
        at.ok().map(|at| self.sorted[at])
    }
}

/// Whether a piece is one of those that T5's vocabularies have for a task of its own, `▁<extra_id_0>` and on: that of the
/// multilingual SigLIP has a hundred, as "user defined" ones (`seqio/vocabularies.py`). SentencePiece finds such pieces in a
/// text before it is normalised, which no text of `SiglipTokenizer` makes it do: `<`, `_` and `>` are deleted by then.
pub(super) fn is_extra(text: &str) -> bool {
    let number = text
        .strip_prefix(BLANK)
        .and_then(|text| text.strip_prefix("<extra_id_"))
        .and_then(|text| text.strip_suffix('>'));
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Refuses pieces that cannot be looked up by their spelling, or weighed by their score.
fn check(name: &str, pieces: &[Piece]) -> Result<()> {
    let mut spelt = HashSet::with_capacity(pieces.len());
    for (id, piece) in pieces.iter().enumerate() {
        let fault = if piece.text.is_empty() || piece.text.len() > MAX_PIECE_BYTES {
            "is empty or longer than any piece of SigLIP's"
        } else if !spelt.insert(piece.text.as_str()) {
            "is listed twice"
        } else if !piece.score.is_finite() || piece.score.abs() > f64::from(f32::MAX) {
            "has a score that is no number"
        } else if u32::try_from(id).is_err() {
            "has an id above 2³²"
        } else {
            continue;
        };
        return Err(faulty(name, id, fault, &piece.text));
    }
    Ok(())
}

/// Pieces for tasks at most: each is looked for in every text. The multilingual SigLIP has a hundred.
const MOST_EXTRA: usize = 1000;

/// The error of one piece.
fn faulty(name: &str, id: usize, fault: &'static str, token: &str) -> Error {
    Error::vocabulary(name, &format!("piece {id}"), fault, token)
}

/// The spelling of a byte's piece.
pub(super) fn byte_piece(byte: u8) -> String {
    format!("<0x{byte:02X}>")
}
