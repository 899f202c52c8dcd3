//! One writer at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Error, Result};
use crate::files;

/// Keeps other writers out until it is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct Lock {
    lock: File,
    /// The file `commit`, locked too: without `lock`, which who cleans up may take for a leftover of a
    /// crash and delete, there is an index still, and a second writer would lock another `lock`.
    commit: Option<File>,
}

impl Lock {
    /// Takes the lock of the index in `folder`, or of one that is to be made there.
    pub(crate) fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(files::LOCK);
        let mut options = File::options();
        options.write(true).create(true).truncate(false);
        kept(&mut options);
        let lock = options.open(&path);
        let lock = lock.map_err(Error::io(&path, "open the file"))?;
        try_lock(&lock, folder, &path)?;
        let mut lock = Self { lock, commit: None };
        lock.hold(folder)?;
        Ok(lock)
    }

    /// Locks the file `commit` as well, if there is one and it is not held yet.
    ///
    /// Not on Windows, where nobody could read it any more; there `lock` cannot be deleted while it is
    /// open.
    pub(crate) fn hold(&mut self, folder: &Path) -> Result<()> {
        if self.commit.is_some() || !cfg!(unix) {
            return Ok(());
        }
        let path = folder.join(files::COMMIT);
        let commit = match File::options().write(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            commit => commit.map_err(Error::io(&path, "open the file"))?,
        };
        try_lock(&commit, folder, &path)?;
        self.commit = Some(commit);
        Ok(())
    }
}

fn try_lock(file: &File, folder: &Path, path: &Path) -> Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Error::Locked {
            path: folder.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(Error::io(path, "lock the file")(source)),
    }
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
        // Closing is not enough: a process that another thread is just starting has the open files
        // too, for a moment, and would hold the lock. What fails here is left to closing. `lock` goes
        // last: who has it must not find `commit` locked.
        for file in self.commit.iter().chain([&self.lock]) {
            let _ = file.unlock();
        }
    }
}
