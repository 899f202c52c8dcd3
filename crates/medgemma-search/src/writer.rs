//! Changing an index: appending batches so that each is there wholly or not at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::batch::{Appended, Batch};
use crate::catalog::Catalog;
use crate::commit::Commit;
use crate::error::{Error, RESTORE, Result};
use crate::files::{self, NamedFile};
use crate::fingerprint::Fingerprint;
use crate::frame::{self, Span};
use crate::header::Header;
use crate::identity::Identity;
use crate::lock::Lock;
use crate::prepared::Prepared;
use crate::recovery::{self, Recovery};
use crate::rows::{self, RowFiles};

/// The files of rows and their log, empty in a new index.
const ROWS: [&str; 3] = [files::VECTORS, files::CODES, files::LOG];

/// The one writer of an index. Readers, of this process and others, go on meanwhile with the state
/// they have seen; see [`Index::refresh`](crate::Index::refresh).
///
/// When [`Writer::append`] has returned without an error, the batch outlives a loss of power. When it
/// has not, because the process was killed, the machine stopped or the disk failed, the batch is there
/// wholly or not at all when the index is opened again.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    fingerprint: Fingerprint,
    identity: Identity,
    catalog: Catalog,
    rows: RowFiles,
    commit: NamedFile,
    /// An append has failed half-way.
    failed: bool,
    lock: Lock,
}

impl Writer {
    /// Makes an index in `folder`, which is made if need be.
    ///
    /// # Errors
    /// [`Error::Argument`] for a fingerprint that none can have, [`Error::Exists`] if there is an
    /// index, [`Error::Occupied`] if there is a file in the way that is not empty, such as the
    /// vectors of an index that has lost its header, [`Error::Locked`], [`Error::Unlocked`] if the file
    /// `lock` was deleted meanwhile, [`Error::Io`].
    pub fn create(folder: impl AsRef<Path>, fingerprint: &Fingerprint) -> Result<Self> {
        let (writer, header) = Self::begin(folder.as_ref(), fingerprint)?;
        // A crash before this line leaves files that the next call replaces.
        writer.publish_header(&header)?;
        Ok(writer)
    }

    /// Makes the folder an index, whose other files [`Writer::begin`] has made.
    pub(crate) fn publish_header(&self, header: &Header) -> Result<()> {
        self.lock.expect()?;
        header.publish(&self.folder)
    }

    /// All files of a new index but its header, which makes the folder one when it is published.
    pub(crate) fn begin(folder: &Path, fingerprint: &Fingerprint) -> Result<(Self, Header)> {
        fingerprint.check()?;
        files::create_folder(folder)?;
        let lock = Lock::take(folder)?;
        if Header::exists(folder)? {
            return Err(Error::Exists {
                path: folder.to_owned(),
            });
        }
        // All of them are looked at before the first is made.
        for name in ROWS {
            files::expect_free(folder, name, |_| false)?;
        }
        files::expect_free(folder, files::COMMIT, Commit::is_unfinished)?;
        let unpublished = files::unpublished(files::HEADER);
        files::expect_free(folder, &unpublished, Header::is_unfinished)?;
        for name in ROWS {
            NamedFile::create(folder, name)?.sync()?;
        }
        let header = Header::new(fingerprint);
        let mut commit = NamedFile::create(folder, files::COMMIT)?;
        Commit::default().publish_first(header.identity, &mut commit)?;
        files::sync_folder(folder)?;
        let (writer, _) = Self::open_locked(folder, &header, lock)?;
        Ok((writer, header))
    }

    /// Removes an index that [`Writer::begin`] has begun.
    pub(crate) fn discard(self) {
        let Self {
            folder,
            catalog,
            rows,
            commit,
            // Held until all is removed.
            lock: _lock,
            ..
        } = self;
        // Windows removes no file that is open.
        drop((catalog, rows, commit));
        // The header first: without it there is no index, whatever of the rest stays. What cannot be
        // removed is left: the error that is under way says more.
        let unpublished = files::unpublished(files::HEADER);
        for name in [files::HEADER, &unpublished, files::COMMIT]
            .iter()
            .chain(&ROWS)
        {
            let _ = files::remove(&folder, name);
        }
    }

    /// Opens the index in `folder`, and puts right what a crash has left: an unfinished append is
    /// cut off, a finished one that was not yet published is. What was done is in the report.
    ///
    /// # Errors
    /// [`Error::NoIndex`], [`Error::Model`] if it is one of another model or dimension,
    /// [`Error::Locked`], [`Error::Damaged`] if what was published is not there any more (the last
    /// batch is compared with its checksum, all batches' ids and metadata are; see
    /// [`Index::verify`](crate::Index::verify) for the rest), [`Error::Io`].
    pub fn open(folder: impl AsRef<Path>, fingerprint: &Fingerprint) -> Result<(Self, Recovery)> {
        let folder = folder.as_ref();
        Header::expect(folder, fingerprint)?;
        let lock = Lock::take(folder)?;
        // Read under the lock: nobody makes another index here from now on.
        let header = Header::expect(folder, fingerprint)?;
        Self::open_locked(folder, &header, lock)
    }

