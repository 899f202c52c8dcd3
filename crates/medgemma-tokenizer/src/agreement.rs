//! Whether a tokenizer belongs to the model that it is to serve. A tokenizer of another model is no
//! damaged file: it encodes every text, into ids that mean something else.

use crate::error::{Error, Result, shorten};
use crate::gguf::{GgufVocabulary, UNUSED, is_control};
use crate::special::SpecialTokens;
use crate::tokenizer::Tokenizer;

/// A blank as `tokenizer.json` spells it. Converters write runs of blanks as the text they stand for.
const BLANK: &str = "\u{2581}";

/// Types of pieces that texts are spelt with: normal ones and bytes. Some exporters call all pieces normal.
const ORDINARY: [i64; 2] = [1, 6];

/// How names begin that tokenizers have in stock for trainers, and that those of a converter begin for
/// rows without a token.
const STOCK: &str = "<unused";
const PADDING: &str = "[PAD";

/// Rows of an embedding beyond its tokens, at most. Gemma 3 has 63; whoever pads more pads to a
/// multiple of some hundreds. Gemma 2's tokenizer leaves 6208 of Gemma 3's rows without a token.
const MOST_SPARE_ROWS: usize = 4096;

impl GgufVocabulary<'_> {
    /// Holds a tokenizer that is to serve in the place of this vocabulary, which is that of the file
    /// `name`, against it: the special tokens, and every normal piece and byte, must have the same ids.
    ///
    /// Pieces of the type "unused" are not looked at, and a token that the tokenizer adds may have another
    /// name, whatever its type: fine-tunes rename `<unused…>`. Of a vocabulary that is not SentencePiece's,
    /// which spells pieces otherwise, only special tokens count.
    ///
    /// # Errors
    /// [`Error::OtherVocabulary`] with the first id that is spelt otherwise.
    pub fn check(&self, name: &str, tokenizer: &Tokenizer) -> Result<()> {
        for (id, &piece) in (0_u32..).zip(&self.tokens) {
            let kind = self.types.get(id as usize).copied().unwrap_or(ORDINARY[0]);
            let control = keeps_its_name(piece);
            if (kind == UNUSED || piece.starts_with(PADDING)) && !control {
                continue;
            }
            let found = tokenizer.token(id);
            let ordinary = || ORDINARY.contains(&kind) && !tokenizer.is_added(id);
            let counts = control
                || found.as_deref().is_some_and(keeps_its_name)
                || (self.model == "llama" && ordinary());
            if counts && !found.as_deref().is_some_and(|found| alike(piece, found)) {
                return Err(Error::OtherVocabulary {
                    tokenizer: tokenizer.name().to_owned(),
                    gguf: name.to_owned(),
                    id,
                    expected: shorten(piece),
                    found: shown(found.as_deref()),
                });
            }
        }
        Ok(())
    }
}

impl SpecialTokens {
    /// Holds the ids that end a text by a model's configuration, `eos_token_id`, against `tokenizer`,
    /// of which these are: none may be a line's end or blanks, where Gemma 2 has `<end_of_turn>`.
    ///
    /// Fine-tunes end their turns by tokens of their own, and some by `<start_of_turn>` too; an id without a
    /// token ends nothing and does no harm. A piece that texts are spelt with may be meant: the first is given
    /// back, for a warning.
    ///
    /// # Errors
    /// [`Error::EndId`] with the first id that is a line's end or blanks.
    pub fn check_ends(&self, tokenizer: &Tokenizer, ids: &[u32]) -> Result<Option<u32>> {
        let token = |id: u32| tokenizer.token(id).filter(|_| !tokenizer.is_special(id));
        let blank = |token: String| token.replace(BLANK, " ").trim().is_empty();
        if let Some(&id) = ids.iter().find(|&&id| token(id).is_some_and(blank)) {
            return Err(Error::EndId {
                tokenizer: tokenizer.name().to_owned(),
                id,
                found: shown(tokenizer.token(id).as_deref()),
                eos: self.eos,
                end_of_turn: self.end_of_turn,
            });
        }
        let of_text = |token: String| !token.starts_with(STOCK);
        let piece = |&id: &u32| !tokenizer.is_added(id) && token(id).is_some_and(of_text);
        Ok(ids.iter().copied().find(piece))
    }

    /// Holds the rows of a model's embedding against `tokenizer`, of which these are: there is a row for
    /// every piece that texts are spelt with, and not thousands more, which no padding makes.
    ///
    /// Added tokens may lack one, as `<image_soft_token>` does in text models: a token that was added to a
    /// model which was not resized is of no use, but a prompt without it is read well. The first of them
    /// that is another is given back, for a warning.
    ///
    /// # Errors
    /// [`Error::VocabularySize`] with both numbers.
    pub fn check_rows(&self, tokenizer: &Tokenizer, rows: usize) -> Result<Option<u32>> {
        let ids = tokenizer.vocab_size();
        let numbers = |from, to| {
            u32::try_from(from).unwrap_or(u32::MAX)..u32::try_from(to).unwrap_or(u32::MAX)
        };
        let without_row = || numbers(rows, ids).filter(|&id| tokenizer.token(id).is_some());
        let of_text = without_row().any(|id| !tokenizer.is_added(id));
        if of_text || rows.saturating_sub(ids) > MOST_SPARE_ROWS {
            return Err(Error::VocabularySize {
                tokenizer: tokenizer.name().to_owned(),
                rows,
                ids,
            });
        }
        Ok(without_row().find(|&id| Some(id) != self.image_soft_token))
    }
}

/// Whether a piece means the same to every model of the family. The marks of thoughts are `<unused…>` of
/// others.
fn keeps_its_name(piece: &str) -> bool {
    is_control(piece) && !piece.starts_with(STOCK)
}

/// Whether two spellings are of one piece.
fn alike(piece: &str, found: &str) -> bool {
    piece == found || piece.replace(' ', BLANK) == found.replace(' ', BLANK)
}

/// A token for a message.
fn shown(token: Option<&str>) -> String {
    token.map_or_else(
        || "no token".to_owned(),
        |token| format!("{:?}", shorten(token)),
    )
}
