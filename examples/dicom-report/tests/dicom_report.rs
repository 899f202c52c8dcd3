//! The program as a user runs it: JSON, picture, report, errors.

use std::path::Path;
use std::process::{Command, Output};

use image::ImageReader;
use medgemma::{GenerateOptions, MedGemma, Message};
use medgemma_medical::{Dicom, Limits, XrayRecipe};
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

/// Said of it, since 12 tokens are not enough for it to end.
const CUT_OFF: &str = "Cut off after 12 tokens, this is not the whole answer.";

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

/// What the random model says to this message, in 12 tokens.
fn answer(message: Message) -> String {
    let device = "best".parse().expect("a device");
    let model = MedGemma::load(RANDOM, &device).expect("a model");
    let options = GenerateOptions::default().with_max_new_tokens(12);
    model
        .generate(&[message], &options)
        .expect("an answer")
        .text
}

#[test]
fn the_picture_is_the_one_that_numpy_makes_and_the_recipe_says_how() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("chest.png");
    let name = "series/cr/6154";
    let output = run(&[
        &fixture(name),
        "--pixels-only",
        "--model",
        "/nowhere/no model is loaded",
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
fn the_model_is_shown_this_picture_and_then_asked_this_question() {
    let path = fixture("series/cr/6154");
    let question = "Is the heart enlarged?";
    let output = run(&[
        &path,
        "--prompt",
        question,
        "--model",
        RANDOM,
        "--max-new-tokens",
        "12",
    ]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert!(!stderr.contains("NOT MedGemma"), "{stderr}");
    let file = Dicom::open(&path, &Limits::default()).expect("a file");
    let recipe = XrayRecipe::for_frame(&file, 0).expect("a recipe");
    let prepared = recipe.prepare_frame(&file, 0).expect("a picture");
    let image = || prepared.image().clone();
    let expected = answer(Message::user().image(image()).text(question));
    assert_ne!(
        expected,
        answer(Message::user().text(question).image(image()))
    );
    assert!(
        stdout.ends_with(&format!(
            "}}\n{expected}\n{CUT_OFF}\n{}\n",
            medgemma::NOTICE
        )),
        "{stdout}"
    );
}

#[test]
fn what_is_odd_about_the_file_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let bare = folder.path().join("bare.dcm");
    let file = std::fs::read(fixture("series/cr/6154")).expect("a file");
    // Without the 128 bytes and the four letters that a file begins with.
    std::fs::write(&bare, &file[132..]).expect("written");
    let output = run(&[&bare.to_string_lossy(), "--pixels-only"]);
    let stderr = text(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let notices = stderr.lines().filter(|line| line.starts_with("notice: "));
    let notices: Vec<&str> = notices.collect();
    assert!(
        notices.len() == 2 && notices[0].contains("preamble"),
        "{stderr}"
    );
}

#[test]
fn the_frame_is_the_one_that_was_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let [file, out] = ["two.dcm", "frame.png"].map(|name| folder.path().join(name));
    std::fs::write(&file, two_frames()).expect("written");
    let picture = |frame: &str| {
        let paths = [&file, &out].map(|path| path.to_string_lossy());
        let output = run(&[
            &paths[0],
            "--pixels-only",
            "--frame",
            frame,
            "--out",
            &paths[1],
        ]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        bytes_at(&out)
    };
    let [first, second] = ["0", "1"].map(picture);
    assert_eq!(first, expected("series/cr/6154"));
    assert_ne!(second, first);
}

/// The radiograph of 16 x 16, and the same upside down as a second frame.
fn two_frames() -> Vec<u8> {
    let file = std::fs::read(fixture("series/cr/6154")).expect("a file");
    let at = |tag: &[u8]| {
        let place = file.windows(tag.len()).position(|bytes| bytes == tag);
        place.expect("the attribute is there")
    };
    // Explicit, little-endian: Rows, behind Number of Frames; the values last.
    let (rows, values) = (at(b"\x28\x00\x10\x00US"), at(b"\xe0\x7f\x10\x00OW"));
    let frame = &file[values + 12..][..16 * 16 * 2];
    let mut two = file[..rows].to_vec();
    two.extend(b"\x28\x00\x08\x00IS\x02\x002 ");
    two.extend(&file[rows..values + 8]);
    two.extend(1024_u32.to_le_bytes());
    two.extend(frame);
    two.extend(frame.chunks(32).rev().flatten());
    two
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
