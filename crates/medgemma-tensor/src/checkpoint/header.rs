//! The header of one safetensors file (8-byte little-endian length, JSON, data), read and judged
//! once. Every entry is checked here so that messages can name its key; the `safetensors` crate,
//! the format's reference, has the last word. Source:
//! <https://github.com/huggingface/safetensors#format>.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use super::json::shorten;
use super::members::{METADATA, Members};
use super::source::{StoredDtype, TensorInfo};
use crate::error::{Error, Result};
use crate::weight::FloatFormat;

/// Largest header that is read. The 27B model's takes about 0.2 MB.
pub const MAX_HEADER_BYTES: u64 = 32 << 20;

/// The length field before the header.
const LENGTH_BYTES: usize = 8;

/// A tensor of a file: what it is and where its bytes begin and end, from the start of the file.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) info: TensorInfo,
    pub(super) begin: usize,
    pub(super) end: usize,
}

/// Reads and validates the header of `file`, the whole content of the file at `path`.
///
/// # Errors
/// [`Error::Truncated`], [`Error::HeaderTooLarge`], [`Error::Malformed`], [`Error::DuplicateKey`],
/// [`Error::BadEntry`]: whatever is not a safetensors file whose tensors tile its data exactly.
pub(super) fn read(path: &Path, file: &[u8]) -> Result<BTreeMap<String, Entry>> {
    let (header, data_start) = split(path, file)?;
    let members: Members = serde_json::from_slice(header).map_err(|source| Error::Malformed {
        path: path.to_path_buf(),
        expected: "a JSON object as safetensors header",
        source: Box::new(source),
    })?;
    let data_len = file.len() - data_start;
    let mut entries = BTreeMap::new();
    for (key, value) in members.0 {
        if key == METADATA {
            continue;
        }
        let mut entry = parse_entry(path, &key, &value, data_len)?;
        entry.begin += data_start;
        entry.end += data_start;
        if entries.contains_key(&key) {
            return Err(Error::DuplicateKey {
                path: path.to_path_buf(),
                key,
            });
        }
        entries.insert(key, entry);
    }
    check_tiling(path, &entries, data_start, file.len())?;
    // The reference implementation may know rules that are not repeated here.
    SafeTensors::read_metadata(file).map_err(|source| Error::Malformed {
        path: path.to_path_buf(),
        expected: "a valid safetensors file",
        source: Box::new(source),
    })?;
    Ok(entries)
}

/// The header's bytes and the offset at which data begins.
fn split<'a>(path: &Path, file: &'a [u8]) -> Result<(&'a [u8], usize)> {
    let truncated = |expected: u64| Error::Truncated {
        path: path.to_path_buf(),
        expected,
        found: file.len() as u64,
    };
    let Some((length, rest)) = file.split_first_chunk::<LENGTH_BYTES>() else {
        return Err(truncated(LENGTH_BYTES as u64));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER_BYTES {
        return Err(Error::HeaderTooLarge {
            path: path.to_path_buf(),
            limit: MAX_HEADER_BYTES,
            found: length,
        });
    }
    // Fits: just bounded by MAX_HEADER_BYTES.
    let header = usize::try_from(length)
        .ok()
        .and_then(|n| rest.get(..n))
        .ok_or_else(|| truncated(length + LENGTH_BYTES as u64))?;
    Ok((header, LENGTH_BYTES + header.len()))
}

/// One tensor's entry, its offsets still relative to the data section.
fn parse_entry(path: &Path, key: &str, value: &Value, data_len: usize) -> Result<Entry> {
    let bad = |expected: String, found: String| Error::BadEntry {
        path: path.to_path_buf(),
        key: key.to_owned(),
        expected,
        found,
    };
    let text = |field: &str| match &value[field] {
        Value::Null => format!("no `{field}`"),
        other => shorten(&other.to_string()),
    };
    let shape = usizes(&value["shape"])
        .ok_or_else(|| bad("`shape` as a list of sizes".into(), text("shape")))?;
    let offsets = usizes(&value["data_offsets"]);
    let Some(&[begin, end]) = offsets.as_deref() else {
        return Err(bad(
            "`data_offsets` as two byte offsets".into(),
            text("data_offsets"),
        ));
    };
    let dtype = serde_json::from_value::<Dtype>(value["dtype"].clone())
        .map_err(|_| bad("a safetensors dtype such as \"BF16\"".into(), text("dtype")))?;
    if begin > end || end > data_len {
        return Err(bad(
            format!("offsets inside the file's {data_len} data bytes"),
            format!("{begin}..{end}; the file may be cut off, download it again"),
        ));
    }
    let size = shape
        .iter()
        .try_fold(dtype.bitsize(), |n, &d| n.checked_mul(d))
        .filter(|bits| bits % 8 == 0)
        .map(|bits| bits / 8);
    if size != Some(end - begin) {
        let size = size.map_or_else(
            || "more bytes than can be addressed".into(),
            |n| format!("{n} bytes"),
        );
        return Err(bad(
            format!("{size} for {dtype} {}", shorten(&format!("{shape:?}"))),
            format!("{} bytes", end - begin),
        ));
    }
    let dtype = match dtype {
        Dtype::F32 => StoredDtype::Float(FloatFormat::F32),
        Dtype::F16 => StoredDtype::Float(FloatFormat::F16),
        Dtype::BF16 => StoredDtype::Float(FloatFormat::Bf16),
        other => StoredDtype::Other(other.to_string()),
    };
    let info = TensorInfo::new(dtype, shape, (end - begin) as u64);
    Ok(Entry { info, begin, end })
}

/// Tensors must cover the data section without overlap, gap or rest.
fn check_tiling(
    path: &Path,
    entries: &BTreeMap<String, Entry>,
    data_start: usize,
    file_len: usize,
) -> Result<()> {
    let mut order: Vec<_> = entries.iter().collect();
    order.sort_by_key(|(_, e)| (e.begin, e.end));
    let mut next = data_start;
    for (key, entry) in order {
        if entry.begin != next {
            return Err(Error::BadEntry {
                path: path.to_path_buf(),
                key: key.clone(),
                expected: format!("to begin at byte {next}, where the tensor before it ends"),
                found: format!("byte {}", entry.begin),
            });
        }
        next = entry.end;
    }
    if next != file_len {
        return Err(Error::Truncated {
            path: path.to_path_buf(),
            expected: next as u64,
            found: file_len as u64,
        });
    }
    Ok(())
}

/// A JSON list of non-negative integers.
fn usizes(value: &Value) -> Option<Vec<usize>> {
    let number = |v: &Value| v.as_u64().and_then(|n| usize::try_from(n).ok());
    value.as_array()?.iter().map(number).collect()
}
