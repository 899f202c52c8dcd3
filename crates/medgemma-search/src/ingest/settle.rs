//! What becomes of the files, one after the other: counted, listed, or embedded and published.

use std::collections::{BTreeMap, HashSet};
use std::error::Error as StdError;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Instant;

use super::listing::Listing;
use super::ordered;
use super::progress::{Fault, Ingested, Progress, Skipped};
use super::reading::Outcome;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::frame::Span;
use crate::metadata::Metadata;
use crate::quantize;
use crate::writer::Writer;

/// A picture that waits to be embedded.
struct Waiting<P> {
    path: PathBuf,
    id: String,
    picture: P,
    metadata: Metadata,
    /// Files that are equal to it, counted as copies for now.
    equal: Vec<PathBuf>,
}

/// How many pictures at a time.
pub(super) struct Sizes {
    /// To be embedded.
    pub(super) step: usize,
    /// To be published.
    pub(super) batch: usize,
}

/// Takes outcomes in the order of the files.
pub(super) struct Settler<'a, 'w, P, M, N> {
    writer: &'a RwLock<&'w mut Writer>,
    sizes: Sizes,
    embed: M,
    notify: N,
    waiting: Vec<Waiting<P>>,
    /// What is to be published next.
    pending: Batch,
    /// Ids of this run that are in the index or wait.
    seen: HashSet<String>,
    /// The id of each file that was read.
    read: Vec<Option<String>>,
    /// Those that are known and recorded in this place from now on.
    moved: usize,
    /// By first row, the index's batches whose vectors were not compared with their checksums; read
    /// for the first picture that was moved.
    unverified: Option<BTreeMap<u64, Span>>,
    skipped: Vec<Skipped>,
    progress: Progress,
    began: Instant,
    /// When the first picture that had to be embedded was begun, and what was settled before.
    working: Option<(Instant, usize)>,
    stopped: bool,
}

