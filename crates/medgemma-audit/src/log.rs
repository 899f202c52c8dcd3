//! Appending: one record at a time, on disk before the caller goes on.

use std::fmt;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::line::{Body, encode};
use crate::time::iso;
use crate::verify::{expect_file, walk};

/// Tells the time of a record. It is called while the log is locked, so that times are in the order of records: let it
/// return at once, and never call the log, which would wait for itself.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How a log is written.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct AuditOptions {
    /// A secret that digests of contents are made with, by BLAKE3's keyed mode. Without one, the default,
    /// a digest is the content's BLAKE3 hash, as `b3sum` prints it: whoever reads the log can find a short
    /// question, or one of a known form with a name in it, by hashing guesses. With one only who has the
    /// key can, and only who has it can show later that a content is the recorded one.
    pub key: Option<[u8; 32]>,
    /// Where times come from. `None`: the system's clock.
    pub clock: Option<Clock>,
}

impl AuditOptions {
    /// Sets [`key`](Self::key).
    #[must_use]
    pub fn with_key(mut self, key: [u8; 32]) -> Self {
        self.key = Some(key);
        self
    }

    /// Sets [`clock`](Self::clock).
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }
}

impl fmt::Debug for AuditOptions {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditOptions")
            .field("keyed", &self.key.is_some())
            .field("clock", &self.clock.is_some())
            .finish()
    }
}

/// Which record was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// Its number, from 0.
    pub sequence: u64,
    /// Its hash: an anchor for [`verify_with_anchor`](crate::verify_with_anchor) if kept elsewhere.
    pub hash: String,
}

/// A log open for appending. Clones write to the same log; the last one to go unlocks it.
#[derive(Clone)]
pub struct Audit {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    /// The same from the root on, so that it is looked for where it was opened.
    absolute: PathBuf,
    options: AuditOptions,
    end: Mutex<End>,
}

/// Where the next record goes.
struct End {
    file: File,
    /// The length that the log has.
    bytes: u64,
    records: u64,
    last_hash: String,
    /// A record was not written, or nobody knows whether it was.
    broken: bool,
}

/// What opening a log records.
#[derive(Serialize)]
struct Opened {
    /// Whether digests are made with a key.
    keyed: bool,
    /// Bytes of a last line that was cut off, being torn.
    #[serde(skip_serializing_if = "Option::is_none")]
    torn_bytes: Option<u64>,
}

impl Audit {
    /// Opens a log for appending, or begins one, with default options. See [`Audit::open_with`].
    ///
    /// # Errors
    /// As [`Audit::open_with`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, AuditOptions::default())
    }

    /// Opens a log for appending, or begins one. All of it is verified first; a torn last line, which begins as a record
    /// does, is cut off. That it was opened is recorded, and how much was cut off.
    ///
    /// On Unix a log that is begun can be read by its owner only. One that is there keeps its rights.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::Changed`] if the file is no log or must not be trusted, and nothing was written then,
    /// [`Error::Replaced`] if another file came to its place meanwhile, [`Error::Io`].
    pub fn open_with(path: impl AsRef<Path>, options: AuditOptions) -> Result<Self> {
        let path = path.as_ref();
        expect_file(path)?;
        let mut file = open(path).map_err(Error::io(path, "open or create the log"))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::Locked {
                path: path.to_path_buf(),
            },
            TryLockError::Error(source) => Error::io(path, "lock the log")(source),
        })?;
        let walked = walk(path, &file, &mut |_| {})?;
        if walked.torn.is_some() {
            let cut = file.set_len(walked.bytes);
            cut.map_err(Error::io(path, "cut a torn line off the log"))?;
        }
        file.seek(SeekFrom::Start(walked.bytes))
            .map_err(Error::io(path, "go to the end of the log"))?;
        sync_folder(path).map_err(Error::io(path, "sync the folder of the log to the disk"))?;
        let absolute = std::path::absolute(path);
        let body = Opened {
            keyed: options.key.is_some(),
            torn_bytes: walked.torn,
        };
        let audit = Self {
            inner: Arc::new(Inner {
                path: path.to_path_buf(),
                absolute: absolute.map_err(Error::io(path, "find the current folder"))?,
                options,
                end: Mutex::new(End {
                    file,
                    bytes: walked.bytes,
                    records: walked.verified.records,
                    last_hash: walked.verified.last_hash,
                    broken: false,
                }),
            }),
        };
        audit.append("opened", &body)?;
        Ok(audit)
    }

    /// Writes a record and waits until the disk has it. After an error of writing nothing more is written: what is
    /// on disk then ends with the last record that was acknowledged, or behind it with a torn line, or with a whole
    /// record that was not acknowledged, where only the wait failed. Opening the log keeps the latter: it says what
    /// was to be recorded, and that the caller went on is not said.
    ///
    /// A log that was deleted, moved or cut while it is open, as programs that rotate files do, takes no more: what is
    /// written to a file without a name is lost, and another process may have begun a log of that name. It is looked for
    /// by its path before each record; between the look and the write it can still go. So the path must stay one that the
    /// process can search: where it gave up the right to, the look fails with [`Error::Io`], nothing is written, and the
    /// next call looks again; in a `chroot` the log is not found and counts as gone. The look is exact on Unix only: elsewhere
    /// a file is told from another by its length and when it was made, and a system that does not say when is refused.
    ///
    /// `body` is made JSON before the log is locked, and may take its time. Under the lock are the clock, the look, the
    /// write and the wait for the disk: other threads' records wait for these.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Broken`], [`Error::Replaced`] and [`Error::Resized`] for a log that is not as it was left, and
    /// [`Error::Record`] for a body that is no JSON of one line or too long. A look that failed and [`Error::Record`] break
    /// nothing.
    pub fn append<T: Serialize>(&self, event: &'static str, body: &T) -> Result<Receipt> {
        let body = Body::new(event, body)?;
        // Whoever panicked while it wrote left `broken` set.
        let mut end = self
            .inner
            .end
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if end.broken {
            return Err(Error::Broken {
                path: self.inner.path.clone(),
            });
        }
        let now = self.inner.options.clock.as_ref();
        let time = iso(now.map_or_else(SystemTime::now, |clock| clock()));
        let (line, hash) = encode(end.records, &time, &body, &end.last_hash)?;
        let looked = self.inner.check(&end);
        // What could not be looked at may be there the next time; a log that is another file, or of another length, is not.
        end.broken = !matches!(looked, Ok(()) | Err(Error::Io { .. }));
        looked?;
        end.broken = true;
        let written = end.file.write_all(&line);
        written
            .and_then(|()| end.file.sync_data())
            .map_err(Error::io(&self.inner.path, "write a record to the disk"))?;
        end.broken = false;
        end.bytes += line.len() as u64;
        let sequence = end.records;
        end.records += 1;
        end.last_hash.clone_from(&hash);
        Ok(Receipt { sequence, hash })
    }

    /// The last record: what to keep elsewhere as an anchor.
    #[must_use]
    pub fn last(&self) -> Receipt {
        let end = self
            .inner
            .end
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Receipt {
            // Opening wrote one.
            sequence: end.records.saturating_sub(1),
            hash: end.last_hash.clone(),
        }
    }

    /// What stands for a content in the log, 64 hexadecimal digits: its BLAKE3 hash, with the key if
    /// there is one ([`AuditOptions::key`]).
    #[must_use]
    pub fn digest(&self, content: &[u8]) -> String {
        match &self.inner.options.key {
            Some(key) => blake3::keyed_hash(key, content).to_string(),
            None => blake3::hash(content).to_string(),
        }
    }
}

