//! `preprocessor_config.json` and `processor_config.json` in every form published or saved, and what is refused.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use std::fs;

use medgemma_image::{Error, ImageProcessor, PanAndScan, Resizer};
use proptest::prelude::*;

/// The file of the published MedGemma checkpoints (2025), with its nulls.
const PUBLISHED: &str = r#"{
  "do_convert_rgb": null, "do_normalize": true, "do_pan_and_scan": null, "do_rescale": true, "do_resize": true,
  "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "Gemma3ImageProcessor", "image_seq_length": 256,
  "image_std": [0.5, 0.5, 0.5], "pan_and_scan_max_num_crops": null, "pan_and_scan_min_crop_size": null,
  "pan_and_scan_min_ratio_to_activate": null, "processor_class": "Gemma3Processor", "resample": 2,
  "rescale_factor": 0.00392156862745098, "size": {"height": 896, "width": 896}
}"#;

fn parse(json: &str) -> Result<ImageProcessor, Error> {
    ImageProcessor::from_json(json, "preprocessor_config.json")
}

#[test]
fn the_published_file_is_the_default_processor() {
    let processor = parse(PUBLISHED).unwrap();
    assert_eq!(processor.image_seq_length(), Some(256));
    assert_eq!(processor.size(), [896, 896]);
    assert_eq!(processor.resizer(), Resizer::PilBilinear);
    assert_eq!(processor.pan_and_scan(), None);
    assert!(!processor.pad_to_square());
    // Apart from `image_seq_length`, which the class default does not have.
    let without = PUBLISHED.replace("\"image_seq_length\": 256,", "");
    assert_eq!(parse(&without).unwrap(), ImageProcessor::default());
}

#[test]
fn missing_keys_and_nulls_are_the_class_defaults() {
    let class = ImageProcessor::new(224, 224).unwrap();
    assert_eq!(parse("{}").unwrap(), class);
    let nulls = r#"{"size": null, "do_resize": null, "do_rescale": null, "do_normalize": null, "image_mean": null,
        "image_std": null, "rescale_factor": null, "resample": null, "image_processor_type": null}"#;
    assert_eq!(parse(nulls).unwrap(), class);
    assert_eq!(parse(r#"{"size": 224}"#).unwrap(), class);
    assert_eq!(
        parse(r#"{"image_mean": 0.5, "image_std": 0.5}"#).unwrap(),
        class
    );
}

#[test]
fn pan_and_scan_settings_are_read() {
    let json = r#"{"do_pan_and_scan": true, "pan_and_scan_min_crop_size": 128, "pan_and_scan_max_num_crops": 6,
        "pan_and_scan_min_ratio_to_activate": 1.5}"#;
    let expected = PanAndScan::default()
        .with_min_crop_size(128)
        .with_max_num_crops(6)
        .with_min_ratio_to_activate(1.5);
    assert_eq!(parse(json).unwrap().pan_and_scan(), Some(&expected));
    let json = r#"{"do_pan_and_scan": true}"#;
    let default = PanAndScan::default();
    assert_eq!(parse(json).unwrap().pan_and_scan(), Some(&default));
}

#[test]
fn the_file_that_transformers_5_saves_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let saved = support::golden("processor_config_5.23.json");
    fs::copy(&saved, folder.path().join("processor_config.json")).unwrap();
    let processor = ImageProcessor::from_dir(folder.path(), 999).unwrap();
    assert_eq!(processor.size(), [56, 56]);
    assert_eq!(
        processor.image_seq_length(),
        Some(16),
        "written beside the object"
    );
    assert_eq!(processor, ImageProcessor::from_file(saved).unwrap());
    let most = processor.with_do_pan_and_scan(true);
    assert_eq!(most.pan_and_scan().unwrap().max_num_crops, 3);
}

#[test]
fn a_directory_is_searched_in_the_order_of_transformers_5() {
    let folder = tempfile::tempdir().unwrap();
    let read = || ImageProcessor::from_dir(folder.path(), 448).unwrap();
    let write = |name: &str, json: &str| fs::write(folder.path().join(name), json).unwrap();
    assert_eq!(read(), ImageProcessor::new(448, 448).unwrap());
    // The published pair: the outer file holds the number of soft tokens only.
    let outer = r#"{"image_seq_length": 64, "processor_class": "Gemma3Processor"}"#;
    write("processor_config.json", outer);
    assert_eq!(
        (read().size(), read().image_seq_length()),
        ([448, 448], Some(64))
    );
    write(
        "preprocessor_config.json",
        r#"{"size": {"height": 28, "width": 42}}"#,
    );
    assert_eq!(
        (read().size(), read().image_seq_length()),
        ([28, 42], Some(64))
    );
    write(
        "processor_config.json",
        r#"{"image_processor": {"size": 56}}"#,
    );
    assert_eq!(read().size(), [56, 56], "the nested object wins");
    assert!(ImageProcessor::from_dir(folder.path().join("none"), 0).is_err());
}

