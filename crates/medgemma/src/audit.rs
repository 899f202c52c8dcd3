//! An append-only log of what a model was asked and answered, in digests, with a hash chain: who changes a
//! record is found out. Given by [`LoadOptions::with_audit`](crate::LoadOptions::with_audit).
//!
//! ```
//! use medgemma::audit::{Audit, prompt_content, verify, verify_with_anchor};
//! use medgemma::{Device, GenerateOptions, LoadOptions, MedGemma, Message};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/../medgemma-testkit/checkpoints/mm-2025");
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("audit.jsonl");
//! let audit = Audit::open(&path)?; // with_key for digests that nobody can guess
//! let options = LoadOptions::default().with_audit(audit.clone());
//! let model = MedGemma::load_with(weights, &Device::cpu()?, options)?; // hashes the weights
//! # let options = GenerateOptions::default().with_max_new_tokens(4);
//! let question = [Message::user().text("Is the heart enlarged?")];
//! let reply = model.generate(&question, &options)?; // its record is on disk
//!
//! // Later: was this asked, and was that the answer?
//! let log = std::fs::read_to_string(&path)?;
//! assert!(log.contains(&audit.digest(&prompt_content(&model.prompt_ids(&question)?))));
//! assert!(log.contains(&audit.digest(reply.text.as_bytes())));
//!
//! let anchor = verify(&path)?.last_hash; // as the command `medgemma-audit` does; keep it elsewhere
//! verify_with_anchor(&path, &anchor)?;
//! # Ok(())
//! # }
//! ```
//!
//! | event | when | says |
//! |---|---|---|
//! | `opened` | [`Audit::open`] | whether digests are keyed; bytes of a torn line that was cut off |
//! | `loaded` | the model is loaded | its checksum, device, precision, how images become pixels |
//! | `request` | before any work on it | digests of prompt, images, stop strings, schema and given answers; sampling, seed, limits; threads and instructions of the CPU |
//! | `reply` | before the last of an answer is handed out | digests of answer and reasoning, why it ended, tokens, milliseconds |
//! | `scores` | before scores or a choice are handed out | digest of them |
//! | `failed` | an error came of a request | |
//!
//! A record that cannot be written is an error, and the model does nothing more after it, but for a batch, whose
//! other conversations are answered and recorded if they can be. Only a stream
//! that is given up early (dropped, or by [`Stream::into_reply`](crate::Stream::into_reply)) has no way to
//! return one: it is logged, the log keeps a request without a reply, and the next request fails.
//!
//! [`Model`](crate::Model) underneath, which takes ids and pixels, is not recorded.

pub use crate::recording::{image_content, prompt_content};
pub use medgemma_audit::{
    Audit, AuditOptions, Clock, Error, Receipt, Verified, Wrong, verify, verify_with_anchor,
};
