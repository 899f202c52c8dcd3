//! Ids that say what was embedded.

use std::path::Path;

use crate::error::{Error, Result};
use crate::files;

/// The BLAKE3 hash of `bytes`, 64 hexadecimal digits: the same file has the same id wherever it lies
/// and whatever its name, so an ingestion that begins again neither loses nor doubles it.
///
/// ```
/// let id = medgemma_search::content_id(b"the bytes of a file");
/// assert_eq!(id.len(), 64);
/// ```
#[must_use]
pub fn content_id(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_string()
}

/// The [`content_id`] of a file, which is not held in memory.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, or is no file.
pub fn content_id_of_file(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    files::expect_file(path)?;
    let mut hasher = blake3::Hasher::new();
    let read = std::fs::File::open(path).and_then(|file| hasher.update_reader(file).map(drop));
    read.map_err(Error::io(path, "read the file"))?;
    Ok(hasher.finalize().to_string())
}

/// Whether an id has the form of a [`content_id`].
pub(crate) fn is_id(id: &[u8]) -> bool {
    id.len() == 64 && id.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::{content_id, content_id_of_file};

    #[test]
    fn a_file_has_the_id_of_its_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("picture");
        let bytes: Vec<u8> = (0..200_000u32).map(|i| i.to_le_bytes()[1]).collect();
        std::fs::write(&path, &bytes).expect("written");
        assert_eq!(content_id_of_file(&path).expect("read"), content_id(&bytes));
        // The first digits of the published test vector for no input.
        assert!(content_id(b"").starts_with("af1349b9f5f9a1a6a0404dea36dcc949"));
        let error = content_id_of_file(folder.path().join("none")).expect_err("no file");
        assert!(error.to_string().contains("none"), "{error}");
    }
}
