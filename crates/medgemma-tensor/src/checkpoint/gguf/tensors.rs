//! The table of tensors in a GGUF file's header, each entry held against the file.

use std::collections::BTreeMap;
use std::path::Path;

use medgemma_kernels::Format;

use super::reader::Reader;
use crate::checkpoint::source::{StoredDtype, TensorInfo};
use crate::error::{Error, Result};
use crate::weight::FloatFormat;

/// Axes of a tensor, at most (`GGML_MAX_DIMS`).
const MAX_AXES: u32 = 4;

/// Bytes of the smallest entry: name length, count of axes, one axis, type, offset.
pub(super) const LEAST_ENTRY: usize = 8 + 4 + 8 + 4 + 8;

/// What every message about an unknown type expects.
const SUPPORTED: &str =
    "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or Q6_K, the types read here";

/// Names of types that are not read here, by their numbers.
const OTHER_TYPES: [(u32, &str); 22] = [
    (9, "Q8_1"),
    (10, "Q2_K"),
    (11, "Q3_K"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (40, "NVFP4"),
];

/// A tensor: what it is, and its bytes' place in the file.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) info: TensorInfo,
    pub(super) begin: usize,
    pub(super) end: usize,
}

/// How the numbers of type `number` are stored.
fn format(number: u32) -> Option<Format> {
    Some(match number {
        0 => Format::F32,
        1 => Format::F16,
        2 => Format::Q4_0,
        3 => Format::Q4_1,
        6 => Format::Q5_0,
        7 => Format::Q5_1,
        8 => Format::Q8_0,
        12 => Format::Q4K,
        13 => Format::Q5K,
        14 => Format::Q6K,
        30 => Format::Bf16,
        _ => return None,
    })
}

fn stored(format: Format) -> StoredDtype {
    match format {
        Format::F32 => StoredDtype::Float(FloatFormat::F32),
        Format::F16 => StoredDtype::Float(FloatFormat::F16),
        Format::Bf16 => StoredDtype::Float(FloatFormat::Bf16),
        blocks => StoredDtype::Blocks(blocks),
    }
}

/// Reads `count` entries, the last of the header; their data begins at the next multiple of
/// `alignment`. `file_len` is the length of the file.
///
/// # Errors
/// [`Error::Truncated`], [`Error::Malformed`], [`Error::DuplicateKey`], [`Error::WrongDtype`],
/// and [`Error::BadEntry`] for tensors outside of the file, over each other, or of an impossible
/// shape.
pub(super) fn read(
    path: &Path,
    reader: &mut Reader<'_>,
    count: usize,
    alignment: usize,
    file_len: usize,
) -> Result<BTreeMap<String, Entry>> {
    let mut entries = BTreeMap::new();
    for _ in 0..count {
        let (name, entry) = read_one(path, reader, alignment)?;
        if entries.contains_key(&name) {
            return Err(Error::DuplicateKey {
                path: path.to_path_buf(),
                key: name,
            });
        }
        entries.insert(name, entry);
    }
    place(
        path,
        &mut entries,
        reader.at().next_multiple_of(alignment),
        file_len,
    )?;
    Ok(entries)
}

/// One entry, its place still relative to the data.
fn read_one(path: &Path, reader: &mut Reader<'_>, alignment: usize) -> Result<(String, Entry)> {
    let name = reader.name("names of tensors in UTF-8")?.to_owned();
    let bad = |expected: String, found: String| Error::BadEntry {
        path: path.to_path_buf(),
        key: name.clone(),
        expected,
        found,
    };
    let axes = reader.u32()?;
    if !(1..=MAX_AXES).contains(&axes) {
        return Err(bad(format!("1 to {MAX_AXES} axes"), axes.to_string()));
    }
    let mut sizes = Vec::new();
    for _ in 0..axes {
        sizes.push(reader.u64()?);
    }
    let number = reader.u32()?;
    let offset = reader.u64()?;
    let Some(format) = format(number) else {
        let known = OTHER_TYPES.iter().find(|(n, _)| *n == number);
        return Err(Error::WrongDtype {
            path: path.to_path_buf(),
            key: name,
            expected: SUPPORTED,
            found: known.map_or_else(|| format!("type {number}"), |(_, name)| (*name).to_owned()),
        });
    };
    // The file has the innermost axis first.
    let shape: Option<Vec<usize>> = sizes
        .iter()
        .rev()
        .map(|&n| usize::try_from(n).ok())
        .collect();
    let bytes = shape.as_deref().and_then(|shape| size(shape, format));
    let (Some(shape), Some(bytes)) = (shape, bytes) else {
        let expected = format!(
            "sizes of at least 1, the first a multiple of {}, of an addressable tensor in {format}",
            format.block_len()
        );
        return Err(bad(expected, format!("{sizes:?}")));
    };
    let begin = usize::try_from(offset).ok();
    let Some(begin) = begin.filter(|begin| begin.is_multiple_of(alignment)) else {
        let expected = format!("an offset that is a multiple of {alignment}");
        return Err(bad(expected, offset.to_string()));
    };
    let Some(end) = begin.checked_add(bytes) else {
        return Err(bad("an offset in the file".to_owned(), offset.to_string()));
    };
    let info = TensorInfo::new(stored(format), shape, bytes as u64);
    Ok((name, Entry { info, begin, end }))
}

/// Bytes of a tensor, or `None` if there is no such tensor.
fn size(shape: &[usize], format: Format) -> Option<usize> {
    let (&inner, outer) = shape.split_last()?;
    let rows = outer.iter().try_fold(1_usize, |n, &d| n.checked_mul(d))?;
    let bytes = format.row_bytes(inner)?.checked_mul(rows)?;
    (bytes > 0).then_some(bytes)
}

/// Makes places absolute; tensors must lie in the file and not over each other.
fn place(
    path: &Path,
    entries: &mut BTreeMap<String, Entry>,
    data: usize,
    file_len: usize,
) -> Result<()> {
    let mut order: Vec<_> = entries.iter_mut().collect();
    order.sort_by_key(|(_, entry)| entry.begin);
    let (mut next, mut before) = (0, None);
    for (name, entry) in order {
        let bad = |expected: String, found: String| Error::BadEntry {
            path: path.to_path_buf(),
            key: name.clone(),
            expected,
            found,
        };
        let (begin, end) = (entry.begin, entry.end);
        if begin < next {
            let before = before.unwrap_or("the header");
            let expected =
                format!("to begin at byte {next} of the data or later, where `{before}` ends");
            return Err(bad(expected, format!("byte {begin}")));
        }
        if end > file_len.saturating_sub(data) {
            let expected = format!(
                "a place in the file's {} data bytes",
                file_len.saturating_sub(data)
            );
            let found = format!("{begin}..{end}; the file may be cut off, download it again");
            return Err(bad(expected, found));
        }
        (next, before) = (end, Some(name.as_str()));
        (entry.begin, entry.end) = (data + begin, data + end);
    }
    Ok(())
}