    fn open_locked(folder: &Path, header: &Header, lock: Lock) -> Result<(Self, Recovery)> {
        let fingerprint = &header.fingerprint;
        let mut commit = NamedFile::open(folder, files::COMMIT, true, RESTORE)?;
        let slots = Commit::read(folder)?;
        slots.expect(folder, header.identity)?;
        let log = NamedFile::open(folder, files::LOG, true, RESTORE)?;
        let mut catalog = Catalog::open(log, &slots.latest)?;
        let mut rows = RowFiles::open(folder, fingerprint.dimension, true)?;
        let recovery = recovery::recover(&slots, &mut catalog, &mut rows, &mut commit)?;
        tracing::info!(
            batches = recovery.batches,
            rows = recovery.rows,
            live = recovery.live,
            adopted = recovery.adopted_batches,
            torn_bytes = recovery.torn_bytes(),
            remade_codes = recovery.remade_codes,
            "index opened for writing"
        );
        let writer = Self {
            folder: folder.to_owned(),
            fingerprint: fingerprint.clone(),
            identity: header.identity,
            catalog,
            rows,
            commit,
            failed: false,
            lock,
        };
        Ok((writer, recovery))
    }

    /// Publishes all changes of `batch`: they are on the disk when this returns without an error. The
    /// disk is waited for once a batch, not once a vector, so batches of hundreds are much faster than
    /// single vectors; the whole batch is held in memory a second time.
    ///
    /// # Errors
    /// [`Error::Argument`] names the entry at fault, and nothing was written. [`Error::Unlocked`] if the
    /// file `lock` was deleted meanwhile: nobody keeps another writer out then. [`Error::Outrun`] if another
    /// writer has published meanwhile, which no lock has kept out. After this, and once writing has begun and failed
    /// ([`Error::Io`]), every further append is [`Error::Failed`]; only opening the index again tells whether the batch
    /// is there. It is wholly or not at all. Where already the look for another writer failed ([`Error::Io`],
    /// [`Error::Damaged`], [`Error::Unlocked`]), nothing was written, and the next append looks again.
    pub fn append(&mut self, batch: &Batch) -> Result<Appended> {
        if self.failed {
            return Err(Error::Failed {
                path: self.folder.clone(),
            });
        }
        let began = Instant::now();
        let (prepared, appended) = Prepared::of(batch, &self.catalog, &self.fingerprint)?;
        let Some(prepared) = prepared else {
            return Ok(appended);
        };
        let alone = self.expect_alone();
        self.failed |= matches!(alone, Err(Error::Outrun { .. }));
        alone?;
        self.failed = true;
        self.write(&prepared)?;
        self.failed = false;
        tracing::debug!(
            added = appended.added,
            replaced = appended.replaced,
            deleted = appended.deleted,
            milliseconds = began.elapsed().as_millis(),
            "batch appended"
        );
        Ok(appended)
    }

    /// An error if another writer may be, or has been, at work.
    fn expect_alone(&self) -> Result<()> {
        self.lock.expect()?;
        // Not every file system tells other machines of a lock.
        let published = Commit::read(&self.folder)?;
        if published.identity == self.identity && published.latest == *self.catalog.state() {
            return Ok(());
        }
        Err(Error::Outrun {
            path: self.folder.clone(),
        })
    }

    /// Rows and frame go to the disk first, in any order; then the slot, which publishes them.
    fn write(&mut self, prepared: &Prepared) -> Result<()> {
        let state = *self.catalog.state();
        let frame = frame::encode(&state, &prepared.payload);
        if prepared.rows > 0 {
            let (vector_at, code_at) = (
                self.rows.vector_at(state.rows),
                self.rows.code_at(state.rows),
            );
            self.rows.vectors.write_at(vector_at, &prepared.vectors)?;
            self.rows.codes.write_at(code_at, &prepared.codes)?;
            self.rows.vectors.sync()?;
            self.rows.codes.sync()?;
        }
        let log = self.catalog.log_mut();
        log.write_at(state.log_bytes, &frame)?;
        log.sync()?;
        let next = Commit {
            sequence: state.sequence + 1,
            log_bytes: state.log_bytes + frame.len() as u64,
            rows: state.rows + u64::from(prepared.rows),
        };
        // Another writer would have cut off what was just written, or written over it.
        self.expect_alone()?;
        next.publish(self.identity, &mut self.commit)?;
        self.catalog.advance(&next)
    }

