//! The file `header`: which model an index belongs to, and which index it is.

use std::io::ErrorKind;
use std::path::Path;

use crate::bytes::Cursor;
use crate::error::{Error, RESTORE, Result};
use crate::files;
use crate::fingerprint::Fingerprint;
use crate::identity::Identity;

const MAGIC: [u8; 8] = *b"MGSEARCH";
/// 2 since an index has an identity.
const VERSION: u32 = 2;
/// Bytes of the longest header: its fields, and a name of 65535 bytes.
const LONGEST: u64 = 8 + 4 + Identity::LEN as u64 + 4 + 4 + 65535 + 4;
/// What to do about a header of another version.
const OTHER_RELEASE: &str = "another release has made the index: open it with that release, or make it again with this one in another folder; if this release has made it, restore the folder from a copy";

/// What the file says.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) identity: Identity,
}

/// Why bytes are no header.
struct Fault {
    at: u64,
    what: &'static str,
    expected: String,
    found: String,
    remedy: &'static str,
}

impl Fault {
    fn new(at: u64, what: &'static str, expected: String, found: String) -> Self {
        Self {
            at,
            what,
            expected,
            found,
            remedy: RESTORE,
        }
    }
}

impl Header {
    /// The header of a new index of a fingerprint that was checked.
    pub(crate) fn new(fingerprint: &Fingerprint) -> Self {
        Self {
            fingerprint: fingerprint.clone(),
            identity: Identity::new(),
        }
    }

    /// Writes the header, which makes the folder an index.
    pub(crate) fn publish(&self, folder: &Path) -> Result<()> {
        files::publish(folder, files::HEADER, &self.encode(VERSION))
    }

    fn encode(&self, version: u32) -> Vec<u8> {
        let Fingerprint { model, dimension } = &self.fingerprint;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(version.to_le_bytes());
        bytes.extend(self.identity.to_bytes());
        for len in [*dimension, model.len()] {
            let len = u32::try_from(len).expect("the fingerprint was checked");
            bytes.extend(len.to_le_bytes());
        }
        bytes.extend(model.as_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// Whether the folder has an index.
    pub(crate) fn exists(folder: &Path) -> Result<bool> {
        let path = folder.join(files::HEADER);
        path.try_exists()
            .map_err(Error::io(&path, "look for the file"))
    }

    /// Whether making an index may have left `bytes` of a header that was never published: its
    /// beginning, or the room for it.
    pub(crate) fn is_unfinished(bytes: &[u8]) -> bool {
        let begins = bytes
            .iter()
            .zip(MAGIC)
            .all(|(found, magic)| *found == magic);
        begins || bytes.iter().all(|byte| *byte == 0)
    }

    /// Reads the header.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(files::HEADER);
        files::expect_file(&path)?;
        // One byte more tells that it is longer: its checksum is then another.
        let bytes = match files::read(&path, LONGEST + 1) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Error::NoIndex {
                    path: folder.to_owned(),
                });
            }
            bytes => bytes.map_err(Error::io(&path, "read the file"))?,
        };
        Self::decode(&bytes).map_err(|fault| Error::Damaged {
            path,
            at: fault.at,
            what: fault.what,
            expected: fault.expected,
            found: fault.found,
            remedy: fault.remedy,
        })
    }

    fn decode(bytes: &[u8]) -> std::result::Result<Self, Fault> {
        let end = || {
            let (expected, found) = ("more bytes".to_owned(), "the end of the file".to_owned());
            Fault::new(bytes.len() as u64, "header", expected, found)
        };
        let mut cursor = Cursor(bytes);
        let magic: [u8; 8] = cursor.array().ok_or_else(end)?;
        if magic != MAGIC {
            let (expected, found) = (format!("{MAGIC:02x?}"), format!("{magic:02x?}"));
            return Err(Fault::new(0, "magic", expected, found));
        }
        let version = cursor.u32().ok_or_else(end)?;
        if version != VERSION {
            let (expected, found) = (VERSION.to_string(), version.to_string());
            return Err(Fault {
                remedy: OTHER_RELEASE,
                ..Fault::new(8, "format version", expected, found)
            });
        }
        let body = bytes.len().checked_sub(4).ok_or_else(end)?;
        let (body, crc) = bytes.split_at(body);
        let expected = crc32fast::hash(body);
        let found = Cursor(crc).u32().ok_or_else(end)?;
        if expected != found {
            let (expected, found) = (format!("{expected:08x}"), format!("{found:08x}"));
            return Err(Fault::new(body.len() as u64, "checksum", expected, found));
        }
        let mut fields = || {
            let identity = Identity::from_bytes(cursor.array()?);
            let dimension = usize::try_from(cursor.u32()?).ok()?;
            let len = usize::try_from(cursor.u32()?).ok()?;
            let model = std::str::from_utf8(cursor.bytes(len)?).ok()?;
            Some(Self {
                fingerprint: Fingerprint::new(model, dimension),
                identity,
            })
        };
        let header = fields().ok_or_else(end)?;
        match header.fingerprint.check() {
            Ok(()) => Ok(header),
            Err(error) => {
                let (expected, found) = ("a possible one".to_owned(), error.to_string());
                Err(Fault::new(28, "header", expected, found))
            }
        }
    }

    /// [`Header::read`], and an error if it is not of this fingerprint.
    pub(crate) fn expect(folder: &Path, fingerprint: &Fingerprint) -> Result<Self> {
        let found = Self::read(folder)?;
        if found.fingerprint == *fingerprint {
            return Ok(found);
        }
        Err(Error::Model {
            path: folder.to_owned(),
            expected: fingerprint.clone(),
            found: found.fingerprint,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Header;
    use crate::{Fingerprint, Index};

    #[test]
    fn an_index_of_another_release_says_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let fingerprint = Fingerprint::new("model", 3);
        let header = Header::new(&fingerprint);
        for version in [1, 3] {
            let bytes = header.encode(version);
            std::fs::write(folder.path().join("header"), bytes).expect("written");
            let error = Index::open(folder.path(), &fingerprint).expect_err("another version");
            let message = error.to_string();
            let found = format!("format version at byte 8: expected 2, found {version}; ");
            for part in [&*found, "with that release", "make it again"] {
                assert!(message.contains(part), "{part}: {message}");
            }
        }
        std::fs::write(folder.path().join("header"), header.encode(2)).expect("written");
        let read = Header::read(folder.path()).expect("read");
        assert_eq!(read.fingerprint, fingerprint);
        assert_eq!(read.identity, header.identity);
    }
}
