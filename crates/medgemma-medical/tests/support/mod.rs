//! Expected values of pydicom, and where the files are that they belong to.
#![allow(dead_code, reason = "each test binary takes what it needs")]

pub mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// `tests/golden/dicom.json`, made by `generate_dicom.py`.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Expected {
    /// pydicom does not read it.
    Error { error: String },
    /// Pixels.
    Pixels(Box<Pixels>),
    /// None.
    Nothing { pixels: bool },
}

#[derive(Deserialize)]
pub struct Pixels {
    pub syntax: String,
    pub frames: usize,
    pub shape: [usize; 3],
    pub signed: bool,
    pub photometric: String,
    pub at: Vec<AtFrame>,
}

#[derive(Deserialize)]
pub struct AtFrame {
    pub index: usize,
    pub crc: u32,
    #[serde(flatten)]
    pub raw: Summary,
    pub rgb: Option<Colours>,
    pub palette: Option<Colours>,
    pub modality: Option<Summary>,
    pub voi: Option<Summary>,
}

#[derive(Deserialize)]
pub struct Summary {
    pub min: f64,
    pub max: f64,
    pub mean: f64,
    pub at: Vec<f64>,
}

#[derive(Deserialize)]
pub struct Colours {
    pub crc: u32,
    pub at: Vec<i64>,
}

/// Expected values by file name.
pub fn expected() -> BTreeMap<String, Expected> {
    let text = std::fs::read_to_string(root().join("tests/golden/dicom.json")).expect("goldens");
    serde_json::from_str(&text).expect("goldens are JSON")
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The file among the small ones in the repository.
pub fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures").join(name)
}

/// The file among the fetched ones; the test that asks is run by `.ci/run` only.
pub fn fetched(name: &str) -> PathBuf {
    let folder = std::env::var_os("MEDGEMMA_TESTDATA").map(PathBuf::from);
    let folder = folder.expect("MEDGEMMA_TESTDATA names the folder that .ci/fetch-medical filled");
    ["dicom", "dicom-small", "nifti"]
        .iter()
        .map(|part| folder.join("medical").join(part).join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{name} is not in {}", folder.display()))
}

/// `*.dcm` in a folder, by name.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "dcm"))
        .collect();
    files.sort();
    files
}

/// The places that `generate_dicom.py` looks at.
pub fn places(size: usize) -> impl Iterator<Item = usize> {
    (0..24).map(move |i| (i * 7919 + 13) % size)
}
