//! A Gemma tokenizer read from Hugging Face's `tokenizer.json`: byte-pair encoding with byte fallback.
//!
//! Encoding and decoding are done by the `tokenizers` crate. Ignored by intent: truncation, padding and the
//! post-processor of the file (Gemma's adds `<bos>`, EmbeddingGemma's appends `<eos>`); this crate adds `<bos>` itself,
//! exactly once, in [`Tokenizer::encode_prompt`].

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use crate::detokenize::byte_of;
use crate::error::{Error, Result};
use crate::file::{self, Parts};
use crate::gguf::{self, GgufVocabulary};
use crate::special::BOS;

/// Largest accepted `tokenizer.json`, in bytes. Gemma 3's has 33 million.
pub const MAX_FILE_BYTES: u64 = 256 << 20;

/// A tokenizer. Immutable, `Send + Sync`, cheap to clone.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    parts: Parts,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::TooLarge`] for the file, otherwise as [`from_bytes`](Self::from_bytes).
    pub fn from_file(path: &Path) -> Result<Self> {
        Self::from_bytes(&path.display().to_string(), &read_file(path)?)
    }

    /// Reads the bytes of a `tokenizer.json`; `name` stands for the file in error messages.
    ///
    /// The file is checked before the `tokenizers` crate sees any of it, because that crate panics on some damaged
    /// files and skips over others: byte-pair model without dropout, merges within the vocabulary, unique ids, added
    /// tokens under the ids that the file declares, a decoder whose output can be streamed.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Parse`], [`Error::Unsupported`], [`Error::Vocabulary`], [`Error::Assemble`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self> {
        check_size(name, bytes)?;
        let parts = file::read(name, bytes)?;
        Ok(Self {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                parts,
            }),
        })
    }

    /// Makes the tokenizer of a GGUF file out of its vocabulary; `name` stands for the file in error messages.
    ///
    /// It gives the same ids as the `tokenizer.json` that was published with the model. Pieces of the type "unused"
    /// (rows that pad the embedding table) are left out, and where `<start_of_image>` is there, `<image_soft_token>`
    /// follows the last piece in use if the file lacks it.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a vocabulary of another kind, [`Error::Vocabulary`], [`Error::Assemble`].
    pub fn from_gguf(name: &str, vocabulary: &GgufVocabulary<'_>) -> Result<Self> {
        let parts = gguf::read(name, vocabulary)?;
        Ok(Self {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                parts,
            }),
        })
    }

    /// Name of the file, as given.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Encodes a text as it stands: no `<bos>` or `<eos>` is added, special tokens spelt in the text are recognised.
    ///
    /// # Errors
    /// [`Error::Encode`] if the library fails; not known to happen.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self
            .inner
            .parts
            .library
            .encode_fast(text, false)
            .map_err(|source| Error::Encode {
                name: self.inner.name.clone(),
                bytes: text.len(),
                source,
            })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Encodes a prompt: the ids begin with `<bos>` and hold it nowhere else.
    ///
    /// A missing `<bos>` is added, so plain text and rendered conversations may both be given. A second one is an
    /// error rather than dropped: it says that a prompt was put together twice, or that a user's text spells it.
    ///
    /// # Errors
    /// [`Error::MissingToken`] if the tokenizer has no `<bos>`, [`Error::RepeatedBos`], [`Error::Encode`].
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>> {
        let bos = self.id(BOS).ok_or_else(|| Error::MissingToken {
            name: self.inner.name.clone(),
            token: BOS,
        })?;
        let mut ids = self.encode(text)?;
        if ids.first() != Some(&bos) {
            ids.insert(0, bos);
        }
        match ids.iter().skip(1).position(|&id| id == bos) {
            Some(position) => Err(Error::RepeatedBos {
                position: position + 1,
            }),
            None => Ok(ids),
        }
    }

    /// Decodes ids to text; special tokens are spelt out if `keep_special`, else left out.
    ///
    /// Special is what the file marks so: turns and images, but not Gemma's `<unused94>` and `<unused95>`, which stay
    /// in either case. Ids without a token (MedGemma has more rows than its tokenizer has tokens) yield nothing. Byte
    /// tokens that don't form UTF-8 yield one U+FFFD each.
    ///
    /// # Errors
    /// [`Error::Decode`] if the library fails; not known to happen.
    pub fn decode(&self, ids: &[u32], keep_special: bool) -> Result<String> {
        self.inner
            .parts
            .library
            .decode(ids, !keep_special)
            .map_err(|source| Error::Decode {
                name: self.inner.name.clone(),
                count: ids.len(),
                source,
            })
    }

    /// Id of a token, given as the vocabulary spells it (a leading space is `▁`).
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.parts.library.token_to_id(token)
    }

    /// The token of an id as the vocabulary spells it, or `None` for an id without one.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.parts.library.id_to_token(id)
    }

    /// Number of ids: one more than the highest id in use, added tokens counted. 262 145 for Gemma 3.
    ///
    /// An embedding table has at least as many rows; MedGemma's has 262 208.
    pub fn vocab_size(&self) -> usize {
        self.inner.parts.id_count
    }

    /// Whether `id` is of a token that the file marks as special.
    pub fn is_special(&self, id: u32) -> bool {
        self.inner.parts.special_ids.contains(&id)
    }

    /// Whether `id` is of a token that the file adds to the pieces which texts are spelt with: it is found in
    /// a text as a whole.
    pub(crate) fn is_added(&self, id: u32) -> bool {
        let added = self.inner.parts.library.get_added_vocabulary();
        added.get_added_tokens_decoder().contains_key(&id)
    }

    /// The bytes that a token adds to a text: UTF-8 of whole characters, or one byte of a character that several byte
    /// tokens spell. `None` for an id without a token, and for tokens that the file marks as special, which are no text.
    ///
    /// The bytes of a reply's ids, one after the other, are what [`Detokenizer`](crate::Detokenizer) makes of them
    /// without special tokens, as long as they are UTF-8.
    pub fn token_bytes(&self, id: u32) -> Option<Vec<u8>> {
        if self.is_special(id) {
            return None;
        }
        let text = self.replace(self.token(id)?);
        Some(match byte_of(&text) {
            Some(byte) if self.has_byte_fallback() => vec![byte],
            _ => text.into_bytes(),
        })
    }

    /// What the decoder makes of one token before bytes are joined.
    pub(crate) fn replace(&self, token: String) -> String {
        match &self.inner.parts.replacement {
            Some((from, to)) => token.replace(from, to),
            None => token,
        }
    }

    /// Whether the decoder joins `<0xNN>` tokens to UTF-8.
    pub(crate) fn has_byte_fallback(&self) -> bool {
        self.inner.parts.byte_fallback
    }
}

/// A whole file, up to [`MAX_FILE_BYTES`] and a byte.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    let read = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    // A pipe would be waited for.
    if !std::fs::metadata(path).map_err(read)?.is_file() {
        return Err(read(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        )));
    }
    let mut bytes = Vec::new();
    // One byte past the limit tells a file that is too long from one that fits, even if it grows meanwhile.
    File::open(path)
        .map_err(read)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(read)?;
    Ok(bytes)
}

/// Refuses more than [`MAX_FILE_BYTES`].
pub(crate) fn check_size(name: &str, bytes: &[u8]) -> Result<()> {
    let found = bytes.len() as u64;
    if found <= MAX_FILE_BYTES {
        return Ok(());
    }
    Err(Error::TooLarge {
        name: name.to_owned(),
        limit: MAX_FILE_BYTES,
        found,
    })
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("name", &self.inner.name)
            .field("vocab_size", &self.vocab_size())
            .finish()
    }
}
