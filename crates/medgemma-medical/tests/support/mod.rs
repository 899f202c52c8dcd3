//! Expected values of pydicom, and where the files are that they belong to.
#![allow(dead_code, reason = "each test binary takes what it needs")]

pub(crate) mod blank;
pub(crate) mod golden;
pub(crate) mod picture;
pub(crate) mod resident;
pub(crate) mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// `tests/golden/dicom.json`, made by `generate_dicom.py`.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Expected {
    /// pydicom does not read it.
    Error { error: String },
    /// Pixels.
    Pixels(Box<Pixels>),
    /// None.
    Nothing { pixels: bool },
}

#[derive(Deserialize)]
pub(crate) struct Pixels {
    pub(crate) syntax: String,
    pub(crate) frames: usize,
    pub(crate) shape: [usize; 3],
    pub(crate) signed: bool,
    pub(crate) photometric: String,
    pub(crate) at: Vec<AtFrame>,
}

#[derive(Deserialize)]
pub(crate) struct AtFrame {
    pub(crate) index: usize,
    pub(crate) crc: u32,
    #[serde(flatten)]
    pub(crate) raw: Summary,
    pub(crate) rgb: Option<Colours>,
    pub(crate) palette: Option<Colours>,
    pub(crate) modality: Option<Summary>,
    pub(crate) voi: Option<Summary>,
}

#[derive(Deserialize)]
pub(crate) struct Summary {
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) mean: f64,
    pub(crate) at: Vec<f64>,
}

#[derive(Deserialize)]
pub(crate) struct Colours {
    pub(crate) crc: u32,
    pub(crate) at: Vec<i64>,
}

/// Expected values by file name.
pub(crate) fn expected() -> BTreeMap<String, Expected> {
    let text = std::fs::read_to_string(root().join("tests/golden/dicom.json")).expect("goldens");
    serde_json::from_str(&text).expect("goldens are JSON")
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The file among the small ones in the repository.
pub(crate) fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures").join(name)
}

/// The file among the fetched ones; the test that asks is run by `.ci/run` only.
pub(crate) fn fetched(name: &str) -> PathBuf {
    let folder = std::env::var_os("MEDGEMMA_TESTDATA").map(PathBuf::from);
    let folder = folder.expect("MEDGEMMA_TESTDATA names the folder that .ci/fetch-medical filled");
    ["dicom", "dicom-small", "nifti"]
        .iter()
        .map(|part| folder.join("medical").join(part).join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{name} is not in {}", folder.display()))
}

/// `*.dcm` in a folder, by name.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "dcm"))
        .collect();
    files.sort();
    files
}

/// The places that `generate_dicom.py` looks at.
pub(crate) fn places(size: usize) -> impl Iterator<Item = usize> {
    (0..24).map(move |i| (i * 7919 + 13) % size)
}
