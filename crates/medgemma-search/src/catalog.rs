//! What is known of the rows without looking at their numbers: the log, read once from its start.
//!
//! Held in memory: some 25 bytes a row. Ids and metadata stay in the log: read where there are many of
//! them, mapped for comparisons of single ids.

use medgemma_kernels::{Map, map_file};

use crate::bytes::Cursor;
use crate::commit::Commit;
use crate::error::{Error, RESTORE, Result};
use crate::files::NamedFile;
use crate::frame::{self, Fault, Frame, Span};
use crate::ids::IdTable;
use crate::mask::Mask;
use crate::metadata::Metadata;
use crate::record::{self, Record};
use crate::rows;
use crate::window::Window;

/// The rows up to a published state.
#[derive(Debug)]
pub(crate) struct Catalog {
    log: NamedFile,
    map: Map,
    state: Commit,
    /// What the last batch says of its rows.
    last: Option<Span>,
    /// Where each row's record begins in the log.
    offsets: Vec<u64>,
    scales: Vec<f32>,
    residuals: Vec<f32>,
    live: Mask,
    live_rows: usize,
    ids: IdTable,
}

impl Catalog {
    /// Reads the log as far as `published`.
    pub(crate) fn open(log: NamedFile, published: &Commit) -> Result<Self> {
        let map = map_log(&log, published.log_bytes)?;
        let mut catalog = Self {
            log,
            map,
            state: Commit::default(),
            last: None,
            offsets: Vec::new(),
            scales: Vec::new(),
            residuals: Vec::new(),
            live: Mask::default(),
            live_rows: 0,
            ids: IdTable::default(),
        };
        catalog.advance(published)?;
        Ok(catalog)
    }

    /// Reads on as far as `published`.
    pub(crate) fn advance(&mut self, published: &Commit) -> Result<()> {
        if self.state == *published {
            return Ok(());
        }
        self.map = map_log(&self.log, published.log_bytes)?;
        // A damaged number must not reserve more than the log could describe.
        let most = published.rows.min(published.log_bytes / 12);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.reserve(most.saturating_sub(self.offsets.len()));
        while self.state.log_bytes < published.log_bytes {
            match frame::read(&self.log, &self.state, published.log_bytes)? {
                Ok(frame) => self.apply(&frame)?,
                Err(fault) => return Err(fault.published(&self.log)),
            }
        }
        if self.state == *published {
            return Ok(());
        }
        let expected = format!("{} batches, {} rows", published.sequence, published.rows);
        let found = format!("{} and {}", self.state.sequence, self.state.rows);
        Err(
            Fault::new(self.state.log_bytes, "end of the log", expected, found)
                .published(&self.log),
        )
    }

    /// The whole frame that follows what is known, if there is one: a batch that was written but not
    /// published.
    pub(crate) fn following(&self) -> Result<Option<Frame>> {
        Ok(frame::read(&self.log, &self.state, self.log.len()?)?.ok())
    }

    /// Takes in the frame that follows, which the log has.
    pub(crate) fn adopt(&mut self, frame: &Frame) -> Result<()> {
        self.map = map_log(&self.log, frame.after.log_bytes)?;
        self.apply(frame)
    }

    fn reserve(&mut self, rows: usize) {
        if self.offsets.is_empty() {
            self.offsets.reserve_exact(rows);
            self.scales.reserve_exact(rows);
            self.residuals.reserve_exact(rows);
        } else {
            // Room for more than these: an exact size would copy all rows at every append.
            self.offsets.reserve(rows);
            self.scales.reserve(rows);
            self.residuals.reserve(rows);
        }
        self.ids.reserve(self.offsets.len() + rows);
    }

