//! SigLIP's processing against MedSigLIP's recipe (TensorFlow 2.21.0, then `SiglipImageProcessorPil`) and both
//! backends of transformers 5.23.0. Goldens are written by `golden/generate_tf.py` and `golden/generate_siglip.py`.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use std::fs;

use medgemma_image::{
    Alpha, DecodeOptions, Error, Image, ImageBackend, ImageProcessor, Resize, Resizer,
};

/// What 5.23 saves for MedSigLIP's size.
const SAVED: &str = "siglip_preprocessor_config_5.23.json";

/// A file that says no more than its size.
fn sized(side: usize) -> String {
    format!(r#"{{"size": {{"height": {side}, "width": {side}}}}}"#)
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn pixel_values_equal_the_reference_bit_for_bit() {
    let golden = support::floats("process_siglip.safetensors");
    let cases = support::json("process_siglip.json");
    let cases = cases.as_array().unwrap();
    assert_eq!((cases.len(), golden.len()), (12, 12));
    for case in cases {
        let text = |key: &str| case[key].as_str().unwrap();
        let key = format!("{}/{}", text("name"), text("backend"));
        let (shape, expected) = &golden[&key];
        let processor = ImageProcessor::from_json(&case["config"].to_string(), &key).unwrap();
        assert_eq!(processor.resizer(), Resizer::TfBilinear, "{key}: default");
        let image = Image::open(support::file(&format!("{}.png", text("picture")))).unwrap();
        let resizer = match text("resizer") {
            "torchvision" => Resizer::TorchvisionBilinear,
            name => name.parse().unwrap(),
        };
        let processed = processor.with_resizer(resizer).process(&image).unwrap();
        assert_eq!(processed.num_crops, 0, "{key}");
        assert_eq!((1, &processed.pixels[0].shape[..]), (shape[0], &shape[1..]));
        assert!(bits(&processed.pixels[0].data) == bits(expected), "{key}");
    }
}

#[test]
fn the_published_processor_is_448_tf_bilinear_half_and_half() {
    let processor = ImageProcessor::medsiglip();
    assert_eq!(processor.size(), [448, 448]);
    assert_eq!(processor.resizer(), Resizer::TfBilinear);
    assert!(!processor.pad_to_square());
    assert_eq!(processor.pan_and_scan(), None);
    assert_eq!(
        ImageProcessor::from_file(support::golden(SAVED)).unwrap(),
        processor
    );
    // Three grey rows stretched over 448, by hand. Row 224 lies at 224.5 * 3 / 448 - 0.5 = 1.0033, so that white is
    // 255 - 0.0033 * 155 = 254.48, cut off to 254. A sample v becomes (v / 255 - 0.5) / 0.5 = v / 127.5 - 1.
    let grey = [vec![0; 50], vec![255; 50], vec![100; 50]].concat();
    let image = Image::from_gray8(50, 3, grey).unwrap();
    let pixels = processor.process(&image).unwrap().pixels.remove(0);
    assert_eq!(pixels.shape, [3, 448, 448]);
    let column: Vec<f32> = (0..448).map(|y| pixels.data[y * 448]).collect();
    for (row, sample) in [(0, 0.0), (224, 254.0), (447, 100.0)] {
        let expected = sample / 127.5 - 1.0;
        assert!((column[row] - expected).abs() < 1e-6, "row {row}");
    }
}

#[test]
fn a_directory_of_siglip_takes_siglips_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, json: &str| fs::write(folder.path().join(name), json).unwrap();
    let read = || ImageProcessor::from_siglip_dir(folder.path(), 448);
    assert_eq!(read().unwrap(), ImageProcessor::medsiglip(), "no file");
    let folder_of_gemma = ImageProcessor::from_dir(folder.path(), 448).unwrap();
    assert_eq!(folder_of_gemma.resizer(), Resizer::PilBilinear);

    // Neither class nor filter named: the class's own filter is 3, and no reason to refuse the file.
    write("preprocessor_config.json", &sized(448));
    assert_eq!(read().unwrap(), ImageProcessor::medsiglip());
    let square = r#"{"size": 448, "default_to_square": true, "resample": 2}"#;
    write("preprocessor_config.json", square);
    assert_eq!(read().unwrap().resizer(), Resizer::TfBilinear);
    // One number is the shortest edge to the class (`default_to_square` in `image_processing_siglip.py`).
    for edge in [
        r#"{"size": 448}"#,
        r#"{"size": 448, "default_to_square": null}"#,
        r#"{"size": 448, "default_to_square": false}"#,
    ] {
        write("preprocessor_config.json", edge);
        let error = read().unwrap_err();
        let Error::Config { key, expected, .. } = &error else {
            panic!("{edge}: {error}");
        };
        assert_eq!(key, "size");
        for part in ["`height` and `width`", "`default_to_square`"] {
            assert!(expected.contains(part), "{expected}");
        }
    }
    write("preprocessor_config.json", "{}");
    assert_eq!(read().unwrap().size(), [224, 224], "the class default");

    fs::copy(
        support::golden(SAVED),
        folder.path().join("preprocessor_config.json"),
    )
    .unwrap();
    assert_eq!(read().unwrap(), ImageProcessor::medsiglip());
    let named = ImageProcessor::from_dir(folder.path(), 896).unwrap();
    assert_eq!(named, ImageProcessor::medsiglip(), "the class is named");

    // As `SiglipProcessor.save_pretrained` of 5.x nests it.
    let nested = r#"{"image_processor": {"resample": 3, "size": {"height": 28, "width": 42}}, "processor_class": "SiglipProcessor"}"#;
    write("processor_config.json", nested);
    let processor = read().unwrap();
    assert_eq!(
        (processor.size(), processor.resizer()),
        ([28, 42], Resizer::TfBilinear)
    );

    let named =
        r#"{"image_processor": {"image_processor_type": "Gemma3ImageProcessor", "size": 448}}"#;
    write("processor_config.json", named);
    assert_eq!(read().unwrap().resizer(), Resizer::PilBilinear);
    write(
        "processor_config.json",
        r#"{"image_processor": {"resample": 1}}"#,
    );
    assert!(matches!(read(), Err(Error::Config { key, .. }) if key == "image_processor.resample"));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(
        ImageProcessor::from_siglip_dir(empty.path(), 0),
        Err(Error::TargetSize { .. })
    ));
}

