//! What becomes of the files, one after the other: counted, listed, or embedded and published.

use std::collections::HashSet;
use std::error::Error as StdError;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Instant;

use super::progress::{Fault, Ingested, Progress, Skipped};
use super::reading::Outcome;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::metadata::Metadata;
use crate::quantize;
use crate::writer::Writer;

/// A picture that waits for its batch.
struct Waiting<P> {
    path: PathBuf,
    id: String,
    picture: P,
    metadata: Metadata,
}

/// Takes outcomes in the order of the files.
pub(super) struct Settler<'a, 'w, P, M, N> {
    writer: &'a RwLock<&'w mut Writer>,
    batch: usize,
    embed: M,
    notify: N,
    waiting: Vec<Waiting<P>>,
    /// Ids of this run that are in the index or wait.
    seen: HashSet<String>,
    skipped: Vec<Skipped>,
    progress: Progress,
    began: Instant,
    /// When the first picture that had to be embedded was begun, and what was settled before.
    working: Option<(Instant, usize)>,
    stopped: bool,
}

impl<'a, 'w, P, M, N, E> Settler<'a, 'w, P, M, N>
where
    M: FnMut(Vec<P>) -> std::result::Result<Vec<Vec<f32>>, E>,
    N: FnMut(&Progress) -> ControlFlow<()>,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    pub(super) fn new(
        writer: &'a RwLock<&'w mut Writer>,
        batch: usize,
        embed: M,
        notify: N,
        files: usize,
    ) -> Self {
        Self {
            writer,
            batch,
            embed,
            notify,
            waiting: Vec::new(),
            seen: HashSet::new(),
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

    /// Settles a file, or keeps it until its batch is full.
    pub(super) fn settle(&mut self, path: &Path, outcome: Outcome<P>) -> Result<ControlFlow<()>> {
        match outcome {
            Outcome::Faulty(fault) => self.list(path, fault),
            // In the index: since before this run, or by an equal file of it.
            Outcome::Known(id) if self.seen.insert(id.clone()) => self.progress.known += 1,
            Outcome::Decoded(id, picture, metadata) if self.seen.insert(id.clone()) => {
                self.working
                    .get_or_insert_with(|| (Instant::now(), self.progress.done));
                self.waiting.push(Waiting {
                    path: path.to_owned(),
                    id,
                    picture,
                    metadata,
                });
                if self.waiting.len() < self.batch {
                    return Ok(ControlFlow::Continue(()));
                }
                return self.flush();
            }
            Outcome::Known(_) | Outcome::Decoded(..) => self.progress.copies += 1,
        }
        Ok(self.tell())
    }

    /// Embeds and publishes what waits.
    pub(super) fn flush(&mut self) -> Result<ControlFlow<()>> {
        let Some(first) = self.waiting.first() else {
            return Ok(ControlFlow::Continue(()));
        };
        let first = first.path.clone();
        let mut pictures = Vec::with_capacity(self.waiting.len());
        let mut rest = Vec::with_capacity(self.waiting.len());
        for waiting in self.waiting.drain(..) {
            pictures.push(waiting.picture);
            rest.push((waiting.path, waiting.id, waiting.metadata));
        }
        let vectors = (self.embed)(pictures).map_err(|error| Error::Embed {
            path: first,
            source: error.into(),
        })?;
        if vectors.len() != rest.len() {
            let expected = format!("{} vectors, one for each picture", rest.len());
            let found = vectors.len().to_string();
            return Err(Error::argument("embed", expected, found));
        }
        let mut batch = Batch::new();
        let mut writer = self.writer.write().unwrap_or_else(PoisonError::into_inner);
        let dimension = writer.dimension();
        for ((path, id, metadata), vector) in rest.into_iter().zip(vectors) {
            if vector.len() != dimension {
                let expected = format!("vectors of {dimension} numbers, as the index has");
                let found = vector.len().to_string();
                return Err(Error::argument("embed", expected, found));
            }
            if quantize::normalized(&vector).is_some() {
                batch.put(id, vector, metadata);
            } else {
                self.seen.remove(&id);
                self.progress.skipped += 1;
                let fault = Fault::Vector;
                self.skipped.push(Skipped { path, fault });
            }
        }
        self.progress.added += batch.len();
        writer.append(&batch)?;
        drop(writer);
        Ok(self.tell())
    }

    fn list(&mut self, path: &Path, fault: Fault) {
        self.progress.skipped += 1;
        let path = path.to_owned();
        self.skipped.push(Skipped { path, fault });
    }

    /// Tells how far it is: whether to go on.
    fn tell(&mut self) -> ControlFlow<()> {
        let progress = &mut self.progress;
        progress.done = progress.added + progress.known + progress.copies + progress.skipped;
        progress.elapsed = self.began.elapsed();
        if let Some((since, before)) = self.working {
            progress.working = since.elapsed();
            progress.worked = progress.done - before;
        }
        let on = (self.notify)(&self.progress);
        self.stopped |= on.is_break();
        on
    }

    /// What was done.
    pub(super) fn finish(mut self, ignored: usize) -> Ingested {
        // Pictures of a batch are found faulty later than files that come after them.
        self.skipped.sort_by(|a, b| a.path.cmp(&b.path));
        Ingested {
            files: self.progress.files,
            added: self.progress.added,
            known: self.progress.known,
            copies: self.progress.copies,
            skipped: self.skipped,
            ignored,
            stopped: self.stopped && self.progress.done < self.progress.files,
        }
    }
}