    /// Takes in a frame, wholly or not at all.
    fn apply(&mut self, frame: &Frame) -> Result<()> {
        if frame.after.rows >= u64::from(u32::MAX) {
            let expected = "fewer than 2³² − 1 rows: copy the index to a new one";
            return Err(Error::argument(
                "batch",
                expected,
                frame.after.rows.to_string(),
            ));
        }
        // Looked through once before anything changes.
        let walked = walk(frame, |_| ());
        walked.map_err(|fault| fault.published(&self.log))?;
        let walked = walk(frame, |change| match change {
            Change::Put(record, offset) => self.push(&record, offset),
            Change::Delete(id) => {
                if let Some(row) = self.find(id) {
                    self.kill(row);
                }
            }
        });
        debug_assert!(walked.is_ok(), "the same bytes as a moment ago");
        self.state = frame.after;
        self.last = Some(frame.span);
        Ok(())
    }

    fn push(&mut self, record: &Record<'_>, offset: u64) {
        let row = u32::try_from(self.offsets.len()).expect("`apply` has counted");
        self.offsets.push(offset);
        self.scales.push(record.scale);
        self.residuals.push(record.residual);
        let (map, offsets) = (&self.map, &self.offsets);
        let is =
            |row: u32| record_at(map, offsets, row as usize).is_some_and(|r| r.id == record.id);
        if let Some(old) = self.ids.put(self.ids.hash(record.id), row, is) {
            self.kill(old as usize);
        }
        self.live.insert(row as usize);
        self.live_rows += 1;
    }

    fn kill(&mut self, row: usize) {
        if self.live.contains(row) {
            self.live.remove(row);
            self.live_rows -= 1;
        }
    }

    /// The live row of an id.
    pub(crate) fn find(&self, id: &[u8]) -> Option<usize> {
        let is = |row: u32| self.id(row as usize) == id;
        let row = self.ids.get(self.ids.hash(id), is)? as usize;
        self.live.contains(row).then_some(row)
    }

    /// What the log says of a row; `None` only if the log has changed since it was read.
    pub(crate) fn record(&self, row: usize) -> Option<Record<'_>> {
        record_at(&self.map, &self.offsets, row)
    }

    /// Where the record of a row begins in the log; its end, of a row that is not there.
    pub(crate) fn offset(&self, row: usize) -> u64 {
        self.offsets
            .get(row)
            .copied()
            .unwrap_or(self.state.log_bytes)
    }

    /// Fills `buffer` with the bytes of the log from `at` on.
    pub(crate) fn read_log(&self, at: u64, buffer: &mut [u8]) -> Result<()> {
        self.log.read_at(at, buffer)
    }

    /// The bytes of a row's id, none if the log has changed since it was read.
    pub(crate) fn id(&self, row: usize) -> &[u8] {
        self.record(row).map_or(&[], |record| record.id)
    }

    /// Id and metadata of a row, read and not looked at in the map: of a file in large pieces a system
    /// maps megabytes around a byte.
    pub(crate) fn describe(&self, row: usize) -> Result<(String, Metadata)> {
        let owned = |record: Record<'_>| {
            let id = std::str::from_utf8(record.id).ok()?.to_owned();
            Some((id, record.metadata.read()?.0))
        };
        let mut window = Window::new(self, &(row..row + 1), Vec::new());
        let record = window.record(row)?;
        record.and_then(owned).ok_or_else(|| Error::Damaged {
            path: self.log.path.clone(),
            at: self.offsets.get(row).copied().unwrap_or_default(),
            what: "record of a row",
            expected: "the record that was there when the index was opened".to_owned(),
            found: "other bytes".to_owned(),
            remedy: RESTORE,
        })
    }

    /// Calls `each` with what every batch says of its rows.
    pub(crate) fn spans(&self, mut each: impl FnMut(&Span) -> Result<()>) -> Result<()> {
        let mut at = Commit::default();
        while at.log_bytes < self.state.log_bytes {
            match frame::read(&self.log, &at, self.state.log_bytes)? {
                Ok(frame) => {
                    each(&frame.span)?;
                    at = frame.after;
                }
                Err(fault) => return Err(fault.published(&self.log)),
            }
        }
        Ok(())
    }

    /// The rows of a batch that have not been deleted or replaced.
    pub(crate) fn live_of(&self, span: &Span) -> impl Iterator<Item = usize> {
        let rows = span.first_row..rows::end(span);
        let rows = rows.filter_map(|row| usize::try_from(row).ok());
        rows.filter(|row| self.live.contains(*row))
    }

    pub(crate) fn state(&self) -> &Commit {
        &self.state
    }

    pub(crate) fn last(&self) -> Option<&Span> {
        self.last.as_ref()
    }

    pub(crate) fn scales(&self) -> &[f32] {
        &self.scales
    }

    pub(crate) fn residuals(&self) -> &[f32] {
        &self.residuals
    }

    /// The rows that have not been deleted or replaced.
    pub(crate) fn live(&self) -> &Mask {
        &self.live
    }

    /// How many they are.
    pub(crate) fn live_rows(&self) -> usize {
        self.live_rows
    }

    /// The log, for a writer to append to.
    pub(crate) fn log_mut(&mut self) -> &mut NamedFile {
        &mut self.log
    }
}

