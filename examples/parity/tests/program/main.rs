//! The program as a user runs it: what it writes is what transformers computed, what it is told it does.

mod dual_encoder;
mod medgemma_model;

use std::path::Path;
use std::process::{Command, Output};

use medgemma_testkit::Golden;

const IMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/images");
const CHEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/images/chest.png");

fn run(model: &Path, out: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_parity"))
        .arg("--model")
        .arg(model)
        .arg("--out")
        .arg(out)
        .args(more)
        .output()
        .expect("the program starts")
}

/// The file of a run that succeeds, and what the run told on standard error.
#[track_caller]
fn written(model: &Path, more: &[&str]) -> (Golden, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out.safetensors");
    let output = run(model, &out, more);
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    (Golden::open(&out), told)
}
