//! Arbitrary and mutated GGUF files never panic, never hang, and hand out no byte that is not
//! theirs.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use medgemma_tensor::checkpoint::{Gguf, GgufPair, MappedBytes, WeightSource};
use medgemma_testkit::gguf;
use proptest::prelude::{any, prop, prop_oneof};
use proptest::strategy::{Just, Strategy};

/// Opens `file` and asks for everything in it; any error is fine.
fn read_all(file: Vec<u8>) {
    let length = file.len();
    let Ok(file) = Gguf::from_bytes(Path::new("hostile"), MappedBytes::from_owner(file)) else {
        return;
    };
    let metadata = file.metadata();
    for key in metadata.keys() {
        let _ = metadata.text(key);
        let _ = metadata.size(key);
        let _ = metadata.number(key);
        let _ = metadata.flag(key);
        let _ = metadata.integers(key);
        let _ = metadata.numbers(key);
        if let Ok(Some(texts)) = metadata.texts(key) {
            assert!(texts.iter().map(|text| text.len()).sum::<usize>() < length);
        }
        assert!(metadata.error(key, "").to_string().len() < 4096 + key.len());
    }
    let mut total = 0;
    for name in file.names() {
        let info = file.info(name).unwrap();
        let bytes = file.bytes(name).unwrap();
        assert_eq!(bytes.len() as u64, info.bytes);
        total += bytes.len();
    }
    assert!(total < length, "tensors lie over each other");
    let _ = GgufPair::new(file, None);
}

/// Numbers where format parsers break.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..20u64,
        any::<u64>(),
        Just(u64::MAX),
        Just(1 << 31),
        Just(1 << 40),
        Just(1 << 63)
    ]
}

/// The header of a real file with a little data.
fn header(name: &str) -> Vec<u8> {
    fs::read(gguf(name)).unwrap()
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(600))]

    #[test]
    fn any_bytes(tail in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut file = b"GGUF\x03\0\0\0".to_vec();
        file.extend(tail);
        read_all(file);
    }

    #[test]
    fn bytes_changed(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut file = header("mmproj-mm-f16");
        // Nearly all of the file is data; what can go wrong is before.
        for (at, byte) in changes {
            let at = at.index(5000);
            file[at] = byte;
        }
        read_all(file);
    }

    #[test]
    fn numbers_changed(
        changes in prop::collection::vec((any::<prop::sample::Index>(), number()), 1..4),
        wide in any::<bool>(),
    ) {
        let mut file = header("mmproj-mm-bf16");
        for (at, number) in changes {
            let (at, width) = (at.index(5000), if wide { 8 } else { 4 });
            file[at..at + width].copy_from_slice(&number.to_le_bytes()[..width]);
        }
        read_all(file);
    }

    #[test]
    fn cut_and_joined(
        cut in any::<prop::sample::Index>(),
        again in any::<prop::sample::Index>(),
    ) {
        let whole = header("mm-f16");
        let mut file = whole[..cut.index(20_000)].to_vec();
        file.extend(&whole[again.index(20_000)..]);
        read_all(file);
    }
}
