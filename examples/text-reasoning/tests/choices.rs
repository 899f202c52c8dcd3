//! The program on the shipped model, which does not reason, and its ranking of choices.

use std::process::{Command, Output};

use medgemma::{Device, MedGemma, Message, NOTICE};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/model");

fn ask(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_text-reasoning"))
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn the_answer_stands_under_its_heading() {
    let output = ask(&["Who are you?"]);
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let answer = stdout.split("Answer:\n").nth(1).expect("a heading");
    assert!(
        answer.contains("demonstration model, not MedGemma"),
        "{stdout}"
    );
    assert!(answer.contains("Not for clinical use"), "{stdout}");
    assert!(stdout.contains("wrote no reasoning"), "{stdout}");
    assert!(
        !stdout.contains("choice"),
        "nothing was to be scored: {stdout}"
    );
}

#[test]
fn an_answer_that_is_cut_off_says_so_and_one_without_scores_has_its_notice() {
    let output = ask(&["Who are you?", "--max-new-tokens", "4"]);
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let told = format!("\nCut off after 4 tokens, this is not the whole answer.\n{NOTICE}\n");
    assert!(stdout.ends_with(&told), "{stdout}");

    // More than the context holds.
    let output = ask(&["Who are you?", "--choice", &"tree ".repeat(5000)]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error: "), "{stderr}");
    assert!(stdout.contains("demonstration model"), "{stdout}");
    assert!(stdout.ends_with(&format!("\n{NOTICE}\n")), "{stdout}");
}

#[test]
fn choices_come_likeliest_first_with_the_library_scores() {
    let question = "Who are you?";
    let said = "I am a small demonstration model";
    let choices = ["yellow stones fly", said, "A tree"];
    let mut arguments = vec![question];
    for choice in choices {
        arguments.extend(["--choice", choice]);
    }
    let output = ask(&arguments);
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = stdout.split("in all  choice\n").nth(1).expect("a table");
    let rows: Vec<_> = table.lines().take(3).collect();
    assert!(rows[0].ends_with(said), "{table}");

    let device = Device::cpu().expect("compiled in");
    let model = MedGemma::load(MODEL, &device).expect("the shipped model");
    let scores = model
        .score(&[Message::user().text(question)], &choices)
        .expect("scores");
    let mut last = f32::INFINITY;
    for row in rows {
        let (index, score) = (0..3)
            .map(|i| (i, &scores[i]))
            .find(|(i, _)| row.ends_with(choices[*i]))
            .expect("a choice");
        assert!(score.mean() <= last, "{table}");
        last = score.mean();
        let expected = format!(
            "{:>8.3} {:>7.3}  {}",
            score.mean(),
            score.total(),
            choices[index]
        );
        assert_eq!(row, expected);
    }
}

#[test]
fn a_missing_model_is_an_error() {
    let output = ask(&["--model", "no-such-model"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no-such-model"));
}
