//! The file that saves quantising a model twice: a safetensors file of bytes beside its weights.
//!
//! It says in its header what it was made from, and has a checksum of each matrix. Whatever is wrong
//! with it, the model is loaded all the same: what it should have held is made again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use medgemma_kernels::{Format, Matrix};
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensors};

use super::header;
use super::map::{MappedBytes, map_file};
use super::precision::{Precision, quantized};
use super::source::WeightSource;
use crate::error::{Error, Result};

/// The format of safetensors entries that hold quantised rows, and of the checks on them. Up to 4, numbers
/// that are not finite were quantised, as zeros: nothing in such a file tells of it.
const VERSION: &str = "5";

/// What is read of either end of a matrix to know it again.
const SAMPLE: usize = 4096;

/// The key of the header under which the rest is told.
const KEY: &str = "medgemma";

/// A matrix in a cache.
struct Entry {
    bytes: MappedBytes,
    checksum: u32,
}

/// What a cache file holds, by name.
type Entries = BTreeMap<String, Entry>;

/// Quantised matrices of one model, kept in a file so that the next load maps instead of computes.
pub(super) struct Cache {
    path: PathBuf,
    identity: String,
    /// A file that it is made from, for whoever may read it.
    like: PathBuf,
    /// Of an existing file that fits.
    found: Entries,
    made: Entries,
}

impl Cache {
    /// Opens the cache at `path` for a model loaded from `source`, of which it holds the tensors
    /// `quantized`, or begins a new one. A cache that cannot be read or fits no more is no error: it is
    /// made again.
    ///
    /// Only these tensors and the files that they are in tell one cache from another: the same text model
    /// is loaded now with its vision part, now without.
    ///
    /// # Errors
    /// [`Error::Io`] when a source file cannot be looked at.
    pub(super) fn open<'a>(
        path: PathBuf,
        source: &dyn WeightSource,
        precision: Precision,
        quantized: impl Iterator<Item = &'a str>,
    ) -> Result<Self> {
        let names: Vec<&str> = quantized.collect();
        let files: BTreeSet<&Path> = names.iter().map(|name| source.file(name)).collect();
        let content = content(source, &names)?;
        let identity = identity(&files, precision, content)?;
        sweep(&path);
        Ok(Self {
            found: read(&path, &identity),
            path,
            identity,
            like: files.first().map_or_else(PathBuf::new, PathBuf::from),
            made: Entries::new(),
        })
    }

    /// The bytes of `name`, from the file or made now; `None` as [`quantized`] has it.
    pub(super) fn rows(
        &mut self,
        name: &str,
        matrix: Matrix<'_>,
        to: Format,
    ) -> Option<MappedBytes> {
        let expected = to.row_bytes(matrix.cols()).map(|row| row * matrix.rows());
        // By its format, too: embeddings of one file are held otherwise on other devices.
        let key = format!("{name} {to}");
        if let Some(found) = self.found.get(&key)
            && Some(found.bytes.len()) == expected
        {
            if crc32fast::hash(&found.bytes) == found.checksum {
                return Some(found.bytes.clone());
            }
            tracing::warn!(
                path = %self.path.display(),
                matrix = name,
                "a matrix in the cache of quantised weights is damaged; it is quantised again"
            );
        }
        let bytes = quantized(matrix, to)?;
        let entry = Entry {
            checksum: crc32fast::hash(&bytes),
            bytes: bytes.clone(),
        };
        self.made.insert(key, entry);
        Some(bytes)
    }

    /// Writes what was made, complete or not at all. What goes wrong is only logged: the model that
    /// was just loaded does not need the file.
    pub(super) fn finish(mut self) {
        if self.made.is_empty() {
            return;
        }
        let was_there = !self.found.is_empty();
        self.found.append(&mut self.made);
        let scratch = self.scratch();
        let Err(error) = self.write(&scratch) else {
            return;
        };
        // What is left of it must not fill the disk; the first error is the one to tell.
        let _ = std::fs::remove_file(&scratch);
        let path = self.path.display();
        let fits = map_file(&self.path).is_ok_and(|file| entries(&file, &self.identity).is_some());
        if fits && !was_there {
            tracing::debug!(%path, %error, "another load has written the cache of quantised weights");
        } else {
            tracing::warn!(
                %path,
                %error,
                "the quantised weights cannot be kept; the next load quantises again"
            );
        }
    }

    /// A name beside the cache's that no other load uses, in this process or another: on a volume that
    /// several containers share, ids of processes are the same.
    fn scratch(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        // Every state has keys of its own, from the system's random numbers.
        let random = RandomState::new().hash_one(std::process::id());
        self.path.with_file_name(format!(".{name}.{random:016x}"))
    }

    fn write(&self, scratch: &Path) -> io::Result<()> {
        let mut file = begin(scratch)?;
        file.write_all(&self.header()?)?;
        for entry in self.found.values() {
            file.write_all(&entry.bytes)?;
        }
        file.sync_all()?;
        // It was made for its owner alone; whoever may read the weights may read it.
        #[cfg(unix)]
        if let Err(error) =
            std::fs::metadata(&self.like).and_then(|like| file.set_permissions(like.permissions()))
        {
            tracing::debug!(%error, "the cache of quantised weights stays its owner's");
        }
        std::fs::rename(scratch, &self.path)
    }

    /// What a safetensors file of the entries begins with. The file is written here and not by
    /// `safetensors`, which takes a name and writes to a file of another one: nobody could tell whose
    /// that is when the process ends before it is renamed.
    fn header(&self) -> io::Result<Vec<u8>> {
        let mut end = 0;
        let tensors = self.found.iter().map(|(name, Entry { bytes, .. })| {
            let begin = end;
            end += bytes.len();
            let info = TensorInfo {
                dtype: Dtype::U8,
                shape: vec![bytes.len()],
                data_offsets: (begin, end),
            };
            (name.clone(), info)
        });
        let tensors = tensors.collect();
        let mut told = self.identity.clone();
        for (name, entry) in &self.found {
            told += &format!("\n{:08x} {name}", entry.checksum);
        }
        let metadata = Metadata::new(Some([(KEY.to_owned(), told)].into()), tensors)
            .map_err(|error| io::Error::other(error.to_string()))?;
        let mut json = serde_json::to_vec(&metadata)?;
        json.resize(json.len().next_multiple_of(8), b' ');
        let length = (json.len() as u64).to_le_bytes();
        Ok([&length[..], &json].concat())
    }
}

