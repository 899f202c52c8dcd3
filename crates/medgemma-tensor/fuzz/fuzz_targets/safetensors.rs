//! Any bytes as a safetensors file: an error, or tensors whose bytes lie inside the file and tile
//! it without overlap.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use medgemma_tensor::checkpoint::{MappedBytes, SafetensorsDir, WeightSource};

fuzz_target!(|file: &[u8]| {
    let bytes = MappedBytes::from_owner(file.to_vec());
    let Ok(source) = SafetensorsDir::from_bytes(Path::new("fuzz"), bytes) else {
        return;
    };
    let mut total = 0;
    for name in source.names() {
        let info = source.info(name).expect("a listed name is there");
        let bytes = source.bytes(name).expect("a listed name is there");
        assert_eq!(bytes.len() as u64, info.bytes);
        total += bytes.len();
    }
    assert!(total + 8 <= file.len());
});
