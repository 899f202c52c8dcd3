//! A place in the header of a GGUF file, from which numbers and strings are read in order.

use std::ops::Range;
use std::path::Path;

use crate::checkpoint::source::MAX_ENTRIES;
use crate::error::{Error, Result};

/// Bytes of a name at most. Those of tensors may have 64 (`GGML_MAX_NAME`), and no known key has more.
const MAX_NAME: usize = 1024;

/// Reads little-endian values from `bytes`, the whole file at `path`.
pub(super) struct Reader<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Self {
        Self { path, bytes, at: 0 }
    }

    /// The offset of the next byte.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Bytes from here to the end of the file.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The range of the next `count` bytes, which are skipped.
    ///
    /// # Errors
    /// [`Error::Truncated`] if the file ends before.
    pub(super) fn skip(&mut self, count: u64) -> Result<Range<usize>> {
        let begin = self.at;
        let end = usize::try_from(count)
            .ok()
            .and_then(|count| begin.checked_add(count))
            .filter(|&end| end <= self.bytes.len());
        let Some(end) = end else {
            return Err(Error::Truncated {
                path: self.path.to_path_buf(),
                expected: (begin as u64).saturating_add(count),
                found: self.bytes.len() as u64,
            });
        };
        self.at = end;
        Ok(begin..end)
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let range = self.skip(N as u64)?;
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.bytes[range]);
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// The range of a string: its length, then its bytes.
    pub(super) fn string(&mut self) -> Result<Range<usize>> {
        let length = self.u64()?;
        self.skip(length)
    }

    /// A string that names something; `what` is said of it if it is none.
    pub(super) fn name(&mut self, what: &'static str) -> Result<&'a str> {
        let range = self.string()?;
        if range.len() > MAX_NAME {
            let found = format!("{} bytes", range.len());
            return Err(self.malformed("names of at most 1024 bytes", found));
        }
        let bytes = self.bytes;
        std::str::from_utf8(&bytes[range]).map_err(|source| self.malformed(what, source))
    }

    /// A count of things that take `least` bytes each, at least.
    ///
    /// # Errors
    /// [`Error::Malformed`] if that many do not fit into the rest of the file.
    pub(super) fn count(&mut self, what: &'static str, least: usize) -> Result<usize> {
        let count = self.u64()?;
        let left = self.left();
        usize::try_from(count)
            .ok()
            .filter(|&count| count <= left / least)
            .ok_or_else(|| self.malformed(what, format!("{count}, with {left} bytes left")))
    }

    /// A count of things that are kept, of `least` bytes each, at least.
    ///
    /// # Errors
    /// [`Error::Malformed`] if that many do not fit into the rest of the file, or are too many to be kept.
    pub(super) fn kept_count(
        &mut self,
        what: &'static str,
        least: usize,
        fewer: &'static str,
    ) -> Result<usize> {
        match self.count(what, least)? {
            count if count > MAX_ENTRIES => Err(self.malformed(fewer, count.to_string())),
            count => Ok(count),
        }
    }

    /// The error that the file is not what it should be here.
    pub(super) fn malformed(
        &self,
        expected: &'static str,
        found: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::Malformed {
            path: self.path.to_path_buf(),
            expected,
            source: found.into(),
        }
    }
}
