//! The program as a user runs it, on a report that is drawn here.

#[path = "../src/form.rs"]
mod form;

use std::process::{Command, Output};

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::FONT_10X20;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Baseline, Text};
use image::{GrayImage, ImageReader, Luma};
use medgemma::{GenerateOptions, MedGemma, Message};
use serde_json::Value;

/// The picture beside the README.
const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/report.png");

/// A made-up report of no patient.
const LINES: [&str; 14] = [
    "SAMPLE LABORATORY - made up, no patient",
    "",
    "Collected 05-03-2026 08:15:00     Specimen: venous blood",
    "",
    "COMPLETE BLOOD COUNT (automated)",
    "Test            Result   Unit      Reference range",
    "Haemoglobin     10.2     g/dL      12.0 - 16.0",
    "White cells     7.4      10^9/L    4.0 - 11.0",
    "Platelets       412      10^9/L    150 - 400",
    "",
    "ELECTROLYTES (ion-selective electrode)",
    "Sodium          139      mmol/L    135 - 145",
    "Potassium       5.9      mmol/L    3.5 - 5.1",
    "Chloride        101      mmol/L    98 - 107",
];

struct Paper(GrayImage);

impl OriginDimensions for Paper {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Paper {
    type Color = BinaryColor;
    type Error = std::convert::Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Pixel<Self::Color>>,
    {
        let paper = Rectangle::new(Point::zero(), self.size());
        for Pixel(at, _) in pixels.into_iter().filter(|pixel| paper.contains(pixel.0)) {
            let (x, y) = (at.x.unsigned_abs(), at.y.unsigned_abs());
            self.0.put_pixel(x, y, Luma([20]));
        }
        Ok(())
    }
}

fn drawn() -> GrayImage {
    let mut paper = Paper(GrayImage::from_pixel(640, 460, Luma([250])));
    let style = MonoTextStyle::new(&FONT_10X20, BinaryColor::On);
    for (line, y) in LINES.iter().zip((30..).step_by(28)) {
        let text = Text::with_baseline(line, Point::new(40, y), style, Baseline::Top);
        text.draw(&mut paper)
            .expect("drawing on memory cannot fail");
    }
    paper.0
}

/// Random weights: what they say changes with the words of a question, and with where the pictures stand.
const RANDOM: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/medgemma-testkit/checkpoints/mm-2025"
);

fn run(arguments: &[&str]) -> Output {
    // From a folder that is not the example's: the shipped model must be found from anywhere.
    Command::new(env!("CARGO_BIN_EXE_lab-to-json"))
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn the_picture_is_the_one_that_is_drawn_here() {
    let picture = ImageReader::open(REPORT).expect("a file").decode();
    if picture.expect("a PNG").into_luma8() != drawn() {
        let new = std::env::temp_dir().join("report.png");
        drawn().save(&new).expect("written");
        panic!(
            "{REPORT} differs from what is drawn here, {}",
            new.display()
        );
    }
}

#[test]
fn standard_output_is_json_of_the_form() {
    let output = run(&[REPORT, "--tests", "2"]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let list: Value = serde_json::from_str(&stdout).expect("JSON");
    let tests = list.as_array().expect("a list");
    assert_eq!(tests.len(), 2, "{stdout}");
    for test in tests {
        let keys: Vec<&String> = test.as_object().expect("an object").keys().collect();
        let mut expected = [
            "name",
            "result",
            "unit",
            "range",
            "panel",
            "method",
            "specimen",
            "sample_collection_time",
        ];
        let mut keys: Vec<&str> = keys.into_iter().map(String::as_str).collect();
        keys.sort_unstable();
        expected.sort_unstable();
        assert_eq!(keys, expected);
        assert!(test["name"].is_string() && test["result"].is_string());
    }
    assert!(stderr.contains("NOT MedGemma"), "{stderr}");
    assert!(
        stderr.contains(&format!("tests: {}", tests.len())),
        "{stderr}"
    );
    assert!(
        stderr.ends_with(&format!("{}\n", medgemma::NOTICE)),
        "{stderr}"
    );
}

#[test]
fn the_model_is_shown_the_report_and_then_asked_to_answer_at_once() {
    let output = run(&[
        REPORT,
        "--tests",
        "1",
        "--model",
        RANDOM,
        "--max-new-tokens",
        "200",
    ]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert!(!stderr.contains("NOT MedGemma"), "{stderr}");
    let device = "best".parse().expect("a device");
    let model = MedGemma::load(RANDOM, &device).expect("a model");
    let report = medgemma::Image::open(REPORT).expect("a picture");
    let message = Message::user().image(report).text(form::QUESTION);
    let schema = form::schema(Some(1)).expect("a schema");
    let options = GenerateOptions::default()
        .with_max_new_tokens(200)
        .with_schema(schema.without_reasoning());
    let answer = model.chat().ask_with::<form::LabTests>(message, &options);
    let expected = serde_json::to_string_pretty(&answer.expect("an answer").value);
    assert_eq!(stdout, expected.expect("JSON") + "\n");
}

#[test]
fn the_question_asks_for_the_keys_of_the_form_in_its_order() {
    let schema = form::schema(None).expect("a schema");
    let schema: Value = serde_json::from_str(&schema.json()).expect("JSON");
    assert_eq!(schema["maxItems"], 60);
    let (_, asked) = form::QUESTION.split_once("must include: ").expect("keys");
    let asked: Vec<&str> = asked
        .split(", ")
        .map(|key| key.split(' ').next().expect("a key"))
        .collect();
    let form: Vec<&String> = schema["$defs"]["LabTest"]["properties"]
        .as_object()
        .expect("keys")
        .keys()
        .collect();
    assert_eq!(form, asked);
}

#[test]
fn an_answer_that_is_cut_off_is_an_error_that_says_so() {
    let output = run(&[REPORT, "--max-new-tokens", "0"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        output.stdout.is_empty() && stderr.contains("max_new_tokens"),
        "{stderr}"
    );
}
