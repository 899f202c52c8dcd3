//! The program as a user runs it: errors. `.ci/run` runs it on a real slide, which is fetched.

use std::process::Command;

const SLIDES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/medgemma-medical/tests/golden/slides"
);

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let pyramid = format!("{SLIDES}/pyramid_jpeg.tif");
    for (arguments, words) in [
        (vec!["nowhere.svs"], "nowhere.svs"),
        (vec![&pyramid], "a slide of 896 x 896 pixels or more"),
        (vec![&pyramid, "--magnification", "400"], "the slide's own"),
        (vec![&pyramid, "--patches", "0"], "at least one patch"),
        (
            vec![&pyramid, "--microns=-1"],
            "the size of a pixel above 0",
        ),
        (
            vec![concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")],
            "Cargo.toml",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_slide-patches"))
            .args(arguments)
            .current_dir(std::env::temp_dir())
            .output()
            .expect("the program starts");
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let error = stderr.lines().last().unwrap_or_default();
        assert!(
            error.starts_with("error: ") && error.contains(words),
            "{stderr}"
        );
    }
}
