//! The files of an index, and what it takes to make a change to them last.
//!
//! | file | holds |
//! |---|---|
//! | `header` | model, dimension, identity; written last when an index is made, so it says that there is one |
//! | `vectors` | `[rows, dimension]` f32, little-endian |
//! | `codes` | `[rows, dimension]` i8, see `quantize`; can be made again from `vectors` |
//! | `log` | one frame per batch: ids, metadata, deletions, checksums of the rows in the other files |
//! | `commit` | identity, and how far the log is published, in two slots written in turn |
//! | `lock` | empty; locked while a writer is open |

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
#[cfg(test)]
use crate::journal::{Step, note};

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
    /// Opens `name` in `folder`, which an index has, for reading, and for writing if asked. `remedy`
    /// is what to do where there is none.
    pub(crate) fn open(
        folder: &Path,
        name: &str,
        write: bool,
        remedy: &'static str,
    ) -> Result<Self> {
        let path = folder.join(name);
        expect_file(&path)?;
        let file = OpenOptions::new().read(true).write(write).open(&path);
        let file = file.map_err(|error| unopened(&path, remedy, error))?;
        Ok(Self { path, file })
    }

    /// Makes an empty `name` in `folder`, whatever file was there.
    pub(crate) fn create(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        expect_file(&path)?;
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(true);
        private(options, folder);
        let create = || {
            #[cfg(test)]
            note(Step::Create, &path)?;
            let file = options.open(&path)?;
            share(&file, folder);
            Ok(file)
        };
        let file = create().map_err(Error::io(&path, "create the file"))?;
        Ok(Self { path, file })
    }

    pub(crate) fn len(&self) -> Result<u64> {
        let meta = self.file.metadata();
        Ok(meta
            .map_err(Error::io(&self.path, "read the length"))?
            .len())
    }

    /// Fills `buffer` with the bytes from `at` on. Several threads may read at a time.
    pub(crate) fn read_at(&self, at: u64, buffer: &mut [u8]) -> Result<()> {
        read_exact_at(&self.file, at, buffer).map_err(Error::io(&self.path, "read the file"))
    }

    /// Writes `bytes` at byte `at`.
    pub(crate) fn write_at(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        let mut write = || {
            #[cfg(test)]
            note(Step::Write, &self.path)?;
            self.file.seek(SeekFrom::Start(at))?;
            self.file.write_all(bytes)
        };
        write().map_err(Error::io(&self.path, "write to the file"))
    }

    /// Writes the bytes of a part once more, as they are.
    pub(crate) fn rewrite(&mut self, part: Range<u64>) -> Result<()> {
        let mut buffer = vec![0; 1 << 18];
        let mut at = part.start;
        while at < part.end {
            let left = usize::try_from(part.end - at).unwrap_or(usize::MAX);
            let bytes = &mut buffer[..left.min(1 << 18)];
            self.read_at(at, bytes)?;
            self.write_at(at, bytes)?;
            at += bytes.len() as u64;
        }
        Ok(())
    }

    /// Cuts the file to `len` bytes if it is longer: how many bytes went.
    pub(crate) fn cut(&mut self, len: u64) -> Result<u64> {
        let surplus = self.len()?.saturating_sub(len);
        if surplus > 0 {
            let cut = || {
                #[cfg(test)]
                note(Step::Cut, &self.path)?;
                self.file.set_len(len)
            };
            cut().map_err(Error::io(&self.path, "cut the file"))?;
        }
        Ok(surplus)
    }

    /// Returns when the disk has all that was written.
    pub(crate) fn sync(&self) -> Result<()> {
        let sync = || {
            #[cfg(test)]
            note(Step::Sync, &self.path)?;
            self.file.sync_data()
        };
        sync().map_err(Error::io(&self.path, "sync the file to the disk"))
    }
}

/// Rights that a new file of the index in `folder` gets: its owner's only, since it tells of patients' pictures. Where the
/// owner has let others in, those of the header, so that a file that is made later is not kept from them.
#[cfg(unix)]
fn mode(folder: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    let header = std::fs::metadata(folder.join(HEADER));
    header.map_or(0, |header| header.permissions().mode() & 0o666) | 0o600
}

/// Opens a new file with these rights at most, so that nobody else can open it before it has them all.
#[cfg(unix)]
pub(crate) fn private(options: &mut OpenOptions, folder: &Path) {
    std::os::unix::fs::OpenOptionsExt::mode(options, mode(folder));
}

