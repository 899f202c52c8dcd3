//! FHIR R4 records for a language model: typed reading, prompts within a token budget, facts with citations, and a navigator.
//!
//! Pages of a FHIR bundle become a [`Bundle`] of [`Record`]s. [`Bundle::excerpt`] writes down those that matter for a
//! question, in as many tokens as there are, and lists the others. [`Facts::read`] takes from a model's answer what cites a
//! record that the model was shown. [`navigate`] lets the model look for itself. No model and no network: a model is what
//! implements [`Ask`].
//!
//! ```
//! use medgemma_records::{Bundle, ExcerptOptions, Facts};
//!
//! # fn main() -> medgemma_records::Result<()> {
//! let page = r#"{"resourceType": "Bundle", "entry": [
//!     {"resource": {"resourceType": "Observation", "id": "a1c", "status": "final",
//!         "code": {"text": "Hemoglobin A1c", "coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
//!         "effectiveDateTime": "2026-01-05", "valueQuantity": {"value": 7.90, "unit": "%"},
//!         "interpretation": [{"coding": [{"code": "H"}]}]}},
//!     {"resource": {"resourceType": "Condition", "id": "htn", "code": {"text": "Essential hypertension, treated for some years"},
//!         "clinicalStatus": {"coding": [{"code": "active"}]}}}]}"#;
//! let bundle = Bundle::from_json(&[page])?; // or Bundle::read(&["page-1.json", "page-2.json"])
//!
//! // A real program counts with the model's tokenizer. Here: a token a word.
//! let count = |text: &str| text.split_whitespace().count();
//! let options = ExcerptOptions::default().with_budget(24);
//! let excerpt = bundle.excerpt("What is the last HbA1c?", &options, &count)?;
//! assert_eq!(
//!     excerpt.text,
//!     "## Observation\n\
//!      [Observation/a1c] 2026-01-05 Hemoglobin A1c (LOINC 4548-4): 7.90 %; interpretation: high; status: final\n\
//!      (Left out for lack of room: 1 Condition.)\n"
//! );
//! assert_eq!(excerpt.omitted[0].reference.as_str(), "Condition/htn");
//!
//! // What a model said of it.
//! let answer = "- HbA1c was 7.9 % on 2026-01-05 [Observation/a1c]\n- He smokes [Observation/b2]\n- He is tall";
//! let facts = Facts::read(answer, &bundle, &excerpt);
//! assert_eq!(facts.facts.len(), 1);
//! assert_eq!(facts.facts[0].source.as_str(), "Observation/a1c");
//! assert_eq!(facts.unsupported.len(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! No error and no `Debug` says what a record says. Own design; FHIR as in <https://hl7.org/fhir/R4>.

mod bundle;
mod cite;
mod date;
mod decode;
mod error;
mod excerpt;
mod facts;
mod fhir;
mod figures;
mod json;
mod kind;
mod limits;
mod navigator;
mod rank;
mod read;
mod reference;
mod scan;
mod summary;
mod text;

// The public interface:
pub use crate::bundle::{Bundle, Record};
pub use crate::date::Date;
pub use crate::error::{AskError, Error, Origin, Place, Result};
pub use crate::excerpt::{Excerpt, ExcerptOptions, Omitted, Reason, Shown};
pub use crate::facts::{Fact, Facts, Unsupported, WhyUnsupported};
pub use crate::kind::Kind;
pub use crate::limits::Limits;
pub use crate::navigator::{
    Answer, Ask, Call, KindEntry, Manifest, Match, NavigatorOptions, Outcome, PUBLISHED, Stage,
    StageOptions, Step, Stop, navigate,
};
pub use crate::rank::Weights;
pub use crate::read::{Malformed, ReadOptions, Unread, WhyUnread};
pub use crate::reference::Reference;
pub use crate::summary::{Code, Detail, Standing, Summary};
