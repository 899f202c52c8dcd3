//! MedGemma: two pictures and a prompt of ids, against the goldens of the tiny checkpoint.

use std::path::Path;

use medgemma::{Alpha, DecodeOptions, Device, Image, LoadOptions, Model, Pixels, Resize};
use medgemma_testkit::{Golden, Scratch, assert_close, checkpoint, picture};
use serde_json::json;

use crate::written;

/// What the reference was shown, in order.
const PICTURES: [&str; 2] = ["picture-a.png", "picture-b.png"];

/// What stands around the soft tokens of a picture, and these.
const PICTURE: [u32; 6] = [429, 431, 431, 431, 431, 430];

fn golden() -> Golden {
    Golden::named("chat-two-images")
}

/// What the program writes for both pictures and this prompt.
#[track_caller]
fn shown(model: &Path, prompt: &[u32], more: &[&str]) -> (Golden, String) {
    let paths = PICTURES.map(|name| picture(name).display().to_string());
    let ids: Vec<String> = prompt.iter().map(u32::to_string).collect();
    let ids = ids.join(",");
    let mut arguments = vec!["--image", &paths[0], &paths[1], "--prompt-ids", &ids];
    arguments.extend(more);
    written(model, &arguments)
}

/// A prompt with this many pictures, and a word between any two, as their crops have it.
fn prompt_of(pictures: usize) -> Vec<u32> {
    let mut prompt = vec![2];
    for _ in 0..pictures {
        prompt.extend(PICTURE);
        prompt.push(13);
    }
    prompt
}

fn load(dir: &Path) -> Model {
    let device = Device::cpu().expect("compiled in");
    Model::load(dir, &device, LoadOptions::default()).expect("a model")
}

/// Both pictures as this processor makes them, crops after each.
fn processed(processor: &medgemma::ImageProcessor) -> Vec<f32> {
    let made = PICTURES.map(|name| {
        let image = Image::open(picture(name)).expect("a picture");
        let processed = processor.process(&image).expect("it fits");
        let parts = processed.pixels.into_iter();
        parts.flat_map(|part| part.data).collect::<Vec<_>>()
    });
    made.concat()
}

#[test]
fn two_pictures_and_a_prompt_have_the_reference_arrays() {
    let golden = golden();
    let model = checkpoint("mm-2025");
    let prompt = golden.ids("input_ids");
    let options = ["--max-new-tokens", "24", "--ignore-eos"];
    let (found, told) = shown(&model, &prompt, &options);
    assert_eq!(told, "");
    assert_eq!(found.i64("input_ids"), golden.i64("input_ids"));
    let pixels = golden.f32("pixel_values");
    assert_eq!(found.f32("pixel_values"), pixels, "bit for bit");
    let logits = found.f32("logits");
    assert_close(
        "logits",
        &logits.shape,
        &logits.data,
        &golden.f32("logits"),
        1e-4,
    );
    assert_eq!(found.i64("generated_ids"), golden.i64("generated_ids"));
    // In no golden: what tower and projector, which have goldens of their own, make of the reference's pixels.
    let model = load(&model);
    let soft = pixels.data.chunks_exact(3 * 28 * 28).flat_map(|data| {
        let pixels = Pixels {
            data: data.to_vec(),
            shape: [3, 28, 28],
        };
        let soft = model.encode(&pixels).expect("it fits");
        soft.to_vec().expect("readable")
    });
    assert_eq!(found.f32("soft_tokens").shape, [2, 4, 24]);
    assert!(soft.eq(found.f32("soft_tokens").data));
}

/// As `generate` returns it. The fourth id is the first of its kind.
#[test]
fn the_stop_id_that_ends_an_answer_is_its_last() {
    let golden = golden();
    let expected = golden.ids("generated_ids");
    let stop = expected[3];
    assert_eq!(expected.iter().position(|&id| id == stop), Some(3));
    let scratch = Scratch::of("mm-2025").edit_json("generation_config.json", |generation| {
        generation["eos_token_id"] = json!([1, stop]);
    });
    let prompt = golden.ids("input_ids");
    let tokens = ["--max-new-tokens", "7"];
    let (stopped, _) = shown(scratch.path(), &prompt, &tokens);
    assert_eq!(stopped.ids("generated_ids"), expected[..4]);
    let tokens = [&tokens[..], &["--ignore-eos"]].concat();
    let (whole, _) = shown(scratch.path(), &prompt, &tokens);
    assert_eq!(whole.ids("generated_ids"), expected[..7]);
}

