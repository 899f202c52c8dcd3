//! Reading an index: a state that was published, mapped.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use medgemma_kernels::Cpu;

use crate::batch::{Batch, Entry};
use crate::catalog::Catalog;
use crate::coarse::Coarse;
use crate::commit::{Commit, Slots};
use crate::error::{Error, RESTORE, Result};
use crate::files::{self, NamedFile};
use crate::fingerprint::Fingerprint;
use crate::header::Header;
use crate::identity::Identity;
use crate::recovery;
use crate::rows::{self, Codes, RowFiles};
use crate::writer::Writer;

/// Looks at the file `commit` before a slot without its checksum counts as damaged. A writer may
/// just be writing it.
const LOOKS: u32 = 3;
/// Vectors that [`Index::copy_to`] writes at a time.
const COPIED: usize = 1024;

/// An index open for reading: what was published when it was opened or last refreshed, whatever a
/// [`Writer`] appends meanwhile. Any number of readers may be open, in any number of processes; they
/// share the memory of the mapped files.
///
/// The files must not be changed but by a [`Writer`]: a file that is cut short under a reader ends
/// its process. Deleting the folder is harmless.
#[derive(Debug)]
pub struct Index {
    folder: PathBuf,
    fingerprint: Fingerprint,
    identity: Identity,
    files: RowFiles,
    codes: Codes,
    coarse: Option<Coarse>,
    catalog: Catalog,
}

impl Index {
    /// Opens the index in `folder`.
    ///
    /// Ids and metadata are read once, and stay in the file. In memory are the codes, one byte a
    /// number, which are mapped and shared with other readers, and 32 to 48 bytes a vector of the
    /// reader's own.
    ///
    /// # Errors
    /// [`Error::NoIndex`], [`Error::Model`] if it is one of another model or dimension,
    /// [`Error::Damaged`] if what was published is not there any more (the last batch is compared
    /// with its checksum, all batches' ids and metadata are; see [`Index::verify`] for the rest),
    /// [`Error::Io`].
    pub fn open(folder: impl AsRef<Path>, fingerprint: &Fingerprint) -> Result<Self> {
        let folder = folder.as_ref();
        let header = Header::expect(folder, fingerprint)?;
        let began = Instant::now();
        let slots = slots(folder)?;
        slots.expect(folder, header.identity)?;
        let files = RowFiles::open(folder, fingerprint.dimension, false)?;
        files.expect_vectors(slots.latest.rows)?;
        let log = NamedFile::open(folder, files::LOG, false, RESTORE)?;
        let mut catalog = Catalog::open(log, &slots.latest)?;
        if slots.damaged {
            // The damaged slot may have been the newer one; what it published is in the log. Codes that
            // are damaged as well are an error below, not a batch less.
            let adopted = recovery::adopt(&mut catalog, &files, false)?.len();
            tracing::warn!(adopted, "the file `commit` is damaged; a writer repairs it");
        }
        if let Some(span) = catalog.last() {
            files.expect_batch(span)?;
            files.expect_codes(span)?;
        }
        let codes = files.map_codes(catalog.state().rows)?;
        tracing::info!(
            batches = catalog.state().sequence,
            rows = codes.len(),
            live = catalog.live_rows(),
            milliseconds = began.elapsed().as_millis(),
            "index opened"
        );
        Ok(Self {
            folder: folder.to_owned(),
            fingerprint: fingerprint.clone(),
            identity: header.identity,
            files,
            codes,
            coarse: None,
            catalog,
        })
    }

    /// What model and dimension the index in `folder` is of, for a caller who does not know.
    ///
    /// # Errors
    /// [`Error::NoIndex`], [`Error::Damaged`], [`Error::Io`].
    pub fn fingerprint_of(folder: impl AsRef<Path>) -> Result<Fingerprint> {
        Ok(Header::read(folder.as_ref())?.fingerprint)
    }

