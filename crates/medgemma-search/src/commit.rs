//! How far the log is published: two slots, written in turn.
//!
//! A write that a crash tears can only hit the older slot, so the newer of the two valid ones always
//! tells what was last published.

use std::path::Path;

use crate::bytes::Cursor;
use crate::error::{Error, RESTORE, Result};
use crate::files::{self, NamedFile};
use crate::identity::Identity;

const MAGIC: [u8; 4] = *b"MGSC";
/// Bytes of a slot that mean something: magic, identity, three numbers, checksum.
const LEN: usize = 4 + Identity::LEN + 3 * 8 + 4;
/// Slots lie this far apart: no disk writes both in one sector.
const STRIDE: usize = 4096;

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
    /// Which index the file is of.
    pub(crate) identity: Identity,
    pub(crate) latest: Commit,
    /// Which slot says so, 0 or 1.
    newer: u64,
    /// One of the two is not valid: a write has been torn, is under way, or was damaged.
    pub(crate) damaged: bool,
}

impl Slots {
    /// An error unless they are of the index that the header in `folder` names.
    pub(crate) fn expect(&self, folder: &Path, header: Identity) -> Result<()> {
        if self.identity == header {
            return Ok(());
        }
        Err(Error::Damaged {
            path: folder.join(files::COMMIT),
            at: MAGIC.len() as u64,
            what: "identity of the index",
            expected: format!("{header}, as in the file `header`"),
            found: self.identity.to_string(),
            remedy: "the folder has files of two indexes: restore all of it from one copy; if it was replaced just now, open the index again",
        })
    }
}

impl Commit {
    fn encode(&self, identity: Identity) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        let (magic, rest) = bytes.split_at_mut(MAGIC.len());
        magic.copy_from_slice(&MAGIC);
        let (id, rest) = rest.split_at_mut(Identity::LEN);
        id.copy_from_slice(&identity.to_bytes());
        let numbers = [self.sequence, self.log_bytes, self.rows];
        for (place, number) in rest.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let crc = crc32fast::hash(&bytes[..LEN - 4]);
        bytes[LEN - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<(Identity, Self)> {
        let bytes = bytes.get(..LEN)?;
        let mut cursor = Cursor(bytes);
        let magic: [u8; 4] = cursor.array()?;
        let identity = Identity::from_bytes(cursor.array()?);
        let commit = Self {
            sequence: cursor.u64()?,
            log_bytes: cursor.u64()?,
            rows: cursor.u64()?,
        };
        let whole = magic == MAGIC && cursor.u32()? == crc32fast::hash(&bytes[..LEN - 4]);
        whole.then_some((identity, commit))
    }

    /// Publishes this state: all before it must have been synced.
    pub(crate) fn publish(&self, identity: Identity, file: &mut NamedFile) -> Result<()> {
        self.write(identity, file, self.sequence % 2)
    }

    /// Writes both slots of a new index.
    pub(crate) fn publish_first(&self, identity: Identity, file: &mut NamedFile) -> Result<()> {
        self.write(identity, file, 0)?;
        self.write(identity, file, 1)
    }

    /// Writes both slots after damage, or after batches that were not published: all before it must have been synced.
    ///
    /// The one that `slots` does not go by comes first. By the sequence it could be the other: two batches after the
    /// published one have its slot, and where the second slot is damaged, a write that is torn would leave none.
    pub(crate) fn publish_twice(&self, slots: &Slots, file: &mut NamedFile) -> Result<()> {
        self.write(slots.identity, file, 1 - slots.newer)?;
        self.write(slots.identity, file, slots.newer)
    }

    fn write(&self, identity: Identity, file: &mut NamedFile, slot: u64) -> Result<()> {
        file.write_at(slot * STRIDE as u64, &self.encode(identity))?;
        file.sync()
    }

    /// Reads what was last published in `folder`.
    pub(crate) fn read(folder: &Path) -> Result<Slots> {
        let path = folder.join(files::COMMIT);
        files::expect_file(&path)?;
        // What lies behind the slots means nothing.
        let bytes = files::read(&path, (STRIDE + LEN) as u64);
        let bytes = bytes.map_err(|error| files::unopened(&path, RESTORE, error))?;
        let slots = [0, STRIDE].map(|at| bytes.get(at..).and_then(Self::decode));
        let whole = (0..)
            .zip(slots)
            .filter_map(|(slot, found)| Some((slot, found?)));
        let latest = whole.max_by_key(|(_, (_, commit))| *commit);
        let (newer, (identity, latest)) = latest.ok_or_else(|| Error::Damaged {
            path,
            at: 0,
            what: "both slots",
            expected: "at least one with its checksum".to_owned(),
            found: format!("none in {} bytes", bytes.len()),
            remedy: RESTORE,
        })?;
        Ok(Slots {
            identity,
            latest,
            newer,
            damaged: slots.iter().any(Option::is_none),
        })
    }

    /// Whether making an index may have left `bytes` of this file: slots of an index without
    /// batches, whole, cut short, or the room for them.
    pub(crate) fn is_unfinished(bytes: &[u8]) -> bool {
        let empty = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
        let slot = |slot: &[u8]| match Self::decode(slot) {
            Some((_, commit)) => commit == Self::default(),
            None => empty(slot) || slot.len() < LEN && slot.iter().zip(MAGIC).all(|(a, b)| *a == b),
        };
        let (first, rest) = bytes.split_at(bytes.len().min(LEN));
        let (between, second) = rest.split_at(rest.len().min(STRIDE - LEN));
        slot(first) && empty(between) && second.len() <= LEN && slot(second)
    }
}
