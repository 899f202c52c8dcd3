//! How far an ingestion is, and what it found.

use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::places::Gone;
use crate::error::whole;

/// Characters of the bar.
const BAR: usize = 20;

/// How far an ingestion is. Displays as one line with a bar, for a terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Pictures in the folder.
    pub files: usize,
    /// Those with which nothing is left to do but to publish them: the sum of the next five.
    pub done: usize,
    /// Embedded and published.
    pub added: usize,
    /// Embedded, and to be published with their batch.
    pub embedded: usize,
    /// In the index already.
    pub known: usize,
    /// Equal to the byte to one before; listed after all if that one cannot be embedded.
    pub copies: usize,
    /// Listed in [`Ingested::skipped`], but for folders.
    pub skipped: usize,
    /// Time since the run began to read files.
    pub elapsed: Duration,
    /// Time since the first picture that had to be embedded, which a resumed run meets late.
    pub working: Duration,
    /// Files done in that time.
    pub worked: usize,
}

impl Progress {
    /// Pictures embedded in a second; none before the first.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let seconds = self.working.as_secs_f64();
        let embedded = (self.added + self.embedded) as f64;
        (embedded > 0.0 && seconds > 0.0).then(|| embedded / seconds)
    }

    /// Time until the end if the remaining files take as long as those since the first that had to be
    /// embedded; none before the first.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let remaining = self.files.saturating_sub(self.done);
        let ratio = remaining as f64 / self.worked as f64;
        let seconds = self.working.as_secs_f64() * ratio;
        (self.added + self.embedded > 0)
            .then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}

impl fmt::Display for Progress {
    /// `[#####---------------] 30 of 120, 3.2 a second, 28 s left; 1 skipped`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let full = (BAR * self.done).checked_div(self.files).unwrap_or(BAR);
        let bar = "#".repeat(full.min(BAR));
        write!(f, "[{bar:-<BAR$}] {} of {}", self.done, self.files)?;
        if let Some(rate) = self.rate() {
            write!(f, ", {rate:.1} a second")?;
        }
        if let Some(left) = self.time_left().filter(|_| self.done < self.files) {
            let seconds = left.as_secs();
            match seconds {
                0..60 => write!(f, ", {seconds} s left")?,
                60..3600 => write!(f, ", {} min {} s left", seconds / 60, seconds % 60)?,
                _ => write!(f, ", {} h {} min left", seconds / 3600, seconds / 60 % 60)?,
            }
        }
        if self.skipped > 0 {
            write!(f, "; {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// What an ingestion has done.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Ingested {
    /// Pictures in the folder.
    pub files: usize,
    /// Embedded and published.
    pub added: usize,
    /// In the index before.
    pub known: usize,
    /// Those of them that were recorded in a place where they are not any more, and now are in this
    /// one.
    pub moved: usize,
    /// Equal to the byte to one before, which the index has.
    pub copies: usize,
    /// What could not be taken in, in the order of the paths.
    pub skipped: Vec<Skipped>,
    /// Files with other endings.
    pub ignored: usize,
    /// The most frequent of these endings, at most five, without the dot and in lower case.
    pub endings: Vec<String>,
    /// Vectors whose pictures were in the folder and are not where they were; of the whole index with
    /// [`Ingestion::prune`](super::Ingestion::prune). None where `progress` has ended the run, be it at
    /// its last call: nothing was looked for.
    pub gone: Vec<Gone>,
    /// How many of these were removed from the index: all, if that was asked for and nothing of the
    /// folder was left unread, or none.
    pub removed: usize,
    /// Whether `progress` has ended the run, so that files are left.
    pub stopped: bool,
}

impl fmt::Display for Ingested {
    /// One line for a terminal, without the list.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stopped = if self.stopped { "stopped: " } else { "" };
        let (files, added, known) = (self.files, self.added, self.known);
        write!(f, "{stopped}{files} pictures: {added} added, {known} known")?;
        if self.moved > 0 {
            write!(f, " ({} moved)", self.moved)?;
        }
        let (copies, skipped) = (self.copies, self.skipped.len());
        write!(f, ", {copies} copies, {skipped} skipped")?;
        if self.ignored > 0 {
            write!(f, "; {} other files left alone", self.ignored)?;
        }
        if !self.endings.is_empty() {
            write!(f, " (.{})", self.endings.join(", ."))?;
        }
        match (self.gone.len(), self.removed) {
            (0, _) => Ok(()),
            (gone, 0) => write!(f, "; {gone} gone or changed"),
            (_, removed) => write!(f, "; {removed} gone or changed and removed"),
        }
    }
}

/// A file or folder that could not be taken in. Displays as one line: path and fault.
#[derive(Debug)]
#[non_exhaustive]
pub struct Skipped {
    /// Where it is.
    pub path: PathBuf,
    /// Why.
    pub fault: Fault,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.fault)
    }
}

