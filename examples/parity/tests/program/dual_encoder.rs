//! SigLIP: the small dual encoder that ships with zero-shot, and a tiny random one.

use std::path::{Path, PathBuf};
use std::process::Output;

use medgemma::{Device, Image, MedSigLip, SiglipOptions};
use medgemma_testkit::{Golden, Scratch, picture};
use serde_json::Value;

use crate::{CHEST, IMAGES, run, written};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../zero-shot/model");

fn parity(out: &Path, more: &[&str]) -> Output {
    run(Path::new(MODEL), out, more)
}

/// The rows of one of the reference's arrays.
fn rows(reference: &Value, key: &str) -> Vec<Vec<f32>> {
    serde_json::from_value(reference[key].clone()).expect("rows of numbers")
}

/// Numbers of f16 weights computed in f32, as `zero-shot`'s own test holds the library to them.
#[track_caller]
fn near(found: &Golden, key: &str, expected: &[Vec<f32>]) {
    let found = found.f32(key);
    assert_eq!(found.shape, [expected.len(), expected[0].len()], "{key}");
    for (at, (a, b)) in found.data.iter().zip(expected.concat()).enumerate() {
        assert!((a - b).abs() < 1e-4, "{key}, number {at}: {a}, not {b}");
    }
}

#[test]
fn texts_and_pictures_have_the_reference_arrays() {
    let reference = include_str!("../../../zero-shot/tests/reference.json");
    let reference: Value = serde_json::from_str(reference).expect("JSON");
    let names = |key: &str| -> Vec<String> {
        serde_json::from_value(reference[key].clone()).expect("texts")
    };
    let pictures: Vec<String> = names("pictures")
        .iter()
        .map(|name| format!("{IMAGES}/{name}"))
        .collect();
    let texts = names("texts");
    let mut arguments = vec!["--text"];
    arguments.extend(texts.iter().map(String::as_str));
    arguments.push("--image");
    arguments.extend(pictures.iter().map(String::as_str));
    let (found, _) = written(Path::new(MODEL), &arguments);

    let ids: Vec<Vec<i64>> =
        serde_json::from_value(reference["input_ids"].clone()).expect("rows of ids");
    assert_eq!(found.i64("input_ids").shape, [5, 64]);
    assert_eq!(found.i64("input_ids").data, ids.concat());
    near(&found, "text_embeds", &rows(&reference, "text_embeds"));
    near(&found, "image_embeds", &rows(&reference, "image_embeds"));
    near(
        &found,
        "logits_per_image",
        &rows(&reference, "logits_per_image"),
    );
    // The reference's are in no file: those of the crate for images, which has goldens of its own.
    let model = MedSigLip::load(MODEL, &Device::cpu().expect("compiled in")).expect("a model");
    let pixels = pictures.iter().flat_map(|path| {
        let image = Image::open(path).expect("a picture");
        let processed = model
            .processor()
            .expect("understood")
            .process(&image)
            .expect("it fits");
        processed.pixels.into_iter().flat_map(|pixels| pixels.data)
    });
    assert_eq!(found.f32("pixel_values").shape, [3, 3, 112, 112]);
    assert!(pixels.eq(found.f32("pixel_values").data));
}

#[test]
fn pixels_of_another_size_are_taken_where_positions_are_interpolated() {
    let scratch = Scratch::of("siglip").edit_json("preprocessor_config.json", |processor| {
        processor["do_resize"] = false.into();
    });
    let path = picture("picture-a.png");
    let image = ["--image", path.to_str().expect("text")];
    let out = scratch.file("out.safetensors");
    assert!(!run(scratch.path(), &out, &image).status.success());
    let (found, _) = written(scratch.path(), &[&image[..], &["--interpolate"]].concat());
    assert_eq!(found.f32("pixel_values").shape, [1, 3, 45, 61]);
    let device = Device::cpu().expect("compiled in");
    let options = SiglipOptions::default().with_interpolate(true);
    let model = MedSigLip::load_with(scratch.path(), &device, options).expect("a model");
    let image = Image::open(path).expect("a picture");
    let expected = model.embed_images(&[image]).expect("it is encoded");
    assert_eq!(found.f32("image_embeds").data, expected[0].as_slice());
}

#[test]
fn a_configuration_without_its_type_is_told_by_its_class_or_towers() {
    for without in [&["model_type"][..], &["model_type", "architectures"]] {
        let scratch = Scratch::of("siglip").edit_json("config.json", |config| {
            let config = config.as_object_mut().expect("an object");
            config.retain(|key, _| !without.contains(&key.as_str()));
            config.insert("surprise".to_owned(), 1.into());
        });
        let (found, told) = written(scratch.path(), &["--image", CHEST]);
        assert_eq!(found.f32("image_embeds").shape, [1, 30]);
        assert!(told.contains("surprise: unknown"), "{told}");
    }
}

#[test]
fn torchvision_is_the_backend_with_the_directorys_filter() {
    let folder = tempfile::tempdir().expect("a folder");
    let pixels = |name: &str| {
        let out: PathBuf = folder.path().join(name);
        let output = parity(&out, &["--image", CHEST, "--resize", name]);
        assert!(output.status.success(), "{output:?}");
        std::fs::read(out).expect("a file")
    };
    // The directory names the bilinear one.
    assert!(pixels("torchvision") == pixels("torchvision-bilinear"));
    assert!(pixels("torchvision") != pixels("torchvision-bicubic"));
    assert!(pixels("pil") == pixels("pil-bilinear"));
}

/// The advice is the program's own option, and it helps.
#[test]
fn a_text_that_is_too_long_is_told_of_truncate() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out.safetensors");
    let text = format!("--text={}", "lung ".repeat(80));
    let output = parity(&out, &["--text=lung", &text]);
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(!output.status.success(), "{told}");
    assert!(told.contains("give --truncate"), "{told}");
    assert!(told.contains("--text, number 2:"), "{told}");
    assert!(!told.contains("with_truncate"), "{told}");
    assert!(parity(&out, &[&text, "--truncate"]).status.success());
}

/// What the decoder says of a file is the end of what is told of it, and no cause is told twice.
#[test]
fn an_error_is_told_with_its_causes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (out, damaged) = (folder.path().join("out"), folder.path().join("damaged.png"));
    let mut bytes = std::fs::read(CHEST).expect("a picture");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&damaged, bytes).expect("written");
    for (image, cause) in [(damaged.as_path(), "CRC error"), (&out, "os error 2")] {
        let output = parity(&out, &["--image", image.to_str().expect("text")]);
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(!output.status.success(), "{told}");
        assert_eq!(told.matches(cause).count(), 1, "{told}");
    }
    // A message that has its cause in it: the tokenizer's.
    let model = folder.path().join("model");
    std::fs::create_dir(&model).expect("a folder");
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(Path::new(MODEL).join(name), model.join(name)).expect("copied");
    }
    let output = run(&model, &out, &["--text=lung"]);
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(told.matches("os error 2").count(), 1, "{told}");
}
