//! Compressed streams, unpacked piece by piece, as far as the file says that it goes: a small stream can unpack to a
//! thousand times its length.

use std::io::Read;

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
                Err(_) => {
                    return Err(Error::file(
                        self.origin,
                        self.part,
                        "an undamaged compressed stream; fetch the file again",
                        format!(
                            "a stream that breaks after {} unpacked bytes",
                            self.bytes.len()
                        ),
                    ));
                }
            }
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
