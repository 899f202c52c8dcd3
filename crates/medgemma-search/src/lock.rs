//! One writer at a time.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::{Error, Result};
use crate::files;

/// Keeps other writers out until it is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Takes the lock of the index in `folder`, or of one that is to be made there.
    pub(crate) fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(files::LOCK);
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(Error::io(&path, "open the file"))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Error::Locked {
                path: folder.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(Error::io(&path, "lock the file")(source)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a process that another thread is just starting has the open file
        // too, for a moment, and would hold the lock. What fails here is left to closing.
        let _ = self.0.unlock();
    }
}
