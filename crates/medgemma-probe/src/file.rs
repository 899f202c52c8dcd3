//! A probe on disk: JSON, whole or not at all.
//!
//! ```json
//! {
//!   "format": "medgemma-probe", "version": 1, "checksum": "1c291ca3",
//!   "probe": {
//!     "kind": "multi-class", "labels": ["normal", "effusion"], "dimension": 1152, "encoder": "…",
//!     "penalty": {"c": 1.0, "class_weights": "balanced", "standardized": true, "prevalence": [0.98, 0.02]},
//!     "thresholds": [0.5, 0.31], "intercepts": [0.0, -1.7], "weights": [[…], […]]
//!   }
//! }
//! ```
//!
//! `encoder`, `penalty` and `thresholds` may be null or left out. So may `checksum`, for files of other
//! programs: it is the CRC-32 of `probe` as this crate writes it, without spaces.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tempfile::Builder;

use crate::error::{Error, Result};
use crate::probe::{Kind, Penalty, Probe};

const FORMAT: &str = "medgemma-probe";
const VERSION: u32 = 1;

/// Far above any probe: a thousand labels of a thousand numbers are some twenty megabytes.
const LARGEST: u64 = 1 << 30;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
    probe: Stored,
}

/// What says whether the rest can be understood.
#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    kind: Kind,
    labels: Vec<String>,
    dimension: usize,
    encoder: Option<String>,
    penalty: Option<Penalty>,
    thresholds: Option<Vec<f64>>,
    intercepts: Vec<f64>,
    weights: Vec<Vec<f64>>,
}

impl Stored {
    fn of(probe: &Probe) -> Self {
        Self {
            kind: probe.kind(),
            labels: probe.labels().to_vec(),
            dimension: probe.dimension(),
            encoder: probe.encoder().map(str::to_owned),
            penalty: probe.penalty().cloned(),
            thresholds: probe.thresholds().map(<[f64]>::to_vec),
            intercepts: probe.intercepts().to_vec(),
            weights: probe.weights().map(<[f64]>::to_vec).collect(),
        }
    }

    fn probe(&self) -> Result<Probe> {
        let (labels, weights) = (&self.labels, &self.weights);
        let mut probe = Probe::new(self.kind, labels, weights, &self.intercepts)?;
        if probe.dimension() != self.dimension {
            let (expected, found) = (self.dimension, probe.dimension());
            return Err(Error::length("weights[0]", expected, "number", found));
        }
        if let Some(encoder) = &self.encoder {
            probe = probe.with_encoder(encoder);
        }
        if let Some(penalty) = &self.penalty {
            check_prevalence(&penalty.prevalence, labels.len())?;
            probe = probe.with_penalty(penalty.clone());
        }
        match &self.thresholds {
            None => Ok(probe),
            Some(thresholds) => probe.with_thresholds(thresholds.as_slice()),
        }
    }

    /// The CRC-32 of the text that this crate makes of it.
    fn checksum(&self) -> String {
        let text = serde_json::to_vec(self).expect("numbers and texts are JSON");
        format!("{:08x}", crc32fast::hash(&text))
    }
}

impl Probe {
    /// Writes the probe to a file, in place of what was there. A crash leaves the old file or the new
    /// one.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let probe = Stored::of(self);
        let document = Document {
            format: FORMAT.to_owned(),
            version: VERSION,
            checksum: Some(probe.checksum()),
            probe,
        };
        let mut text = serde_json::to_vec(&document).expect("numbers and texts are JSON");
        text.push(b'\n');
        replace(path, &text)
    }

    /// Reads a probe that was saved, or written by another program in the same form.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::File`] naming what is missing, surplus, of another version, damaged or
    /// impossible.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = read(path)?;
        let wrong = |what: &str, expected: &str, found: String| Error::File {
            path: path.to_owned(),
            what: what.to_owned(),
            expected: expected.to_owned(),
            found,
        };
        let json = |error: serde_json::Error| wrong("JSON", "a probe", error.to_string());
        let header: Header = serde_json::from_slice(&text).map_err(json)?;
        if header.format != FORMAT {
            return Err(wrong("format", FORMAT, header.format));
        }
        if header.version != VERSION {
            let expected = format!("{VERSION}, which this release reads");
            return Err(wrong("version", &expected, header.version.to_string()));
        }
        let document: Document = serde_json::from_slice(&text).map_err(json)?;
        let checksum = document.probe.checksum();
        if let Some(found) = document.checksum.filter(|found| *found != checksum) {
            return Err(wrong("checksum", &checksum, found));
        }
        document.probe.probe().map_err(|error| match error {
            Error::Argument {
                argument,
                expected,
                found,
            } => wrong(&argument, &expected, found),
            other => other,
        })
    }
}

/// Refuses shares that are none, or not one for each label.
fn check_prevalence(shares: &[f64], labels: usize) -> Result<()> {
    let argument = "penalty.prevalence";
    if shares.len() != labels {
        return Err(Error::length(argument, labels, "label", shares.len()));
    }
    match shares.iter().position(|share| !(0.0..=1.0).contains(share)) {
        None => Ok(()),
        Some(at) => Err(Error::argument(
            format!("{argument}[{at}]"),
            "a share from 0 to 1",
            shares[at].to_string(),
        )),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    // A pipe would be waited for. What cannot be looked at cannot be opened either, and opening says why.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "it is no file");
        return Err(Error::io(path, "open the file")(source));
    }
    let file = File::open(path).map_err(Error::io(path, "open the file"))?;
    let mut text = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut text);
    read.map_err(Error::io(path, "read the file"))?;
    if text.len() as u64 > LARGEST {
        return Err(Error::File {
            path: path.to_owned(),
            what: "length".to_owned(),
            expected: format!("at most {LARGEST} bytes"),
            found: "more".to_owned(),
        });
    }
    Ok(text)
}

/// Writes beside the file, waits for the disk, and renames. What fails leaves nothing behind.
fn replace(path: &Path, text: &[u8]) -> Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut beside = Builder::new();
    // As any new file, not for its owner alone: the process's umask decides.
    #[cfg(unix)]
    beside.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut fresh = beside
        .tempfile_in(folder)
        .map_err(Error::io(path, "create a file beside it"))?;
    fresh
        .write_all(text)
        .map_err(Error::io(path, "write the file"))?;
    let synced = fresh.as_file().sync_all();
    synced.map_err(Error::io(path, "sync the file to the disk"))?;
    fresh
        .persist(path)
        .map_err(|failed| Error::io(path, "rename the new file")(failed.error))?;
    sync_folder(folder)
}

/// Makes the new name last. Windows has no such call and needs none.
fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(Error::io(folder, "sync the folder to the disk"))?;
    }
    Ok(())
}