/// Why a file or folder could not be taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The operating system refused.
    #[error("cannot be read ({0}); check its permissions")]
    Read(#[source] std::io::Error),
    /// A link to a folder: following it could go round for ever, or out of the archive.
    #[error("expected a folder, found a link to one; ingest the folder itself")]
    Link,
    /// The file is longer than the ingestion allows.
    #[error("expected at most {largest} bytes, found more; see `Ingestion::largest`")]
    Large {
        /// The limit.
        largest: u64,
    },
    /// `decode` refused.
    #[error("cannot be decoded: {}", whole(&**.0))]
    Decode(#[source] Box<dyn StdError + Send + Sync>),
    /// `decode` panicked.
    #[error("the decoder panicked, which is its fault: {0}")]
    Panic(String),
    /// `decode` gave metadata that an index cannot have.
    #[error("metadata that an index cannot have: {0}")]
    Metadata(#[source] crate::Error),
    /// `embed` refused this picture.
    #[error("cannot be embedded: {}", whole(&**.0))]
    Embed(#[source] Box<dyn StdError + Send + Sync>),
    /// `embed` gave a vector without a direction: all zero, or not finite.
    #[error(
        "expected an embedding of finite numbers, not all zero, found another; look at the picture and at the model"
    )]
    Vector,
    /// It is equal to the byte to a file for which `embed` gave no vector: neither is taken in. What
    /// was to be embedded again keeps its old vector.
    #[error("is equal to {}, which cannot be embedded", path.display())]
    Equal {
        /// The other file.
        path: PathBuf,
    },
    /// It was moved, and its vector or one that was published with it is not what was appended: it
    /// keeps the place that is recorded.
    #[error(
        "is in the index, from another place, and its vector may be damaged, see `Index::damaged`: {0}"
    )]
    Damaged(#[source] crate::Error),
}

impl Fault {
    /// Whether nobody knows what is in it.
    pub(super) fn is_unread(&self) -> bool {
        matches!(self, Self::Read(_) | Self::Link | Self::Large { .. })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Progress;

    /// A resumed run: of 200 files 60 were known, and since the first of the others 40 were settled, 30
    /// of them added.
    fn resumed(working: u64) -> Progress {
        Progress {
            files: 200,
            done: 100,
            added: 20,
            embedded: 10,
            known: 60,
            copies: 8,
            skipped: 2,
            elapsed: Duration::from_secs(working + 1000),
            working: Duration::from_secs(working),
            worked: 40,
        }
    }

    #[test]
    fn rate_and_time_left_are_of_the_work_alone() {
        let progress = resumed(20);
        assert_eq!(progress.rate(), Some(1.5));
        assert_eq!(progress.time_left(), Some(Duration::from_secs(50)));
        let none = Progress {
            added: 0,
            embedded: 0,
            ..progress
        };
        assert_eq!((none.rate(), none.time_left()), (None, None));
    }

    #[test]
    fn a_line_tells_the_time_in_two_units_at_most() {
        let bar = "[##########----------] 100 of 200";
        for (working, expected) in [
            (20, "1.5 a second, 50 s left; 2 skipped"),
            (24, "1.2 a second, 1 min 0 s left; 2 skipped"),
            (1438, "0.0 a second, 59 min 55 s left; 2 skipped"),
            (3000, "0.0 a second, 2 h 5 min left; 2 skipped"),
        ] {
            assert_eq!(resumed(working).to_string(), format!("{bar}, {expected}"));
        }
        let ended = Progress {
            done: 200,
            skipped: 0,
            ..resumed(20)
        };
        let expected = "[####################] 200 of 200, 1.5 a second";
        assert_eq!(ended.to_string(), expected);
    }
}
