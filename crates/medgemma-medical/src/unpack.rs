//! Compressed streams, unpacked piece by piece, as far as the file says that it goes: a small stream can unpack to a
//! thousand times its length.

use std::io::{ErrorKind, Read};

use crate::error::{Error, Origin, Result};

/// How much is reserved at first.
const PIECE: u64 = 1 << 20;

/// A stream and what has been unpacked of it.
pub(crate) struct Unpacker<'a, R> {
    reader: R,
    origin: &'a Origin,
    /// What is unpacked, for errors.
    part: &'static str,
    bytes: Vec<u8>,
}

impl<'a, R: Read> Unpacker<'a, R> {
    pub(crate) fn new(reader: R, origin: &'a Origin, part: &'static str) -> Self {
        Self {
            reader,
            origin,
            part,
            bytes: Vec::new(),
        }
    }

    /// Goes on until there are `length` bytes, or fewer if the stream ends before. What is reserved is twice what there
    /// is, or less.
    pub(crate) fn up_to(&mut self, length: u64) -> Result<&[u8]> {
        loop {
            let held = self.bytes.len() as u64;
            let piece = length.saturating_sub(held).min(held.max(PIECE));
            if piece == 0 {
                return Ok(&self.bytes);
            }
            self.bytes
                .reserve_exact(usize::try_from(piece).unwrap_or(usize::MAX));
            let outcome = (&mut self.reader).take(piece).read_to_end(&mut self.bytes);
            match outcome {
                Ok(read) if (read as u64) < piece => return Ok(&self.bytes),
                Ok(_) => {}
                Err(_) => return Err(self.broken(self.bytes.len() as u64)),
            }
        }
    }

    /// Reads on and keeps nothing, until the stream ends, where its checksum is compared, or is longer than `most` bytes;
    /// how long it is.
    pub(crate) fn read_to_end(&mut self, most: u64) -> Result<u64> {
        let mut passed = vec![0; 1 << 16];
        let mut length = self.bytes.len() as u64;
        while length <= most {
            match self.reader.read(&mut passed) {
                Ok(0) => break,
                Ok(read) => length += read as u64,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(self.broken(length)),
            }
        }
        Ok(length)
    }

    fn broken(&self, length: u64) -> Error {
        Error::file(
            self.origin,
            self.part,
            "an undamaged compressed stream; fetch the file again",
            format!("a stream that breaks after {length} unpacked bytes"),
        )
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
