//! Any bytes as a safetensors index: an error, or tensors from shards inside the directory.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use medgemma_tensor::checkpoint::{SafetensorsDir, WeightSource};

/// A shard with one f32 tensor `v`.
const SHARD: &[u8] =
    b"\x36\0\0\0\0\0\0\0{\"v\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}\0\0\0\0";

fuzz_target!(|index: &[u8]| {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let inside = dir.path().join("inside");
    fs::create_dir(&inside).expect("a new directory");
    for shard in [
        dir.path().join("v.safetensors"),
        inside.join("v.safetensors"),
    ] {
        fs::write(shard, SHARD).expect("a small file");
    }
    fs::write(inside.join("model.safetensors.index.json"), index).expect("a small file");
    let Ok(source) = SafetensorsDir::open(&inside) else {
        return;
    };
    for name in source.names() {
        let file = fs::canonicalize(source.file(name)).expect("an opened file");
        assert!(file.starts_with(fs::canonicalize(&inside).expect("a directory")));
    }
});
