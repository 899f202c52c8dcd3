//! What every bench measures: a model directory on a device, the shipped demonstration model on the
//! CPU unless `MEDGEMMA_BENCH_MODEL` and `MEDGEMMA_BENCH_DEVICE` name others; of the kernels alone the
//! processor's best instructions unless `MEDGEMMA_BENCH_PATH` names others.

use std::env;
use std::path::{Path, PathBuf};

use medgemma::cpu::{InstructionPath, UnknownPath};
use medgemma::{Device, MedGemma};

/// The model directory.
#[must_use]
pub fn model_dir() -> PathBuf {
    let shipped = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/report/model");
    env::var_os("MEDGEMMA_BENCH_MODEL").map_or_else(shipped, PathBuf::from)
}

/// The device.
///
/// # Errors
/// [`medgemma::Error`] for a name that is unknown or not compiled in.
pub fn device() -> medgemma::Result<Device> {
    let name = env::var("MEDGEMMA_BENCH_DEVICE").unwrap_or_else(|_| "cpu".to_owned());
    Ok(name.parse()?)
}

/// The model on the device.
///
/// # Errors
/// [`medgemma::Error`] as [`device`] and [`MedGemma::load`].
pub fn model() -> medgemma::Result<MedGemma> {
    MedGemma::load(model_dir(), &device()?)
}

/// The instructions that kernels are measured with.
///
/// # Errors
/// [`UnknownPath`] for a name that is unknown or that this processor lacks.
pub fn instructions() -> Result<InstructionPath, UnknownPath> {
    match env::var("MEDGEMMA_BENCH_PATH") {
        Ok(name) => name.parse(),
        Err(_) => Ok(InstructionPath::best()),
    }
}

/// Device, stored formats and sizes, for the name of a measurement: `cpu/BF16/1.6M`.
#[must_use]
pub fn label(model: &MedGemma) -> String {
    let report = model.model().report();
    let formats: Vec<&str> = report.formats.keys().map(String::as_str).collect();
    let millions = report.parameters / 100_000;
    let (whole, tenth) = (millions / 10, millions % 10);
    format!(
        "{}/{}/{whole}.{tenth}M",
        model.model().device(),
        formats.join("+")
    )
}

/// Token ids for a prompt of `count`, all of them of ordinary text.
///
/// # Errors
/// [`medgemma::Error`] when the tokenizer refuses the text.
pub fn prompt(model: &MedGemma, count: usize) -> medgemma::Result<Vec<u32>> {
    let ids = model.tokenizer().encode(TEXT)?;
    Ok(ids.iter().copied().cycle().take(count).collect())
}

/// A report as a radiologist would dictate it, written for this purpose.
pub const TEXT: &str = "Indication: a cough and a fever for three days. Technique: one frontal view \
of the chest. Findings: the lungs are clear and equally inflated. No fluid in the pleural space and \
no free air. Heart and great vessels are of normal size. The ribs are whole, as far as one view can \
show. Impression: no acute disease; compare with the last study of 2024, and repeat in 2 weeks if \
the fever stays. Größe 3.5 cm, 肺 clear.\n";
