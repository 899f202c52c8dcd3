//! The program as a user runs it: JSON, picture of both, answer, errors.

use std::process::{Command, Output};

use image::ImageReader;
use medgemma::{GenerateOptions, MedGemma, Message};
use medgemma_medical::{Dicom, Limits, XrayRecipe};
use serde_json::Value;

const FIXTURES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/medgemma-medical/tests/fixtures"
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
    Command::new(env!("CARGO_BIN_EXE_longitudinal"))
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// What the random model says to this message, in 12 tokens.
fn answer(message: Message) -> String {
    let device = "best".parse().expect("a device");
    let model = MedGemma::load(RANDOM, &device).expect("a model");
    let options = GenerateOptions::default().with_max_new_tokens(12);
    let reply = model.generate(&[message], &options);
    reply.expect("an answer").text
}

#[test]
fn the_earlier_is_first_in_picture_recipe_and_message() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("pair.png");
    let [small, large] = ["series/cr/6154", "image_dfl.dcm"].map(|n| format!("{FIXTURES}/{n}"));
    let output = run(&[&small, &large, "--out", &out.to_string_lossy()]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    let recipe: Value = serde_json::from_str(lines[0]).expect("JSON");
    assert_eq!(recipe["modality"], "longitudinal");
    assert_eq!(recipe["before"]["voi"], "window");
    assert_eq!(recipe["after"]["voi"], "8 bits as they were");
    assert!(
        stdout.contains("not MedGemma") && stderr.contains("NOT MedGemma"),
        "{stdout}{stderr}"
    );
    assert_eq!(lines.last(), Some(&medgemma::NOTICE), "{stdout}");
    let picture = ImageReader::open(&out).expect("a file").decode();
    let picture = picture.expect("a PNG").into_rgb8();
    assert_eq!(picture.dimensions(), (16 + 512, 512));
    // The first bytes that numpy made of each, at 13 of its bytes: `file_recipes.json`.
    assert_eq!(picture.get_pixel(4, 0)[1], 116);
    assert_eq!(picture.get_pixel(16 + 4, 0)[1], 213);
    assert_eq!(picture.get_pixel(0, 16)[0], 0, "black below the smaller");
}

#[test]
fn the_model_is_shown_both_and_then_asked() {
    let paths = ["series/cr/6154", "image_dfl.dcm"].map(|n| format!("{FIXTURES}/{n}"));
    let question = "Is the effusion larger?";
    let output = run(&[
        &paths[0],
        &paths[1],
        "--question",
        question,
        "--model",
        RANDOM,
        "--max-new-tokens",
        "12",
    ]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert!(!stderr.contains("NOT MedGemma"), "{stderr}");
    // Of both files, each by its name.
    for path in &paths {
        let told = format!("notice: {path}: the file does not say that no text is burned");
        assert!(stderr.contains(&told), "{stderr}");
    }
    let image = |path: &String| {
        let file = Dicom::open(path, &Limits::default()).expect("a file");
        let recipe = XrayRecipe::for_frame(&file, 0).expect("a recipe");
        let prepared = recipe.prepare_frame(&file, 0).expect("a picture");
        prepared.image().clone()
    };
    let pair = || {
        Message::user()
            .image(image(&paths[0]))
            .image(image(&paths[1]))
    };
    let expected = answer(pair().text(question));
    assert!(
        stdout.ends_with(&format!(
            "}}\n{expected}\n{CUT_OFF}\n{}\n",
            medgemma::NOTICE
        )),
        "{stdout}"
    );
}

#[test]
fn what_is_odd_about_a_file_is_told_by_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let bare = folder.path().join("bare.dcm");
    let whole = format!("{FIXTURES}/series/cr/6154");
    // Without the 128 bytes and the four letters that a file begins with.
    let file = std::fs::read(&whole).expect("a file");
    std::fs::write(&bare, &file[132..]).expect("written");
    let output = run(&[&whole, &bare.to_string_lossy(), "--pixels-only"]);
    let stderr = text(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let odd = |line: &&str| line.contains("bare.dcm: ") && line.contains("preamble");
    assert_eq!(stderr.lines().filter(odd).count(), 1, "{stderr}");
}

#[test]
fn pixels_only_loads_no_model() {
    let path = format!("{FIXTURES}/series/cr/6154");
    let output = run(&[
        &path,
        &path,
        "--pixels-only",
        "--model",
        "/nowhere/no model",
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).lines().count(), 1, "the recipe alone");
}

#[test]
fn the_file_at_fault_is_named() {
    let [radiograph, slice] =
        ["series/cr/6154", "series/ct/17106"].map(|n| format!("{FIXTURES}/{n}"));
    for pair in [[&radiograph, &slice], [&slice, &radiograph]] {
        let output = run(&[pair[0], pair[1], "--pixels-only"]);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let error = stderr.lines().last().unwrap_or_default();
        assert!(
            error.starts_with("error: ") && error.contains("ct/17106: "),
            "{stderr}"
        );
    }
}
