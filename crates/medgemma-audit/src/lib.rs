//! An append-only log of JSON lines, each with the hash of the one before it: who changes, removes or
//! reorders a record changes every hash after it. No burn, no network.
//!
//! ```
//! use medgemma_audit::{Audit, verify, verify_with_anchor};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("audit.jsonl");
//! let audit = Audit::open(&path)?; // one process at a time
//! let digest = audit.digest(b"Is the heart enlarged?");
//! let receipt = audit.append("request", &serde_json::json!({ "prompt": digest }))?; // on disk now
//! drop(audit);
//!
//! let verified = verify(&path)?; // as `medgemma-audit audit.jsonl` does
//! assert_eq!(verified.records, 2); // the first says when the log was opened
//! // A log that was cut off at its end is whole as far as it goes. Keep a hash elsewhere to know.
//! verify_with_anchor(&path, &receipt.hash)?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it holds against
//! - **A changed byte, a removed, added or moved record**: [`verify`] names the first line that is wrong.
//! - **A crash at any byte**: a record is handed to the disk (`fsync`) before [`Audit::append`] returns. A
//!   line that was torn is found by [`verify`], and [`Audit::open`] cuts it off and records that it did. Only what begins as
//!   a record does is cut off: a file that is no log is left as it is.
//! - **Two processes**: the file is locked; the second is told so.
//! - **A log that is deleted, moved, replaced or cut while it is open**: the next [`Audit::append`] fails, where
//!   records would go into a file without a name. Exactly on Unix; elsewhere by length and time of creation. The path
//!   must stay one that the process can search.
//! - **Records cut off at the end**, or a whole log replaced by another: only if somebody keeps the hash
//!   of a record elsewhere, on paper or another machine: [`verify_with_anchor`]. The chain has no secret;
//!   who can write the file can write another one that is whole.
//!
//! # What it does not do
//! It hides nothing and stops nobody. Digests of short texts can be found by trying texts, so that
//! [`AuditOptions::key`] makes them with a key. It does not rotate files; a record takes some 500 bytes.
//!
//! # Where things are
//! `log.rs` appending · `line.rs` one record as bytes · `verify.rs` the whole file · `time.rs` UTC ·
//! `bin/medgemma-audit.rs` the command.

mod error;
mod line;
mod log;
mod time;
mod verify;

// The public interface is:
pub use error::{Error, Result, Wrong};
pub use log::{Audit, AuditOptions, Clock, Receipt};
pub use verify::{Verified, verify, verify_with_anchor};

/// The README's example, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
