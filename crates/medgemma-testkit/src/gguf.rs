//! GGUF files taken apart and put together again, so that a test can change any part of one.
//! Written against the format's description, not against the reader that it tests.

use std::path::Path;

/// The content of a GGUF file of version 3.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufFile {
    /// Version in the header.
    pub version: u32,
    /// Keys with their values as they are in the file: the type's number, then the bytes.
    pub keys: Vec<(String, u32, Vec<u8>)>,
    /// Tensors in the order of their data.
    pub tensors: Vec<GgufTensor>,
    /// What data are aligned to.
    pub alignment: usize,
}

/// One tensor of a [`GgufFile`].
#[derive(Debug, Clone, PartialEq)]
pub struct GgufTensor {
    /// Its name.
    pub name: String,
    /// Sizes as in the file, the innermost first.
    pub sizes: Vec<u64>,
    /// The number of its type.
    pub kind: u32,
    /// Its numbers.
    pub bytes: Vec<u8>,
    /// Where the header says that they are; `None` for the truth.
    pub offset: Option<u64>,
}

/// Types of values, by their numbers in the file.
const TEXT: u32 = 8;
const ARRAY: u32 = 9;

impl GgufFile {
    /// Takes a file apart.
    ///
    /// # Panics
    /// If it is not there or is not GGUF.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut rest = &bytes[..];
        assert_eq!(take(&mut rest, 4), b"GGUF", "{}", path.display());
        let version = u32::from_le_bytes(number(&mut rest));
        let tensor_count = long(&mut rest);
        let keys: Vec<_> = (0..long(&mut rest))
            .map(|_| {
                let key = text(&mut rest);
                let kind = u32::from_le_bytes(number(&mut rest));
                let value = rest;
                skip(&mut rest, kind);
                (key, kind, value[..value.len() - rest.len()].to_vec())
            })
            .collect();
        let mut tensors: Vec<_> = (0..tensor_count)
            .map(|_| {
                let name = text(&mut rest);
                let axes = u32::from_le_bytes(number(&mut rest));
                let sizes = (0..axes).map(|_| long(&mut rest) as u64).collect();
                let kind = u32::from_le_bytes(number(&mut rest));
                let offset = Some(long(&mut rest) as u64);
                GgufTensor {
                    name,
                    sizes,
                    kind,
                    bytes: Vec::new(),
                    offset,
                }
            })
            .collect();
        let alignment = 32;
        let data = &bytes[(bytes.len() - rest.len()).next_multiple_of(alignment)..];
        tensors.sort_by_key(|tensor| tensor.offset);
        for tensor in &mut tensors {
            let begin = usize::try_from(tensor.offset.take().unwrap_or(0)).expect("a small file");
            tensor.bytes = data[begin..][..size(tensor)].to_vec();
        }
        Self {
            version,
            keys,
            tensors,
            alignment,
        }
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.keys.len() as u64).to_le_bytes());
        for (key, kind, value) in &self.keys {
            put_text(&mut out, key);
            out.extend(kind.to_le_bytes());
            out.extend(value);
        }
        let mut data = Vec::new();
        for tensor in &self.tensors {
            put_text(&mut out, &tensor.name);
            let axes = u32::try_from(tensor.sizes.len()).expect("few axes");
            out.extend(axes.to_le_bytes());
            for size in &tensor.sizes {
                out.extend(size.to_le_bytes());
            }
            out.extend(tensor.kind.to_le_bytes());
            out.extend(tensor.offset.unwrap_or(data.len() as u64).to_le_bytes());
            data.extend(&tensor.bytes);
            data.resize(data.len().next_multiple_of(self.alignment), 0);
        }
        out.resize(out.len().next_multiple_of(self.alignment), 0);
        out.extend(data);
        out
    }

    /// Writes the file.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, path: &Path) {
        std::fs::write(path, self.to_bytes()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// Sets a key to a text.
    pub fn set_text(&mut self, key: &str, value: &str) {
        let mut bytes = Vec::new();
        put_text(&mut bytes, value);
        self.set(key, TEXT, bytes);
    }

    /// Sets a key to an integer (u32).
    pub fn set_u32(&mut self, key: &str, value: u32) {
        self.set(key, 4, value.to_le_bytes().to_vec());
    }

    /// Sets a key to a number (f32).
    pub fn set_f32(&mut self, key: &str, value: f32) {
        self.set(key, 6, value.to_le_bytes().to_vec());
    }

    /// Sets a key to an array of texts.
    pub fn set_texts(&mut self, key: &str, values: &[&str]) {
        let mut bytes = TEXT.to_le_bytes().to_vec();
        bytes.extend((values.len() as u64).to_le_bytes());
        for value in values {
            put_text(&mut bytes, value);
        }
        self.set(key, ARRAY, bytes);
    }

    /// Sets a key to a value of type `kind`.
    pub fn set(&mut self, key: &str, kind: u32, value: Vec<u8>) {
        self.unset(key);
        self.keys.push((key.to_owned(), kind, value));
    }

    /// Takes a key away.
    pub fn unset(&mut self, key: &str) {
        self.keys.retain(|(k, _, _)| k != key);
    }

    /// The tensor of this name.
    ///
    /// # Panics
    /// If there is none.
    pub fn tensor(&mut self, name: &str) -> &mut GgufTensor {
        let found = self.tensors.iter_mut().find(|tensor| tensor.name == name);
        found.unwrap_or_else(|| panic!("no tensor {name:?}"))
    }
}

/// Bytes of a tensor of one of the types that the tests use.
fn size(tensor: &GgufTensor) -> usize {
    let count: u64 = tensor.sizes.iter().product();
    let count = usize::try_from(count).expect("a small file");
    match tensor.kind {
        0 => count * 4,
        1 | 30 => count * 2,
        8 => count / 32 * 34,
        other => panic!("type {other} is not used by any fixture"),
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(count);
    *rest = left;
    taken
}

fn number<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    take(rest, N).try_into().expect("as many as asked for")
}

fn long(rest: &mut &[u8]) -> usize {
    usize::try_from(u64::from_le_bytes(number(rest))).expect("a small file")
}

fn text(rest: &mut &[u8]) -> String {
    let length = long(rest);
    String::from_utf8(take(rest, length).to_vec()).expect("UTF-8")
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// Skips a value of type `kind`.
fn skip(rest: &mut &[u8], kind: u32) {
    let plain = match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        TEXT => long(rest),
        ARRAY => {
            let element = u32::from_le_bytes(number(rest));
            for _ in 0..long(rest) {
                skip(rest, element);
            }
            0
        }
        other => panic!("no type {other}"),
    };
    take(rest, plain);
}
