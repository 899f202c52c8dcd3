//! One file: read, known or decoded.

use std::any::Any;
use std::error::Error as StdError;
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::Ingestion;
use super::progress::Fault;
use crate::content::content_id;
use crate::metadata::{self, Metadata, Value};

/// A file that is to be decoded.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct SourceFile<'a> {
    /// Where it is.
    pub path: &'a Path,
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
    /// Id, picture and metadata.
    Decoded(String, P, Metadata),
    Faulty(Fault),
}

/// Reads the file at `path` and decodes it, unless it is known.
pub(super) fn read<P, D: Into<Box<dyn StdError + Send + Sync>>>(
    folder: &Path,
    path: &Path,
    largest: u64,
    known: impl Fn(&str) -> bool,
    decode: impl Fn(&SourceFile<'_>) -> Result<(P, Metadata), D>,
) -> Outcome<P> {
    let bytes = match bytes(path, largest) {
        Ok(bytes) => bytes,
        Err(fault) => return Outcome::Faulty(fault),
    };
    let id = content_id(&bytes);
    if known(&id) {
        return Outcome::Known(id);
    }
    let file = SourceFile {
        path,
        bytes: &bytes,
        id: &id,
    };
    // A decoder that panics on one file of an archive must not end the ingestion for good. Nothing
    // that it may have left half-done is looked at again but by itself.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode(&file)));
    let (picture, mut metadata) = match decoded {
        Ok(Ok(decoded)) => decoded,
        Ok(Err(error)) => return Outcome::Faulty(Fault::Decode(error.into())),
        Err(panic) => return Outcome::Faulty(Fault::Panic(said(&*panic))),
    };
    let name = || Value::Text(relative(folder, path));
    metadata
        .entry(Ingestion::FILE.to_owned())
        .or_insert_with(name);
    // An append would refuse the whole batch.
    match metadata::encode(&metadata, "metadata", &mut Vec::new()) {
        Ok(()) => Outcome::Decoded(id, picture, metadata),
        Err(error) => Outcome::Faulty(Fault::Metadata(error)),
    }
}

/// What the file has, read no further than it may be long.
fn bytes(path: &Path, largest: u64) -> Result<Vec<u8>, Fault> {
    let file = File::open(path).map_err(Fault::Read)?;
    let mut bytes = Vec::new();
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

fn relative(folder: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(folder).unwrap_or(path).iter();
    let parts: Vec<_> = parts.map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}
