//! A file, read piece by piece: nothing here takes more memory than the piece asked for.

use std::io::{Read, Seek, SeekFrom};

use super::problem::SlideProblem;

/// A file, or what stands for one.
pub(super) trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// An open file of known length.
pub(super) struct Source {
    file: Box<dyn ReadSeek>,
    len: u64,
}

impl Source {
    pub(super) fn new(mut file: Box<dyn ReadSeek>) -> Result<Self, SlideProblem> {
        let len = file
            .seek(SeekFrom::End(0))
            .map_err(|_| SlideProblem::Damaged {
                what: "its end cannot be found",
            })?;
        Ok(Self { file, len })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Some bytes of the file; all must be there.
    pub(super) fn bytes(&mut self, at: u64, count: u64) -> Result<Vec<u8>, SlideProblem> {
        let damaged = |what| SlideProblem::Damaged { what };
        let end = at.checked_add(count);
        if end.is_none_or(|end| end > self.len) {
            return Err(damaged("it ends before what it refers to"));
        }
        let mut bytes = vec![0; usize::try_from(count).map_err(|_| damaged("too long"))?];
        let read = self
            .file
            .seek(SeekFrom::Start(at))
            .and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|_| damaged("it cannot be read to its end"))?;
        Ok(bytes)
    }
}
