//! One GGUF model: a file, or the parts that `llama-gguf-split` cut it into.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::metadata::{self, GgufMetadata};
use super::reader::Reader;
use super::tensors::{self, Entry};
use crate::checkpoint::map::{MappedBytes, map_file};
use crate::checkpoint::source::{TensorInfo, WeightSource};
use crate::error::{Error, Result};

/// The first four bytes of every file.
const MAGIC: [u8; 4] = *b"GGUF";

/// Where tensors begin if `general.alignment` says nothing else.
const ALIGNMENT: usize = 32;

/// More than any file has reason for.
const MAX_ALIGNMENT: usize = 1 << 16;

/// In how many parts a model is.
const SPLIT_COUNT: &str = "split.count";

/// A GGUF file, or all parts of a split one: memory-mapped, its header read and judged.
///
/// The files must not be changed in place while any tensor made from them is alive; see the
/// `map` module's header for what happens otherwise. Replacing them by renaming is safe.
#[derive(Debug)]
pub struct Gguf {
    parts: Vec<Part>,
    metadata: GgufMetadata,
    tensors: BTreeMap<String, Place>,
}

/// One mapped file.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    bytes: MappedBytes,
}

/// A tensor and the part that it is in.
#[derive(Debug)]
struct Place {
    part: usize,
    entry: Entry,
}

impl Gguf {
    /// Opens the file at `path`. If it is one part of a split model (`…-00001-of-00003.gguf`), the
    /// others are opened too; any part may be named.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NotAFile`], everything that a corrupt file can be accused of (see
    /// [`Error`]), and [`Error::WrongDtype`] for tensors of a type that is not read here.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = map_file(path)?;
        let this = Self::parse(path, bytes)?;
        match split_count(&this.metadata)? {
            0 | 1 => Ok(this),
            count => Self::open_parts(path, count, &this.metadata),
        }
    }

    /// A model of the one file whose content is `bytes`, wherever they come from; messages call it
    /// `name`.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`Error::Config`] for a part of a split model.
    pub fn from_bytes(name: &Path, bytes: MappedBytes) -> Result<Self> {
        let this = Self::parse(name, bytes)?;
        match split_count(&this.metadata)? {
            0 | 1 => Ok(this),
            _ => Err(this.metadata.error(SPLIT_COUNT, "1, a model in one file")),
        }
    }

    /// What the file says of its model. Of a split model: what its first part says.
    #[must_use]
    pub fn metadata(&self) -> &GgufMetadata {
        &self.metadata
    }

    /// The file, or all parts of a split model in their order.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.parts.iter().map(|part| part.path.as_path())
    }

    /// Reads one file's header.
    fn parse(path: &Path, bytes: MappedBytes) -> Result<Self> {
        let mut reader = Reader::new(path, &bytes);
        let (metadata, tensor_count) = keys(path, &bytes, &mut reader)?;
        let alignment = alignment(&metadata)?;
        let entries = tensors::read(path, &mut reader, tensor_count, alignment, bytes.len())?;
        let place = |entry| Place { part: 0, entry };
        let tensors = entries.into_iter().map(|(k, e)| (k, place(e))).collect();
        let path = path.to_path_buf();
        Ok(Self {
            parts: vec![Part { path, bytes }],
            metadata,
            tensors,
        })
    }

    /// Opens all `count` parts of the model of which the part at `path` says what `metadata` does.
    fn open_parts(path: &Path, count: usize, metadata: &GgufMetadata) -> Result<Self> {
        let ending = |part: usize| format!("-{:05}-of-{count:05}.gguf", part + 1);
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(stem) = name.and_then(|name| stem_of(name, count)) else {
            let expected = format!("1, or this part's file name to end like `{}`", ending(0));
            return Err(metadata.error(SPLIT_COUNT, expected));
        };
        let part_path = |part| path.with_file_name(format!("{stem}{}", ending(part)));
        let first = part_path(0);
        let mut whole = Self::parse(&first, map_file(&first)?)?;
        whole.check_part(0, count)?;
        for number in 1..count {
            let path = part_path(number);
            let part = Self::parse(&path, map_file(&path)?)?;
            part.check_part(number, count)?;
            whole.parts.extend(part.parts);
            for (key, mut place) in part.tensors {
                place.part = number;
                if whole.tensors.contains_key(&key) {
                    return Err(Error::DuplicateKey { path, key });
                }
                whole.tensors.insert(key, place);
            }
        }
        Ok(whole)
    }

    /// Whether this file calls itself part `number` (from 0) of `count`.
    fn check_part(&self, number: usize, count: usize) -> Result<()> {
        let found = self.metadata.count("split.no")?;
        if found != Some(number) {
            return Err(self.metadata.error("split.no", number.to_string()));
        }
        if split_count(&self.metadata)? != count {
            return Err(self.metadata.error(SPLIT_COUNT, count.to_string()));
        }
        Ok(())
    }

    /// The names `a` and `b` change places, if both are there.
    pub(super) fn exchange(&mut self, a: &str, b: &str) {
        if let (Some(first), Some(second)) = (self.tensors.remove(a), self.tensors.remove(b)) {
            self.tensors.insert(a.to_owned(), second);
            self.tensors.insert(b.to_owned(), first);
        }
    }
}

