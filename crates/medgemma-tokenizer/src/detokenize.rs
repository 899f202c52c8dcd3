//! Streaming decoding: one token in, whole UTF-8 characters out, and together exactly what decoding at once gives.
//!
//! Reference: `Tokenizer::decode` of the `tokenizers` crate with Gemma's decoder (Replace `▁` by a space, ByteFallback,
//! Fuse). Byte fallback judges a run of byte tokens as a whole: the run is UTF-8, or each of its bytes becomes one
//! U+FFFD. So a run is held back until another token ends it; Gemma 3 spells nearly all text in tokens of whole
//! characters, and runs are a few bytes long.

use crate::tokenizer::Tokenizer;

/// Decodes ids one at a time. The work for a token depends on that token and the byte run before it only.
#[derive(Debug, Clone)]
pub struct Detokenizer {
    tokenizer: Tokenizer,
    keep_special: bool,
    /// Bytes of the byte tokens since the last token of another kind.
    run: Vec<u8>,
}

impl Detokenizer {
    /// A decoder at the start of a text; `keep_special` as in [`Tokenizer::decode`].
    pub fn new(tokenizer: &Tokenizer, keep_special: bool) -> Self {
        Self {
            tokenizer: tokenizer.clone(),
            keep_special,
            run: Vec::new(),
        }
    }

    /// Takes one id and returns the text that is now certain; empty inside a run of byte tokens, for skipped special
    /// tokens and for ids without a token.
    pub fn push(&mut self, id: u32) -> String {
        if !self.keep_special && self.tokenizer.is_special(id) {
            return String::new();
        }
        let Some(token) = self.tokenizer.token(id) else {
            return String::new();
        };
        let text = self.tokenizer.replace(token);
        if self.tokenizer.has_byte_fallback()
            && let Some(byte) = byte_of(&text)
        {
            self.run.push(byte);
            return String::new();
        }
        if self.run.is_empty() {
            return text;
        }
        self.finish() + &text
    }

    /// Ends the text: returns what was held back. The decoder is then at the start of a new text.
    pub fn finish(&mut self) -> String {
        let run = std::mem::take(&mut self.run);
        let length = run.len();
        String::from_utf8(run).unwrap_or_else(|_| "\u{fffd}".repeat(length))
    }
}

/// The byte of a token such as `<0xE2>`; the same test as the library's ByteFallback.
pub(crate) fn byte_of(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() != 2 {
        return None;
    }
    u8::from_str_radix(digits, 16).ok()
}
