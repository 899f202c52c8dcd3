//! The program on pictures whose similarity is known in kind.

use std::process::{Command, Output};

const IMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/images");

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_custom-backend"))
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn similarity(first: &str, second: &str) -> f64 {
    let output = run(&[
        "--device",
        "cpu",
        &format!("{IMAGES}/{first}"),
        &format!("{IMAGES}/{second}"),
    ]);
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        stdout.starts_with("device cpu, backends compiled in: cpu"),
        "{stdout}"
    );
    assert_eq!(stdout.matches(" patches of ").count(), 2, "{stdout}");
    let value = stdout
        .lines()
        .find_map(|line| line.strip_prefix("cosine similarity: "));
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("no figure: {stdout}"))
}

#[test]
fn like_pictures_are_more_alike_than_unlike_ones() {
    let same = similarity("chest.png", "chest.png");
    let half = similarity("chest.png", "held-out/chest-right-half.png");
    let eye = similarity("chest.png", "held-out/fundus-right-half-mirrored.png");
    assert!((same - 1.0).abs() < 1e-4, "{same}");
    assert!(half > eye + 0.1, "half a chest {half}, an eye {eye}");
    let back = similarity("held-out/fundus-right-half-mirrored.png", "chest.png");
    assert!((eye - back).abs() < 1e-4, "{eye} {back}");
}

#[test]
fn a_backend_that_is_not_there_is_named() {
    for (device, expected) in [("cuda:99", "cuda"), ("abacus", "abacus")] {
        let output = run(&["--device", device]);
        assert_eq!(output.status.code(), Some(1), "{device}");
        assert!(
            text(&output.stderr).contains(expected),
            "{}",
            text(&output.stderr)
        );
        assert!(output.stdout.is_empty());
    }
}