impl GgufMetadata {
    /// What the file at `path` says of its model, without a look at its tensors: enough to tell what a file
    /// is, also one whose tensors are of types that are not read here. Of a split model: what this part
    /// says.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NotAFile`], and what corrupt metadata can be accused of (see [`Error`]).
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = map_file(path)?;
        let mut reader = Reader::new(path, &bytes);
        Ok(keys(path, &bytes, &mut reader)?.0)
    }
}

/// What `name` begins with if it ends as that of one of `count` parts, which a file may claim to be millions:
/// `NAME-00002-of-00003.gguf`.
fn stem_of(name: &str, count: usize) -> Option<&str> {
    let name = name.strip_suffix(&format!("-of-{count:05}.gguf"))?;
    let (stem, number) = name.rsplit_once('-')?;
    let part = number.parse().ok()?;
    ((1..=count).contains(&part) && number == format!("{part:05}")).then_some(stem)
}

/// Reads the header up to its table of tensors: the metadata, and how many tensors there are.
fn keys(
    path: &Path,
    bytes: &MappedBytes,
    reader: &mut Reader<'_>,
) -> Result<(GgufMetadata, usize)> {
    let magic = reader.array::<4>()?;
    if magic != MAGIC {
        let found = format!("its first bytes are {magic:?}");
        return Err(reader.malformed("a GGUF file, which begins with \"GGUF\"", found));
    }
    version(path, reader.u32()?)?;
    let tensor_count = reader.kept_count(
        "a table of tensors that fits",
        tensors::LEAST_ENTRY,
        "at most 65536 tensors",
    )?;
    let key_count = reader.kept_count(
        "metadata that fits",
        metadata::LEAST_ENTRY,
        "at most 65536 keys",
    )?;
    let metadata = GgufMetadata::read(path, bytes, reader, key_count)?;
    Ok((metadata, tensor_count))
}

/// Refuses what the rest of the header could not be read by.
fn version(path: &Path, version: u32) -> Result<()> {
    let found = match version {
        2 | 3 => return Ok(()),
        // Read in the wrong order of bytes, a small number becomes a large one.
        n if n.swap_bytes() < n => format!("{}, big-endian", n.swap_bytes()),
        n => n.to_string(),
    };
    Err(Error::Config {
        path: path.to_path_buf(),
        key: "version".to_owned(),
        expected: "GGUF version 2 or 3, little-endian".to_owned(),
        found,
    })
}

fn alignment(metadata: &GgufMetadata) -> Result<usize> {
    const KEY: &str = "general.alignment";
    let alignment = metadata.size(KEY)?.unwrap_or(ALIGNMENT);
    if alignment.is_power_of_two() && alignment <= MAX_ALIGNMENT {
        Ok(alignment)
    } else {
        Err(metadata.error(KEY, format!("a power of two up to {MAX_ALIGNMENT}")))
    }
}

/// `split.count`; 0 where there is none.
fn split_count(metadata: &GgufMetadata) -> Result<usize> {
    Ok(metadata.count(SPLIT_COUNT)?.unwrap_or(0))
}

impl WeightSource for Gguf {
    fn location(&self) -> &Path {
        self.metadata.path()
    }

    fn names(&self) -> Vec<&str> {
        self.tensors.keys().map(String::as_str).collect()
    }

    fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name).map(|place| &place.entry.info)
    }

    fn file(&self, name: &str) -> &Path {
        let place = self.tensors.get(name);
        place.map_or(self.location(), |place| &self.parts[place.part].path)
    }

    fn bytes(&self, name: &str) -> Result<MappedBytes> {
        let Some(Place { part, entry }) = self.tensors.get(name) else {
            return Err(Error::MissingTensor {
                location: self.location().to_path_buf(),
                key: name.to_owned(),
                closest: None,
            });
        };
        Ok(self.parts[*part].bytes.slice(entry.begin..entry.end))
    }

    fn norms_hold_one_plus(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::stem_of;

    #[test]
    fn a_part_is_told_by_its_name_however_many_there_are_said_to_be() {
        let name = "a-of-b-00002-of-00003.gguf";
        assert_eq!(stem_of(name, 3), Some("a-of-b"));
        assert_eq!(stem_of(name, 2), None);
        for number in ["00000", "00004", "3", "000003", "+0003", "0000b"] {
            let name = format!("a-{number}-of-00003.gguf");
            assert_eq!(stem_of(&name, 3), None, "{name}");
        }
        // To try so many would take years.
        let most = usize::MAX;
        let name = format!("a-{most}-of-{most}.gguf");
        assert_eq!(stem_of(&name, most), Some("a"));
        assert_eq!(stem_of("a.gguf", most), None);
    }
}
