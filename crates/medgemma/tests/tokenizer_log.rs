//! What is logged of a dual encoder's tokenizer and processor. The only test of its process: whether a line is logged at all is settled
//! the first time that its place is passed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;

use medgemma::{MedSigLip, SiglipOptions};
use medgemma_testkit::Scratch;
use support::captured::Log;
use support::cpu;
use tracing_subscriber::filter::LevelFilter;

/// The tokenizer crate's tiny tokenizer.
const TOKENIZER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../medgemma-tokenizer/tests/golden/siglip"
);

/// A directory without a tokenizer is one on purpose; that a file is passed over for another is not.
#[test]
fn a_tokenizer_file_that_is_passed_over_is_told_and_none_at_all_is_no_warning() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::WARN)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let folder = Scratch::of("siglip");
    let told = || {
        MedSigLip::load(folder.path(), &cpu()).unwrap();
        log.take()
    };
    assert_eq!(told(), "");

    let json = fs::read_to_string(format!("{TOKENIZER}/tokenizer.json")).unwrap();
    let edited = json.replacen(r#"{"type":"Lowercase"},"#, "", 1);
    assert_ne!(edited, json);
    fs::write(folder.file("tokenizer.json"), edited).unwrap();
    let fault = "normalizer.normalizers";
    let alone = told();
    assert!(
        alone.contains("no tokenizer") && alone.contains(fault),
        "{alone}"
    );

    let spiece = folder.file("spiece.model");
    fs::copy(format!("{TOKENIZER}/spiece.model"), &spiece).unwrap();
    let other = told();
    let named = spiece.display().to_string();
    assert!(other.contains(&named) && other.contains(fault), "{other}");
    fs::remove_file(folder.file("tokenizer.json")).unwrap();
    assert_eq!(told(), "");

    // A processor of another size than the model's is an error, unless positions are interpolated.
    let folder = folder.edit_json("preprocessor_config.json", |config| {
        config["size"] = serde_json::json!({ "height": 40, "width": 40 });
    });
    let any = SiglipOptions::default().with_interpolate(true);
    MedSigLip::load_with(folder.path(), &cpu(), any).unwrap();
    let size = log.take();
    for part in ["image_size=28", "height=40", "width=40", "interpolated"] {
        assert!(size.contains(part), "{part}: {size}");
    }
    // Sizes, and nothing else of the file.
    assert!(!size.contains("preprocessor"), "{size}");
}
