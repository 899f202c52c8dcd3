//! Where the committed checkpoints and goldens lie.

use std::path::{Path, PathBuf};

/// The committed checkpoints of whole Gemma 3 models; beside them lie those of dual encoders.
/// `golden/README.md` says what each is for.
pub const GEMMA: [&str; 4] = ["mm-2025", "mm-bf16", "mm-f16", "text-27b-like"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Directory of a committed checkpoint, laid out as a published one.
///
/// # Panics
/// If there is no checkpoint of this name.
#[must_use]
pub fn checkpoint(variant: &str) -> PathBuf {
    let all = root().join("checkpoints");
    let path = all.join(variant);
    if !path.join("config.json").is_file() {
        let entries = std::fs::read_dir(&all).expect("the checkpoints are committed");
        let names: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.join("config.json").is_file())
            .filter_map(|path| path.file_name().map(std::ffi::OsStr::to_owned))
            .collect();
        panic!("no tiny checkpoint {variant:?} in {all:?}; there are {names:?}");
    }
    path
}

/// A committed `config.json` of another dialect: `mm-5x`, `mm-new` or `mm-narrow`.
pub(crate) fn config(name: &str) -> PathBuf {
    root()
        .join("checkpoints/configs")
        .join(format!("{name}.json"))
}

/// A committed GGUF file: `mm-bf16` or `mm-f16`, or its vision part `mmproj-mm-bf16`, ….
///
/// # Panics
/// If there is no such file.
#[must_use]
pub fn gguf(name: &str) -> PathBuf {
    let path = root().join("checkpoints/gguf").join(format!("{name}.gguf"));
    assert!(path.is_file(), "no GGUF file {name:?}");
    path
}

/// File of a golden, `<variant>.<prompt>` such as `mm-2025.two-images`, or `chat-one-image`.
///
/// # Panics
/// If there is no such golden (see [`golden_names`]).
#[must_use]
pub fn golden_path(name: &str) -> PathBuf {
    let path = data().join(format!("{name}.safetensors"));
    assert!(
        path.is_file(),
        "no golden {name:?}; there are {:?}",
        golden_names()
    );
    path
}

/// A file beside the goldens: `picture-a.png`, `chat-one-image.json`, `teeth.mm-2025.json`.
///
/// # Panics
/// If there is no such file.
#[must_use]
pub fn picture(file: &str) -> PathBuf {
    let path = data().join(file);
    assert!(path.is_file(), "no file {file:?} beside the goldens");
    path
}

/// Names of all committed goldens, sorted.
///
/// # Panics
/// If the folder of the goldens cannot be read.
#[must_use]
pub fn golden_names() -> Vec<String> {
    let entries = std::fs::read_dir(data()).expect("the folder of the goldens is committed");
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|file| file.strip_suffix(".safetensors").map(str::to_owned))
        .collect();
    names.sort();
    names
}

fn data() -> PathBuf {
    root().join("golden/data")
}
