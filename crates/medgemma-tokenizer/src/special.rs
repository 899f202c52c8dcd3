//! The special tokens of the Gemma 3 family: their spellings, their published ids, and the ids of one tokenizer.
//!
//! Source of spellings and numbers: the `tokenizer.json` published with Gemma 3 (262 145 tokens), which MedGemma
//! shares; `boi_token_index`, `eoi_token_index` and `image_token_index` are the keys of `Gemma3Config` in
//! transformers 5.23. Elsewhere in the workspace's sources they stand only in tests, comments and messages.

use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;

/// Beginning of sequence: first token of every prompt, exactly once.
pub const BOS: &str = "<bos>";
/// End of sequence.
pub const EOS: &str = "<eos>";
/// Stands for text that the vocabulary cannot spell.
pub const UNK: &str = "<unk>";
/// Padding.
pub const PAD: &str = "<pad>";
/// Begins a turn; followed by `user\n` or `model\n`.
pub const START_OF_TURN: &str = "<start_of_turn>";
/// Ends a turn; the token with which instruction-tuned models stop.
pub const END_OF_TURN: &str = "<end_of_turn>";
/// Begins an image; in a prompt that isn't yet expanded, the placeholder of one image.
pub const START_OF_IMAGE: &str = "<start_of_image>";
/// Ends an image.
pub const END_OF_IMAGE: &str = "<end_of_image>";
/// Stands for one row of the projected image; its embedding is overwritten by the model.
pub const IMAGE_SOFT_TOKEN: &str = "<image_soft_token>";
/// Begins a thought of a thinking MedGemma model.
pub const THOUGHT_START: &str = "<unused94>";
/// Ends a thought of a thinking MedGemma model.
pub const THOUGHT_END: &str = "<unused95>";

/// Ids of the special tokens of one tokenizer. A text-only or small tokenizer may lack turns, images or thoughts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SpecialTokens {
    /// Id of [`BOS`].
    pub bos: u32,
    /// Id of [`EOS`].
    pub eos: u32,
    /// Id of [`PAD`].
    pub pad: u32,
    /// Id of [`START_OF_TURN`].
    pub start_of_turn: Option<u32>,
    /// Id of [`END_OF_TURN`].
    pub end_of_turn: Option<u32>,
    /// Id of [`START_OF_IMAGE`] (`boi_token_index`).
    pub start_of_image: Option<u32>,
    /// Id of [`END_OF_IMAGE`] (`eoi_token_index`).
    pub end_of_image: Option<u32>,
    /// Id of [`IMAGE_SOFT_TOKEN`] (`image_token_index`).
    pub image_soft_token: Option<u32>,
    /// Id of [`THOUGHT_START`].
    pub thought_start: Option<u32>,
    /// Id of [`THOUGHT_END`].
    pub thought_end: Option<u32>,
}

/// Ids that a model's configuration gives, to be held against the tokenizer. `None` is not checked.
///
/// `pad_token_id` is not among them: nothing is padded here, and trainers write another id there than
/// that of `<pad>` (`tokenizer.pad_token = tokenizer.eos_token`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConfiguredIds {
    /// `bos_token_id`.
    pub bos_token_id: Option<u32>,
    /// `boi_token_index`, the begin-of-image token.
    pub boi_token_index: Option<u32>,
    /// `eoi_token_index`, the end-of-image token.
    pub eoi_token_index: Option<u32>,
    /// `image_token_index`, the soft token.
    pub image_token_index: Option<u32>,
}

impl SpecialTokens {
    /// The published ids of Gemma 3 and MedGemma. A preset for documentation, tests and configurations without a
    /// tokenizer; with a tokenizer at hand use [`SpecialTokens::of`].
    pub const GEMMA3: Self = Self {
        bos: 2,
        eos: 1,
        pad: 0,
        start_of_turn: Some(105),
        end_of_turn: Some(106),
        start_of_image: Some(255_999),
        end_of_image: Some(256_000),
        image_soft_token: Some(262_144),
        thought_start: Some(100),
        thought_end: Some(101),
    };

    /// Looks the special tokens of `tokenizer` up by their spelling.
    ///
    /// # Errors
    /// [`Error::MissingToken`] if `<bos>`, `<eos>` or `<pad>` isn't there; the others may be absent.
    pub fn of(tokenizer: &Tokenizer) -> Result<Self> {
        let required = |token| {
            tokenizer.id(token).ok_or_else(|| Error::MissingToken {
                name: tokenizer.name().to_owned(),
                token,
            })
        };
        Ok(Self {
            bos: required(BOS)?,
            eos: required(EOS)?,
            pad: required(PAD)?,
            start_of_turn: tokenizer.id(START_OF_TURN),
            end_of_turn: tokenizer.id(END_OF_TURN),
            start_of_image: tokenizer.id(START_OF_IMAGE),
            end_of_image: tokenizer.id(END_OF_IMAGE),
            image_soft_token: tokenizer.id(IMAGE_SOFT_TOKEN),
            thought_start: tokenizer.id(THOUGHT_START),
            thought_end: tokenizer.id(THOUGHT_END),
        })
    }

    /// Holds the ids of a model's configuration against these.
    ///
    /// # Errors
    /// [`Error::IdMismatch`] with both numbers, or [`Error::IdUnknown`] where the tokenizer lacks the token.
    pub fn check(&self, configured: &ConfiguredIds) -> Result<()> {
        let ConfiguredIds {
            bos_token_id,
            boi_token_index,
            eoi_token_index,
            image_token_index,
        } = *configured;
        let rows = [
            ("bos_token_id", BOS, bos_token_id, Some(self.bos)),
            (
                "boi_token_index",
                START_OF_IMAGE,
                boi_token_index,
                self.start_of_image,
            ),
            (
                "eoi_token_index",
                END_OF_IMAGE,
                eoi_token_index,
                self.end_of_image,
            ),
            (
                "image_token_index",
                IMAGE_SOFT_TOKEN,
                image_token_index,
                self.image_soft_token,
            ),
        ];
        for (key, token, expected, found) in rows {
            match (expected, found) {
                (Some(expected), Some(found)) if expected != found => {
                    return Err(Error::IdMismatch {
                        key,
                        token,
                        expected,
                        found,
                    });
                }
                (Some(expected), None) => {
                    return Err(Error::IdUnknown {
                        key,
                        token,
                        expected,
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }
}
