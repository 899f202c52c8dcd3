//! The program as a user runs it: boxes on pixels of a picture that is not square, and the shipped model's answers.

use std::path::Path;
use std::process::{Command, Output};

use image::{ImageReader, RgbImage};
use medgemma::{GenerateOptions, Image, LoadOptions, MedGemma, Message};
use medgemma_answers::localization_prompt;
use serde_json::Value;

/// 659 x 700: 20 columns are put before it, 21 behind it.
const CHEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/images/chest.png");

/// Random weights: what they say changes with the words of a question, and with where the pictures stand.
const RANDOM: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/medgemma-testkit/checkpoints/mm-2025"
);

/// Said of it, since 12 tokens are not enough for it to end.
const CUT_OFF: &str = "Cut off after 12 tokens, this is not the whole answer.";

fn run(arguments: &[&str]) -> Output {
    // From a folder that is not the example's: the shipped model must be found from anywhere.
    Command::new(env!("CARGO_BIN_EXE_locate"))
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn picture(path: impl AsRef<Path>) -> RgbImage {
    let picture = ImageReader::open(path).expect("a file").decode();
    picture.expect("a PNG").into_rgb8()
}

/// What the random model says to this message, in 12 tokens.
fn answer(message: Message) -> String {
    let device = "best".parse().expect("a device");
    let model = MedGemma::load_with(
        RANDOM,
        &device,
        LoadOptions::default().with_pad_to_square(true),
    )
    .expect("a model");
    let options = GenerateOptions::default().with_max_new_tokens(12);
    let reply = model.generate(&[message], &options);
    reply.expect("an answer").text
}

#[test]
fn boxes_come_off_the_padding_and_onto_the_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("boxes.png");
    let answer = "The heart is here. Final Answer: ```json\n[{\"box_2d\": [500, 300, 800, 700], \"label\": \"heart\"}, \
        {\"box_2d\": [800, 300, 500, 700], \"label\": \"none\"}, {\"box_2d\": [0, 0, 900, 20], \"label\": \"padding\"}]\n```";
    let output = run(&[
        CHEST,
        "heart",
        // No model is loaded, so that none is needed.
        "--device",
        "abacus",
        "--answer",
        answer,
        "--out",
        &out.to_string_lossy(),
    ]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let line = stdout.lines().find(|line| line.contains("x0_y0_x1_y1"));
    let found: Value = serde_json::from_str(line.expect("a box")).expect("JSON");
    assert_eq!(found["label"], "heart");
    // Thousandths of 700, less the 20 columns.
    let place: Vec<f64> = serde_json::from_value(found["x0_y0_x1_y1"].clone()).expect("numbers");
    assert_eq!(place, [190.0, 350.0, 470.0, 560.0]);
    assert!(
        stderr.contains("no box: NoArea") && stderr.contains("in the padding: [0, 0, 900, 20]"),
        "{stderr}"
    );
    assert!(
        stdout.ends_with(&format!("{}\n", medgemma::NOTICE)),
        "{stdout}"
    );
    let (before, after) = (picture(CHEST), picture(&out));
    assert_eq!(before.dimensions(), after.dimensions());
    for (x, y, drawn) in [
        (190, 450, true),
        (469, 450, true),
        (330, 559, true),
        (187, 450, false),
        (472, 450, false),
        (330, 450, false),
        (330, 562, false),
    ] {
        let same = before.get_pixel(x, y) == after.get_pixel(x, y);
        assert_eq!(!same, drawn, "at {x}, {y}");
    }
}

#[test]
fn the_model_is_shown_the_padded_picture_and_then_asked_for_the_place() {
    let asked = |picture: &str| {
        let output = run(&[
            picture,
            "left clavicle",
            "--model",
            RANDOM,
            "--max-new-tokens",
            "12",
        ]);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{stderr}");
        assert!(!stderr.contains("NOT MedGemma"), "{stderr}");
        let image = Image::open(picture).expect("a picture");
        let question = localization_prompt("left clavicle");
        let expected = answer(Message::user().image(image).text(question));
        let expected = format!("{expected}\n{CUT_OFF}\n{}\n", medgemma::NOTICE);
        assert_eq!(stdout, expected);
    };
    asked(CHEST);
    // Half of it: padding is half of what the model is shown.
    let folder = tempfile::tempdir().expect("a folder");
    let half = folder.path().join("half.png");
    let narrow = image::imageops::crop_imm(&picture(CHEST), 0, 0, 330, 700).to_image();
    narrow.save(&half).expect("written");
    asked(&half.to_string_lossy());
}

#[test]
fn an_answer_without_a_box_draws_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("boxes.png");
    let output = run(&[CHEST, "heart", "--out", &out.to_string_lossy()]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert!(
        stderr.contains("NOT MedGemma") && stderr.contains("no box"),
        "{stderr}"
    );
    assert!(
        !out.exists() && stdout.contains("Not for clinical use"),
        "{stdout}"
    );
}

#[test]
fn by_schema_the_answer_is_a_list_of_boxes_or_of_none() {
    let output = run(&[CHEST, "heart", "--by-schema"]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let list: Value = serde_json::from_str(stdout.lines().next().expect("a line")).expect("JSON");
    for found in list.as_array().expect("a list") {
        let edges = found["box_2d"].as_array().expect("a box");
        assert_eq!(edges.len(), 4);
        assert!(
            edges
                .iter()
                .all(|edge| edge.as_u64().is_some_and(|edge| edge <= 1000))
        );
    }
}

#[test]
fn what_is_wrong_is_said_and_ends_with_exit_code_1() {
    let answer = r#"[{"box_2d": [500, 300, 800, 700], "label": "heart"}]"#;
    for (arguments, words) in [
        (vec!["/nowhere/a.png", "heart"], "/nowhere/a.png"),
        (vec![CHEST, "heart", "--model", "/nowhere"], "/nowhere"),
        (vec![CHEST, "heart", "--device", "abacus"], "abacus"),
        (
            vec![
                CHEST,
                "heart",
                "--answer",
                answer,
                "--out",
                "/nowhere/a.png",
            ],
            "cannot write `/nowhere/a.png`",
        ),
    ] {
        let output = run(&arguments);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        // No answer is shown without it.
        assert!(
            stdout.is_empty() || stdout.ends_with(&format!("{}\n", medgemma::NOTICE)),
            "{stdout}"
        );
        assert_eq!(stdout.is_empty(), !arguments.contains(&"--answer"));
        let error = stderr.lines().last().unwrap_or_default();
        assert!(
            error.starts_with("error: ") && error.contains(words),
            "{stderr}"
        );
    }
}