fn map_log(log: &NamedFile, len: u64) -> Result<Map> {
    let found = log.len()?;
    if found < len {
        let (expected, found) = (format!("{len} bytes"), format!("{found}"));
        return Err(Fault::new(len, "end of the log", expected, found).published(log));
    }
    map_file(&log.file, len).map_err(Error::io(&log.path, "map the file"))
}

fn record_at<'a>(map: &'a Map, offsets: &[u64], row: usize) -> Option<Record<'a>> {
    let offset = usize::try_from(*offsets.get(row)?).ok()?;
    Record::new(map.get(offset..)?)
}

/// What a frame does to one row.
enum Change<'a> {
    /// A row is added; its record begins here in the log.
    Put(Record<'a>, u64),
    Delete(&'a [u8]),
}

/// Calls `each` with the changes of a frame, in order.
fn walk<'a>(frame: &'a Frame, mut each: impl FnMut(Change<'a>)) -> std::result::Result<(), Fault> {
    let mut rest = Cursor(&frame.body);
    let offset = |rest: &Cursor<'_>| frame.at + (frame.body.len() - rest.0.len()) as u64;
    let fault = |at| {
        let found = "other bytes under a valid checksum";
        Fault::new(at, "change of a row", "a record or an id", found)
    };
    for _ in 0..frame.span.rows {
        let at = offset(&rest);
        let record = Record::new(rest.0).ok_or_else(|| fault(at))?;
        rest = record.metadata.skip().ok_or_else(|| fault(at))?;
        each(Change::Put(record, at));
    }
    for _ in 0..frame.span.deletions {
        let at = offset(&rest);
        each(Change::Delete(
            record::id(&mut rest).ok_or_else(|| fault(at))?,
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Catalog;
    use crate::commit::Commit;
    use crate::error::RESTORE;
    use crate::files::{LOG, NamedFile};
    use crate::{Batch, Fingerprint, Metadata, Writer};

    #[test]
    fn room_for_rows_grows_in_steps() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let mut writer = Writer::create(folder, &Fingerprint::new("m", 1)).expect("created");
        let latest = || Commit::read(folder).expect("slots").latest;
        let log = NamedFile::open(folder, LOG, false, RESTORE).expect("opened");
        let mut catalog = Catalog::open(log, &latest()).expect("read");
        let mut rooms = Vec::new();
        for row in 0..200 {
            let mut batch = Batch::new();
            batch.put(row.to_string(), vec![1.0], Metadata::new());
            writer.append(&batch).expect("appended");
            catalog.advance(&latest()).expect("read on");
            rooms.push([&catalog.scales, &catalog.residuals].map(Vec::capacity));
            assert_eq!(catalog.offsets.len(), row + 1);
        }
        rooms.dedup();
        assert!(
            rooms.len() < 20,
            "{} times all rows were copied",
            rooms.len()
        );
    }
}