#[test]
fn crops_are_made_as_the_directory_or_the_option_says() {
    let scratch = |on: bool| {
        Scratch::of("mm-2025").edit_json("preprocessor_config.json", |processor| {
            processor["do_pan_and_scan"] = on.into();
            processor["pan_and_scan_min_crop_size"] = 16.into();
        })
    };
    let whole = golden().f32("pixel_values");
    for (on, option, crops) in [
        (false, None, 0),
        (true, None, 2),
        (true, Some("off"), 0),
        (false, Some("on"), 2),
    ] {
        let scratch = scratch(on);
        let mut options = vec!["--max-new-tokens", "1"];
        options.extend(
            option
                .into_iter()
                .flat_map(|value| ["--pan-and-scan", value]),
        );
        let (found, _) = shown(scratch.path(), &prompt_of(2 * (1 + crops)), &options);
        let pixels = found.f32("pixel_values");
        assert_eq!(pixels.shape, [2 * (1 + crops), 3, 28, 28]);
        let expected = load(scratch.path()).processor().clone();
        assert!(pixels.data == processed(&expected.with_do_pan_and_scan(crops > 0)));
        // Each picture is before its crops.
        let size = 3 * 28 * 28;
        for (index, whole) in whole.data.chunks_exact(size).enumerate() {
            assert!(pixels.data[index * (1 + crops) * size..][..size] == *whole);
        }
    }
}

#[test]
fn pixels_are_resized_as_asked() {
    let model = checkpoint("mm-2025");
    let plain = load(&model).processor().clone();
    let mut seen = vec![golden().f32("pixel_values").data];
    for name in ["torchvision", "pil-bicubic", "tf-bilinear"] {
        let options = ["--max-new-tokens", "1", "--resize", name];
        let (found, _) = shown(&model, &prompt_of(2), &options);
        let resize: Resize = name.parse().expect("a name");
        let pixels = found.f32("pixel_values").data;
        assert!(
            pixels == processed(&plain.clone().with_resize(resize)),
            "{name}"
        );
        assert!(!seen.contains(&pixels), "{name} is another's");
        seen.push(pixels);
    }
}

#[test]
fn transparency_is_dropped_or_laid_on_white() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../crates/medgemma-image/tests/golden/files/rgba8.png"
    );
    let model = checkpoint("mm-2025");
    let processor = load(&model).processor().clone();
    let ids: Vec<String> = prompt_of(1).iter().map(u32::to_string).collect();
    let ids = ids.join(",");
    let run = |more: &[&str]| {
        let arguments = ["--image", path, "--prompt-ids", &ids, "--max-new-tokens=1"];
        let (found, _) = written(&model, &[&arguments[..], more].concat());
        found.f32("pixel_values").data
    };
    let expected = |alpha: Alpha| {
        let options = DecodeOptions::default().with_alpha(alpha);
        let image = Image::open_with(path, &options).expect("a picture");
        processor.process(&image).expect("it fits").pixels[0]
            .data
            .clone()
    };
    assert!(run(&[]) == expected(Alpha::Drop));
    assert!(run(&["--alpha", "white"]) == expected(Alpha::OverWhite));
    assert!(expected(Alpha::Drop) != expected(Alpha::OverWhite));
}

/// The reference obeys them in greedy decoding too.
#[test]
fn keys_that_change_nothing_here_are_told() {
    let scratch = Scratch::of("mm-2025").edit_json("generation_config.json", |generation| {
        generation["repetition_penalty"] = json!(1.3);
    });
    let (_, told) = shown(scratch.path(), &prompt_of(2), &["--max-new-tokens", "1"]);
    let expected = "generation_config.json: repetition_penalty: unknown";
    assert!(told.contains(expected), "{told}");
}
