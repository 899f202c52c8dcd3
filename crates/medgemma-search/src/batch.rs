//! Changes that are published together or not at all.

use crate::metadata::Metadata;

/// A vector with its id and metadata.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// 1 to 65535 bytes; see [`content_id`](crate::content_id) for one that says what was embedded.
    pub id: String,
    /// As many numbers as the index has dimensions.
    pub vector: Vec<f32>,
    /// What is known of it.
    pub metadata: Metadata,
}

impl std::fmt::Debug for Entry {
    /// Shows id and sizes: metadata may be about a patient.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("id", &self.id)
            .field("dimension", &self.vector.len())
            .field("metadata", &self.metadata.len())
            .finish()
    }
}

/// Vectors to put into an index and ids to delete from it: an id once, for the one or the other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    pub(crate) entries: Vec<Entry>,
    pub(crate) deletions: Vec<String>,
}

impl Batch {
    /// No changes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a vector, or replaces the one with this id. The vector is brought to unit length when
    /// it is appended.
    pub fn put(
        &mut self,
        id: impl Into<String>,
        vector: Vec<f32>,
        metadata: Metadata,
    ) -> &mut Self {
        self.entries.push(Entry {
            id: id.into(),
            vector,
            metadata,
        });
        self
    }

    /// Deletes the vector with this id, if there is one.
    pub fn delete(&mut self, id: impl Into<String>) -> &mut Self {
        self.deletions.push(id.into());
        self
    }

    /// How many changes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() + self.deletions.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What an append did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appended {
    /// Vectors whose id was new.
    pub added: usize,
    /// Vectors whose id had another vector before.
    pub replaced: usize,
    /// Vectors deleted.
    pub deleted: usize,
    /// Ids to delete that were not there.
    pub unknown: usize,
}
