//! One file: read, known or decoded.

use std::any::Any;
use std::error::Error as StdError;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::Ingestion;
use super::places::{self, Recorded};
use super::progress::Fault;
use crate::content::content_id;
use crate::metadata::{self, Metadata, Value};

/// A file that is to be decoded.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct SourceFile<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// What its metadata will have as [`Ingestion::FILE`].
    pub name: &'a str,
    /// All of it.
    pub bytes: &'a [u8],
    /// Its [`content_id`], and that of its vector.
    pub id: &'a str,
}

impl std::fmt::Debug for SourceFile<'_> {
    /// Shows the number of bytes only: they are a picture of a patient.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceFile")
            .field("path", &self.path)
            .field("bytes", &self.bytes.len())
            .field("id", &self.id)
            .finish()
    }
}

/// What has become of a file.
pub(super) enum Outcome<P> {
    /// It is in the index.
    Known(String),
    /// It is in the index with a place where it is not any more. Id and metadata.
    Moved(String, Metadata),
    /// Id, picture and metadata.
    Decoded(String, P, Metadata),
    /// Its id, if it could be read.
    Faulty(Option<String>, Fault),
}

impl<P> Outcome<P> {
    /// The id of what was read.
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::Known(id) | Self::Moved(id, _) | Self::Decoded(id, ..) => Some(id),
            Self::Faulty(id, _) => id.as_deref(),
        }
    }
}

/// A folder by two names.
pub(super) struct Root<'a> {
    /// As the caller says it.
    pub(super) folder: &'a Path,
    /// As anybody can.
    pub(super) absolute: &'a Path,
}

/// Reads the file at `path` and decodes it, unless it is known, where it is recorded, and not to be
/// embedded again.
pub(super) fn read<P, D: Into<Box<dyn StdError + Send + Sync>>>(
    root: &Root<'_>,
    path: &Path,
    largest: u64,
    recorded: impl Fn(&str) -> Option<Recorded>,
    decode: impl Fn(&SourceFile<'_>) -> Result<(P, Metadata), D>,
) -> Outcome<P> {
    let bytes = match bytes(path, largest) {
        Ok(bytes) => bytes,
        Err(fault) => return Outcome::Faulty(None, fault),
    };
    let id = content_id(&bytes);
    let relative = path.strip_prefix(root.folder).unwrap_or(path);
    let place = root.absolute.join(relative);
    let (mut moved, mut kept) = (false, None);
    if let Some(Recorded { place: old, again }) = recorded(&id) {
        // No place: somebody else has put it there, and says of it what they want.
        let stays = old.is_none_or(|old| old == place || places::leads_to(&old, &id));
        if stays && again.is_none() {
            return Outcome::Known(id);
        }
        moved = again.is_none();
        kept = again.filter(|_| stays);
    }
    let parts: Vec<_> = relative.iter().map(Ingestion::escaped).collect();
    let name = parts.join("/");
    let file = SourceFile {
        path,
        name: &name,
        bytes: &bytes,
        id: &id,
    };
    // A decoder that panics on one file of an archive must not end the ingestion for good. Nothing
    // that it may have left half-done is looked at again but by itself.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode(&file)));
    let (picture, mut metadata) = match decoded {
        Ok(Ok((picture, metadata))) => match kept {
            Some(kept) => return Outcome::Decoded(id, picture, kept),
            None => (picture, metadata),
        },
        Ok(Err(error)) => return Outcome::Faulty(Some(id), Fault::Decode(error.into())),
        Err(panic) => return Outcome::Faulty(Some(id), Fault::Panic(said(&*panic))),
    };
    metadata
        .entry(Ingestion::FILE.to_owned())
        .or_insert_with(|| Value::Text(name));
    // The next run depends on it.
    let place = Value::Text(Ingestion::escaped(&place));
    metadata.insert(Ingestion::PATH.to_owned(), place);
    // An append would refuse the whole batch.
    match metadata::encode(&metadata, "metadata", &mut Vec::new()) {
        Ok(()) if moved => Outcome::Moved(id, metadata),
        Ok(()) => Outcome::Decoded(id, picture, metadata),
        Err(error) => Outcome::Faulty(Some(id), Fault::Metadata(error)),
    }
}

/// What the file has, read no further than it may be long, and not at all where it is known to be
/// longer.
fn bytes(path: &Path, largest: u64) -> Result<Vec<u8>, Fault> {
    let file = File::open(path).map_err(Fault::Read)?;
    let len = file.metadata().map_err(Fault::Read)?.len();
    if len > largest {
        return Err(Fault::Large { largest });
    }
    let mut bytes = Vec::new();
    // Growing it would take up to twice as much; one more byte tells that the end is reached.
    let room = usize::try_from(len).unwrap_or(usize::MAX).saturating_add(1);
    bytes
        .try_reserve_exact(room)
        .map_err(|_| Fault::Read(ErrorKind::OutOfMemory.into()))?;
    let mut part = file.take(largest.saturating_add(1));
    part.read_to_end(&mut bytes).map_err(Fault::Read)?;
    if bytes.len() as u64 > largest {
        return Err(Fault::Large { largest });
    }
    Ok(bytes)
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Fault, bytes};

    #[test]
    fn a_file_takes_its_length_and_none_that_is_too_long() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, vec![7; 100_001]).expect("written");
        let read = bytes(&path, 100_001).expect("read");
        assert_eq!((read.len(), read.capacity()), (100_001, 100_002));
        assert!(matches!(
            bytes(&path, 100_000),
            Err(Fault::Large { largest: 100_000 })
        ));
        // A file of a terabyte without any blocks: there is no room for it.
        let file = std::fs::File::create(&path).expect("created");
        if file.set_len(1 << 40).is_ok() {
            assert!(matches!(bytes(&path, 1 << 20), Err(Fault::Large { .. })));
        }
    }
}