impl Inner {
    /// Whether the path still names the open file, and nobody else cut or continued it: locks bind only who asks for them.
    fn check(&self, end: &End) -> Result<()> {
        let refused = || Error::io(&self.path, "look whether the log is where it was opened");
        let open = end.file.metadata().map_err(refused())?;
        let named = match std::fs::metadata(&self.absolute) {
            Ok(named) => Some(named),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(refused()(error)),
        };
        let is_there = named.map_or(Ok(false), |named| is_same(&named, &open));
        if !is_there.map_err(refused())? {
            return Err(Error::Replaced {
                path: self.path.clone(),
            });
        }
        if open.len() != end.bytes {
            return Err(Error::Resized {
                path: self.path.clone(),
                expected: end.bytes,
                found: open.len(),
            });
        }
        Ok(())
    }
}

/// Opens a log, or makes one that only its owner can read.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Whether both are of one file.
#[cfg(unix)]
fn is_same(a: &Metadata, b: &Metadata) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    Ok((a.dev(), a.ino()) == (b.dev(), b.ino()))
}

/// Elsewhere the standard library does not say which file it is: by what two logs hardly have in common. Two that do not say
/// when they were made are not therefore one.
#[cfg(not(unix))]
fn is_same(a: &Metadata, b: &Metadata) -> io::Result<bool> {
    Ok(a.len() == b.len() && a.created()? == b.created()?)
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit")
            .field("path", &self.inner.path)
            .finish_non_exhaustive()
    }
}

/// A file that was just made is there after a crash only if its folder is on disk too.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Elsewhere folders cannot be opened, and are written with the file.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that takes no more: here, a file that is open for reading only.
    #[test]
    fn after_a_record_that_was_not_written_there_is_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.jsonl");
        let audit = Audit::open(&path).expect("a log");
        let read_only = File::open(&path).expect("a log");
        let writable = {
            let mut end = audit.inner.end.lock().expect("nobody panicked");
            std::mem::replace(&mut end.file, read_only)
        };
        let first = audit.append("request", &0);
        assert!(matches!(first, Err(Error::Io { .. })), "{first:?}");
        audit.inner.end.lock().expect("nobody panicked").file = writable;
        let second = audit.append("request", &0);
        assert!(matches!(second, Err(Error::Broken { .. })), "{second:?}");
        let verified = crate::verify(&path).expect("a whole log");
        assert_eq!(verified.records, 1);
    }

    /// Calls the log when it is made JSON.
    struct Looking<'a>(&'a Audit);

    impl Serialize for Looking<'_> {
        fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
            // Said before it is called, which would wait for ever.
            let locked = self.0.inner.end.try_lock().is_err();
            assert!(!locked, "the log is locked");
            to.serialize_u64(self.0.last().sequence)
        }
    }

    #[test]
    fn a_body_may_call_the_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.jsonl");
        let audit = Audit::open(&path).expect("a log");
        audit.append("request", &Looking(&audit)).expect("appended");
        let log = std::fs::read_to_string(&path).expect("a log");
        assert!(log.contains("\"event\":\"request\",\"body\":0,"), "{log}");
    }
}
