//! The program as a user runs it: JSON, picture, report, errors.

use std::path::Path;
use std::process::{Command, Output};

use image::ImageReader;
use serde_json::Value;

const MEDICAL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/medgemma-medical/tests"
);

fn run(arguments: &[&str]) -> Output {
    // From a folder that is not the example's: the shipped model must be found from anywhere.
    Command::new(env!("CARGO_BIN_EXE_dicom-report"))
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .output()
        .expect("the program starts")
}

fn fixture(name: &str) -> String {
    format!("{MEDICAL}/fixtures/{name}")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// What numpy made of the file: 24 bytes of the picture.
fn expected(name: &str) -> Vec<u8> {
    let golden = std::fs::read_to_string(format!("{MEDICAL}/golden/file_recipes.json"));
    let golden: Value = serde_json::from_str(&golden.expect("goldens")).expect("JSON");
    serde_json::from_value(golden["xray"][name]["at"].clone()).expect("24 bytes")
}

fn bytes_at(path: &Path) -> Vec<u8> {
    let picture = ImageReader::open(path).expect("a file").decode();
    let bytes = picture.expect("a PNG").into_rgb8().into_raw();
    (0..24)
        .map(|i| bytes[(i * 7919 + 13) % bytes.len()])
        .collect()
}

#[test]
fn the_picture_is_the_one_that_numpy_makes_and_the_recipe_says_how() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("chest.png");
    let name = "series/cr/6154";
    let output = run(&[
        &fixture(name),
        "--pixels-only",
        "--out",
        &out.to_string_lossy(),
    ]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let recipe: Value = serde_json::from_str(&stdout).expect("one line of JSON and nothing else");
    assert_eq!(recipe["modality"], "xray");
    assert_eq!(recipe["voi"], "window");
    assert_eq!(recipe["inverted"], true);
    assert_eq!(recipe["window"]["low"], 200.0);
    assert_eq!(bytes_at(&out), expected(name));
    assert!(stderr.contains("burned into the picture"), "{stderr}");
    // The patient of this file is called so.
    assert!(!(stdout + &stderr).contains("Archibald"));
}

#[test]
fn a_model_reports_and_says_what_it_is() {
    let output = run(&[&fixture("image_dfl.dcm")]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(lines[0].starts_with(r#"{"modality":"xray""#), "{stdout}");
    assert!(stdout.contains("not MedGemma"), "{stdout}");
    assert_eq!(lines.last(), Some(&medgemma::NOTICE), "{stdout}");
    assert!(stderr.contains("NOT MedGemma"), "{stderr}");
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    for (arguments, words) in [
        (vec![fixture("series/ct/17106")], "CtRecipe"),
        (vec![fixture("SC_rgb_small_odd.dcm")], "MONOCHROME2"),
        (vec![fixture("NOTICE.md")], "NOTICE.md"),
        (vec!["nowhere.dcm".to_owned()], "nowhere.dcm"),
        (
            vec![fixture("series/cr/6154"), "--frame".into(), "1".into()],
            "a frame below 1",
        ),
        (
            vec![
                fixture("series/cr/6154"),
                "--out".into(),
                "/nowhere/a.png".into(),
            ],
            "cannot write `/nowhere/a.png`",
        ),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = run(&arguments);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let error = stderr.lines().last().unwrap_or_default();
        assert!(
            error.starts_with("error: ") && error.contains(words),
            "{stderr}"
        );
    }
}
