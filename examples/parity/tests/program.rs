//! The program as a user runs it, on the small dual encoder that ships with zero-shot.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../zero-shot/model");
const CHEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/images/chest.png");

fn parity(out: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_parity"))
        .args(["--model", MODEL, "--out"])
        .arg(out)
        .args(more)
        .output()
        .expect("the program starts")
}

#[test]
fn torchvision_is_the_backend_with_the_directorys_filter() {
    let folder = tempfile::tempdir().expect("a folder");
    let pixels = |name: &str| {
        let out: PathBuf = folder.path().join(name);
        let output = parity(&out, &["--image", CHEST, "--resize", name]);
        assert!(output.status.success(), "{output:?}");
        std::fs::read(out).expect("a file")
    };
    // The directory names the bilinear one.
    assert!(pixels("torchvision") == pixels("torchvision-bilinear"));
    assert!(pixels("torchvision") != pixels("torchvision-bicubic"));
    assert!(pixels("pil") == pixels("pil-bilinear"));
}

/// The advice is the program's own option, and it helps.
#[test]
fn a_text_that_is_too_long_is_told_of_truncate() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out.safetensors");
    let text = format!("--text={}", "lung ".repeat(80));
    let output = parity(&out, &["--text=lung", &text]);
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(!output.status.success(), "{told}");
    assert!(told.contains("give --truncate"), "{told}");
    assert!(told.contains("--text, number 2:"), "{told}");
    assert!(!told.contains("with_truncate"), "{told}");
    assert!(parity(&out, &[&text, "--truncate"]).status.success());
}

/// What the decoder says of a file is the end of what is told of it, and no cause is told twice.
#[test]
fn an_error_is_told_with_its_causes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (out, damaged) = (folder.path().join("out"), folder.path().join("damaged.png"));
    let mut bytes = std::fs::read(CHEST).expect("a picture");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&damaged, bytes).expect("written");
    for (image, cause) in [(damaged.as_path(), "CRC error"), (&out, "os error 2")] {
        let output = parity(&out, &["--image", image.to_str().expect("text")]);
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(!output.status.success(), "{told}");
        assert_eq!(told.matches(cause).count(), 1, "{told}");
    }
    // A message that has its cause in it: the tokenizer's.
    let model = folder.path().join("model");
    std::fs::create_dir(&model).expect("a folder");
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(Path::new(MODEL).join(name), model.join(name)).expect("copied");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_parity"))
        .args(["--text=lung", "--model"])
        .arg(&model)
        .arg("--out")
        .arg(&out)
        .output()
        .expect("the program starts");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(told.matches("os error 2").count(), 1, "{told}");
}