    /// Goes on to what has been published meanwhile: whether there was anything. After an error the
    /// index is still at a published state.
    ///
    /// # Errors
    /// [`Error::Replaced`] if a copy was put in the place of the folder, such as one that
    /// [`Index::copy_to`] has made or an older one: nothing has changed then, and only opening the
    /// index again shows what is there now. [`Error::Damaged`], [`Error::Io`].
    pub fn refresh(&mut self) -> Result<bool> {
        let slots = slots(&self.folder)?;
        if !self.goes_on(&slots) {
            return Err(Error::Replaced {
                path: self.folder.clone(),
            });
        }
        let latest = slots.latest;
        if latest.sequence <= self.catalog.state().sequence {
            return Ok(false);
        }
        if !self.files.reach(latest.rows)? {
            // A writer has made them again, in another file; of this index still?
            let codes = self.files.reopened_codes()?;
            if !self.goes_on(&self::slots(&self.folder)?) {
                return Err(Error::Replaced {
                    path: self.folder.clone(),
                });
            }
            self.files.codes = codes;
        }
        // The codes first: there must never be a row without them. Where damage has stopped the
        // catalog half-way, there must be none without a row either.
        let mut codes = self.files.map_codes(latest.rows)?;
        let advanced = self.catalog.advance(&latest);
        codes.keep(self.catalog.state().rows);
        self.codes = codes;
        let scales = &self.catalog.scales()[..self.codes.len()];
        let coarse = self.coarse.as_mut();
        if coarse.is_some_and(|coarse| coarse.extend(&self.files, scales).is_err()) {
            tracing::warn!(
                "4-bit codes of new vectors could not be made: searches go on without any"
            );
            self.coarse = None;
        }
        advanced.map(|()| true)
    }

    /// Makes codes of 4 bits of all vectors, from those of 8 bits in the file. Searches of many vectors go
    /// through these first from then on: half as many bytes, so that they take two thirds to three quarters of
    /// the time where memory is what they wait for. In return they are memory of this reader alone, half a
    /// byte a number and 64 bytes a vector (up to 128 after refreshes), and making them takes as long as some tens of searches. A
    /// [`refresh`](Self::refresh) makes those of new vectors. Call this again when the archive has doubled,
    /// or its pictures have become others.
    ///
    /// A search multiplies the best 1024 vectors by these codes (or eight times as many as are scored in
    /// f32) with their 8-bit codes. Where the error of 4 bits could have kept a hit out, by four
    /// standard deviations, it scans the 8-bit codes as without; so it does for
    /// [`Query::exact`](crate::Query::exact), and where less than 16 times as many vectors may be found.
    ///
    /// # Errors
    /// [`Error::Io`] if the codes cannot be read; the index is as before then.
    pub fn make_coarse_codes(&mut self, cpu: &Cpu) -> Result<()> {
        let began = Instant::now();
        let scales = &self.catalog.scales()[..self.codes.len()];
        self.coarse = Some(Coarse::new(cpu, &self.files, scales)?);
        tracing::info!(
            rows = self.codes.len(),
            milliseconds = began.elapsed().as_millis(),
            "4-bit codes made"
        );
        Ok(())
    }

    /// Whether the slots are of this index, at the state that is known or a later one: the open files
    /// have nothing of any other.
    fn goes_on(&self, slots: &Slots) -> bool {
        let (known, latest) = (self.catalog.state(), &slots.latest);
        let follows = latest.sequence > known.sequence
            && latest.rows >= known.rows
            && latest.log_bytes > known.log_bytes;
        // What a reader has taken from the log in place of a damaged slot is ahead of the other.
        let waits = slots.damaged && latest.sequence < known.sequence;
        slots.identity == self.identity && (latest == known || follows || waits)
    }

    /// Vectors that can be found.
    #[must_use]
    pub fn len(&self) -> usize {
        self.catalog.live_rows()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Model and dimension.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Whether there is a vector with this id.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.catalog.find(id.as_bytes()).is_some()
    }

    /// The vector with this id, at unit length, and its metadata.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the log has changed since it was read.
    pub fn get(&self, id: &str) -> Result<Option<Entry>> {
        let row = self.catalog.find(id.as_bytes());
        row.map(|row| self.entry(row)).transpose()
    }

    /// All vectors, in the order in which they were appended. An item is an error if the log has
    /// changed since it was read.
    pub fn entries(&self) -> impl Iterator<Item = Result<Entry>> {
        self.catalog.live().iter().map(|row| self.entry(row))
    }

