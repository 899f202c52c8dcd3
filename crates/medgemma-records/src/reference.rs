//! How a record is called in a prompt and in a citation.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::kind::Kind;

/// The name of one record of a bundle, as prompts show it and as facts cite it: `Observation/a1c-7`.
///
/// A resource whose id is short is called as FHIR calls it. One without an id, with one above
/// [`Reference::MAX_ID`] characters (a UUID takes 25 tokens and more, and models copy it badly), or with one that ends in a
/// full stop or hyphen (nobody could tell it from a sentence's), is called by its number among its kind: `Observation/#12`. `#` cannot stand in an id, so the two never meet. A contained resource is called
/// by both: `MedicationRequest/7#med1`.
///
/// Serialised as [`as_str`](Self::as_str) has it. `Debug` shows the kind only, since ids are made from patients' numbers in
/// places.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    kind: Kind,
    text: Arc<str>,
}

impl Reference {
    /// Characters of an id that is shown as it is.
    pub const MAX_ID: usize = 16;

    pub(crate) fn new(kind: Kind, text: &str) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }

    /// The resource's kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// As it is shown and cited.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reference({})", self.kind)
    }
}

/// Whether FHIR allows the text as an id: 1 to 64 letters, digits, hyphens and dots.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
}
