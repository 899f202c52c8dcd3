//! Any text: a processor or an error that names its key, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use medgemma_image::{ImageProcessor, MAX_SIDE};

fuzz_target!(|json: &str| {
    if let Ok(processor) = ImageProcessor::from_json(json, "preprocessor_config.json") {
        assert!(
            processor
                .size()
                .iter()
                .all(|side| (1..=MAX_SIDE).contains(side))
        );
    }
});
