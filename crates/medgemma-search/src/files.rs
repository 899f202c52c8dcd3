//! The files of an index, and what it takes to make a change to them last.
//!
//! | file | holds |
//! |---|---|
//! | `header` | model and dimension; written last when an index is made, so it says that there is one |
//! | `vectors` | `[rows, dimension]` f32, little-endian |
//! | `codes` | `[rows, dimension]` i8, see `quantize`; can be made again from `vectors` |
//! | `log` | one frame per batch: ids, metadata, deletions, checksums of the rows in the other files |
//! | `commit` | how far the log is published, in two slots written in turn |
//! | `lock` | empty; locked while a writer is open |

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

pub(crate) const HEADER: &str = "header";
pub(crate) const VECTORS: &str = "vectors";
pub(crate) const CODES: &str = "codes";
pub(crate) const LOG: &str = "log";
pub(crate) const COMMIT: &str = "commit";
pub(crate) const LOCK: &str = "lock";

/// An open file and its name, for errors.
#[derive(Debug)]
pub(crate) struct NamedFile {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
}

impl NamedFile {
    /// Opens `name` in `folder` for reading, and for writing if asked.
    pub(crate) fn open(folder: &Path, name: &str, write: bool) -> Result<Self> {
        let path = folder.join(name);
        let file = OpenOptions::new().read(true).write(write).open(&path);
        let file = file.map_err(Error::io(&path, "open the file"))?;
        Ok(Self { path, file })
    }

    /// The same file once more, for reading.
    pub(crate) fn reopen(other: &Self) -> Result<Self> {
        let path = other.path.clone();
        let file = File::open(&path).map_err(Error::io(&path, "open the file"))?;
        Ok(Self { path, file })
    }

    /// Makes an empty `name` in `folder`, whatever was there.
    pub(crate) fn create(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(true);
        let file = options.open(&path);
        let file = file.map_err(Error::io(&path, "create the file"))?;
        Ok(Self { path, file })
    }

    pub(crate) fn len(&self) -> Result<u64> {
        let meta = self.file.metadata();
        Ok(meta
            .map_err(Error::io(&self.path, "read the length"))?
            .len())
    }

    /// Writes `bytes` at byte `at`.
    pub(crate) fn write_at(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        let mut write = || {
            self.file.seek(SeekFrom::Start(at))?;
            self.file.write_all(bytes)
        };
        write().map_err(Error::io(&self.path, "write to the file"))
    }

    /// Cuts the file to `len` bytes if it is longer: how many bytes went.
    pub(crate) fn cut(&mut self, len: u64) -> Result<u64> {
        let surplus = self.len()?.saturating_sub(len);
        if surplus > 0 {
            let cut = self.file.set_len(len);
            cut.map_err(Error::io(&self.path, "cut the file"))?;
        }
        Ok(surplus)
    }

    /// Returns when the disk has all that was written.
    pub(crate) fn sync(&self) -> Result<()> {
        let synced = self.file.sync_data();
        synced.map_err(Error::io(&self.path, "sync the file to the disk"))
    }
}

/// Replaces `name` in `folder` by a file of `bytes`, wholly or not at all.
pub(crate) fn publish(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let mut fresh = NamedFile::create(folder, &format!("{name}.new"))?;
    fresh.write_at(0, bytes)?;
    fresh.sync()?;
    let path = folder.join(name);
    std::fs::rename(&fresh.path, &path).map_err(Error::io(&path, "rename the new file"))?;
    sync_folder(folder)
}

/// Makes the names in a folder last. Windows has no such call and needs none.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(Error::io(folder, "sync the folder to the disk"))?;
    }
    Ok(())
}
