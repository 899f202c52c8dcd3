//! Whether a picture that was found is still where it was indexed.

use std::path::PathBuf;

use medgemma_search::{Hit, Ingestion, content_id_of_file};

/// Where a picture was, as it is now.
pub(crate) enum Place {
    /// With the content that was indexed.
    There(PathBuf),
    /// With another content, to which the score does not belong.
    Changed,
    /// Gone, or not to be read, and why.
    Unread(String),
}

impl Place {
    pub(crate) fn of(hit: &Hit) -> Self {
        let Some(path) = Ingestion::path_of(&hit.metadata) else {
            return Self::Unread("the index has no path of it".to_owned());
        };
        match content_id_of_file(&path) {
            Ok(id) if id == hit.id => Self::There(path),
            Ok(_) => Self::Changed,
            Err(error) => Self::Unread(error.to_string()),
        }
    }

    /// What stands behind the name in a table.
    pub(crate) fn remark(&self) -> &'static str {
        match self {
            Self::There(_) => "",
            Self::Changed => "  (changed since it was indexed)",
            Self::Unread(_) => "  (not there)",
        }
    }
}
