//! Any bytes as a GGUF file: an error, or metadata that can be asked for and tensors whose bytes
//! lie inside the file without overlap.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use medgemma_tensor::checkpoint::{Gguf, GgufPair, MappedBytes, WeightSource};

fuzz_target!(|file: &[u8]| {
    let bytes = MappedBytes::from_owner(file.to_vec());
    let Ok(source) = Gguf::from_bytes(Path::new("fuzz"), bytes) else {
        return;
    };
    let metadata = source.metadata();
    for key in metadata.keys() {
        let _ = metadata.text(key);
        let _ = metadata.number(key);
        let _ = metadata.integers(key);
        if let Ok(Some(texts)) = metadata.texts(key) {
            assert!(texts.iter().map(|text| text.len()).sum::<usize>() < file.len());
        }
        let _ = metadata.error(key, "").to_string();
    }
    let mut total = 0;
    for name in source.names() {
        let info = source.info(name).expect("a listed name is there");
        let bytes = source.bytes(name).expect("a listed name is there");
        assert_eq!(bytes.len() as u64, info.bytes);
        total += bytes.len();
    }
    assert!(total < file.len());
    let _ = GgufPair::new(source, None);
});
