//! Soft tokens in files of one folder, bounded together, each whole or taken for missing.
//!
//! A file holds a magic, rows, width, its own key, a checksum of the numbers, and the numbers in f32,
//! all little-endian. The key inside finds a file that was renamed to another's name.
//!
//! The folder may be one that other programs keep files in, so only names that are given here are
//! counted and deleted.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};

const MAGIC: &[u8; 8] = b"MGSOFT01";
const HEADER: usize = 8 + 8 + 8 + 32 + 32;
const WHOLE: &str = "soft";
const PART: &str = "part";

/// A half-written file that is older than this was left behind by a process that is gone.
const STALE: Duration = Duration::from_secs(3600);

pub(super) struct Folder {
    path: PathBuf,
    limit: u64,
    /// Tells apart what several threads write at once.
    written: AtomicU64,
}

/// A file that counts towards the limit.
struct Entry {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl Folder {
    /// # Errors
    /// [`Error::VisionCacheFolder`] when there is no such folder and none can be made.
    pub(super) fn new(path: PathBuf, limit: u64) -> Result<Self> {
        make(&path).map_err(|source| Error::VisionCacheFolder {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            path,
            limit,
            written: AtomicU64::new(0),
        })
    }

    /// The numbers of that name, if there is a whole file of that many.
    pub(super) fn read(&self, key: &blake3::Hash, dims: [usize; 2]) -> Option<Vec<f32>> {
        let path = self.place(key);
        let file = File::open(&path).ok()?;
        // Before anything is read: a file of another size is not the one, however long it is.
        let expected = HEADER + dims[0] * dims[1] * size_of::<f32>();
        if file.metadata().ok()?.len() != expected as u64 {
            tracing::warn!(file = %path.display(), "an encoded image has another length; it is encoded again");
            return None;
        }
        let bytes = fs::read(&path).ok()?;
        let (found, numbers) = bytes.split_at_checked(HEADER)?;
        if found != header(key, dims, numbers) || bytes.len() != expected {
            tracing::warn!(file = %path.display(), "an encoded image is damaged; it is encoded again");
            return None;
        }
        // Used just now; if the time cannot be set, the file is only deleted earlier than others.
        let _ = file.set_modified(SystemTime::now());
        let (numbers, _) = numbers.as_chunks::<4>();
        Some(numbers.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }

    /// Keeps numbers under that name. What goes wrong is only logged: the answer does not need it.
    pub(super) fn write(&self, key: &blake3::Hash, dims: [usize; 2], values: &[f32]) {
        let numbers: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let bytes = (HEADER + numbers.len()) as u64;
        if bytes > self.limit {
            return;
        }
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let part = self.path.join(format!(
            "{}.{}.{number}.{PART}",
            key.to_hex(),
            std::process::id()
        ));
        let done = self.make_room(bytes).and_then(|()| {
            let mut file = private(&part)?;
            file.write_all(&header(key, dims, &numbers))?;
            file.write_all(&numbers)?;
            // A power cut may leave the new name on an empty file; its length gives it away then.
            drop(file);
            fs::rename(&part, self.place(key))
        });
        if let Err(error) = done {
            tracing::warn!(folder = %self.path.display(), %error, "an encoded image could not be kept");
            let _ = fs::remove_file(&part);
        }
    }

    /// Deletes what was not used for longest until this many bytes fit, and parts of files that
    /// nobody finishes.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            // Another process may have deleted it meanwhile.
            let Ok(data) = fs::metadata(&path) else {
                continue;
            };
            let used = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let kind = path.file_name().and_then(kind);
            if kind == Some(PART) && used.elapsed().is_ok_and(|age| age > STALE) {
                let _ = fs::remove_file(&path);
            } else if kind == Some(WHOLE) && data.is_file() {
                entries.push(Entry {
                    bytes: data.len(),
                    path,
                    used,
                });
            }
        }
        entries.sort_by_key(|entry| entry.used);
        let mut total: u64 = entries.iter().map(|entry| entry.bytes).sum();
        for entry in entries {
            if total + bytes <= self.limit {
                break;
            }
            match fs::remove_file(&entry.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => total -= entry.bytes,
            }
        }
        Ok(())
    }

    fn place(&self, key: &blake3::Hash) -> PathBuf {
        self.path.join(format!("{}.{WHOLE}", key.to_hex()))
    }
}

/// [`WHOLE`] or [`PART`], for a name that [`Folder::write`] gives.
fn kind(name: &OsStr) -> Option<&'static str> {
    let mut parts = name.to_str()?.split('.');
    let key = parts.next()?;
    let lower_hex = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if key.len() != 2 * blake3::OUT_LEN || !key.bytes().all(lower_hex) {
        return None;
    }
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match *parts.collect::<Vec<_>>() {
        [extension] if extension == WHOLE => Some(WHOLE),
        [process, count, extension] if extension == PART && number(process) && number(count) => {
            Some(PART)
        }
        _ => None,
    }
}

/// What stands before the numbers.
fn header(key: &blake3::Hash, dims: [usize; 2], numbers: &[u8]) -> Vec<u8> {
    let [rows, width] = dims.map(|side| (side as u64).to_le_bytes());
    [
        &MAGIC[..],
        &rows,
        &width,
        key.as_bytes(),
        blake3::hash(numbers).as_bytes(),
    ]
    .concat()
}

/// A folder that others cannot look into, unless it is there already.
fn make(path: &std::path::Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A new file that only its owner can read.
fn private(path: &std::path::Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
