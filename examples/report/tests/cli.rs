//! The program as a user runs it: standard output, standard error, exit code.

use std::process::{Command, Output};

use medgemma::NOTICE;

fn report(arguments: &[&str]) -> Output {
    // From a folder that is not the example's: the shipped files must be found from anywhere.
    Command::new(env!("CARGO_BIN_EXE_report"))
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// The number after a label in the figures.
fn figure(stderr: &str, label: &str) -> f64 {
    let line = stderr.lines().find_map(|line| line.strip_prefix(label));
    let value = line
        .unwrap_or_else(|| panic!("no {label:?} in\n{stderr}"))
        .trim();
    value
        .trim_end_matches(" s")
        .parse()
        .unwrap_or_else(|_| panic!("{label}: {value}"))
}

#[test]
fn no_arguments_report_on_the_shipped_radiograph() {
    let output = report(&[]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stdout.starts_with("This is a chest radiograph"), "{stdout}");
    assert!(
        stdout.contains("demonstration model, not MedGemma"),
        "{stdout}"
    );
    assert_eq!(
        stdout.lines().count(),
        1,
        "nothing but the answer: {stdout}"
    );

    let readme = include_str!("../README.md");
    assert!(readme.contains(&stdout), "the README shows another answer");

    assert!(stderr.contains("NOT MedGemma"), "{stderr}");
    assert!(stderr.ends_with(&format!("{NOTICE}\n")), "{stderr}");
    for note in [
        "loading: ",
        "encoding: 1 image(s)",
        "reading: ",
        "finish reason         stop",
    ] {
        assert!(stderr.contains(note), "no {note:?} in\n{stderr}");
    }
    assert!(
        !stderr.contains('\u{1b}'),
        "no terminal, no escape sequences: {stderr:?}"
    );
    let image_tokens = figure(&stderr, "of these, image");
    assert!(image_tokens > 0.0);
    assert!(figure(&stderr, "prompt tokens") > image_tokens);
    assert!(figure(&stderr, "new tokens") > 20.0);
    assert!(figure(&stderr, "time to first token") > 0.0);
    assert!(figure(&stderr, "tokens per second") > 0.0);
}

#[test]
fn a_prompt_alone_is_a_question_about_text() {
    let output = report(&["--prompt", "What can you do?"]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stdout.contains("demonstration model"), "{stdout}");
    assert!(stderr.contains(NOTICE), "{stderr}");
    assert!(!stderr.contains("encoding"), "{stderr}");
    assert!(figure(&stderr, "of these, image").abs() < 0.5);
}

#[test]
fn the_answer_is_cut_at_max_new_tokens_and_says_so() {
    let output = report(&["--max-new-tokens", "4"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!((figure(&stderr, "new tokens") - 4.0).abs() < 0.5);
    assert!(stderr.contains("length: the answer is cut off"), "{stderr}");
    assert!(stderr.contains(NOTICE), "{stderr}");
}

#[test]
fn several_images_system_text_and_padding_are_taken() {
    let image = concat!(env!("CARGO_MANIFEST_DIR"), "/images/chest.png");
    let one = report(&["--image", image]);
    let two = report(&[
        "--image",
        image,
        image,
        "--system",
        "You are a radiologist.",
        "--pad-to-square",
    ]);
    let (one, two) = (text(&one.stderr), text(&two.stderr));
    let tokens = figure(&one, "of these, image");
    assert!(
        (figure(&two, "of these, image") - 2.0 * tokens).abs() < 0.5,
        "{two}"
    );
    let texts = |stderr: &str| figure(stderr, "prompt tokens") - figure(stderr, "of these, image");
    assert!(
        texts(&two) > texts(&one) + 4.0,
        "the system text is read: {two}"
    );
}

/// Exit code 1, one error with the file's name, nothing on standard output, no panic.
fn fails(arguments: &[&str], expected: &[&str]) {
    let output = report(arguments);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(output.stdout.is_empty(), "{:?}", text(&output.stdout));
    assert!(
        stderr.lines().any(|line| line.starts_with("error: ")),
        "{stderr}"
    );
    assert!(
        !stderr.contains("panicked") && !stderr.contains("RUST_BACKTRACE"),
        "{stderr}"
    );
    for part in expected {
        assert!(stderr.contains(part), "no {part:?} in\n{stderr}");
    }
}

#[test]
fn what_is_missing_is_named() {
    fails(&["--model", "no-such-model"], &["no-such-model"]);
    fails(
        &["--image", "no-such-picture.png"],
        &["no-such-picture.png"],
    );
    fails(
        &[
            "--image",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ],
        &["Cargo.toml"],
    );
    fails(&["--device", "abacus"], &["abacus", "cpu"]);
    fails(&["--max-new-tokens", "1000000000"], &["1000000000"]);
}

#[test]
fn a_wrong_option_is_a_usage_error() {
    let output = report(&["--no-such-option"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--no-such-option"));
}
