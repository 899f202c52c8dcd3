//! The program as a user runs it, on a slide that is made here: patches, pictures, question, errors. `.ci/run` runs it on a
//! real slide, which is fetched.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use image::{ImageReader, Rgb, RgbImage};
use medgemma::{GenerateOptions, Image, MedGemma, Message};
use medgemma_medical::slide_instruction;
use serde_json::{Value, json};

const SLIDES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/medgemma-medical/tests/golden/slides"
);
/// Random weights: what they say changes with the words of a question, and with where the pictures stand.
const RANDOM: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/medgemma-testkit/checkpoints/mm-2025"
);

/// Said of it, since 12 tokens are not enough for it to end.
const CUT_OFF: &str = "Cut off after 12 tokens, this is not the whole answer.";

/// The side of a patch.
const SIDE: usize = 896;
/// Colours of the patches of the slide below, row by row: glass where there is none.
const COLOURS: [Option<[u8; 3]>; 6] = [
    None,
    Some([200, 90, 150]),
    Some([120, 60, 160]),
    Some([220, 140, 190]),
    Some([90, 40, 110]),
    None,
];
const GLASS: [u8; 3] = [245, 244, 245];
/// Dark and without colour: tissue by brightness, not by colour.
const SMUDGE: [u8; 3] = [140, 140, 140];

/// A tiled TIFF of three by two patches, a tile each, uncompressed, at 20 times; what is glass has the colour `ground`.
fn slide(path: &Path, ground: [u8; 3], description: &str) {
    let description = format!("{description}\0");
    let tile = SIDE * SIDE * 3;
    let first = 8 + 2 + 11 * 12 + 4;
    let lists = first + description.len().next_multiple_of(2);
    let pixels = lists + 6 + 2 * 6 * 4;
    let long = |value: usize| u32::try_from(value).expect("it fits").to_le_bytes();
    let mut file = b"II*\0\x08\0\0\0\x0b\0".to_vec();
    for (tag, kind, count, value) in [
        (256_u16, 4_u16, 1, 3 * SIDE),
        (257, 4, 1, 2 * SIDE),
        (258, 3, 3, lists),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (270, 2, description.len(), first),
        (277, 3, 1, 3),
        (322, 4, 1, SIDE),
        (323, 4, 1, SIDE),
        (324, 4, 6, lists + 6),
        (325, 4, 6, lists + 6 + 24),
    ] {
        file.extend(tag.to_le_bytes());
        file.extend(kind.to_le_bytes());
        file.extend(long(count));
        file.extend(long(value));
    }
    file.extend(long(0));
    file.extend(description.as_bytes());
    file.resize(lists, 0);
    file.extend([8, 0, 8, 0, 8, 0]);
    (0..6).for_each(|index| file.extend(long(pixels + index * tile)));
    (0..6).for_each(|_| file.extend(long(tile)));
    for colour in COLOURS {
        file.extend(colour.unwrap_or(ground).repeat(SIDE * SIDE));
    }
    fs::write(path, file).expect("written");
}

const APERIO: &str = "Aperio Image Library v11|AppMag = 20|MPP = 0.5";

