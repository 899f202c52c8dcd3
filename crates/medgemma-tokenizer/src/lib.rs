//! MedGemma and MedSigLIP text handling without a model: tokenizers, special tokens, typed chat template, image
//! placeholders, streaming decoding, thoughts and stop strings.
//!
//! From a conversation to ids, and from ids back to what the user reads:
//!
//! ```text
//! Message… ─ render ─ expand_images ─ Tokenizer::encode_prompt ─▶ ids ─ image_spans ─▶ rows for image embeddings
//! id ─ Detokenizer ─ StopStrings ─ ThoughtParser ─▶ reasoning, answer
//! ```
//!
//! [`SiglipTokenizer`] is the other tokenizer of the family: MedSigLIP's texts, in rows of 64 ids.
//!
//! Each step can be used alone; this crate links no tensor library.
//!
//! ```
//! use medgemma_tokenizer::{Detokenizer, Message, Tokenizer, expand_images, render};
//!
//! # fn main() -> Result<(), medgemma_tokenizer::Error> {
//! # let json = include_bytes!("../tests/golden/tokenizer.json");
//! let tokenizer = Tokenizer::from_bytes("tokenizer.json", json)?;
//! let question = Message::user().image().text("Describe the image.");
//! let prompt = render(Some("You are an expert radiologist."), &[question], true)?;
//! let prompt = expand_images(&prompt, 4, &[0])?; // one image of four soft tokens, no crops
//! let ids = tokenizer.encode_prompt(&prompt)?;
//! assert_eq!(ids.iter().filter(|&&id| Some(id) == tokenizer.id("<bos>")).count(), 1);
//!
//! let mut stream = Detokenizer::new(&tokenizer, false);
//! let mut reply = String::new();
//! for id in tokenizer.encode("No acute findings. 肺")? {
//!     reply.push_str(&stream.push(id));
//! }
//! reply.push_str(&stream.finish());
//! assert_eq!(reply, "No acute findings. 肺");
//! # Ok(())
//! # }
//! ```

mod agreement;
mod chat;
mod detokenize;
mod error;
mod file;
mod gguf;
mod images;
mod schema;
mod siglip;
pub mod special;
mod stop;
mod thought;
mod tokenizer;

// The public interface is: a tokenizer and the ids of its special tokens,
pub use gguf::GgufVocabulary;
pub use special::{ConfiguredIds, SpecialTokens};
pub use tokenizer::{MAX_FILE_BYTES, Tokenizer};
// SigLIP's and MedSigLIP's texts,
pub use siglip::{
    MAX_SIGLIP_TEXT_LENGTH, SIGLIP_TEXT_LENGTH, SiglipNormalization, SiglipTextOptions,
    SiglipTokenizer,
};
// prompts,
pub use chat::{Message, Part, Role, render, render_continuation, trim};
pub use images::{MAX_SOFT_TOKENS, expand_images, image_spans};
// replies,
pub use detokenize::Detokenizer;
pub use stop::StopStrings;
pub use thought::{ReplyPiece, SplitReply, ThoughtParser, split_thoughts};
// and errors.
pub use error::{Error, Result};
