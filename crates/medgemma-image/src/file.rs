//! Opening what is a file.

use std::fs::File;
use std::io::{Error as IoError, ErrorKind};
use std::path::Path;

use crate::error::{Error, Result};

/// Opens a file, and nothing else: opening or reading a pipe could wait for ever.
///
/// # Errors
/// [`Error::Io`].
pub(crate) fn open(path: &Path) -> Result<File> {
    let io = |source| Error::io(path, source);
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        let source = IoError::new(ErrorKind::InvalidInput, "not a regular file");
        return Err(io(source));
    }
    File::open(path).map_err(io)
}
