//! De-identification: DICOM files by the attribute profile of DICOM PS3.15, free text by rules for the
//! 18 identifiers of HIPAA's Safe Harbor. No burn, no network, nothing is logged.
//!
//! **Neither is enough by itself.** A rule finds what it was written for; text burned into pixels is
//! warned of and not looked for; a face can be rebuilt from a head scan. Have a person review what
//! leaves your institution.
//!
//! ```
//! use medgemma_privacy::{DicomDeidentifier, Key, Retain, Scrubber};
//!
//! # fn main() -> Result<(), medgemma_privacy::Error> {
//! # let file = medgemma_privacy::doc_example();
//! // Who has the key can tell which patient became which: keep it as you keep the originals.
//! let key = Key::from_secret(b"32 bytes or more from a random number generator")?;
//! let deidentifier = DicomDeidentifier::new(&key).retain(Retain::ModifiedDates);
//! let clean = deidentifier.deidentify(&file)?;
//! for warning in &clean.report.warnings {
//!     println!("{warning}"); // text that may be in the pixels
//! }
//! assert!(!clean.bytes.windows(5).any(|five| five == b"Doe^J"));
//!
//! let note = Scrubber::new().scrub("Seen by Dr. Alice Moore on 3 May 2024, MRN 123456.");
//! assert_eq!(note.text, "Seen by Dr. [NAME] on [DATE], MRN [MRN].");
//! assert_eq!(note.findings.len(), 3);
//! # Ok(())
//! # }
//! ```
//!
//! # What it does
//! | You want | Use |
//! |---|---|
//! | a DICOM file without its patient | [`DicomDeidentifier`], [`Retain`] |
//! | to know what may still be in the pixels | [`Warning`] |
//! | what was done, without any value | [`Report`] |
//! | the same pseudonyms and intervals for all files of a study | the same [`Key`] |
//! | a text without identifiers | [`Scrubber::scrub`] |
//! | where they were, and of which kind | [`Finding`], [`Identifier`] |
//!
//! # Where things are
//! `key.rs` what pseudonyms are made of · `dicom.rs` the file as a whole ·
//! `dicom/profile.rs`, `profile_table.rs` and `additions.rs` what happens to which attribute · `dicom/data_set.rs` doing
//! it · `dicom/value.rs` dummies and shifted dates · `dicom/echo.rs` identifiers repeated elsewhere ·
//! `dicom/part10.rs` bytes, with limits · `dicom/burned_in.rs` warnings, `dicom/compressed.rs` of comments in frames · `dicom/embedded.rs` overlays in pixels · `text.rs` the scrubber ·
//! `text/pattern.rs` identifiers that have a form · `text/name/` those that have not.

mod dicom;
mod error;
mod key;
mod text;

// The public interface is:
pub use dicom::{Deidentified, DicomDeidentifier, Limits, Report, Retain, Warning};
pub use error::{Error, Result};
pub use key::Key;
pub use text::{Finding, Identifier, Scrubbed, Scrubber};

#[doc(hidden)]
pub use dicom::doc_example;

/// The README's example, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
