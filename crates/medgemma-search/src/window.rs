//! What the log says of many rows, one after the other, without the map of the log.

use std::ops::Range;

use crate::catalog::Catalog;
use crate::error::Result;
use crate::record::Record;

/// Bytes that are read at a time: hundreds of records. A record that is longer is looked at in the map.
const ROOM: u64 = 1 << 18;

/// A part of the log that moves on with the rows.
///
/// It is read, not mapped: pages of a map count as memory of the process, and a filter looks at all of
/// them.
pub(crate) struct Window<'a> {
    catalog: &'a Catalog,
    /// Where the log has what the rows need not.
    end: u64,
    /// Where `bytes` begin in the log.
    at: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    /// For some `rows`, of which there may be fewer. `room` is used again.
    pub(crate) fn new(catalog: &'a Catalog, rows: &Range<usize>, room: Vec<u8>) -> Self {
        Self {
            catalog,
            end: catalog.offset(rows.end),
            // Behind everything: what is in the room is of another window.
            at: u64::MAX,
            bytes: room,
        }
    }

    /// The room, for another window.
    pub(crate) fn into_room(self) -> Vec<u8> {
        self.bytes
    }

    /// What the log says of a row; `None` only if the log has changed since it was read. Rows are
    /// asked for in order, or all is read again.
    pub(crate) fn record(&mut self, row: usize) -> Result<Option<Record<'_>>> {
        let (from, to) = (self.catalog.offset(row), self.catalog.offset(row + 1));
        // Deletions and the head of a batch may lie before the next row.
        if to - from > ROOM {
            return Ok(self.catalog.record(row));
        }
        if from < self.at || to > self.at + self.bytes.len() as u64 {
            let len = ROOM.min(self.end.saturating_sub(from)).max(to - from);
            self.bytes.resize(usize::try_from(len).unwrap_or(0), 0);
            self.at = from;
            self.catalog.read_log(from, &mut self.bytes)?;
        }
        let bytes = usize::try_from(from - self.at).ok();
        Ok(bytes.and_then(|at| Record::new(self.bytes.get(at..)?)))
    }
}
