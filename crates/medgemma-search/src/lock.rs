//! One writer at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::files;

/// Keeps other writers out until it is dropped, or the process ends in whatever way.
///
/// No file that is read is ever locked: where locks are mandatory, as on Windows and on CIFS, nobody
/// else could read it, not even this process by another handle.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock of the index in `folder`, or of one that is to be made there.
    pub(crate) fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(files::LOCK);
        files::expect_file(&path)?;
        let mut options = File::options();
        options.write(true).create(true).truncate(false);
        files::private(&mut options, folder);
        kept(&mut options);
        let file = options.open(&path);
        let file = file.map_err(Error::io(&path, "open the file"))?;
        files::share(&file, folder);
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked {
                    path: folder.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => {
                return Err(Error::io(&path, "lock the file")(source));
            }
        }
        let lock = Self { file, path };
        lock.expect()?;
        Ok(lock)
    }

    /// An error unless the file that is locked is the one in the folder: who cleans up may have taken
    /// it for a leftover of a crash, and another writer locks another file then.
    pub(crate) fn expect(&self) -> Result<()> {
        if is_at(&self.file, &self.path)? {
            return Ok(());
        }
        Err(Error::Unlocked {
            path: self.path.clone(),
        })
    }
}

/// Whether `path` leads to the open file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let held = file
        .metadata()
        .map_err(Error::io(path, "look at the file"))?;
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        found => {
            let found = found.map_err(Error::io(path, "look at the file"))?;
            Ok((held.dev(), held.ino()) == (found.dev(), found.ino()))
        }
    }
}

/// Elsewhere the file cannot be deleted while it is open.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> Result<bool> {
    Ok(true)
}

/// Lets nobody delete the file while it is open: others may read and write it.
#[cfg(windows)]
fn kept(options: &mut OpenOptions) {
    std::os::windows::fs::OpenOptionsExt::share_mode(options, 1 | 2);
}

#[cfg(not(windows))]
fn kept(_: &mut OpenOptions) {}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a process that another thread is just starting has the open file
        // too, for a moment, and would hold the lock. What fails here is left to closing.
        let _ = self.file.unlock();
    }
}