/// The files of two models in one directory are noticed by the size, at the file and key that say it.
#[test]
fn a_size_that_is_not_the_models_is_refused_by_file_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, json: &str| fs::write(folder.path().join(name), json).unwrap();
    let refused = || {
        let processor = ImageProcessor::from_siglip_dir(folder.path(), 448).unwrap();
        processor.expect_size(folder.path(), 448)
    };
    assert!(refused().is_ok(), "no file");
    let nested = |side| format!(r#"{{"image_processor": {}}}"#, sized(side));
    let (inner, outer) = ("preprocessor_config.json", "processor_config.json");
    for (name, json, wrong) in [
        (inner, sized(448).as_str(), None),
        (
            inner,
            r#"{"size": {"height": 448, "width": 384}}"#,
            Some(("size", "448x384")),
        ),
        (
            inner,
            "{}",
            Some(("size", "224x224, the default of the class")),
        ),
        (
            inner,
            r#"{"size": null}"#,
            Some(("size", "224x224, the default of the class")),
        ),
        (
            inner,
            r#"{"size": {"height": 384, "width": 384}, "do_resize": false}"#,
            None,
        ),
        (outer, r#"{"image_seq_length": 3}"#, None),
        (inner, &sized(384), Some(("size", "384x384"))),
        (
            outer,
            &nested(896),
            Some(("image_processor.size", "896x896")),
        ),
        (outer, &nested(448), None),
    ] {
        write(name, json);
        match (refused(), wrong) {
            (Ok(()), None) => {}
            (
                Err(Error::Config {
                    path,
                    key,
                    expected,
                    found,
                }),
                Some(wrong),
            ) => {
                assert_eq!((key.as_str(), found.as_str()), wrong, "{json}");
                assert_eq!(path, folder.path().join(name), "{json}");
                assert!(expected.starts_with("448x448"), "{expected}");
            }
            (found, _) => panic!("{json}: {found:?}"),
        }
    }
}

/// The filter of the file, or of the class where the file names none.
#[test]
fn a_backend_resizes_with_the_filter_of_the_configuration() {
    let siglip = |resample| {
        let class = r#""image_processor_type": "SiglipImageProcessor""#;
        ImageProcessor::from_json(&format!("{{{class}{resample}}}"), "a.json").unwrap()
    };
    let gemma = |json| ImageProcessor::from_json(json, "a.json").unwrap();
    let bilinear = [Resizer::PilBilinear, Resizer::TorchvisionBilinear];
    let bicubic = [Resizer::PilBicubic, Resizer::TorchvisionBicubic];
    for (processor, expected) in [
        (siglip(""), bicubic),
        (siglip(r#", "resample": 2"#), bilinear),
        (siglip(r#", "resample": 3"#), bicubic),
        (ImageProcessor::medsiglip(), bicubic),
        (gemma("{}"), bilinear),
        (gemma(r#"{"resample": 3}"#), bicubic),
        (ImageProcessor::default(), bilinear),
    ] {
        let backends = [ImageBackend::Pil, ImageBackend::Torchvision];
        let found = backends.map(|backend| processor.clone().with_backend(backend));
        assert_eq!(found.each_ref().map(ImageProcessor::resizer), expected);
        // Chosen by name, a resizer is not the configuration's any more, but can be made so again.
        let named = processor.clone().with_resizer(Resizer::TfBilinear);
        assert_eq!(named.with_backend(ImageBackend::Pil), found[0]);
    }
}

/// `pil` and `torchvision` leave the filter to the file; any other name is one resizer, whatever the file says.
#[test]
fn a_choice_of_resize_has_one_name_both_ways() {
    let of = |resample: u32, name: &str| {
        let json = format!(r#"{{"resample": {resample}}}"#);
        let processor = ImageProcessor::from_json(&json, "a.json").unwrap();
        processor.with_resize(name.parse().unwrap()).resizer()
    };
    assert_eq!(of(2, "pil"), Resizer::PilBilinear);
    assert_eq!(of(3, "pil"), Resizer::PilBicubic);
    assert_eq!(of(2, "torchvision"), Resizer::TorchvisionBilinear);
    assert_eq!(of(3, "torchvision"), Resizer::TorchvisionBicubic);
    for resizer in Resizer::ALL {
        for resample in [2, 3] {
            assert_eq!(of(resample, resizer.name()), resizer);
        }
        assert_eq!(Resize::from(resizer).name(), resizer.name());
    }
    assert_eq!(Resize::all().count(), 7);
    for choice in Resize::all() {
        assert_eq!(choice.to_string(), choice.name());
        assert_eq!(choice.name().parse::<Resize>().unwrap(), choice);
    }
    let error = "nearest".parse::<Resize>().unwrap_err().to_string();
    assert!(error.contains("found `nearest`"), "{error}");
    assert!(
        Resize::all().all(|choice| error.contains(choice.name())),
        "{error}"
    );
}

#[test]
fn the_filter_of_a_gemma_file_is_honoured() {
    let filter = |json| ImageProcessor::from_json(json, "a.json").unwrap().resizer();
    assert_eq!(filter(r#"{"resample": 2}"#), Resizer::PilBilinear);
    assert_eq!(filter(r#"{"resample": 3}"#), Resizer::PilBicubic);
    let named = r#"{"resample": 3, "image_processor_type": "Gemma3ImageProcessor"}"#;
    assert_eq!(filter(named), Resizer::PilBicubic);
}

/// Grey, palette and alpha reach the processor as RGB by the rules of `Image`: three equal channels for grey, alpha
/// dropped unless laid on white.
#[test]
fn every_kind_of_file_becomes_three_channels() {
    let processor = ImageProcessor::medsiglip();
    let decoded = support::bytes("decode.safetensors");
    let over_white = DecodeOptions::default().with_alpha(Alpha::OverWhite);
    for name in ["grey8", "grey16", "la8", "rgba8", "palette8_trns", "rgb8"] {
        for (options, suffix) in [
            (DecodeOptions::default(), "drop"),
            (over_white.clone(), "over_white"),
        ] {
            let Some((shape, samples)) = decoded.get(&format!("{name}/{suffix}")) else {
                assert_eq!((name, suffix), ("grey16", "over_white"));
                continue;
            };
            let file = support::file(&format!("{name}.png"));
            let found = processor.process(&Image::open_with(file, &options).unwrap());
            let image = Image::from_rgb8(shape[1], shape[0], samples.clone()).unwrap();
            let expected = processor.process(&image).unwrap();
            assert_eq!(found.unwrap(), expected, "{name}/{suffix}");
            let plane = 448 * 448;
            let data = &expected.pixels[0].data;
            let equal =
                data[..plane] == data[plane..2 * plane] && data[..plane] == data[2 * plane..];
            let grey = ["grey8", "grey16", "la8"].contains(&name);
            assert_eq!(equal, grey, "{name}/{suffix}");
        }
    }
}

/// 28 wide, 14 high and white: padded, a quarter above and below is black.
#[test]
fn padding_to_a_square_comes_before_the_stretch() {
    let image = Image::from_gray8(28, 14, vec![255; 28 * 14]).unwrap();
    let plain = ImageProcessor::medsiglip().process(&image).unwrap();
    assert!(plain.pixels[0].data.iter().all(|&v| v == 1.0));
    let padding = ImageProcessor::medsiglip().with_pad_to_square(true);
    let data = &padding.process(&image).unwrap().pixels[0].data;
    assert_eq!((data[0], data[224 * 448]), (-1.0, 1.0));
    assert_eq!(data[447 * 448], -1.0);
}