/// Makes the file `scratch`, which is locked while it is open: so others can tell it from one that a
/// process which was killed has left.
fn begin(scratch: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(scratch)?;
    // Another load may have come between. Where the file system has no locks, nobody takes one.
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) || !scratch.try_exists()? {
        return Err(io::Error::other(
            "another load took its file for a left one",
        ));
    }
    Ok(file)
}

/// Removes what loads that were killed have left beside the cache `path`, each file as large as the
/// cache: those of [`Cache::scratch`]'s names that nobody has locked. What cannot be removed stays.
fn sweep(path: &Path) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{name}.");
    let is_scratch = |name: &str| {
        let random = name.strip_prefix(&prefix);
        random.is_some_and(|r| r.len() == 16 && r.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    let Ok(entries) = std::fs::read_dir(path.with_file_name(".")) else {
        return;
    };
    for entry in entries.flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file || !entry.file_name().to_str().is_some_and(is_scratch) {
            continue;
        }
        let left = path.with_file_name(entry.file_name());
        // Some network file systems lock for writing only what may be written.
        let Ok(file) = OpenOptions::new().write(true).open(&left) else {
            continue;
        };
        if file.try_lock().is_ok() && std::fs::remove_file(&left).is_ok() {
            tracing::info!(path = %left.display(), "removed what a killed load had left of a cache");
        }
    }
}

/// What the tensors that are quantised are, and how they begin and end.
fn content(source: &dyn WeightSource, names: &[&str]) -> Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    let mut update = |part: &[u8]| {
        // With its length, so that nothing can move from one part to the next.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    };
    for name in names {
        if let Some(info) = source.info(name) {
            update(name.as_bytes());
            update(format!("{} {:?}", info.dtype, info.shape).as_bytes());
        }
        let bytes = source.bytes(name)?;
        update(&bytes[..bytes.len().min(SAMPLE)]);
        update(&bytes[bytes.len().saturating_sub(SAMPLE)..]);
        // With a cache that fits, nothing else of it is ever read.
        bytes.release();
    }
    Ok(hasher.finalize())
}

