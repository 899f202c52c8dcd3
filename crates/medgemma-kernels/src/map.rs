//! Read-only memory maps of files.
//!
//! What happens when the file changes underneath a map, since no program can prevent it:
//! * it grows, or is replaced by rename or deleted: nothing, the map keeps the bytes it was made of;
//! * overwritten in place: later reads see the new bytes, so whoever maps a file must be able to
//!   live with any bytes in it;
//! * truncated: reading past the new end kills the process with `SIGBUS` on Unix (Windows refuses
//!   to truncate a mapped file).

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};

/// A file's first bytes, read-only, as the module of [`map_file`] says. Pages are read when they are
/// first looked at, and are the system's to drop again.
pub struct Map(Option<memmap2::Mmap>);

impl Map {
    /// Lets the system have the memory back that these bytes take. Whoever reads them again reads the
    /// file again. Does nothing where there is no such call: the system drops pages by itself.
    ///
    /// # Errors
    /// What the system says; the bytes are readable as before.
    ///
    /// # Panics
    /// When the map has no such bytes.
    pub fn release(&self, range: Range<usize>) -> io::Result<()> {
        let bytes = &self[range.clone()];
        #[cfg(unix)]
        if let Some(map) = &self.0 {
            let advice = memmap2::UncheckedAdvice::DontNeed;
            // SAFETY: the map has the range, is read-only and of a file, so that a page that was dropped
            // has the file's bytes when it is next read, like one that was never read. Neighbours that
            // share the first page or the last lose nothing by it.
            unsafe { map.unchecked_advise_range(advice, range.start, bytes.len())? };
        }
        let _ = bytes;
        Ok(())
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for Map {
    /// Shows the length only: files are gigabytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("len", &self.len()).finish()
    }
}

/// Maps the first `len` bytes of `file` read-only.
///
/// The file must keep those bytes while the map lives: if it is truncated below them, reading them
/// ends the process (`SIGBUS` on Unix). If they are overwritten, later reads see what was written.
/// That it grows or is replaced by a rename is harmless.
///
/// # Errors
/// [`io::ErrorKind::UnexpectedEof`] when the file is shorter, [`io::ErrorKind::InvalidInput`] when it
/// is no regular file or longer than the address space, or what the system says.
pub fn map_file(file: &File, len: u64) -> io::Result<Map> {
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    if meta.len() < len {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("{} bytes, not {len}", meta.len()),
        ));
    }
    let len = usize::try_from(len)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "beyond the address space"))?;
    if len == 0 {
        // Not every system maps nothing.
        return Ok(Map(None));
    }
    // SAFETY: the map is read-only and only ever exposed as `&[u8]`, for which every bit pattern is
    // valid, and the file has the bytes. What remains is that nobody changes them meanwhile, which
    // no program can check: the documentation states the consequences.
    let map = unsafe { memmap2::MmapOptions::new().len(len).map(file)? };
    Ok(Map(Some(map)))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{ErrorKind, Write};

    use super::map_file;

    #[test]
    fn a_map_has_the_bytes_it_was_asked_for_while_the_file_grows_and_goes() {
        let directory = tempfile::tempdir().expect("a folder");
        let path = directory.path().join("file");
        std::fs::write(&path, b"published").expect("written");
        let file = File::open(&path).expect("opened");
        let map = map_file(&file, 4).expect("mapped");
        let mut writer = File::options().append(true).open(&path).expect("opened");
        writer.write_all(&[7; 1 << 16]).expect("written");
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(&*map, b"publ");
        assert_eq!(format!("{map:?}"), "Map { len: 4 }");
        assert_eq!(
            map_file(&file, 9 + (1 << 16)).expect("mapped").len(),
            9 + (1 << 16)
        );
    }

    #[test]
    fn what_was_given_back_is_read_again() {
        let directory = tempfile::tempdir().expect("a folder");
        let path = directory.path().join("file");
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(5 << 16).collect();
        std::fs::write(&path, &bytes).expect("written");
        let file = File::open(&path).expect("opened");
        let map = map_file(&file, 5 << 16).expect("mapped");
        assert_eq!(*map, *bytes);
        for range in [0..5 << 16, 70_001..200_003, 9..9] {
            map.release(range).expect("given back");
            assert_eq!(*map, *bytes);
        }
        let empty = map_file(&file, 0).expect("mapped");
        empty.release(0..0).expect("nothing to give back");
        let beyond = std::panic::AssertUnwindSafe(|| map.release(70_001..(5 << 16) + 1));
        std::panic::catch_unwind(beyond).expect_err("the map ends before");
    }

    #[test]
    fn what_cannot_be_mapped_is_an_error() {
        let directory = tempfile::tempdir().expect("a folder");
        let path = directory.path().join("file");
        std::fs::write(&path, b"12").expect("written");
        let file = File::open(&path).expect("opened");
        assert!(map_file(&file, 0).expect("mapped").is_empty());
        let error = map_file(&file, 3).expect_err("too short");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        if let Ok(folder) = File::open(directory.path()) {
            let error = map_file(&folder, 0).expect_err("a folder");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
    }
}
