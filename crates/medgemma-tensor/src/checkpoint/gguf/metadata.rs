//! The metadata of a GGUF file: keys with typed values. Values stay in the file; getters look at
//! them and say, by file and key, what is not as expected.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::reader::Reader;
use crate::checkpoint::json::{MAX_CONFIG_SIZE, shorten};
use crate::checkpoint::map::MappedBytes;
use crate::error::{Error, Result};

/// Arrays in arrays, and so on, at most. No known key nests at all.
const MAX_DEPTH: usize = 3;

/// Bytes of the smallest key with its value: the key's length, one byte, the type, one byte.
pub(super) const LEAST_ENTRY: usize = 8 + 1 + 4 + 1;

/// The kinds of values, by their numbers in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    Text,
    Array,
    U64,
    I64,
    F64,
}

impl Kind {
    const ALL: [Self; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Bool,
        Self::Text,
        Self::Array,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let number = reader.u32()?;
        let kind = usize::try_from(number)
            .ok()
            .and_then(|i| Self::ALL.get(i).copied());
        kind.ok_or_else(|| reader.malformed("a type of value from 0 to 12", number.to_string()))
    }

    /// Bytes of a value, where all have the same.
    fn size(self) -> Option<usize> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::Text | Self::Array => None,
        }
    }

    /// Skips a value and returns where its bytes are; of a text those after its length.
    fn skip(self, reader: &mut Reader<'_>, depth: usize) -> Result<Range<usize>> {
        match self {
            Self::Text => reader.string(),
            Self::Array => {
                let begin = reader.at();
                List::read(reader, depth)?;
                Ok(begin..reader.at())
            }
            // One of the sizes above.
            plain => reader.skip(plain.size().unwrap_or(8) as u64),
        }
    }
}

/// An array: what its elements are, how many, and where.
#[derive(Debug, Clone)]
struct List {
    kind: Kind,
    count: usize,
    range: Range<usize>,
}

impl List {
    fn read(reader: &mut Reader<'_>, depth: usize) -> Result<Self> {
        if depth > MAX_DEPTH {
            return Err(reader.malformed("arrays without many arrays inside", "more levels"));
        }
        let kind = Kind::read(reader)?;
        // The shortest text is its length, the shortest array its type and its length.
        let least = match kind {
            Kind::Text => 8,
            Kind::Array => 12,
            plain => plain.size().unwrap_or(1),
        };
        let count = reader.count("an array that fits into the file", least)?;
        let begin = reader.at();
        match kind.size() {
            Some(size) => {
                reader.skip((size * count) as u64)?;
            }
            None => {
                for _ in 0..count {
                    kind.skip(reader, depth + 1)?;
                }
            }
        }
        Ok(Self {
            kind,
            count,
            range: begin..reader.at(),
        })
    }
}

/// A value: its kind and where it is.
#[derive(Debug, Clone)]
enum Entry {
    One(Kind, Range<usize>),
    Many(List),
}

/// The metadata of a GGUF file. Getters return `None` for a key that is not there and
/// [`Error::Config`] for a value that is not as asked.
#[derive(Debug, Clone)]
pub struct GgufMetadata {
    path: PathBuf,
    bytes: MappedBytes,
    entries: BTreeMap<String, Entry>,
}

impl GgufMetadata {
    /// Reads `count` keys with their values.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Malformed`], [`Error::DuplicateKey`].
    pub(super) fn read(
        path: &Path,
        bytes: &MappedBytes,
        reader: &mut Reader<'_>,
        count: usize,
    ) -> Result<Self> {
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let key = reader.name("keys in UTF-8")?.to_owned();
            let entry = match Kind::read(reader)? {
                Kind::Array => Entry::Many(List::read(reader, 1)?),
                kind => Entry::One(kind, kind.skip(reader, 0)?),
            };
            if entries.contains_key(&key) {
                return Err(Error::DuplicateKey {
                    path: path.to_path_buf(),
                    key,
                });
            }
            entries.insert(key, entry);
        }
        Ok(Self {
            path: path.to_path_buf(),
            bytes: bytes.clone(),
            entries,
        })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether `key` is there.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The error that `key` is not as `expected`.
    #[must_use]
    pub fn error(&self, key: &str, expected: impl Into<String>) -> Error {
        Error::Config {
            path: self.path.clone(),
            key: key.to_owned(),
            expected: expected.into(),
            found: self.show(key),
        }
    }