/// What a cache was made from: version, precision, each file with its size and time of change, and
/// [`content`].
fn identity(
    files: &BTreeSet<&Path>,
    precision: Precision,
    content: blake3::Hash,
) -> Result<String> {
    let mut identity = format!("{VERSION} {precision}");
    for path in files {
        let io = |source| Error::Io {
            path: path.to_path_buf(),
            source,
        };
        let metadata = std::fs::metadata(path).map_err(io)?;
        let changed = metadata.modified().map_err(io)?;
        let changed = changed
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        identity += &format!(
            "\n{} {} {}",
            path.file_name().unwrap_or_default().to_string_lossy(),
            metadata.len(),
            changed.as_nanos()
        );
    }
    Ok(format!("{identity}\n{content}"))
}

/// What the file at `path` holds, if it is whole and was made for `identity`; says why not, if there is
/// one.
fn read(path: &Path, identity: &str) -> Entries {
    let file = match map_file(path) {
        Ok(file) => file,
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Entries::new();
        }
        Err(error) => {
            tracing::warn!(%error, "the cache of quantised weights is not used");
            return Entries::new();
        }
    };
    entries(&file, identity).unwrap_or_else(|| {
        let path = path.display();
        tracing::info!(%path, "the cache of quantised weights is damaged, or of other weights, precision or version; it is made again");
        Entries::new()
    })
}

/// The entries of a cache file that is whole and was made for `identity`.
fn entries(file: &MappedBytes, identity: &str) -> Option<Entries> {
    // Within the bounds that hold for weights: the file may be as strange.
    header::read(Path::new("cache"), file).ok()?;
    let (_, metadata) = SafeTensors::read_metadata(file).ok()?;
    let told = metadata.metadata().as_ref()?.get(KEY)?;
    let checksums = told.strip_prefix(identity)?.lines().filter_map(|line| {
        let (checksum, name) = line.split_once(' ')?;
        Some((name, u32::from_str_radix(checksum, 16).ok()?))
    });
    let checksums: BTreeMap<&str, u32> = checksums.collect();
    let tensors = SafeTensors::deserialize(file).ok()?;
    let entries = tensors.iter().filter_map(|(name, view)| {
        let begin = view.data().as_ptr().addr() - file.as_ptr().addr();
        let entry = Entry {
            bytes: file.slice(begin..begin + view.data().len()),
            checksum: *checksums.get(name)?,
        };
        Some((name.to_owned(), entry))
    });
    Some(entries.collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::{Cache, Entries, KEY, MappedBytes, begin, entries, sweep};

    /// The file may come with a model from anywhere.
    #[test]
    fn a_cache_is_held_to_the_bounds_of_weights() {
        let of = |sizes: usize| {
            let header = serde_json::json!({
                "__metadata__": { KEY: "identity\n00000000 a\n" },
                "a": { "dtype": "U8", "shape": vec![0; sizes], "data_offsets": [0, 0] },
            });
            let header = header.to_string();
            let mut file = (header.len() as u64).to_le_bytes().to_vec();
            file.extend(header.bytes());
            entries(&MappedBytes::from_owner(file), "identity").map(|found| found.len())
        };
        assert_eq!(of(1), Some(1));
        assert_eq!(of(9), None);
    }

    #[test]
    fn no_two_loads_write_to_one_scratch_file() {
        let cache = || Cache {
            path: PathBuf::from("folder/medgemma-int4.cache"),
            identity: String::new(),
            like: PathBuf::new(),
            found: Entries::new(),
            made: Entries::new(),
        };
        let one = cache();
        let names: BTreeSet<PathBuf> = (0..50)
            .flat_map(|_| [one.scratch(), cache().scratch()])
            .collect();
        assert_eq!(names.len(), 100);
        for name in names {
            let name = name.to_string_lossy();
            assert!(name.starts_with("folder/.medgemma-int4.cache."), "{name}");
        }
    }

    #[test]
    fn what_is_being_written_is_locked_until_its_process_ends() {
        let dir = tempfile::tempdir().expect("a scratch folder");
        let path = dir.path().join("cache");
        let scratch = dir.path().join(".cache.0123456789abcdef");
        let written = begin(&scratch).expect("writable");
        sweep(&path);
        assert!(scratch.exists());
        assert!(begin(&scratch).is_err(), "it is another load's");
        // As the system closes the files of a process that was killed.
        drop(written);
        sweep(&path);
        assert!(!scratch.exists());
    }
}
