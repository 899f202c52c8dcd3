//! Whether a picture that was found is still where it was indexed.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use medgemma_search::{Hit, Ingestion, content_id_of_file};

/// Where a picture was, as it is now.
pub(crate) enum Place {
    /// With the content that was indexed.
    There(PathBuf),
    /// With another content, to which the score does not belong.
    Changed,
    /// Gone, or not to be read: in a word, and why.
    Unread(&'static str, String),
}

impl Place {
    pub(crate) fn of(hit: &Hit) -> Self {
        let Some(path) = Ingestion::path_of(&hit.metadata) else {
            return Self::Unread("  (no path)", "the index has no path of it".to_owned());
        };
        let unread = |why: String| Self::Unread("  (cannot be read)", why);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => {}
            // A pipe would be waited for.
            Ok(_) => return unread(format!("{} is no file", path.display())),
            Err(error) => {
                let why = format!("{}: {error}", path.display());
                return match error.kind() {
                    ErrorKind::NotFound | ErrorKind::NotADirectory => {
                        Self::Unread("  (not there)", why)
                    }
                    _ => unread(why),
                };
            }
        }
        match content_id_of_file(&path) {
            Ok(id) if id == hit.id => Self::There(path),
            Ok(_) => Self::Changed,
            Err(error) => unread(error.to_string()),
        }
    }

    /// What stands behind the name in a table.
    pub(crate) fn remark(&self) -> &'static str {
        match self {
            Self::There(_) => "",
            Self::Changed => "  (changed since it was indexed)",
            Self::Unread(remark, _) => remark,
        }
    }
}