    /// A text.
    ///
    /// # Errors
    /// [`Error::Config`] for another value, and for bytes that are not UTF-8.
    pub fn text(&self, key: &str) -> Result<Option<&str>> {
        let text = |entry: &Entry| match entry {
            Entry::One(Kind::Text, range) => std::str::from_utf8(&self.bytes[range.clone()]).ok(),
            _ => None,
        };
        self.get(key, "a text in UTF-8", text)
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// [`Error::Config`] for another value.
    pub fn flag(&self, key: &str) -> Result<Option<bool>> {
        self.get(key, "true or false", |entry| match entry {
            Entry::One(Kind::Bool, range) => boolean(self.bytes[range.start]),
            _ => None,
        })
    }

    /// A size: an integer of any type from 1 to [`MAX_CONFIG_SIZE`].
    ///
    /// # Errors
    /// [`Error::Config`] for another value.
    pub fn size(&self, key: &str) -> Result<Option<usize>> {
        let expected = format!("an integer from 1 to {MAX_CONFIG_SIZE}");
        self.get(key, &expected, |entry| {
            let size = usize::try_from(self.one_integer(entry)?).ok()?;
            (1..=MAX_CONFIG_SIZE).contains(&size).then_some(size)
        })
    }

    /// A count or number that may be 0, up to [`MAX_CONFIG_SIZE`].
    ///
    /// # Errors
    /// [`Error::Config`] for another value.
    pub fn count(&self, key: &str) -> Result<Option<usize>> {
        let expected = format!("an integer from 0 to {MAX_CONFIG_SIZE}");
        self.get(key, &expected, |entry| {
            let number = usize::try_from(self.one_integer(entry)?).ok()?;
            (number <= MAX_CONFIG_SIZE).then_some(number)
        })
    }

    /// A token id.
    ///
    /// # Errors
    /// [`Error::Config`] for another value.
    pub fn id(&self, key: &str) -> Result<Option<u32>> {
        self.get(key, "a token id", |entry| {
            let id = u32::try_from(self.one_integer(entry)?).ok()?;
            (id as usize <= MAX_CONFIG_SIZE).then_some(id)
        })
    }

    /// A finite number. One that was stored as f32 becomes the shortest decimal that is stored
    /// so: 1e-6 is 1e-6 again.
    ///
    /// # Errors
    /// [`Error::Config`] for another value.
    pub fn number(&self, key: &str) -> Result<Option<f64>> {
        self.get(key, "a finite number", |entry| {
            let Entry::One(kind, range) = entry else {
                return None;
            };
            let value = float(*kind, &self.bytes[range.clone()])?;
            value.is_finite().then_some(value)
        })
    }

    /// An array of texts.
    ///
    /// # Errors
    /// [`Error::Config`] for another value, and for bytes that are not UTF-8.
    pub fn texts(&self, key: &str) -> Result<Option<Vec<&str>>> {
        self.get(key, "an array of texts in UTF-8", |entry| {
            let list = many(entry, |kind| kind == Kind::Text)?;
            let mut rest = &self.bytes[list.range.clone()];
            let mut texts = Vec::with_capacity(list.count);
            while let Some((length, tail)) = rest.split_first_chunk() {
                let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
                let (text, tail) = tail.split_at_checked(length)?;
                texts.push(std::str::from_utf8(text).ok()?);
                rest = tail;
            }
            Some(texts)
        })
    }

    /// An array of finite numbers.
    ///
    /// # Errors
    /// [`Error::Config`] for another value.
    pub fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>> {
        self.get(key, "an array of finite numbers", |entry| {
            let list = many(entry, |kind| matches!(kind, Kind::F32 | Kind::F64))?;
            let size = list.kind.size()?;
            let values = self.bytes[list.range.clone()].chunks_exact(size);
            values
                .map(|bytes| float(list.kind, bytes).filter(|value| value.is_finite()))
                .collect()
        })
    }

    /// An array of integers of any type, or of `true` and `false` as 1 and 0.
    ///
    /// # Errors
    /// [`Error::Config`] for another value.
    pub fn integers(&self, key: &str) -> Result<Option<Vec<i64>>> {
        self.get(key, "an array of integers", |entry| {
            let list = many(entry, |_| true)?;
            let size = list.kind.size()?;
            let values = self.bytes[list.range.clone()].chunks_exact(size);
            values.map(|bytes| integer(list.kind, bytes)).collect()
        })
    }

    fn get<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&Entry) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(entry) = self.entries.get(key) else {
            return Ok(None);
        };
        read(entry)
            .map(Some)
            .ok_or_else(|| self.error(key, expected))
    }

    fn one_integer(&self, entry: &Entry) -> Option<i64> {
        match entry {
            Entry::One(Kind::Bool, _) | Entry::Many(_) => None,
            Entry::One(kind, range) => integer(*kind, &self.bytes[range.clone()]),
        }
    }

    /// The value of `key`, for messages.
    fn show(&self, key: &str) -> String {
        match self.entries.get(key) {
            None => "nothing".to_owned(),
            Some(Entry::Many(list)) => format!("{} values of type {:?}", list.count, list.kind),
            Some(Entry::One(kind, range)) => {
                let bytes = &self.bytes[range.clone()];
                let number = || integer(*kind, bytes).map(|n| n.to_string());
                let float = || float(*kind, bytes).map(|x| x.to_string());
                let text = || shorten(&format!("{:?}", String::from_utf8_lossy(bytes)));
                number().or_else(float).unwrap_or_else(text)
            }
        }
    }
}