fn run(arguments: &[&str]) -> Output {
    // From a folder that is not the example's: the shipped model must be found from anywhere.
    Command::new(env!("CARGO_BIN_EXE_slide-patches"))
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// The record of a run without a model.
fn cut(slide: &Path, more: &[&str]) -> Value {
    let slide = slide.to_string_lossy();
    let arguments = [
        &slide,
        "--pixels-only",
        "--model",
        "/nowhere/no model is loaded",
    ];
    let output = run(&[&arguments, more].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_str(&text(&output.stdout)).expect("one line of JSON and nothing else")
}

fn picture(path: &Path) -> RgbImage {
    let picture = ImageReader::open(path).expect("a file").decode();
    picture.expect("a PNG").into_rgb8()
}

/// Where a number is black, from its upper left corner on.
fn number(picture: &RgbImage, left: u32, top: u32) -> Vec<bool> {
    let at = |index: u32| picture.get_pixel(left + index % 27, top + index / 27);
    (0..27 * 15)
        .map(|index| *at(index) == Rgb([0; 3]))
        .collect()
}

#[test]
fn overview_and_montage_show_the_patches_of_the_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let [file, overview, montage] =
        ["slide.tif", "overview.png", "montage.png"].map(|name| folder.path().join(name));
    slide(&file, GLASS, APERIO);
    let pictures = [&overview, &montage].map(|path| path.to_string_lossy());
    let record = cut(
        &file,
        &[
            "--magnification",
            "20",
            "--overview",
            &pictures[0],
            "--montage",
            &pictures[1],
        ],
    );
    let shown = json!([[896, 0], [1792, 0], [0, 896], [896, 896]]);
    assert_eq!(record["patches_shown"], shown);
    let (overview, montage) = (picture(&overview), picture(&montage));
    assert_eq!(overview.dimensions(), (1200, 800));
    assert_eq!(montage.dimensions(), (2 * 228 + 4, 2 * 246 + 4));
    let green = Rgb([0x00, 0x80, 0x30]);
    let mut numbers = Vec::new();
    for (index, colour) in COLOURS.iter().enumerate() {
        let place = u32::try_from(index).expect("small");
        let (left, top) = (place % 3 * 400, place / 3 * 400);
        let middle = *overview.get_pixel(left + 200, top + 200);
        let edge = *overview.get_pixel(left + 1, top + 200);
        let Some(colour) = colour else {
            assert_eq!((middle, edge == green), (Rgb(GLASS), false), "{index}");
            // Where no green one covers it.
            let edge = *overview.get_pixel(left + 200, if top == 0 { 0 } else { 799 });
            assert_eq!(edge, Rgb([0xA0; 3]), "{index}");
            continue;
        };
        assert_eq!((middle, edge), (Rgb(*colour), green), "{index}");
        let tile = u32::try_from(numbers.len()).expect("small");
        let (x, y) = (4 + tile % 2 * 228, 4 + tile / 2 * 246);
        assert_eq!(
            *montage.get_pixel(x + 100, y + 100),
            Rgb(*colour),
            "{index}"
        );
        let numbered = number(&overview, left + 6, top + 6);
        assert_eq!(numbered, number(&montage, x, y), "{index}");
        numbers.push(numbered);
    }
    let black = |number: &[bool]| number.iter().filter(|black| **black).count();
    assert!(
        numbers.iter().all(|number| black(number) > 10),
        "each has a number"
    );
    // The first is a one, which has least ink of all digits.
    assert!(
        numbers[1..]
            .iter()
            .all(|number| black(number) > black(&numbers[0]))
    );
}

#[test]
fn options_reach_the_recipe() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("slide.tif");
    slide(&file, SMUDGE, APERIO);
    let found = |more: &[&str]| {
        let record = cut(&file, &[&["--magnification", "20"], more].concat());
        record["patches_with_tissue"].as_u64().expect("a number")
    };
    assert_eq!(found(&[]), 4);
    assert_eq!(found(&["--tissue", "notebook"]), 6);
    slide(&file, GLASS, APERIO);
    assert_eq!(found(&["--tissue", "notebook"]), 4);
    assert_eq!(found(&["--tissue", "everything"]), 6);
    let sample = |seed: &str| {
        let arguments = ["--magnification", "20", "--patches", "2", "--seed", seed];
        cut(&file, &arguments)["patches_shown"].clone()
    };
    let samples: Vec<Value> = (0..6).map(|seed: u8| sample(&seed.to_string())).collect();
    assert!(
        samples
            .iter()
            .all(|sample| sample.as_array().is_some_and(|a| a.len() == 2))
    );
    assert!(
        samples.iter().any(|sample| *sample != samples[0]),
        "{samples:?}"
    );
    slide(&file, GLASS, "a TIFF that does not say its size");
    let record = cut(&file, &["--microns", "1"]);
    assert_eq!(record["pixels_per_pixel"], 1.0, "10 times are 1 micrometre");
}

#[test]
fn the_model_is_told_what_it_is_and_then_shown_the_patches() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("slide.tif");
    slide(&file, GLASS, APERIO);
    let output = run(&[
        &file.to_string_lossy(),
        "--magnification",
        "20",
        "--organ",
        "skin",
        "--procedure",
        "excision",
        "--model",
        RANDOM,
        "--max-new-tokens",
        "12",
    ]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let device = "best".parse().expect("a device");
    let model = MedGemma::load(RANDOM, &device).expect("a model");
    let patch = |colour: [u8; 3]| Image::from_rgb8(SIDE, SIDE, colour.repeat(SIDE * SIDE));
    let patches = COLOURS.into_iter().flatten().map(patch);
    let words = Message::user().text(slide_instruction("skin", "excision"));
    let message = patches.fold(words, |message, patch| {
        message.image(patch.expect("a patch"))
    });
    let options = GenerateOptions::default().with_max_new_tokens(12);
    let expected = model
        .generate(&[message], &options)
        .expect("an answer")
        .text;
    assert!(
        stdout.ends_with(&format!(
            "}}\n{expected}\n{CUT_OFF}\n{}\n",
            medgemma::NOTICE
        )),
        "{stdout}, not {expected}"
    );
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let pyramid = format!("{SLIDES}/pyramid_jpeg.tif");
    for (arguments, words) in [
        (vec!["nowhere.svs"], "nowhere.svs"),
        (vec![&pyramid], "a slide of 896 x 896 pixels or more"),
        (vec![&pyramid, "--magnification", "400"], "the slide's own"),
        (vec![&pyramid, "--patches", "0"], "at least one patch"),
        (
            vec![&pyramid, "--microns=-1"],
            "the size of a pixel above 0",
        ),
        (
            vec![concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")],
            "Cargo.toml",
        ),
    ] {
        let output = run(&arguments);
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let error = stderr.lines().last().unwrap_or_default();
        assert!(
            error.starts_with("error: ") && error.contains(words),
            "{stderr}"
        );
    }
}
