//! The program as a user runs it: JSON, montage, two answers, errors.

use std::process::{Command, Output};

use image::{ImageReader, RgbImage};
use serde_json::Value;

const MEDICAL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/medgemma-medical/tests"
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

#[test]
fn slices_from_the_feet_up_each_under_its_number() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("montage.png");
    let output = run(&[
        &series("ct"),
        "--pixels-only",
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
    let montage = ImageReader::open(&out).expect("a file").decode();
    let montage = montage.expect("a PNG").into_rgb8();
    assert_eq!(montage.dimensions(), (4 + 2 * 20, 4 + 32));
    let found = [4, 24].map(|left| bytes_at(&montage, left, 16));
    assert_eq!(found.to_vec(), expected("ct"));
    let white = |left: u32, right: u32| {
        (left..right).any(|x| (4..16).any(|y| montage.get_pixel(x, y)[0] == 255))
    };
    assert!(white(4, 10) && white(24, 30), "numbers");
}

#[test]
fn two_answers_and_no_slice_encoded_twice() {
    let output = run(&[&series("ct-two-acquisitions"), "--preset", "report"]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert!(stdout.contains(r#""preset":"report""#), "{stdout}");
    assert_eq!(stdout.matches("not MedGemma").count(), 2, "{stdout}");
    assert_eq!(stdout.matches("\n> ").count(), 2, "{stdout}");
    assert_eq!(stdout.lines().last(), Some(medgemma::NOTICE), "{stdout}");
    assert!(stderr.contains("NOT MedGemma"), "{stderr}");
    assert!(
        stderr.contains("slices encoded 2, found again 2"),
        "{stderr}"
    );
    assert!(stderr.contains("times as fast"), "{stderr}");
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