/// The array that `entry` is, if its elements are of a kind that will do.
fn many(entry: &Entry, will_do: impl FnOnce(Kind) -> bool) -> Option<&List> {
    match entry {
        Entry::Many(list) if will_do(list.kind) => Some(list),
        _ => None,
    }
}

fn boolean(byte: u8) -> Option<bool> {
    match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// An integer, if `kind` is one and it fits.
fn integer(kind: Kind, bytes: &[u8]) -> Option<i64> {
    match kind {
        Kind::U8 => bytes.first().map(|&b| i64::from(b)),
        Kind::Bool => boolean(*bytes.first()?).map(i64::from),
        Kind::I8 => bytes.try_into().ok().map(|b| i8::from_le_bytes(b).into()),
        Kind::U16 => bytes.try_into().ok().map(|b| u16::from_le_bytes(b).into()),
        Kind::I16 => bytes.try_into().ok().map(|b| i16::from_le_bytes(b).into()),
        Kind::U32 => bytes.try_into().ok().map(|b| u32::from_le_bytes(b).into()),
        Kind::I32 => bytes.try_into().ok().map(|b| i32::from_le_bytes(b).into()),
        Kind::I64 => bytes.try_into().ok().map(i64::from_le_bytes),
        Kind::U64 => i64::try_from(bytes.try_into().ok().map(u64::from_le_bytes)?).ok(),
        Kind::F32 | Kind::F64 | Kind::Text | Kind::Array => None,
    }
}

/// A float, if `kind` is one.
fn float(kind: Kind, bytes: &[u8]) -> Option<f64> {
    match kind {
        Kind::F64 => bytes.try_into().ok().map(f64::from_le_bytes),
        Kind::F32 => {
            let value = f32::from_le_bytes(bytes.try_into().ok()?);
            value.to_string().parse().ok()
        }
        _ => None,
    }
}
