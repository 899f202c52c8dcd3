//! Read-only memory maps of weight files: the one place in the workspace outside the CPU kernels
//! that is allowed `unsafe`, and all of it is the single call in [`map_file`].
//!
//! What happens when the file changes underneath a map, since no program can prevent it:
//! * replaced by rename or deleted (what download tools do): nothing, the map keeps the old file;
//! * overwritten in place: later reads see the new bytes, so replies silently change;
//! * truncated: reading past the new end kills the process with `SIGBUS` on Unix (Windows refuses
//!   to truncate a mapped file).
//!
//! Weights are therefore to be treated as immutable while a model that uses them is alive.
#![allow(
    unsafe_code,
    reason = "mapping a file is unsafe because others may change it; the module header says what then happens"
)]

use std::fmt;
use std::fs::File;
use std::ops::{Deref, Range};
use std::path::Path;

use crate::error::{Error, Result};

/// A cheaply clonable, read-only range of bytes that keeps its owner, usually a memory map, alive.
#[derive(Clone)]
pub struct MappedBytes(bytes::Bytes);

impl MappedBytes {
    /// Takes any owner of bytes, for sources that do not map files (tests, embedded weights).
    pub fn from_owner<T: AsRef<[u8]> + Send + 'static>(owner: T) -> Self {
        Self(bytes::Bytes::from_owner(owner))
    }

    /// The sub-range `range`, sharing the owner.
    ///
    /// # Panics
    /// If `range` is not inside the bytes: sources check their offsets when they are opened.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        Self(self.0.slice(range))
    }

    /// Whether the first byte lies at a multiple of `align`.
    #[must_use]
    pub fn is_aligned_to(&self, align: usize) -> bool {
        self.0.as_ptr().addr().is_multiple_of(align)
    }

    /// Hands the bytes on without copying.
    pub(super) fn into_shared(self) -> bytes::Bytes {
        self.0
    }
}

impl Deref for MappedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for MappedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for MappedBytes {
    /// Shows the length only: weights are gigabytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedBytes")
            .field("len", &self.0.len())
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
    // SAFETY: the map is read-only and only ever exposed as `&[u8]`, for which every bit pattern is
    // valid. What remains is that nobody changes the file meanwhile, which no program can check:
    // the module header states the consequences and the loader's documentation passes them on.
    let map = unsafe { memmap2::Mmap::map(&file) }.map_err(io)?;
    Ok(MappedBytes::from_owner(map))
}
