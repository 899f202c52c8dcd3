//! The numbers of the rows: the files of vectors and of codes.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use medgemma_kernels::{Map, map_file};

use crate::error::{Error, RESTORE, Result};
use crate::files::{self, NamedFile};
use crate::frame::Span;
use crate::quantize;

/// Rows that are read or made again at a time.
const CHUNK: u64 = 1024;

/// Both files, open.
#[derive(Debug)]
pub(crate) struct RowFiles {
    pub(crate) vectors: NamedFile,
    pub(crate) codes: NamedFile,
    dimension: usize,
}

impl RowFiles {
    pub(crate) fn open(folder: &Path, dimension: usize, write: bool) -> Result<Self> {
        Ok(Self {
            vectors: NamedFile::open(folder, files::VECTORS, write)?,
            codes: NamedFile::open(folder, files::CODES, write)?,
            dimension,
        })
    }

    /// Where row `row` begins in the file of vectors.
    pub(crate) fn vector_at(&self, row: u64) -> u64 {
        self.code_at(row) * 4
    }

    /// Where row `row` begins in the file of codes.
    pub(crate) fn code_at(&self, row: u64) -> u64 {
        row.saturating_mul(self.dimension as u64)
    }

    /// An error unless the file of vectors has `rows` rows.
    pub(crate) fn expect_vectors(&self, rows: u64) -> Result<()> {
        expect_len(&self.vectors, self.vector_at(rows), RESTORE)
    }

    /// Maps the first `rows` rows.
    pub(crate) fn map(&self, rows: u64) -> Result<RowMaps> {
        self.expect_vectors(rows)?;
        expect_len(&self.codes, self.code_at(rows), REMAKE)?;
        let map = |named: &NamedFile, len| {
            map_file(&named.file, len).map_err(Error::io(&named.path, "map the file"))
        };
        Ok(RowMaps {
            vectors: map(&self.vectors, self.vector_at(rows))?,
            codes: map(&self.codes, self.code_at(rows))?,
            dimension: self.dimension,
        })
    }

    /// Whether the vectors of a batch are those that were written.
    pub(crate) fn has_vectors(&self, span: &Span) -> Result<bool> {
        let bytes = self.vector_at(span.first_row)..self.vector_at(end(span));
        Ok(checksum(&self.vectors, bytes)? == Some(span.vectors_crc))
    }

    /// Whether the codes of a batch are those that were written.
    pub(crate) fn has_codes(&self, span: &Span) -> Result<bool> {
        let bytes = self.code_at(span.first_row)..self.code_at(end(span));
        Ok(checksum(&self.codes, bytes)? == Some(span.codes_crc))
    }

    /// An error unless the vectors of a published batch are those that were written.
    pub(crate) fn expect_batch(&self, span: &Span) -> Result<()> {
        if self.has_vectors(span)? {
            return Ok(());
        }
        let at = self.vector_at(span.first_row);
        Err(damaged(&self.vectors, at, span, span.vectors_crc, RESTORE))
    }

    /// An error unless the codes of a published batch are those that were written.
    pub(crate) fn expect_codes(&self, span: &Span) -> Result<()> {
        if self.has_codes(span)? {
            return Ok(());
        }
        let at = self.code_at(span.first_row);
        Err(damaged(&self.codes, at, span, span.codes_crc, REMAKE))
    }

    /// Makes the codes of `rows` again from their vectors.
    pub(crate) fn remake_codes(&mut self, rows: Range<u64>) -> Result<()> {
        for first in rows
            .clone()
            .step_by(usize::try_from(CHUNK).expect("a small number"))
        {
            let last = rows.end.min(first + CHUNK);
            let bytes = self.vector_at(first)..self.vector_at(last);
            let mut codes = Vec::new();
            for row in read(&self.vectors, &bytes)?.chunks_exact(self.dimension * 4) {
                let (numbers, _) = row.as_chunks::<4>();
                let row: Vec<f32> = numbers.iter().map(|n| f32::from_le_bytes(*n)).collect();
                quantize::encode(&row, &mut codes);
            }
            let codes: Vec<u8> = codes.into_iter().map(i8::cast_unsigned).collect();
            let at = self.code_at(first);
            self.codes.write_at(at, &codes)?;
        }
        self.codes.sync()
    }
}

/// What to do about codes.
const REMAKE: &str = "open the index for writing and call `Writer::remake_codes`, which makes them again from the vectors";

/// One more than a batch's last row.
fn end(span: &Span) -> u64 {
    span.first_row + u64::from(span.rows)
}

fn expect_len(named: &NamedFile, len: u64, remedy: &'static str) -> Result<()> {
    let found = named.len()?;
    if found >= len {
        return Ok(());
    }
    Err(Error::Damaged {
        path: named.path.clone(),
        at: found,
        what: "end of the file",
        expected: format!("{len} bytes"),
        found: found.to_string(),
        remedy,
    })
}

fn damaged(named: &NamedFile, at: u64, span: &Span, crc: u32, remedy: &'static str) -> Error {
    Error::Damaged {
        path: named.path.clone(),
        at,
        what: "rows of a batch",
        expected: format!("{} rows with checksum {crc:08x}", span.rows),
        found: "other bytes".to_owned(),
        remedy,
    }
}

/// Reads through a handle of its own, since a handle has one position.
fn read(named: &NamedFile, bytes: &Range<u64>) -> Result<Vec<u8>> {
    let mut named = NamedFile::reopen(named)?;
    let len = usize::try_from(bytes.end - bytes.start).expect("a chunk is small");
    let mut buffer = vec![0; len];
    let start = named.file.seek(SeekFrom::Start(bytes.start));
    start
        .and_then(|_| named.file.read_exact(&mut buffer))
        .map_err(Error::io(&named.path, "read the file"))?;
    Ok(buffer)
}

/// The checksum of a part of a file, or `None` if the file ends before.
///
/// The bytes are read, not looked at in a map: a map's pages would count as memory of the process.
fn checksum(named: &NamedFile, bytes: Range<u64>) -> Result<Option<u32>> {
    let mut named = NamedFile::reopen(named)?;
    if named.len()? < bytes.end {
        return Ok(None);
    }
    let reading = || Error::io(&named.path, "read the file");
    let start = named.file.seek(SeekFrom::Start(bytes.start));
    start.map_err(reading())?;
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    let mut left = bytes.end - bytes.start;
    while left > 0 {
        let len = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let part = &mut buffer[..len];
        named.file.read_exact(part).map_err(reading())?;
        hasher.update(part);
        left -= len as u64;
    }
    Ok(Some(hasher.finalize()))
}

/// Both files, mapped.
#[derive(Debug)]
pub(crate) struct RowMaps {
    vectors: Map,
    codes: Map,
    dimension: usize,
}

impl RowMaps {
    /// Rows that are mapped.
    pub(crate) fn len(&self) -> usize {
        self.codes.len() / self.dimension
    }

    /// The numbers of a row, f32 in little-endian bytes.
    pub(crate) fn vector(&self, row: usize) -> &[u8] {
        let len = self.dimension * 4;
        &self.vectors[row * len..][..len]
    }

    /// The codes of some rows, `[rows, dimension]`.
    pub(crate) fn codes(&self, rows: Range<usize>) -> &[u8] {
        &self.codes[rows.start * self.dimension..rows.end * self.dimension]
    }

    pub(crate) fn dimension(&self) -> usize {
        self.dimension
    }
}