#[test]
fn a_bad_value_names_the_file_and_the_key() {
    let cases = [
        (r#"{"resample": 1}"#, "resample", "1"),
        (r#"{"resample": "2"}"#, "resample", "\"2\""),
        (
            r#"{"image_processor_type": "SiglipImageProcessor", "resample": 4}"#,
            "resample",
            "4",
        ),
        (
            r#"{"image_processor_type": "LlavaImageProcessor"}"#,
            "image_processor_type",
            "\"LlavaImageProcessor\"",
        ),
        (
            r#"{"size": {"shortest_edge": 224}}"#,
            "size",
            r#"{"shortest_edge":224}"#,
        ),
        (r#"{"size": {"height": 896}}"#, "size", r#"{"height":896}"#),
        (
            r#"{"size": {"height": 0, "width": 1}}"#,
            "size",
            r#"{"height":0,"width":1}"#,
        ),
        (r#"{"size": 5000}"#, "size", "5000"),
        (
            r#"{"size": 896, "default_to_square": false}"#,
            "size",
            "896",
        ),
        (
            r#"{"default_to_square": "no"}"#,
            "default_to_square",
            "\"no\"",
        ),
        (
            // In the order of letters: whether serde_json keeps another is a feature that other crates turn on.
            r#"{"size": {"height": 9, "longest_edge": 9, "width": 9}}"#,
            "size",
            r#"{"height":9,"longest_edge":9,"width":9}"#,
        ),
        (r#"{"image_mean": [0.5, 0.5]}"#, "image_mean", "[0.5,0.5]"),
        (
            r#"{"image_std": [0.5, 0, 0.5]}"#,
            "image_std",
            "[0.5,0.0,0.5]",
        ),
        (r#"{"rescale_factor": 0}"#, "rescale_factor", "0.0"),
        (r#"{"do_resize": "yes"}"#, "do_resize", "\"yes\""),
        (
            r#"{"pan_and_scan_min_crop_size": 0}"#,
            "pan_and_scan_min_crop_size",
            "0",
        ),
        (
            r#"{"pan_and_scan_max_num_crops": 65}"#,
            "pan_and_scan_max_num_crops",
            "65",
        ),
        (
            r#"{"pan_and_scan_max_num_crops": 1.5}"#,
            "pan_and_scan_max_num_crops",
            "1.5",
        ),
        (r#"{"do_center_crop": true}"#, "do_center_crop", "true"),
        (r#"{"do_pad": true}"#, "do_pad", "true"),
        (r#"{"sharpen": 2}"#, "sharpen", "2"),
        (r#"{"image_processor": 5}"#, "image_processor", "5"),
        (
            r#"{"image_processor": {"resample": 0}}"#,
            "image_processor.resample",
            "0",
        ),
    ];
    for (json, expected_key, expected_found) in cases {
        let error = parse(json).unwrap_err();
        let Error::Config { key, found, .. } = &error else {
            panic!("{json}: {error}");
        };
        assert_eq!(
            (key.as_str(), found.as_str()),
            (expected_key, expected_found)
        );
        let start = format!("preprocessor_config.json: key `{expected_key}`: expected ");
        assert!(error.to_string().starts_with(&start), "{error}");
    }
}

#[test]
fn keys_of_later_saves_that_do_not_touch_pixels_are_accepted() {
    let json = r#"{"crop_size": null, "data_format": "channels_first", "default_to_square": true, "device": null,
        "disable_grouping": null, "do_center_crop": null, "do_pad": false, "input_data_format": null, "pad_size": null,
        "return_tensors": null, "image_processor_type": "Gemma3ImageProcessorFast", "do_convert_rgb": true,
        "size": {"height": 896, "width": 896, "shortest_edge": null}}"#;
    assert_eq!(parse(json).unwrap(), ImageProcessor::default());
    let siglip = r#"{"image_processor_type": "SiglipImageProcessorFast", "do_convert_rgb": true, "resample": 3,
        "default_to_square": false, "size": {"height": 448, "width": 448}}"#;
    assert_eq!(parse(siglip).unwrap(), ImageProcessor::medsiglip());
}

#[test]
fn what_is_not_an_object_is_refused() {
    for json in ["", "[]", "{", "nul", "3"] {
        let error = parse(json).unwrap_err();
        assert!(matches!(error, Error::Json { .. }), "{json}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("preprocessor_config.json");
    fs::write(&path, " ".repeat(2 << 20)).unwrap();
    assert!(matches!(
        ImageProcessor::from_dir(folder.path(), 896),
        Err(Error::Config { .. })
    ));
    assert!(ImageProcessor::new(896, 0).is_err());
}

/// It would be waited for.
#[cfg(unix)]
#[test]
fn a_pipe_is_no_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("preprocessor_config.json");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let error = ImageProcessor::from_dir(folder.path(), 896).unwrap_err();
    assert!(
        matches!(&error, Error::Io { path: found, .. } if *found == path),
        "{error}"
    );
}

proptest! {
    /// No text makes the parser panic.
    #[test]
    fn any_text_is_parsed_or_refused(json in "\\PC{0,60}") {
        let _: Result<_, Error> = parse(&json);
        let nested = format!("{{\"size\": {json}}}");
        prop_assert!(parse(&nested).is_err() || nested.contains(|c: char| c.is_ascii_digit() || c == 'n'));
    }
}
