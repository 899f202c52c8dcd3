//! Which model an index belongs to: the file `header`.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

use medgemma_kernels::DOT_I8_MAX_COLS;

use crate::bytes::Cursor;
use crate::error::{Error, RESTORE, Result};
use crate::files;

const MAGIC: [u8; 8] = *b"MGSEARCH";
const VERSION: u32 = 1;

/// What embeddings must have in common to be compared: their model and their length.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fingerprint {
    /// Names the model, as the caller likes: a checkpoint's checksum says more than its name.
    pub model: String,
    /// Numbers of an embedding.
    pub dimension: usize,
}

impl Fingerprint {
    /// A model's name and the length of its embeddings.
    #[must_use]
    pub fn new(model: impl Into<String>, dimension: usize) -> Self {
        Self {
            model: model.into(),
            dimension,
        }
    }

    /// Whether an index can have it.
    pub(crate) fn check(&self) -> Result<()> {
        let dimensions = 1..=DOT_I8_MAX_COLS;
        if !dimensions.contains(&self.dimension) {
            let expected = format!("1 to {DOT_I8_MAX_COLS} numbers");
            let found = self.dimension.to_string();
            return Err(Error::argument("fingerprint.dimension", expected, found));
        }
        if self.model.is_empty() || self.model.len() > usize::from(u16::MAX) {
            return Err(Error::argument(
                "fingerprint.model",
                "a name of 1 to 65535 bytes",
                format!("{} bytes", self.model.len()),
            ));
        }
        Ok(())
    }

    /// Writes the header of a fingerprint that was checked, which makes the folder an index.
    pub(crate) fn publish(&self, folder: &Path) -> Result<()> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        for len in [self.dimension, self.model.len()] {
            let len = u32::try_from(len).expect("`check` has been called");
            bytes.extend(len.to_le_bytes());
        }
        bytes.extend(self.model.as_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        files::publish(folder, files::HEADER, &bytes)
    }

    /// Whether the folder has an index.
    pub(crate) fn exists(folder: &Path) -> Result<bool> {
        let path = folder.join(files::HEADER);
        path.try_exists()
            .map_err(Error::io(&path, "look for the file"))
    }

    /// Reads the header.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(files::HEADER);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Error::NoIndex {
                    path: folder.to_owned(),
                });
            }
            bytes => bytes.map_err(Error::io(&path, "read the file"))?,
        };
        Self::decode(&bytes).map_err(|(at, what, expected, found)| Error::Damaged {
            path,
            at,
            what,
            expected,
            found,
            remedy: RESTORE,
        })
    }

    /// The error has the place, the part, what was expected and what was found.
    fn decode(bytes: &[u8]) -> std::result::Result<Self, (u64, &'static str, String, String)> {
        let end = (
            bytes.len() as u64,
            "header",
            "more bytes".to_owned(),
            "the end of the file".to_owned(),
        );
        let mut cursor = Cursor(bytes);
        let magic: [u8; 8] = cursor.array().ok_or_else(|| end.clone())?;
        if magic != MAGIC {
            let found = format!("{magic:02x?}");
            return Err((0, "magic", format!("{MAGIC:02x?}"), found));
        }
        let version = cursor.u32().ok_or_else(|| end.clone())?;
        let body = bytes.len().checked_sub(4).ok_or_else(|| end.clone())?;
        let (body, crc) = bytes.split_at(body);
        let expected = crc32fast::hash(body);
        let found = Cursor(crc).u32().ok_or_else(|| end.clone())?;
        if version != VERSION {
            let found = format!("{version}, of another release or a damaged file");
            return Err((8, "format version", VERSION.to_string(), found));
        }
        if expected != found {
            let (expected, found) = (format!("{expected:08x}"), format!("{found:08x}"));
            return Err((body.len() as u64, "checksum", expected, found));
        }
        let mut fields = || {
            let dimension = usize::try_from(cursor.u32()?).ok()?;
            let len = usize::try_from(cursor.u32()?).ok()?;
            let model = cursor.bytes(len)?;
            Some(Self::new(std::str::from_utf8(model).ok()?, dimension))
        };
        let fingerprint = fields().ok_or(end)?;
        match fingerprint.check() {
            Ok(()) => Ok(fingerprint),
            Err(error) => Err((12, "header", "a possible one".to_owned(), error.to_string())),
        }
    }

    /// [`Fingerprint::read`], and an error if it is not this one.
    pub(crate) fn expect(&self, folder: &Path) -> Result<()> {
        let found = Self::read(folder)?;
        if *self == found {
            return Ok(());
        }
        Err(Error::Model {
            path: folder.to_owned(),
            expected: self.clone(),
            found,
        })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "model '{}' with {} numbers an embedding",
            self.model, self.dimension
        )
    }
}
