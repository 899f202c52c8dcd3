//! Safetensors files for the tests of checkpoints: valid ones through the reference writer, lying
//! ones byte by byte.

use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView, serialize};

/// A tensor to write: key, dtype, shape and bytes.
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

/// An f32 tensor that counts up from `first`.
pub(crate) fn f32s(key: &str, shape: &[usize], first: f32) -> Entry {
    let n: usize = shape.iter().product();
    let bytes = (0..n).flat_map(|i| (first + i as f32).to_le_bytes());
    Entry {
        key: key.into(),
        dtype: Dtype::F32,
        shape: shape.to_vec(),
        bytes: bytes.collect(),
    }
}

/// A tensor of `size`-byte numbers, all zero.
pub(crate) fn zeros(key: &str, dtype: Dtype, size: usize, shape: &[usize]) -> Entry {
    Entry {
        key: key.into(),
        dtype,
        shape: shape.to_vec(),
        bytes: vec![0; size * shape.iter().product::<usize>()],
    }
}

/// A valid file as the reference implementation writes it.
pub(crate) fn valid(entries: &[Entry]) -> Vec<u8> {
    let views = entries.iter().map(|e| {
        let view = TensorView::new(e.dtype, e.shape.clone(), &e.bytes).expect("consistent entry");
        (e.key.as_str(), view)
    });
    serialize(views, None).expect("a valid file")
}

/// A file with any header at all and `data` zero bytes behind it.
pub(crate) fn raw(header: &str, data: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.resize(file.len() + data, 0);
    file
}

/// Writes `files` into `dir`.
pub(crate) fn write(dir: &Path, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        fs::write(dir.join(name), bytes).expect("a writable directory");
    }
}
