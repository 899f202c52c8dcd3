//! Where the pictures of an index lie, and whether they still do.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Ingestion;
use crate::content::{self, content_id_of_file};
use crate::metadata::{Metadata, Stored, Value};
use crate::record::Record;
use crate::writer::Writer;

/// A vector of the index whose picture is not where it was: the file is gone, or has become another
/// picture, and the ingestion has not met it elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gone {
    /// The vector's id.
    pub id: String,
    /// Where the picture was.
    pub path: PathBuf,
}

impl fmt::Display for Gone {
    /// The path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

impl Ingestion {
    /// Where the picture of a vector was when it was last ingested, by the vector's metadata; none if
    /// they have no [`Ingestion::PATH`] that is a whole path.
    #[must_use]
    pub fn path_of(metadata: &Metadata) -> Option<PathBuf> {
        match metadata.get(Self::PATH)? {
            Value::Text(text) => Some(Self::unescaped(text)).filter(|path| path.is_absolute()),
            _ => None,
        }
    }

    /// A name as metadata have it: `%` and bytes that are no UTF-8 are `%` and two hexadecimal digits,
    /// so that no two names are one text.
    #[must_use]
    pub fn escaped(name: impl AsRef<OsStr>) -> String {
        let mut text = String::new();
        for chunk in name.as_ref().as_encoded_bytes().utf8_chunks() {
            text += &chunk.valid().replace('%', "%25");
            for byte in chunk.invalid() {
                text += &format!("%{byte:02X}");
            }
        }
        text
    }

    /// The name that [`Ingestion::escaped`] has made `text` of.
    #[must_use]
    pub fn unescaped(text: &str) -> PathBuf {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            let code = after.get(..2).filter(|_| byte == b'%');
            let code = code.and_then(|digits| std::str::from_utf8(digits).ok());
            match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                Some(code) => {
                    bytes.push(code);
                    rest = &after[2..];
                }
                None => {
                    bytes.push(byte);
                    rest = after;
                }
            }
        }
        path_of_bytes(bytes)
    }
}

/// What the index knows of a picture.
pub(super) struct Recorded {
    /// Where it was, if that was recorded.
    pub(super) place: Option<PathBuf>,
    /// Its metadata, if it is to be embedded again.
    pub(super) again: Option<Metadata>,
}

/// What the index knows of an id, which may have to be embedded `again`.
pub(super) fn recorded(writer: &Writer, id: &str, again: bool) -> Option<Recorded> {
    let row = writer.catalog().find(id.as_bytes())?;
    let record = writer.catalog().record(row);
    let metadata = |record: Record<'_>| record.metadata.read().map(|(metadata, _)| metadata);
    Some(Recorded {
        place: record.and_then(|record| path(&record)),
        again: record.filter(|_| again).and_then(metadata),
    })
}

/// The place of a picture that was ingested. A text `path` of a vector with another id, or one that is
/// no whole path, is somebody else's.
fn path(record: &Record<'_>) -> Option<PathBuf> {
    if !content::is_id(record.id) {
        return None;
    }
    let Stored::Text(text) = record.metadata.find(Ingestion::PATH)? else {
        return None;
    };
    let path = Ingestion::unescaped(std::str::from_utf8(text).ok()?);
    path.is_absolute().then_some(path)
}

/// Whether the file at `path` has the content of this id. What is no file is not read: a pipe would
/// be waited for.
pub(super) fn leads_to(path: &Path, id: &str) -> bool {
    path.is_file() && content_id_of_file(path).is_ok_and(|found| found == id)
}

/// The vectors whose pictures are gone, of those that were `within` a folder if there is one: other
/// places are not looked at. `read` are the ids that this run has met, which are none of them;
/// `was_read` says whether it has read a file.
pub(super) fn gone(
    writer: &Writer,
    read: &HashSet<&str>,
    within: Option<&Path>,
    was_read: impl Fn(&Path) -> bool,
) -> Vec<Gone> {
    let mut gone = Vec::new();
    for row in writer.catalog().live().iter() {
        let Some(record) = writer.catalog().record(row) else {
            continue;
        };
        let id = String::from_utf8_lossy(record.id);
        if read.contains(&*id) {
            continue;
        }
        let Some(path) = path(&record) else {
            continue;
        };
        let asked = within.is_none_or(|folder| path.starts_with(folder));
        if asked && (was_read(&path) || is_missing(&path)) {
            let id = id.into_owned();
            gone.push(Gone { id, path });
        }
    }
    gone.sort_by(|a, b| a.path.cmp(&b.path).then_with(|| a.id.cmp(&b.id)));
    gone
}

/// Whether there is nothing at `path`. What cannot be looked at may be there.
fn is_missing(path: &Path) -> bool {
    let kind = fs::metadata(path).map_err(|error| error.kind());
    matches!(kind, Err(ErrorKind::NotFound | ErrorKind::NotADirectory))
}

#[cfg(unix)]
fn path_of_bytes(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn path_of_bytes(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Ingestion, path_of_bytes};

    #[test]
    fn a_path_is_what_its_text_says() {
        for (path, text) in [
            ("/a/b c.png", "/a/b c.png"),
            ("/50%/ü%41.png", "/50%25/ü%2541.png"),
            ("%", "%25"),
        ] {
            assert_eq!(Ingestion::escaped(path), text);
            assert_eq!(Ingestion::unescaped(text), Path::new(path));
        }
        // A `%` that nothing of ours has written is one.
        for text in ["%", "a%", "%4", "%zz", "%é"] {
            assert_eq!(Ingestion::unescaped(text), Path::new(text));
        }
        if cfg!(unix) {
            let path = path_of_bytes(b"/br\xe9%\xff\xfe.png".into());
            assert_eq!(Ingestion::escaped(&path), "/br%E9%25%FF%FE.png");
            assert_eq!(Ingestion::unescaped("/br%E9%25%FF%FE.png"), path);
        }
    }
}
