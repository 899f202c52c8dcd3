//! Any text: an error, or a bundle of which an excerpt keeps to its budget.
#![no_main]

use libfuzzer_sys::fuzz_target;
use medgemma_records::{Bundle, ExcerptOptions, Facts};

fuzz_target!(|text: &str| {
    let Ok(bundle) = Bundle::from_json(&[text]) else {
        return;
    };
    let options = ExcerptOptions::default().with_budget(300);
    if let Ok(excerpt) = bundle.excerpt(text, &options, &str::len) {
        assert!(excerpt.text.len() <= 300);
        let _ = Facts::read(text, &bundle, &excerpt);
    }
});
