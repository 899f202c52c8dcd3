//! Whether a tokenizer belongs to the model that it is to serve. A tokenizer of another model is no
//! damaged file: it encodes every text, into ids that mean something else.

use crate::error::{Error, Result};
use crate::gguf::{GgufVocabulary, UNUSED, is_control};
use crate::special::{
    BOS, END_OF_IMAGE, IMAGE_SOFT_TOKEN, START_OF_IMAGE, START_OF_TURN, SpecialTokens,
};
use crate::tokenizer::Tokenizer;

/// A blank as `tokenizer.json` spells it. Converters write runs of blanks as the text they stand for.
const BLANK: &str = "\u{2581}";

/// Types of pieces that no exporter and no trainer renames: normal ones and bytes.
const ORDINARY: [i64; 2] = [1, 6];

/// Rows of an embedding beyond its tokens, at most. Gemma 3 has 63; whoever pads more pads to a
/// multiple of some hundreds. Gemma 2's tokenizer leaves 6208 of Gemma 3's rows without a token.
const MOST_SPARE_ROWS: usize = 4096;

/// What of a token goes into a message.
const SHOWN: usize = 80;

impl GgufVocabulary<'_> {
    /// Holds a tokenizer that is to serve in the place of this vocabulary, which is that of the file
    /// `name`, against it: the special tokens, and every normal piece and byte, must have the same ids.
    ///
    /// Runs of blanks are the same however they are spelt, pieces of the type "unused" are not looked
    /// at, and those of the user's may have another name: fine-tunes rename `<unused…>`. Of a
    /// vocabulary that is not SentencePiece's, which spells pieces otherwise, only special tokens count.
    ///
    /// # Errors
    /// [`Error::OtherVocabulary`] with the first id that is spelt otherwise.
    pub fn check(&self, name: &str, tokenizer: &Tokenizer) -> Result<()> {
        for (id, &piece) in (0_u32..).zip(&self.tokens) {
            let kind = self.types.get(id as usize).copied().unwrap_or(ORDINARY[0]);
            let control = is_control(piece);
            if kind == UNUSED && !control {
                continue;
            }
            let found = tokenizer.token(id);
            let counts = control
                || found.as_deref().is_some_and(is_control)
                || (self.model == "llama" && ORDINARY.contains(&kind));
            if counts && !found.as_deref().is_some_and(|found| alike(piece, found)) {
                return Err(Error::OtherVocabulary {
                    tokenizer: tokenizer.name().to_owned(),
                    gguf: name.to_owned(),
                    id,
                    expected: piece.chars().take(SHOWN).collect(),
                    found: shown(found.as_deref()),
                });
            }
        }
        Ok(())
    }
}

impl SpecialTokens {
    /// Holds the ids that end a text by a model's configuration, `eos_token_id`, against `tokenizer`,
    /// of which these are. Fine-tunes end their turns by tokens of their own, so that any added token
    /// will do which does not begin a text or a turn and is no image's.
    ///
    /// # Errors
    /// [`Error::EndId`] with the first id that the tokenizer spells as something else.
    pub fn check_ends(&self, tokenizer: &Tokenizer, ids: &[u32]) -> Result<()> {
        const OTHERS: [&str; 5] = [
            BOS,
            START_OF_TURN,
            START_OF_IMAGE,
            END_OF_IMAGE,
            IMAGE_SOFT_TOKEN,
        ];
        let ends = |id: u32| {
            let token = tokenizer.token(id);
            let other = token.is_none_or(|token| OTHERS.contains(&token.as_str()));
            tokenizer.is_added(id) && !other
        };
        match ids.iter().find(|&&id| !ends(id)) {
            None => Ok(()),
            Some(&id) => Err(Error::EndId {
                tokenizer: tokenizer.name().to_owned(),
                id,
                found: shown(tokenizer.token(id).as_deref()),
                eos: self.eos,
                end_of_turn: self.end_of_turn,
            }),
        }
    }

    /// Holds the rows of a model's embedding against `tokenizer`, of which these are: there is a row for
    /// every id but that of `<image_soft_token>`, which is never looked up, and not thousands more, which
    /// no padding makes.
    ///
    /// # Errors
    /// [`Error::VocabularySize`] with both numbers.
    pub fn check_rows(&self, tokenizer: &Tokenizer, rows: usize) -> Result<()> {
        let ids = tokenizer.vocab_size();
        let without_row = self.image_soft_token.is_some_and(|id| id as usize == rows);
        if ids <= rows + usize::from(without_row) && rows.saturating_sub(ids) <= MOST_SPARE_ROWS {
            return Ok(());
        }
        Err(Error::VocabularySize {
            tokenizer: tokenizer.name().to_owned(),
            rows,
            ids,
        })
    }
}

/// Whether two spellings are of one piece.
fn alike(piece: &str, found: &str) -> bool {
    piece == found || piece.replace(' ', BLANK) == found.replace(' ', BLANK)
}

/// A token for a message.
fn shown(token: Option<&str>) -> String {
    token.map_or_else(
        || "no token".to_owned(),
        |token| format!("{:?}", token.chars().take(SHOWN).collect::<String>()),
    )
}
