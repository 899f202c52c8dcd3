//! The program as a user runs it: JSON, montage, two answers, errors.

use std::process::{Command, Output};

use embedded_graphics::mock_display::MockDisplay;
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_6X10;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::text::{Baseline, Text};
use image::{ImageReader, RgbImage};
use medgemma::{GenerateOptions, MedGemma, Message};
use medgemma_medical::{CtPreset, CtRecipe, Dicom, Limits, Volume};
use serde_json::Value;

const MEDICAL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/medgemma-medical/tests"
);

/// Random weights: what they say changes with the words of a question, and with where the pictures stand.
const RANDOM: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/medgemma-testkit/checkpoints/mm-2025"
);

fn run(arguments: &[&str]) -> Output {
    // From a folder that is not the example's: the shipped model must be found from anywhere.
    Command::new(env!("CARGO_BIN_EXE_ct-volume"))
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .output()
        .expect("the program starts")
}

fn series(name: &str) -> String {
    format!("{MEDICAL}/fixtures/series/{name}")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// What numpy made of each slice: 24 of its bytes.
fn expected(name: &str) -> Vec<Vec<u8>> {
    let golden = std::fs::read_to_string(format!("{MEDICAL}/golden/file_recipes.json"));
    let golden: Value = serde_json::from_str(&golden.expect("goldens")).expect("JSON");
    let slices = golden["ct"][name].as_array().expect("slices").iter();
    let bytes = slices.map(|slice| serde_json::from_value(slice["at"].clone()).expect("bytes"));
    bytes.collect()
}

/// The same bytes of the slice of 16 x 16 at a place of the montage.
fn bytes_at(montage: &RgbImage, left: u32, top: u32) -> Vec<u8> {
    let byte = |i: u32| {
        let at = (i * 7919 + 13) % (16 * 16 * 3);
        montage.get_pixel(left + at / 3 % 16, top + at / 48)[at as usize % 3]
    };
    (0..24).map(byte).collect()
}

/// What the random model says to this message, in 8 tokens.
fn answer(message: Message) -> String {
    let device = "best".parse().expect("a device");
    let model = MedGemma::load(RANDOM, &device).expect("a model");
    let options = GenerateOptions::default().with_max_new_tokens(8);
    let reply = model.generate(&[message], &options);
    reply.expect("an answer").text
}

#[test]
fn slices_from_the_feet_up_each_under_its_number() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("montage.png");
    let output = run(&[
        &series("ct"),
        "--pixels-only",
        "--model",
        "/nowhere/no model is loaded",
        "--montage",
        &out.to_string_lossy(),
    ]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let recipe: Value = serde_json::from_str(&stdout).expect("one line of JSON and nothing else");
    assert_eq!(recipe["preset"], "medgemma-1.5");
    assert_eq!(recipe["slices_shown"], serde_json::json!([0, 1]));
    assert_eq!(recipe["order_checked"], true);
    assert!(
        stderr.contains("2 slices of other acquisitions"),
        "{stderr}"
    );
    // Once, and not for every file.
    assert_eq!(stderr.matches("burned into the picture").count(), 1);
    assert!(stderr.contains("(4 of 4 files)"), "{stderr}");
    let montage = ImageReader::open(&out).expect("a file").decode();
    let montage = montage.expect("a PNG").into_rgb8();
    assert_eq!(montage.dimensions(), (4 + 2 * 20, 4 + 32));
    let found = [4, 24].map(|left| bytes_at(&montage, left, 16));
    assert_eq!(found.to_vec(), expected("ct"));
    for (left, told) in [(4, "1"), (24, "2")] {
        let mut drawn = MockDisplay::<Rgb888>::new();
        let style = MonoTextStyle::new(&FONT_6X10, Rgb888::WHITE);
        Text::with_baseline(told, Point::zero(), style, Baseline::Top)
            .draw(&mut drawn)
            .expect("a number is drawn");
        for (x, y) in (0..10).flat_map(|y| (0..6).map(move |x| (x, y))) {
            let white = drawn.get_pixel(Point::new(x, y)).is_some();
            let found = montage.get_pixel(left + x.unsigned_abs(), 4 + y.unsigned_abs());
            assert_eq!(found[0] == 255, white, "{told} at {x}, {y}");
        }
    }
}

#[test]
fn two_answers_and_no_slice_encoded_twice() {
    let output = run(&[&series("ct-two-acquisitions"), "--preset", "report"]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert!(stdout.contains(r#""preset":"report""#), "{stdout}");
    assert_eq!(stdout.matches("not MedGemma").count(), 2, "{stdout}");
    assert_eq!(stdout.matches("\n> ").count(), 2, "{stdout}");
    assert_eq!(stdout.matches(medgemma::NOTICE).count(), 2, "{stdout}");
    assert_eq!(stdout.lines().last(), Some(medgemma::NOTICE), "{stdout}");
    assert!(stderr.contains("NOT MedGemma"), "{stderr}");
    assert!(
        stderr.contains("slices encoded 2, found again 2"),
        "{stderr}"
    );
    assert!(stderr.contains("times as fast"), "{stderr}");
}

#[test]
fn the_first_answer_has_its_notice_though_the_second_question_is_refused() {
    let output = run(&[&series("ct"), "--second-question", "<bos>"]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("error: ") && stdout.contains("\n> "),
        "{stdout}"
    );
    assert_eq!(stdout.lines().last(), Some(medgemma::NOTICE), "{stdout}");
}

#[test]
fn the_model_is_shown_instruction_slices_and_numbers_and_asked_last() {
    let words = ["A volume.", "Is there blood?", "Where?"];
    let output = run(&[
        &series("ct"),
        "--preset",
        "report",
        "--instruction",
        words[0],
        "--question",
        words[1],
        "--second-question",
        words[2],
        "--model",
        RANDOM,
        "--max-new-tokens",
        "8",
    ]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert!(!stderr.contains("NOT MedGemma"), "{stderr}");
    let files = std::fs::read_dir(series("ct")).expect("a folder");
    let files = files.map(|entry| Dicom::open(entry.expect("a file").path(), &Limits::default()));
    let files: Vec<Dicom> = files.collect::<Result<_, _>>().expect("DICOM files");
    let volume = Volume::from_dicom(&files).expect("a volume").axial();
    let preset = CtPreset::named("report").expect("a preset");
    let prepared = CtRecipe::default()
        .with_preset(preset)
        .prepare_volume(&volume);
    let slices = prepared.expect("slices").images().to_vec();
    let message = |question: &str| {
        let slices = slices.iter().cloned().zip(["SLICE 1", "SLICE 2"]);
        let shown = slices.fold(
            Message::user().text(words[0]),
            |message, (slice, number)| message.image(slice).text(number),
        );
        answer(shown.text(question))
    };
    let expected: String = words[1..]
        .iter()
        .map(|question| {
            let cut_off = "Cut off after 8 tokens, this is not the whole answer.";
            let answer = message(question);
            format!("> {question}\n{answer}\n{cut_off}\n{}\n", medgemma::NOTICE)
        })
        .collect();
    assert!(
        stdout.ends_with(&format!("}}\n{expected}")),
        "{stdout}, not {expected}"
    );
}

/// 17 columns, 9 rows, 2 planes, as many volumes; columns run to the patient's right, which is turned.
fn nifti(volumes: i16, size: [f32; 2]) -> Vec<u8> {
    let mut header = vec![0_u8; 352];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &348_i32.to_le_bytes());
    for (index, side) in [4, 17, 9, 2, volumes].into_iter().enumerate() {
        put(40 + 2 * index, &i16::to_le_bytes(side));
    }
    put(70, &4_i16.to_le_bytes());
    put(72, &16_i16.to_le_bytes());
    for (index, step) in [1.0, size[0], size[1], 2.0].into_iter().enumerate() {
        put(76 + 4 * index, &f32::to_le_bytes(step));
    }
    put(108, &352_f32.to_le_bytes());
    put(112, &1_f32.to_le_bytes());
    put(254, &1_i16.to_le_bytes());
    for (row, step) in [size[0], size[1], 2.0].into_iter().enumerate() {
        put(280 + 20 * row, &step.to_le_bytes());
    }
    put(344, b"n+1\0");
    let values = (0..17 * 9 * 2 * volumes).map(|value| value % 17 * 10 - 80);
    header.extend(values.flat_map(i16::to_le_bytes));
    header
}

#[test]
fn a_nifti_volume_is_turned_and_what_is_odd_about_it_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let [file, packed, montage] =
        ["a.nii", "a.nii.gz", "montage.png"].map(|name| folder.path().join(name));
    std::fs::write(&file, nifti(2, [0.5, 0.7])).expect("written");
    let told = |file: &std::path::Path, more: &[&str]| {
        let paths = [file, &montage].map(|path| path.to_string_lossy().into_owned());
        let arguments = [&paths[0], "--pixels-only", "--montage", &paths[1]];
        let output = run(&[&arguments, more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    let (recipe, stderr) = told(&file, &["--slices", "1"]);
    assert!(recipe.contains("\"slices_shown\":[1]"), "{recipe}");
    for words in [
        "planes turned",
        "the first of 2 volumes",
        "pixels are 0.500 x 0.700 mm",
    ] {
        assert!(stderr.contains(words), "{words:?} in {stderr}");
    }
    // Values rise to the patient's right in the file; shown, the right is at the left.
    let picture = |tile: u32| {
        let picture = ImageReader::open(&montage).expect("a file").decode();
        let picture = picture.expect("a PNG").into_rgb8();
        assert_eq!(picture.dimensions(), (tile + 8, tile + 20));
        picture
    };
    let shown = picture(17);
    let red = |x: u32| shown.get_pixel(4 + x, 16 + 8)[0];
    assert!(
        red(0) > red(8) && red(8) > red(16),
        "{} {} {}",
        red(0),
        red(8),
        red(16)
    );
    told(&file, &["--slices", "1", "--tile", "16"]);
    picture(16);

    std::fs::write(&file, nifti(1, [0.5, 0.5])).expect("written");
    let zip = Command::new("gzip").arg("--keep").arg(&file).status();
    assert!(zip.expect("gzip starts").success());
    let (_, stderr) = told(&packed, &[]);
    assert_eq!(
        stderr.lines().count(),
        1,
        "turned, and nothing else: {stderr}"
    );
}

#[test]
fn what_cannot_be_read_of_a_folder_is_told_and_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(series("ct")).expect("a folder") {
        let path = entry.expect("a file").path();
        let name = path.file_name().expect("a name").to_owned();
        std::fs::copy(&path, folder.path().join(name)).expect("copied");
    }
    std::fs::write(folder.path().join("notes.txt"), "no DICOM").expect("written");
    let output = run(&[&folder.path().to_string_lossy(), "--pixels-only"]);
    let stderr = text(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let told = stderr
        .lines()
        .find(|line| line.starts_with("notice: left out: "));
    assert!(
        told.is_some_and(|line| line.contains("notes.txt")),
        "{stderr}"
    );
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    for (arguments, code, words) in [
        (vec![series("mr/4981")], 1, "MrRecipe reads MR"),
        (vec![series("mr")], 1, "slices of one direction"),
        (vec![series("")], 1, "found 0 files"),
        (vec!["nowhere.nii.gz".to_owned()], 1, "nowhere.nii.gz"),
        (
            vec![series("ct"), "--slices".into(), "0".into()],
            1,
            "at least one",
        ),
        (
            vec![series("ct"), "--preset".into(), "lung".into()],
            2,
            "serving-as-written",
        ),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = run(&arguments);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(
            stderr.contains("error: ") && stderr.contains(words),
            "{stderr}"
        );
    }
}
