//! From a folder of pictures to vectors in an index: read and decoded on several threads, embedded in
//! batches by the caller's model, published batch by batch.
//!
//! An ingestion keeps no state of its own. A picture's id is its content's, so what is in the index
//! is what has been done: a run that was killed goes on where the last published batch ended.

mod listing;
mod ordered;
mod progress;
mod reading;
mod settle;

use std::error::Error as StdError;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Instant;

pub use self::progress::{Fault, Ingested, Progress, Skipped};
pub use self::reading::SourceFile;

use self::settle::Settler;
use crate::error::Result;
use crate::metadata::Metadata;
use crate::writer::Writer;

/// Pictures that are embedded and published together, unless asked for otherwise.
const BATCH: usize = 32;
/// The longest file that is read, unless asked for otherwise: 1 GiB.
const LARGEST: u64 = 1 << 30;

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
/// // On the calling thread. A real program embeds here.
/// let embed = |pictures: Vec<[f32; 2]>| {
///     Ok::<_, &str>(pictures.iter().map(|picture| picture.to_vec()).collect())
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
    /// Pictures that are embedded and published together: 32 unless asked for otherwise. At most
    /// twice as many, and two for each thread, are in memory.
    pub batch: usize,
    /// Threads that read and decode: as many as the system has processors for this one, unless asked
    /// for otherwise.
    pub threads: usize,
    /// The longest file that is read, in bytes: 1 GiB unless asked for otherwise. Longer ones are
    /// skipped.
    pub largest: u64,
}

impl Ingestion {
    /// The name under which a picture's metadata has its path: relative to the folder, with `/`
    /// between its parts.
    pub const FILE: &'static str = "file";

    /// The pictures in `folder`.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            extensions: ["png", "jpg", "jpeg"].map(str::to_owned).into(),
            batch: BATCH,
            threads: std::thread::available_parallelism().map_or(1, NonZero::get),
            largest: LARGEST,
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

    /// `batch` pictures at a time; 0 counts as 1.
    #[must_use]
    pub fn with_batch(mut self, batch: usize) -> Self {
        self.batch = batch;
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

    /// Takes in what is not in the index yet, in the order of the files' paths.
    ///
    /// `decode` makes of a file what the model reads, and says what is known of the picture. It runs
    /// on several threads. A file for which it fails or panics is skipped and listed. `embed` gives a
    /// vector of the index's dimension for each picture, in order; it runs on the calling thread
    /// while the next pictures are decoded. Where it fails the run ends. `progress` is called
    /// whenever a file or batch is settled, and may end the run.
    ///
    /// An id is the [`content_id`](crate::content_id) of a file's bytes. Hence a file that was moved
    /// is known, a file that was changed is another picture, and of files that are equal to the byte
    /// the first is taken and the others are counted. Every file is read in every run, since nothing
    /// else tells whether it is known; what is known is not decoded. A file that was skipped is tried
    /// again by the next run. Killed at any moment, the process leaves whole batches; the next run
    /// embeds what is missing and nothing twice. Threads make no difference to the index.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the folder cannot be listed, or an append fails;
    /// [`Error::Embed`](crate::Error::Embed) if `embed` does; [`Error::Argument`](crate::Error::Argument)
    /// if it gives another number of vectors or another dimension. What was published before remains.
    pub fn run<P: Send, D, E>(
        &self,
        writer: &mut Writer,
        decode: impl Fn(&SourceFile<'_>) -> std::result::Result<(P, Metadata), D> + Sync,
        embed: impl FnMut(Vec<P>) -> std::result::Result<Vec<Vec<f32>>, E>,
        progress: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Ingested>
    where
        D: Into<Box<dyn StdError + Send + Sync>>,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let began = Instant::now();
        let listing = listing::list(&self.folder, &self.extensions)?;
        let files: &[PathBuf] = &listing.files;
        let writer = RwLock::new(writer);
        let read = |index: usize| {
            let known = |id: &str| {
                let writer = writer.read().unwrap_or_else(PoisonError::into_inner);
                writer.contains(id)
            };
            let path: &Path = &files[index];
            reading::read(&self.folder, path, self.largest, known, &decode)
        };
        let batch = self.batch.max(1);
        let mut settler = Settler::new(&writer, batch, embed, progress, files.len());
        let mut ended = Ok(ControlFlow::Continue(()));
        for skipped in listing.skipped {
            settler.skip(skipped);
        }
        let width = batch.saturating_add(self.threads.max(1).saturating_mul(2));
        let threads = self.threads.clamp(1, files.len().max(1));
        ordered::run(threads, files.len(), width, read, |index, read| {
            ended = settler.settle(&files[index], read);
            matches!(ended, Ok(ControlFlow::Continue(())))
        })?;
        if ended?.is_continue() {
            // Whether to go on does not matter any more.
            let _ = settler.flush()?;
        }
        let ingested = settler.finish(listing.ignored);
        tracing::info!(
            added = ingested.added,
            known = ingested.known,
            copies = ingested.copies,
            skipped = ingested.skipped.len(),
            milliseconds = began.elapsed().as_millis(),
            "folder ingested"
        );
        Ok(ingested)
    }
}
