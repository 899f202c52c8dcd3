//! How far the log is published: two slots, written in turn.
//!
//! A write that a crash tears can only hit the older slot, so the newer of the two valid ones always
//! tells what was last published.

use std::path::Path;

use crate::bytes::Cursor;
use crate::error::{Error, RESTORE, Result};
use crate::files::{self, NamedFile};

const MAGIC: [u8; 4] = *b"MGSC";
/// Bytes of a slot that mean something.
const LEN: usize = 32;
/// Slots lie this far apart: no disk writes both in one sector.
const STRIDE: u64 = 4096;

/// A state of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Commit {
    /// Batches so far.
    pub(crate) sequence: u64,
    /// Bytes of the log.
    pub(crate) log_bytes: u64,
    /// Rows so far, dead ones included.
    pub(crate) rows: u64,
}

/// What the file says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slots {
    pub(crate) latest: Commit,
    /// One of the two is not valid: a write has been torn, is under way, or was damaged.
    pub(crate) damaged: bool,
}

impl Commit {
    fn encode(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..4].copy_from_slice(&MAGIC);
        for (index, number) in [self.sequence, self.log_bytes, self.rows]
            .iter()
            .enumerate()
        {
            bytes[4 + index * 8..][..8].copy_from_slice(&number.to_le_bytes());
        }
        let crc = crc32fast::hash(&bytes[..LEN - 4]);
        bytes[LEN - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..LEN)?;
        let mut cursor = Cursor(bytes);
        let magic: [u8; 4] = cursor.array()?;
        let commit = Self {
            sequence: cursor.u64()?,
            log_bytes: cursor.u64()?,
            rows: cursor.u64()?,
        };
        (magic == MAGIC && cursor.u32()? == crc32fast::hash(&bytes[..LEN - 4])).then_some(commit)
    }

    /// Publishes this state: all before it must have been synced.
    pub(crate) fn publish(&self, file: &mut NamedFile) -> Result<()> {
        self.write(file, self.sequence % 2)
    }

    /// Writes both slots, for a new index or after damage.
    pub(crate) fn publish_twice(&self, file: &mut NamedFile) -> Result<()> {
        self.write(file, self.sequence % 2)?;
        self.write(file, (self.sequence + 1) % 2)
    }

    fn write(&self, file: &mut NamedFile, slot: u64) -> Result<()> {
        file.write_at(slot * STRIDE, &self.encode())?;
        file.sync()
    }

    /// Reads what was last published in `folder`.
    pub(crate) fn read(folder: &Path) -> Result<Slots> {
        let path = folder.join(files::COMMIT);
        let bytes = std::fs::read(&path).map_err(Error::io(&path, "read the file"))?;
        let second = usize::try_from(STRIDE).expect("a small number");
        let slots = [0, second].map(|at| bytes.get(at..).and_then(Self::decode));
        let latest = slots.into_iter().flatten().max();
        let latest = latest.ok_or_else(|| Error::Damaged {
            path,
            at: 0,
            what: "both slots",
            expected: "at least one with its checksum".to_owned(),
            found: format!("none in {} bytes", bytes.len()),
            remedy: RESTORE,
        })?;
        let damaged = slots.iter().any(Option::is_none);
        Ok(Slots { latest, damaged })
    }
}
