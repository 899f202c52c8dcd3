//! Any bytes as a `tokenizer.json` or `spiece.model` of SigLIP: an error or a tokenizer that gives rows of 64, never a
//! panic, a hang or unbounded memory. Seeds: both files of `tests/golden/siglip`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use medgemma_tokenizer::{SiglipNormalization, SiglipTextOptions, SiglipTokenizer};

const TEXT: &str =
    "</s> The lungs\n/ are <90 clear. \u{80ba}\u{1f600}\0\u{fb01} a\u{308}\u{304}<unk><UNK>";

fuzz_target!(|bytes: &[u8]| {
    let Ok(tokenizer) = SiglipTokenizer::from_bytes("fuzz", bytes) else {
        return;
    };
    for normalization in SiglipNormalization::ALL {
        let options = SiglipTextOptions::default()
            .with_normalization(normalization)
            .with_truncate(true);
        assert_eq!(tokenizer.encode(TEXT, &options).unwrap().len(), 64);
    }
});