    fn entry(&self, row: usize) -> Result<Entry> {
        let (id, metadata) = self.catalog.describe(row)?;
        let mut vector = Vec::new();
        self.files.read_vector(row, &mut vector)?;
        Ok(Entry {
            id,
            vector: rows::numbers(&vector),
            metadata,
        })
    }

    /// Compares everything that was published with its checksums: reads all files once.
    ///
    /// Batches of which nothing can be found any more are compared too; they stand in nobody's way,
    /// and [`Index::copy_to`] makes an index without them.
    ///
    /// # Errors
    /// [`Error::Damaged`] names the first batch that is not what was appended, [`Error::Io`].
    pub fn verify(&self) -> Result<()> {
        self.catalog.spans(|span| {
            self.files.expect_batch(span)?;
            self.files.expect_codes(span)
        })
    }

    /// The ids of vectors that can be found and may be damaged, in the order in which they were
    /// appended: reads all vectors once. A checksum is of a whole batch, so that all of a damaged one
    /// are named. Once each of them is put again (`Ingestion::with_again`, for a folder of pictures) or
    /// deleted, the index can be copied and exported. Damage to the vectors of the last batch is found
    /// before: [`Index::open`] and [`Writer::open`] refuse it, and the folder is to be restored.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the log has changed since it was read, [`Error::Io`].
    pub fn damaged(&self) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        self.catalog.spans(|span| {
            let mut live = self.catalog.live_of(span).peekable();
            if live.peek().is_some() && !self.files.has_vectors(span)? {
                for row in live {
                    ids.push(self.catalog.describe(row)?.0);
                }
            }
            Ok(())
        })?;
        Ok(ids)
    }

    /// An error unless the vectors of every batch are what was appended, or none of them can be found
    /// any more. Codes are not looked at: what is written elsewhere is made from the vectors.
    pub(crate) fn verify_live(&self) -> Result<()> {
        self.catalog
            .spans(|span| self.files.expect_live(span, &self.catalog))
    }

    /// Writes all vectors that can be found to a new index in `folder`, without the room that
    /// deleted and replaced ones take up. Vectors and metadata stay the same, bit for bit.
    ///
    /// The checksums of all batches that still have vectors to be found are compared first, so that
    /// damage is not copied under new ones. Damage to codes of older batches does not matter: the copy
    /// gets its own. A damaged last batch lets no index be opened, and so be copied: its codes
    /// [`Writer::open`] makes again, for its vectors the folder is to be restored. The copy becomes an
    /// index when it is whole. A copy that fails is removed again;
    /// one that a crash interrupts leaves a folder without an index, which is to be deleted before
    /// another copy is made there.
    ///
    /// # Errors
    /// [`Error::Damaged`] names some of the ids at fault; [`Index::damaged`] has all of them. Otherwise
    /// as [`Writer::create`] and [`Writer::append`].
    pub fn copy_to(&self, folder: impl AsRef<Path>) -> Result<Writer> {
        self.verify_live()?;
        let folder = folder.as_ref();
        let (mut writer, header) = Writer::begin(folder, &self.fingerprint)?;
        let filled = self.append_all(&mut writer);
        match filled.and_then(|()| writer.publish_header(&header)) {
            Ok(()) => Ok(writer),
            Err(error) => {
                writer.discard();
                Err(error)
            }
        }
    }

    /// Appends all vectors that can be found.
    fn append_all(&self, writer: &mut Writer) -> Result<()> {
        let mut batch = Batch::new();
        for entry in self.entries() {
            batch.entries.push(entry?);
            if batch.len() == COPIED {
                writer.append(&batch)?;
                batch.entries.clear();
            }
        }
        writer.append(&batch)?;
        Ok(())
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(crate) fn codes(&self) -> &Codes {
        &self.codes
    }

    /// The 4-bit codes of all rows, if they were made.
    pub(crate) fn coarse(&self) -> Option<&Coarse> {
        self.coarse.as_ref()
    }

    pub(crate) fn files(&self) -> &RowFiles {
        &self.files
    }
}

/// What is published, seen between two writes of a writer.
fn slots(folder: &Path) -> Result<Slots> {
    let mut slots = Commit::read(folder);
    for _ in 1..LOOKS {
        if slots.as_ref().is_ok_and(|slots| !slots.damaged) {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
        slots = Commit::read(folder);
    }
    slots
}