    /// Whether there is a vector with this id: what an interrupted ingestion asks before it embeds
    /// an image once more.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.catalog.find(id.as_bytes()).is_some()
    }

    /// Vectors in the index.
    #[must_use]
    pub fn len(&self) -> usize {
        self.catalog.live_rows()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The batches that have rows, by their first.
    pub(crate) fn batches(&self) -> Result<BTreeMap<u64, Span>> {
        let mut batches = BTreeMap::new();
        self.catalog.spans(|span| {
            if span.rows > 0 {
                batches.insert(span.first_row, *span);
            }
            Ok(())
        })?;
        Ok(batches)
    }

    /// The vector with this id, at unit length; an error unless all of its batch are those that were
    /// appended. The batch is taken out of `unverified`; one that is not there was verified, or
    /// appended, a moment ago.
    pub(crate) fn verified_vector(
        &self,
        id: &str,
        unverified: &mut BTreeMap<u64, Span>,
    ) -> Result<Option<Vec<f32>>> {
        let Some(row) = self.catalog.find(id.as_bytes()) else {
            return Ok(None);
        };
        let batch = unverified.range(..=row as u64).next_back();
        let batch = batch.map(|(_, span)| *span);
        if let Some(span) = batch.filter(|span| (row as u64) < rows::end(span)) {
            self.rows.expect_live(&span, &self.catalog)?;
            unverified.remove(&span.first_row);
        }
        let mut vector = Vec::new();
        self.rows.read_vector(row, &mut vector)?;
        Ok(Some(rows::numbers(&vector)))
    }

    pub(crate) fn dimension(&self) -> usize {
        self.fingerprint.dimension
    }

    /// Makes the codes of every batch whose codes are damaged again from its vectors, for a file of
    /// codes that [`Index::verify`](crate::Index::verify) found damaged. A batch whose vectors are
    /// damaged too is left as it is where none of them can be found any more. Readers must not have the
    /// index open: they would see codes change.
    ///
    /// # Errors
    /// [`Error::Damaged`] if vectors that are needed are, and nothing was written then;
    /// [`Error::Unlocked`], [`Error::Outrun`], [`Error::Io`].
    pub fn remake_codes(&mut self) -> Result<()> {
        self.expect_alone()?;
        let mut damaged = Vec::new();
        self.catalog.spans(|span| {
            if self.rows.has_codes(span)? {
                return Ok(());
            }
            self.rows.expect_live(span, &self.catalog)?;
            // Of vectors that are damaged, and can be found no more, codes would be no better.
            if self.rows.has_vectors(span)? {
                damaged.push(*span);
            }
            Ok(())
        })?;
        for span in &damaged {
            self.rows.remake_codes(span.first_row..rows::end(span))?;
        }
        self.rows.codes.sync()?;
        damaged
            .iter()
            .try_for_each(|span| self.rows.expect_codes(span))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Prepared, Writer};
    use crate::{Batch, Error, Fingerprint, Index, Metadata};

    fn one(id: &str) -> Batch {
        let mut batch = Batch::new();
        batch.put(id, vec![1.0, 2.0], Metadata::new());
        batch
    }

    /// Two writers of one index, each with a lock of its own, and how to let each believe in it.
    fn two(folder: &Path) -> ([Writer; 2], impl Fn(usize)) {
        let lock = folder.join("lock");
        let fingerprint = Fingerprint::new("m", 2);
        drop(Writer::create(folder, &fingerprint).expect("created"));
        let writers = ["lock 0", "lock 1"].map(|name| {
            fs::remove_file(&lock).expect("removed");
            let (writer, _) = Writer::open(folder, &fingerprint).expect("opened");
            fs::hard_link(&lock, folder.join(name)).expect("linked");
            writer
        });
        let folder = folder.to_owned();
        let let_in = move |writer: usize| {
            fs::remove_file(&lock).expect("removed");
            fs::hard_link(folder.join(format!("lock {writer}")), &lock).expect("linked");
        };
        (writers, let_in)
    }

    #[test]
    fn of_two_writers_the_second_loses_nothing_of_the_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let ([mut first, mut second], let_in) = two(folder.path());
        let_in(0);
        first.append(&one("a")).expect("appended");
        let_in(1);
        for error in [
            second.append(&one("b")).map(drop).expect_err("outrun"),
            second.remake_codes().expect_err("outrun"),
        ] {
            let message = error.to_string();
            assert!(matches!(error, Error::Outrun { .. }), "{message}");
            assert!(message.contains("another process writes"), "{message}");
        }
        let again = second.append(&one("b")).map(drop).expect_err("outrun");
        assert!(matches!(again, Error::Failed { .. }), "{again}");
        let_in(0);
        first.append(&one("c")).expect("appended");
        let index = Index::open(folder.path(), &Fingerprint::new("m", 2)).expect("opened");
        index.verify().expect("whole");
        let found = ["a", "b", "c"].map(|id| index.contains(id));
        assert_eq!(found, [true, false, true]);
    }

    /// The other has published while this one was writing.
    #[test]
    fn what_another_writer_has_published_is_not_published_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let ([mut first, mut second], let_in) = two(folder.path());
        let prepared = Prepared::of(&one("b"), &second.catalog, &second.fingerprint);
        let (prepared, _) = prepared.expect("a batch");
        let_in(0);
        first.append(&one("a")).expect("appended");
        let published = fs::read(folder.path().join("commit")).expect("read");
        let_in(1);
        let error = second
            .write(&prepared.expect("a change"))
            .expect_err("outrun");
        assert!(matches!(error, Error::Outrun { .. }), "{error}");
        let now = fs::read(folder.path().join("commit")).expect("read");
        assert_eq!(now, published);
    }
}
