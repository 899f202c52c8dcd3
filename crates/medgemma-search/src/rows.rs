//! The numbers of the rows: the files of vectors and of codes.

use std::ops::Range;
use std::path::Path;

use medgemma_kernels::{Map, map_file};

use crate::catalog::Catalog;
use crate::error::{Error, RESTORE, Result};
use crate::files::{self, NamedFile};
use crate::frame::Span;
use crate::quantize;

/// Rows that are read or made again at a time.
const CHUNK: u64 = 1024;
/// What lengths and products of vectors may be off from those of unit length: far more than rounding
/// takes, far less than most damage does.
pub(crate) const NEAR: f64 = 1e-3;

/// Both files, open.
#[derive(Debug)]
pub(crate) struct RowFiles {
    pub(crate) vectors: NamedFile,
    pub(crate) codes: NamedFile,
    /// There was no file of codes. `codes` has another name for now, and [`RowFiles::renew_codes`] is
    /// to be called.
    pub(crate) no_codes: bool,
    dimension: usize,
}

impl RowFiles {
    /// Opens both. Of a file of codes that is missing, a writer makes another for recovery to fill.
    pub(crate) fn open(folder: &Path, dimension: usize, write: bool) -> Result<Self> {
        let vectors = NamedFile::open(folder, files::VECTORS, write, RESTORE)?;
        let (codes, no_codes) = match NamedFile::open(folder, files::CODES, write, REOPEN) {
            Err(Error::Damaged { .. }) if write => (fresh_codes(folder)?, true),
            codes => (codes?, false),
        };
        Ok(Self {
            vectors,
            codes,
            no_codes,
            dimension,
        })
    }

    /// Whether there are codes of `rows` rows, as far as the length tells.
    pub(crate) fn reach(&self, rows: u64) -> Result<bool> {
        Ok(!self.no_codes && self.codes.len()? >= self.code_at(rows))
    }

    /// The file of codes, opened once more for reading: a writer may have made another.
    pub(crate) fn reopened_codes(&self) -> Result<NamedFile> {
        let folder = files::above(&self.codes.path);
        NamedFile::open(folder, files::CODES, false, REOPEN)
    }