/// Gives these rights to what was there before, and those that the `umask` took. File systems without rights refuse it.
#[cfg(unix)]
pub(crate) fn share(file: &File, folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    drop(file.set_permissions(std::fs::Permissions::from_mode(mode(folder))));
}

/// Elsewhere a file has the rights of its folder.
#[cfg(not(unix))]
pub(crate) fn private(_: &mut OpenOptions, _: &Path) {}

/// Elsewhere a file has the rights of its folder.
#[cfg(not(unix))]
pub(crate) fn share(_: &File, _: &Path) {}

/// An error if something else than a file is at `path`: opening or reading a pipe could wait for ever.
pub(crate) fn expect_file(path: &Path) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "it is no file");
            Err(Error::io(path, "open the file")(source))
        }
        // What cannot be looked at cannot be opened either, and opening says why.
        _ => Ok(()),
    }
}

/// Reads the file at `path`, `most` bytes of it at the most.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Why a file that an index has cannot be opened. That it is not there is no refusal of the system.
pub(crate) fn unopened(path: &Path, remedy: &'static str, error: io::Error) -> Error {
    if error.kind() != io::ErrorKind::NotFound {
        return Error::io(path, "open the file")(error);
    }
    Error::Damaged {
        path: path.to_owned(),
        at: 0,
        what: "beginning of the file",
        expected: "a file of the index".to_owned(),
        found: "none".to_owned(),
        remedy,
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, at: u64, buffer: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut at: u64, mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, buffer, at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        at += read as u64;
        buffer = &mut buffer[read..];
    }
    Ok(())
}

/// The longest file that making an index can leave unfinished: a header.
const UNFINISHED: u64 = 1 << 17;

/// An error if `name` in `folder` has bytes, which making an index there would destroy, unless
/// `is_unfinished` says that a making that was interrupted has left them.
pub(crate) fn expect_free(
    folder: &Path,
    name: &str,
    is_unfinished: impl Fn(&[u8]) -> bool,
) -> Result<()> {
    let path = folder.join(name);
    let meta = match std::fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        meta => meta.map_err(Error::io(&path, "look for the file"))?,
    };
    if meta.is_file() && meta.len() <= UNFINISHED {
        let bytes = std::fs::read(&path).map_err(Error::io(&path, "read the file"))?;
        if bytes.is_empty() || is_unfinished(&bytes) {
            return Ok(());
        }
    }
    Err(Error::Occupied {
        path,
        bytes: meta.len(),
    })
}

/// Makes `folder` and what is missing above it, so that their names last, and on Unix for their owner only.
pub(crate) fn create_folder(folder: &Path) -> Result<()> {
    let missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let made: Vec<&Path> = folder.ancestors().take_while(missing).collect();
    let create = || {
        #[cfg(test)]
        made.iter()
            .try_for_each(|made| note(Step::CreateFolder, made))?;
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)
    };
    create().map_err(Error::io(folder, "create the folder"))?;
    made.into_iter()
        .try_for_each(|made| sync_folder(above(made)))
}

/// The folder that has the name `path`.
pub(crate) fn above(path: &Path) -> &Path {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    above.unwrap_or(Path::new("."))
}

/// Replaces `name` in `folder` by a file of `bytes`, wholly or not at all.
pub(crate) fn publish(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let mut fresh = NamedFile::create(folder, &unpublished(name))?;
    fresh.write_at(0, bytes)?;
    fresh.sync()?;
    rename(&fresh.path, &folder.join(name))
}

/// The name that a file has until [`publish`] has written it.
pub(crate) fn unpublished(name: &str) -> String {
    format!("{name}.new")
}

/// Gives the file at `from`, which was synced, its last name in the same folder.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    let rename = || {
        #[cfg(test)]
        note(Step::Rename, to)?;
        std::fs::rename(from, to)
    };
    rename().map_err(Error::io(to, "rename the new file"))?;
    sync_folder(above(to))
}

/// Removes `name` from `folder`, if it is there.
pub(crate) fn remove(folder: &Path, name: &str) -> io::Result<()> {
    let path = folder.join(name);
    #[cfg(test)]
    note(Step::Remove, &path)?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Makes the names in a folder last. Windows has no such call and needs none.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        let sync = || {
            #[cfg(test)]
            note(Step::SyncFolder, folder)?;
            File::open(folder)?.sync_all()
        };
        sync().map_err(Error::io(folder, "sync the folder to the disk"))?;
    }
    Ok(())
}