impl<'a, 'w, P, M, N, E> Settler<'a, 'w, P, M, N>
where
    M: FnMut(Vec<P>) -> std::result::Result<Vec<std::result::Result<Vec<f32>, E>>, E>,
    N: FnMut(&Progress) -> ControlFlow<()>,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    pub(super) fn new(
        writer: &'a RwLock<&'w mut Writer>,
        sizes: Sizes,
        embed: M,
        notify: N,
        files: usize,
    ) -> Self {
        Self {
            writer,
            sizes,
            embed,
            notify,
            waiting: Vec::new(),
            pending: Batch::new(),
            seen: HashSet::new(),
            read: vec![None; files],
            moved: 0,
            unverified: None,
            skipped: Vec::new(),
            progress: Progress {
                files,
                ..Progress::default()
            },
            began: Instant::now(),
            working: None,
            stopped: false,
        }
    }

    /// Lists what was no file to be read.
    pub(super) fn skip(&mut self, skipped: Skipped) {
        self.skipped.push(skipped);
    }

    /// Settles all files, each read by `read` on one of so many threads, until there are no more or something
    /// ends the run: an error, or the caller.
    pub(super) fn settle_all(
        &mut self,
        files: &[PathBuf],
        threads: usize,
        read: impl Fn(&Path) -> Outcome<P> + Sync,
    ) -> Result<()>
    where
        P: Send,
    {
        let mut ended = Ok(self.tell());
        if matches!(ended, Ok(ControlFlow::Continue(()))) {
            let width = self
                .sizes
                .step
                .saturating_add(threads.max(1).saturating_mul(2));
            let threads = threads.clamp(1, files.len().max(1));
            let read = |index: usize| read(&files[index]);
            ordered::run(threads, files.len(), width, read, |index, read| {
                ended = self.settle(index, &files[index], read);
                matches!(ended, Ok(ControlFlow::Continue(())))
            })?;
        }
        if matches!(ended, Ok(ControlFlow::Continue(()))) {
            ended = self.embed().map(ControlFlow::Continue);
        }
        // What is embedded is published, whatever has ended the run.
        let published = self.publish();
        let _ = ended?;
        published?;
        // Whether to go on does not matter any more.
        let _ = self.tell();
        Ok(())
    }

    /// Settles the file of this number, or keeps it until its turn to be embedded and published.
    fn settle(
        &mut self,
        index: usize,
        path: &Path,
        outcome: Outcome<P>,
    ) -> Result<ControlFlow<()>> {
        self.read[index] = outcome.id().map(str::to_owned);
        match outcome {
            Outcome::Faulty(_, fault) => self.list(path.to_owned(), fault),
            // In the index: since before this run, or by an equal file of it.
            Outcome::Known(id) if self.seen.insert(id.clone()) => self.progress.known += 1,
            Outcome::Moved(id, metadata) if self.seen.insert(id.clone()) => {
                self.place(path, id, metadata)?;
            }
            Outcome::Decoded(id, picture, metadata) if self.seen.insert(id.clone()) => {
                self.working
                    .get_or_insert_with(|| (Instant::now(), self.progress.done));
                self.waiting.push(Waiting {
                    path: path.to_owned(),
                    id,
                    picture,
                    metadata,
                    equal: Vec::new(),
                });
            }
            Outcome::Decoded(id, ..) => {
                self.progress.copies += 1;
                if let Some(waiting) = self.waiting.iter_mut().find(|w| w.id == id) {
                    waiting.equal.push(path.to_owned());
                }
            }
            Outcome::Known(_) | Outcome::Moved(..) => self.progress.copies += 1,
        }
        let Sizes { step, batch } = self.sizes;
        if self.waiting.len() >= step || self.waiting.len() + self.pending.len() >= batch {
            self.embed()?;
        }
        if self.pending.len() >= batch {
            self.publish()?;
        }
        Ok(self.tell())
    }

    /// Puts a vector of the index there again, with what is known of its picture now.
    fn place(&mut self, path: &Path, id: String, metadata: Metadata) -> Result<()> {
        let writer = self.writer.read().unwrap_or_else(PoisonError::into_inner);
        if self.unverified.is_none() {
            self.unverified = Some(writer.batches()?);
        }
        let unverified = self.unverified.get_or_insert_default();
        let vector = match writer.verified_vector(&id, unverified) {
            // Damage must not be written again under a new checksum, nor keep others out.
            Err(error @ Error::Damaged { .. }) => {
                // An equal file is told of too.
                self.seen.remove(&id);
                self.list(path.to_owned(), Fault::Damaged(error));
                return Ok(());
            }
            vector => vector?,
        };
        if let Some(vector) = vector {
            self.pending.put(id, vector, metadata);
            self.moved += 1;
        }
        self.progress.known += 1;
        Ok(())
    }

    /// Embeds what waits.
    fn embed(&mut self) -> Result<()> {
        let Some(first) = self.waiting.first() else {
            return Ok(());
        };
        let first = first.path.clone();
        let mut pictures = Vec::with_capacity(self.waiting.len());
        let mut rest = Vec::with_capacity(self.waiting.len());
        for waiting in self.waiting.drain(..) {
            pictures.push(waiting.picture);
            rest.push((waiting.path, waiting.id, waiting.metadata, waiting.equal));
        }
        let vectors = (self.embed)(pictures).map_err(|error| Error::Embed {
            path: first,
            source: error.into(),
        })?;
        if vectors.len() != rest.len() {
            let expected = format!("{} results, one for each picture", rest.len());
            let found = vectors.len().to_string();
            return Err(Error::argument("embed", expected, found));
        }
        let writer = self.writer.read().unwrap_or_else(PoisonError::into_inner);
        let dimension = writer.dimension();
        drop(writer);
        for ((path, id, metadata, equal), vector) in rest.into_iter().zip(vectors) {
            let fault = match vector {
                Ok(vector) if vector.len() != dimension => {
                    let expected = format!("vectors of {dimension} numbers, as the index has");
                    let found = vector.len().to_string();
                    return Err(Error::argument("embed", expected, found));
                }
                Ok(vector) if quantize::normalized(&vector).is_some() => {
                    self.pending.put(id, vector, metadata);
                    self.progress.embedded += 1;
                    continue;
                }
                Ok(_) => Fault::Vector,
                Err(error) => Fault::Embed(error.into()),
            };
            self.seen.remove(&id);
            // No copies of anything that the index has.
            self.progress.copies -= equal.len();
            for equal in equal {
                self.list(equal, Fault::Equal { path: path.clone() });
            }
            self.list(path, fault);
        }
        Ok(())
    }

    /// Publishes what is embedded, and new places of what was.
    fn publish(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.pending);
        let mut writer = self.writer.write().unwrap_or_else(PoisonError::into_inner);
        writer.append(&batch)?;
        self.progress.added += std::mem::take(&mut self.progress.embedded);
        Ok(())
    }

    fn list(&mut self, path: PathBuf, fault: Fault) {
        self.progress.skipped += 1;
        self.skipped.push(Skipped { path, fault });
    }

    /// Tells how far it is: whether to go on.
    fn tell(&mut self) -> ControlFlow<()> {
        let progress = &mut self.progress;
        progress.done = progress.added
            + progress.embedded
            + progress.known
            + progress.copies
            + progress.skipped;
        progress.elapsed = self.began.elapsed();
        if let Some((since, before)) = self.working {
            progress.working = since.elapsed();
            progress.worked = progress.done - before;
        }
        let on = (self.notify)(&self.progress);
        self.stopped |= on.is_break();
        on
    }

    /// Whether the caller ended the run, be it when all was settled.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// What was done, and the id of each file that was read.
    pub(super) fn finish(mut self, listing: &Listing) -> (Ingested, Vec<Option<String>>) {
        // Pictures of a batch are found faulty later than files that come after them.
        self.skipped.sort_by(|a, b| a.path.cmp(&b.path));
        let ingested = Ingested {
            files: self.progress.files,
            added: self.progress.added,
            known: self.progress.known,
            moved: self.moved,
            copies: self.progress.copies,
            skipped: self.skipped,
            ignored: listing.ignored,
            endings: listing.endings(),
            gone: Vec::new(),
            removed: 0,
            stopped: self.stopped && self.progress.done < self.progress.files,
        };
        (ingested, self.read)
    }
}