    /// Makes a file of the codes of `rows` rows in the place of one that has fewer: of the first
    /// `kept` the codes that are there, the others from their vectors.
    ///
    /// Another file, since a crash could leave the length of this one without all of its bytes, and
    /// nobody would look at those of older batches.
    pub(crate) fn renew_codes(&mut self, kept: u64, rows: u64) -> Result<()> {
        let path = files::above(&self.codes.path).join(files::CODES);
        let fresh = fresh_codes(files::above(&path))?;
        let old = std::mem::replace(&mut self.codes, fresh);
        for first in chunks(0..kept) {
            let (at, end) = (self.code_at(first), self.code_at(kept.min(first + CHUNK)));
            let mut codes = vec![0; usize::try_from(end - at).expect("a chunk is small")];
            old.read_at(at, &mut codes)?;
            self.codes.write_at(at, &codes)?;
        }
        // Windows gives nobody the name of a file that is open.
        drop(old);
        self.remake_codes(kept..rows)?;
        self.codes.sync()?;
        files::rename(&self.codes.path, &path)?;
        self.codes.path = path;
        self.no_codes = false;
        Ok(())
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

    /// Maps the codes of the first `rows` rows, of which there must be vectors too.
    pub(crate) fn map_codes(&self, rows: u64) -> Result<Codes> {
        self.expect_vectors(rows)?;
        expect_len(&self.codes, self.code_at(rows), REOPEN)?;
        let codes = map_file(&self.codes.file, self.code_at(rows));
        let codes = codes.map_err(Error::io(&self.codes.path, "map the file"))?;
        let rows = codes.len() / self.dimension;
        Ok(Codes {
            codes,
            rows,
            dimension: self.dimension,
        })
    }

    /// Reads the numbers of a row into `vector`, f32 in little-endian bytes.
    ///
    /// They are read, not mapped: pages of a map count as memory of the process, and there are four
    /// times as many as of the codes.
    pub(crate) fn read_vector(&self, row: usize, vector: &mut Vec<u8>) -> Result<()> {
        vector.resize(self.dimension * 4, 0);
        self.vectors.read_at(self.vector_at(row as u64), vector)
    }

    /// Reads the codes of some rows into `codes`: read, not mapped, as vectors are.
    pub(crate) fn read_codes(&self, rows: Range<usize>, codes: &mut Vec<u8>) -> Result<()> {
        codes.resize(rows.len() * self.dimension, 0);
        self.codes.read_at(self.code_at(rows.start as u64), codes)
    }

    pub(crate) fn dimension(&self) -> usize {
        self.dimension
    }

    /// Row `row` has no vector of unit length: `found` is its length, or its product with one.
    pub(crate) fn damaged_vector(&self, row: usize, found: f64, catalog: &Catalog) -> Error {
        Error::Damaged {
            path: self.vectors.path.clone(),
            at: self.vector_at(row as u64),
            what: "vector of a row",
            expected: format!("unit length, to {NEAR}"),
            found: format!(
                "{found:e} as length of the vector of {}",
                name(catalog, row)
            ),
            remedy: EMBED,
        }
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

    /// An error unless the vectors of a published batch are those that were written, or none of them
    /// can be found any more: what was replaced or deleted keeps nobody from the rest.
    pub(crate) fn expect_live(&self, span: &Span, catalog: &Catalog) -> Result<()> {
        let mut live = catalog.live_of(span);
        let Some(first) = live.next() else {
            return Ok(());
        };
        if self.has_vectors(span)? {
            return Ok(());
        }
        let rest: Vec<usize> = live.collect();
        let mut ids = name(catalog, first);
        for row in rest.iter().take(NAMED - 1) {
            ids += ", ";
            ids += &name(catalog, *row);
        }
        if rest.len() >= NAMED {
            ids += &format!(" and {} more", rest.len() + 1 - NAMED);
        }
        Err(Error::Damaged {
            path: self.vectors.path.clone(),
            at: self.vector_at(span.first_row),
            what: "rows of a batch",
            expected: format!("{} rows with checksum {:08x}", span.rows, span.vectors_crc),
            found: format!("other bytes, among them vectors of {ids}"),
            remedy: EMBED,
        })
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

    /// Makes the codes of `rows` again from their vectors. The caller waits for the disk.
    pub(crate) fn remake_codes(&mut self, rows: Range<u64>) -> Result<()> {
        for first in chunks(rows.clone()) {
            let last = rows.end.min(first + CHUNK);
            let bytes = self.vector_at(first)..self.vector_at(last);
            let mut codes = Vec::new();
            let len = usize::try_from(bytes.end - bytes.start).expect("a chunk is small");
            let mut vectors = vec![0; len];
            self.vectors.read_at(bytes.start, &mut vectors)?;
            for row in vectors.chunks_exact(self.dimension * 4) {
                quantize::encode(&numbers(row), &mut codes);
            }
            let codes: Vec<u8> = codes.into_iter().map(i8::cast_unsigned).collect();
            let at = self.code_at(first);
            self.codes.write_at(at, &codes)?;
        }
        Ok(())
    }
}

/// The id of a row, as errors have it.
fn name(catalog: &Catalog, row: usize) -> String {
    format!("'{}'", String::from_utf8_lossy(catalog.id(row)))
}

/// Ids that an error names; a batch may have thousands.
const NAMED: usize = 3;
/// What to do about vectors that can still be found.
const EMBED: &str = "restore the folder from a copy, or embed the pictures that `Index::damaged` names once more (`Ingestion::with_again`), or delete their ids";
/// What to do about codes.
const REMAKE: &str = "open the index for writing and call `Writer::remake_codes`, which makes them again from the vectors";

/// What to do about codes that are not there.
const REOPEN: &str =
    "open the index for writing (`Writer::open`), which makes codes again from the vectors";

/// Where to begin with each chunk of some rows.
fn chunks(rows: Range<u64>) -> impl Iterator<Item = u64> {
    rows.step_by(usize::try_from(CHUNK).expect("a small number"))
}

/// An empty file of codes, under another name until it has all of them.
fn fresh_codes(folder: &Path) -> Result<NamedFile> {
    NamedFile::create(folder, &files::unpublished(files::CODES))
}

/// One more than a batch's last row.
pub(crate) fn end(span: &Span) -> u64 {
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

/// The numbers that lie in little-endian bytes.
pub(crate) fn numbers(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<4>();
    numbers.iter().map(|n| f32::from_le_bytes(*n)).collect()
}

/// The checksum of a part of a file, or `None` if the file ends before.
///
/// The bytes are read, not looked at in a map: a map's pages would count as memory of the process.
fn checksum(named: &NamedFile, bytes: Range<u64>) -> Result<Option<u32>> {
    if named.len()? < bytes.end {
        return Ok(None);
    }
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    let mut at = bytes.start;
    while at < bytes.end {
        let left = usize::try_from(bytes.end - at).unwrap_or(usize::MAX);
        let part = &mut buffer[..left.min(1 << 18)];
        named.read_at(at, part)?;
        hasher.update(part);
        at += part.len() as u64;
    }
    Ok(Some(hasher.finalize()))
}

/// The codes, mapped.
#[derive(Debug)]
pub(crate) struct Codes {
    codes: Map,
    rows: usize,
    dimension: usize,
}

impl Codes {
    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// Shows the first `rows` rows only.
    pub(crate) fn keep(&mut self, rows: u64) {
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        self.rows = self.rows.min(rows);
    }

    /// The codes of some rows, `[rows, dimension]`.
    pub(crate) fn of(&self, rows: Range<usize>) -> &[u8] {
        &self.codes[rows.start * self.dimension..rows.end * self.dimension]
    }

    pub(crate) fn dimension(&self) -> usize {
        self.dimension
    }
}
