//! Scripted conversations through standard input.

use std::io::Write;
use std::process::{Command, Output, Stdio};

const CHEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/images/chest.png");

fn chat(script: &str, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_streaming-chat"))
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = program.stdin.take().expect("piped");
    // A program that ended early has closed the pipe; what it did is in its output.
    let _ = stdin.write_all(script.as_bytes());
    drop(stdin);
    program.wait_with_output().expect("the program ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Tokens kept, read and written, a row for each turn.
fn turns(stderr: &str) -> Vec<Vec<usize>> {
    let rows = stderr.lines().filter(|line| line.starts_with('('));
    rows.map(|row| {
        let words = row.split(|c: char| !c.is_ascii_digit());
        words.filter_map(|word| word.parse().ok()).collect()
    })
    .collect()
}

#[test]
fn the_second_turn_keeps_what_the_first_read() {
    let script = format!("/image {CHEST}\nDescribe this image.\nCan I rely on this?\n");
    let output = chat(&script, &[]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let answers: Vec<_> = stdout.lines().collect();
    assert_eq!(answers.len(), 2, "{stdout}");
    assert!(answers[0].contains("chest radiograph"), "{stdout}");
    assert!(answers[1].contains("demonstration model"), "{stdout}");
    assert_ne!(answers[0], answers[1]);
    for answer in answers {
        let readme = include_str!("../README.md");
        assert!(readme.contains(answer), "the README shows another answer");
    }

    let turns = turns(&stderr);
    assert_eq!(turns.len(), 2, "{stderr}");
    assert_eq!(turns[0][0], 0, "nothing is kept before the first turn");
    // To see that the turn ends, the model had to read all that it wrote.
    assert_eq!(turns[1][0], turns[0][1] + turns[0][2], "{stderr}");
    assert!(
        turns[1][1] < turns[0][1],
        "the picture is not read again: {stderr}"
    );
    assert!(stderr.contains("Not for clinical use"), "{stderr}");
}

#[test]
fn a_new_conversation_keeps_nothing_and_quit_ends() {
    let output = chat(
        "Who are you?\n/new\nWho are you?\n/quit\nWho are you?\n",
        &[],
    );
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let turns = turns(&stderr);
    assert_eq!(turns.len(), 2, "{stderr}");
    assert_eq!(turns[0], turns[1]);
    let answers: Vec<_> = stdout.lines().collect();
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn a_wrong_line_is_named_and_the_conversation_goes_on() {
    for (line, told) in [
        ("/frobnicate", "/image FILE"),
        ("<start_of_image>", "error: "),
    ] {
        let output = chat(&format!("{line}\n\nWho are you?"), &[]);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(stderr.contains(told), "no {told:?} in\n{stderr}");
        assert_eq!(turns(&stderr).len(), 1, "{stderr}");
        assert!(!stdout.trim().is_empty());
        assert_eq!(
            output.status.code(),
            Some(1),
            "a script did not go well: {stderr}"
        );
    }
}

#[test]
fn nothing_is_answered_about_a_picture_that_is_missing() {
    let missing = "/image no-such.png\nDescribe this image.\n";
    let output = chat(missing, &[]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stdout.is_empty(), "{stdout}");
    for part in ["no-such.png", "not asked"] {
        assert!(stderr.contains(part), "no {part:?} in\n{stderr}");
    }
    // Until it is there, or nobody asks for it any more.
    for line in [&format!("/image {CHEST}"), "/new"] {
        let output = chat(&format!("{missing}{line}\nDescribe this image."), &[]);
        assert_eq!(turns(&text(&output.stderr)).len(), 1);
        let shown = text(&output.stdout).contains("chest radiograph");
        assert_eq!(shown, line != "/new");
    }
}

#[test]
fn a_refused_message_leaves_its_picture_for_the_next() {
    let output = chat(
        &format!("/image {CHEST}\n<start_of_image>\nDescribe this image.\nCan I rely on this?"),
        &[],
    );
    let stdout = text(&output.stdout);
    assert!(stdout.contains("chest radiograph"), "{stdout}");
    // Once: the last turn reads a question.
    let turns = turns(&text(&output.stderr));
    assert!(turns[1][1] < turns[0][1], "{turns:?}");
}

#[test]
fn an_answer_that_is_cut_off_says_so() {
    let output = chat("Who are you?", &["--max-new-tokens", "4"]);
    let stderr = text(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(
        stderr.contains("Cut off after 4 tokens, this is not the whole answer."),
        "{stderr}"
    );
    let whole = text(&chat("Who are you?", &[]).stderr);
    assert!(!whole.contains("Cut off"), "{whole}");
}

#[test]
fn a_missing_model_is_an_error() {
    let output = chat("Hello\n", &["--model", "no-such-model"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no-such-model"));
    assert!(output.stdout.is_empty());
}
