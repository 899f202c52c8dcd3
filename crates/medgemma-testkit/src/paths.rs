//! Where the committed checkpoints and goldens lie.

use std::path::{Path, PathBuf};

/// The committed checkpoints; `golden/README.md` says what each is for.
pub const VARIANTS: [&str; 4] = ["mm-2025", "mm-bf16", "mm-f16", "text-27b-like"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Directory of a committed checkpoint, laid out as a published Gemma 3 directory.
///
/// # Panics
/// If there is no checkpoint of this name (see [`VARIANTS`]).
#[must_use]
pub fn checkpoint(variant: &str) -> PathBuf {
    let path = root().join("checkpoints").join(variant);
    assert!(
        path.join("config.json").is_file(),
        "no tiny checkpoint {variant:?} at {}; there are {VARIANTS:?}",
        path.display()
    );
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
