//! Bytes of weight files, mapped read-only by [`medgemma_kernels::map_file`].
//!
//! What happens when the file changes underneath a map, since no program can prevent it:
//! * replaced by rename or deleted (what download tools do): nothing, the map keeps the old file;
//! * overwritten in place: later reads see the new bytes, so replies silently change;
//! * truncated: reading past the new end kills the process with `SIGBUS` on Unix (Windows refuses
//!   to truncate a mapped file).
//!
//! Weights are therefore to be treated as immutable while a model that uses them is alive.

use std::fmt;
use std::fs::File;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use medgemma_kernels::Map;

use crate::error::{Error, Result};

/// A cheaply clonable, read-only range of bytes that keeps its owner, usually a memory map, alive.
#[derive(Clone)]
pub struct MappedBytes {
    bytes: bytes::Bytes,
    /// Of bytes that lie in a file.
    map: Option<Arc<Map>>,
}

/// A map as `bytes` wants an owner to be.
struct Owner(Arc<Map>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl MappedBytes {
    /// Takes any owner of bytes, for sources that do not map files (tests, embedded weights).
    pub fn from_owner<T: AsRef<[u8]> + Send + 'static>(owner: T) -> Self {
        Self {
            bytes: bytes::Bytes::from_owner(owner),
            map: None,
        }
    }

    /// The sub-range `range`, sharing the owner.
    ///
    /// # Panics
    /// If `range` is not inside the bytes: sources check their offsets when they are opened.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        Self {
            bytes: self.bytes.slice(range),
            map: self.map.clone(),
        }
    }

    /// Lets the system have the memory back that these bytes take, if they lie in a file: for those
    /// that were turned into something else. Whoever reads them again reads the file again.
    pub(super) fn release(&self) {
        if let Some(map) = &self.map
            && !self.bytes.is_empty()
        {
            let first = self.bytes.as_ptr().addr() - map.as_ptr().addr();
            if let Err(error) = map.release(first..first + self.bytes.len()) {
                tracing::debug!(%error, "pages of a weight file were not given back");
            }
        }
    }

    /// Whether the first byte lies at a multiple of `align`.
    #[must_use]
    pub fn is_aligned_to(&self, align: usize) -> bool {
        self.bytes.as_ptr().addr().is_multiple_of(align)
    }

    /// Hands the bytes on without copying.
    pub(super) fn into_shared(self) -> bytes::Bytes {
        self.bytes
    }
}

impl Deref for MappedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsRef<[u8]> for MappedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for MappedBytes {
    /// Shows the length only: weights are gigabytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedBytes")
            .field("len", &self.bytes.len())
            .finish()
    }
}

/// Maps the regular file at `path` read-only. See the module header for what the caller promises.
///
/// # Errors
/// [`Error::Io`] if the file cannot be opened or mapped, [`Error::NotAFile`] for anything but a
/// regular file (opening a pipe would wait for ever).
pub fn map_file(path: &Path) -> Result<MappedBytes> {
    let io = |source| Error::Io {
        path: path.to_path_buf(),
        source,
    };
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(Error::NotAFile {
            path: path.to_path_buf(),
        });
    }
    let file = File::open(path).map_err(io)?;
    let len = file.metadata().map_err(io)?.len();
    let map = Arc::new(medgemma_kernels::map_file(&file, len).map_err(io)?);
    Ok(MappedBytes {
        bytes: bytes::Bytes::from_owner(Owner(Arc::clone(&map))),
        map: Some(map),
    })
}
