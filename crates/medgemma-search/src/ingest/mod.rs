//! From a folder of pictures to vectors in an index: read and decoded on several threads, embedded in
//! batches by the caller's model, published batch by batch.
//!
//! An ingestion keeps no state of its own. A picture's id is its content's, so what is in the index
//! is what has been done: a run that was killed goes on where the last published batch ended.

mod listing;
mod ordered;
mod places;
mod progress;
mod reading;
mod settle;

use std::collections::{BTreeSet, HashSet};
use std::error::Error as StdError;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Instant;

pub use self::places::Gone;
pub use self::progress::{Fault, Ingested, Progress, Skipped};
pub use self::reading::SourceFile;

use self::listing::Listing;
use self::reading::Root;
use self::settle::{Settler, Sizes};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::metadata::Metadata;
use crate::writer::Writer;

/// Pictures that are published together, unless asked for otherwise.
const BATCH: usize = 32;
/// Pictures that are embedded together, unless asked for otherwise.
const STEP: usize = 8;
/// The longest file that is read, unless asked for otherwise: 256 MiB, as far as the workspace's
/// decoder goes. Every thread may hold one.
const LARGEST: u64 = 256 << 20;

/// How a folder of pictures is taken into an index.
///
/// ```
/// use std::ops::ControlFlow;
/// use medgemma_search::{Fingerprint, Ingestion, Metadata, SourceFile, Writer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let (pictures, index) = (folder.path().join("pictures"), folder.path().join("index"));
/// # std::fs::create_dir(&pictures)?;
/// # std::fs::write(pictures.join("a.png"), [3, 4])?;
/// # std::fs::write(pictures.join("b.png"), [])?;
/// let mut writer = Writer::create(&index, &Fingerprint::new("brightness", 2))?;
/// // On several threads. A real program decodes here, with `medgemma_image::Image`, say.
/// let decode = |file: &SourceFile<'_>| match file.bytes {
///     [a, b] => Ok(([f32::from(*a), f32::from(*b)], Metadata::new())),
///     _ => Err("not two bytes"),
/// };
/// // On the calling thread. A real program embeds here; a picture for which that fails is skipped.
/// let embed = |pictures: Vec<[f32; 2]>| {
///     Ok::<_, &str>(pictures.iter().map(|picture| Ok(picture.to_vec())).collect())
/// };
/// let report = Ingestion::new(&pictures).run(&mut writer, decode, embed, |progress| {
///     eprintln!("{progress}");
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!((report.added, report.skipped.len()), (1, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ingestion {
    /// The folder. Folders in it are looked through too; links to folders are not followed.
    pub folder: PathBuf,
    /// Endings of the names of pictures, without the dot, in either case. `png`, `jpg` and `jpeg`
    /// unless asked for otherwise. Other files are counted and left alone.
    pub extensions: Vec<String>,
    /// Pictures that are published together: 32 unless asked for otherwise. A process that is killed
    /// loses the embeddings of at most so many.
    pub batch: usize,
    /// Pictures that are embedded together, at most a batch: 8 unless asked for otherwise. At most
    /// twice as many, and two for each thread, are in memory. Progress is told after each step.
    pub step: usize,
    /// Threads that read and decode: as many as the system has processors for this one, unless asked
    /// for otherwise.
    pub threads: usize,
    /// The longest file that is read, in bytes: 256 MiB unless asked for otherwise. Longer ones are
    /// skipped, without being read where the system tells their length. Files take `threads` times as
    /// much memory at most, apart from the pictures that are decoded from them. Give it what your
    /// decoder takes at most: more is read in vain.
    pub largest: u64,
    /// Whether vectors whose pictures are [`Ingested::gone`], of any folder, are removed: no, unless
    /// asked for otherwise. A disk that is not there has no pictures. Of files that are equal to the
    /// byte only the recorded place counts: a copy in another folder is recorded when that folder is
    /// ingested again. Nothing is removed while a file or folder could not be read: it may be what is
    /// looked for.
    pub prune: bool,
    /// Ids whose pictures are embedded again although the index has them: none, unless asked for
    /// otherwise.
    pub again: BTreeSet<String>,
}

impl Ingestion {
    /// The name under which a picture's metadata has its path: relative to the folder, with `/`
    /// between its parts. `%` and bytes that are no UTF-8 are `%` and two hexadecimal digits, so that no
    /// two paths have one name.
    pub const FILE: &'static str = "file";
    /// The name under which a picture's metadata has its whole path, written in the same way; see
    /// [`Ingestion::path_of`]. It belongs to the ingestion: what a decoder says under this name is
    /// replaced. Of vectors that were put otherwise it is looked at only where the id has the form of
    /// a [`content_id`](crate::content_id) and the path is a whole one.
    pub const PATH: &'static str = "path";

    /// The pictures in `folder`.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            extensions: ["png", "jpg", "jpeg"].map(str::to_owned).into(),
            batch: BATCH,
            step: STEP,
            threads: std::thread::available_parallelism().map_or(1, NonZero::get),
            largest: LARGEST,
            prune: false,
            again: BTreeSet::new(),
        }
    }

    /// Files whose names end in one of `extensions`, without the dot.
    #[must_use]
    pub fn with_extensions<E: Into<String>>(
        mut self,
        extensions: impl IntoIterator<Item = E>,
    ) -> Self {
        self.extensions = extensions.into_iter().map(Into::into).collect();
        self
    }

    /// Published `batch` pictures at a time; 0 counts as 1.
    #[must_use]
    pub fn with_batch(mut self, batch: usize) -> Self {
        self.batch = batch;
        self
    }

    /// Embedded `step` pictures at a time; 0 counts as 1.
    #[must_use]
    pub fn with_step(mut self, step: usize) -> Self {
        self.step = step;
        self
    }

    /// Read and decoded on `threads` threads; 0 counts as 1.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Files of at most `bytes`.
    #[must_use]
    pub fn with_largest(mut self, bytes: u64) -> Self {
        self.largest = bytes;
        self
    }

    /// Removing vectors whose pictures are gone.
    #[must_use]
    pub fn with_prune(mut self) -> Self {
        self.prune = true;
        self
    }

    /// Embedding the pictures of these ids again, where they are met, such as those that
    /// [`Index::damaged`](crate::Index::damaged) names. They count as [`Ingested::added`]. Only the vector
    /// is replaced where no place of the picture is recorded, or the recorded one leads to it; otherwise
    /// metadata are those of this run too, as of any picture that was moved. The index keeps the old
    /// vector of a picture that is not met.
    #[must_use]
    pub fn with_again(mut self, ids: impl IntoIterator<Item = String>) -> Self {
        self.again = ids.into_iter().collect();
        self
    }

    /// Takes in what is not in the index yet, in the order of the files' paths.
    ///
    /// `decode` makes of a file what the model reads, and says what is known of the picture. It runs
    /// on several threads. A file for which it fails or panics is skipped and listed. `embed` gives a
    /// vector of the index's dimension for each picture, in order, or says why there is none: such a
    /// picture is skipped and listed too. It runs on the calling thread while the next pictures are
    /// decoded. Where it fails as a whole the run ends. `progress` is called at the beginning and
    /// whenever a file was read, a step embedded or a batch published, and may end the run; what is
    /// embedded by then is published.
    ///
    /// An id is the [`content_id`](crate::content_id) of a file's bytes. Hence a file that was moved
    /// is known, a file that was changed is another picture, and of files that are equal to the byte
    /// the first is taken and the others are counted. Every file is read in every run, since nothing
    /// else tells whether it is known; what is known is not decoded. A file that was skipped is tried
    /// again by the next run. Killed at any moment, the process leaves whole batches; the next run
    /// embeds what is missing and nothing twice. Threads make no difference to the index.
    ///
    /// A known file whose [recorded place](Ingestion::PATH) does not lead to its content any more is
    /// decoded for its metadata, which replace the old ones; its vector stays, bit for bit. The batch
    /// that it was published with is compared with its checksum before: where it is damaged the
    /// picture is skipped and listed. At the end [`Ingested::gone`] lists what the index has from
    /// this folder and no file has any more; with [`Ingestion::with_prune`] it looks for the pictures
    /// of all folders, and removes what is gone.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the folder cannot be listed, or an append fails;
    /// [`Error::Thread`](crate::Error::Thread) if no thread can be started;
    /// [`Error::Embed`](crate::Error::Embed) if `embed` does; [`Error::Argument`](crate::Error::Argument)
    /// if it gives another number of results or another dimension. What was embedded before is
    /// published.
    pub fn run<P: Send, D, E>(
        &self,
        writer: &mut Writer,
        decode: impl Fn(&SourceFile<'_>) -> std::result::Result<(P, Metadata), D> + Sync,
        embed: impl FnMut(Vec<P>) -> std::result::Result<Vec<std::result::Result<Vec<f32>, E>>, E>,
        progress: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Ingested>
    where
        D: Into<Box<dyn StdError + Send + Sync>>,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let began = Instant::now();
        let mut listing = listing::list(&self.folder, &self.extensions)?;
        let absolute = self.folder.canonicalize();
        let absolute = absolute.map_err(Error::io(&self.folder, "resolve the path"))?;
        let skipped = std::mem::take(&mut listing.skipped);
        let files: &[PathBuf] = &listing.files;
        let root = Root {
            folder: &self.folder,
            absolute: &absolute,
        };
        let writer = RwLock::new(writer);
        let read = |path: &Path| {
            let recorded = |id: &str| {
                let writer = writer.read().unwrap_or_else(PoisonError::into_inner);
                places::recorded(&writer, id, self.again.contains(id))
            };
            reading::read(&root, path, self.largest, recorded, &decode)
        };
        let batch = self.batch.max(1);
        let step = self.step.clamp(1, batch);
        let sizes = Sizes { step, batch };
        let mut settler = Settler::new(&writer, sizes, embed, progress, files.len());
        for skipped in skipped {
            settler.skip(skipped);
        }
        settler.settle_all(files, self.threads, read)?;
        let stopped = settler.is_stopped();
        let (mut ingested, ids) = settler.finish(&listing);
        let writer = writer.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !stopped {
            self.look_for_gone(&mut ingested, writer, &root, &listing, &ids)?;
        }
        tracing::info!(
            added = ingested.added,
            known = ingested.known,
            moved = ingested.moved,
            copies = ingested.copies,
            skipped = ingested.skipped.len(),
            gone = ingested.gone.len(),
            removed = ingested.removed,
            milliseconds = began.elapsed().as_millis(),
            "folder ingested"
        );
        Ok(ingested)
    }

    /// Lists vectors whose pictures are gone, and removes them if asked for and if all was read.
    fn look_for_gone(
        &self,
        ingested: &mut Ingested,
        writer: &mut Writer,
        root: &Root<'_>,
        listing: &Listing,
        ids: &[Option<String>],
    ) -> Result<()> {
        let met: HashSet<&str> = ids.iter().flatten().map(String::as_str).collect();
        let was_read = |path: &Path| {
            let Ok(relative) = path.strip_prefix(root.absolute) else {
                return false;
            };
            let file = listing.files.binary_search(&root.folder.join(relative));
            file.is_ok_and(|index| ids[index].is_some())
        };
        // Other folders may lie on a disk that does not answer.
        let within = (!self.prune).then_some(root.absolute);
        ingested.gone = places::gone(writer, &met, within, was_read);
        // A file that was moved may be among those that could not be read.
        let unread = ingested.skipped.iter().any(|s| s.fault.is_unread());
        if self.prune && !unread && !ingested.gone.is_empty() {
            let mut batch = Batch::new();
            for gone in &ingested.gone {
                batch.delete(&gone.id);
            }
            ingested.removed = writer.append(&batch)?.deleted;
        }
        Ok(())
    }
}
