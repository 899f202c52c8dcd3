//! The command line and what it leaves open.

use std::fs::canonicalize;
use std::path::PathBuf;

use clap::Parser;
use medgemma_medical::LONGITUDINAL_QUESTION;

/// The demonstration model of the report example.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/model");

/// Prepares two radiographs of one patient as MedGemma 1.5 was trained to compare them, and asks what changed. Not for
/// clinical use.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// The DICOM file of the earlier radiograph.
    pub(crate) earlier: PathBuf,
    /// The DICOM file of the later radiograph.
    pub(crate) later: PathBuf,
    /// Prepares only: no model is loaded.
    #[arg(long)]
    pub(crate) pixels_only: bool,
    /// Writes both pictures as the model is shown them, the earlier at the left, as PNG.
    #[arg(long, value_name = "PNG")]
    pub(crate) out: Option<PathBuf>,
    /// Hugging Face model directory [default: the demonstration model, which is not MedGemma]
    #[arg(long, value_name = "DIR", default_value = SHIPPED, hide_default_value = true)]
    pub(crate) model: PathBuf,
    /// The question [default: that of the published notebook]
    #[arg(long, value_name = "TEXT", default_value = LONGITUDINAL_QUESTION, hide_default_value = true)]
    pub(crate) question: String,
    /// best, cpu, ndarray, wgpu, wgpu:software or cuda:N, of those compiled in.
    #[arg(long, value_name = "NAME", default_value = "best")]
    pub(crate) device: String,
    /// Tokens after which the answer is cut off.
    #[arg(long, value_name = "N", default_value_t = 600)]
    pub(crate) max_new_tokens: usize,
}

impl Arguments {
    /// Whether the model is the one of the report example, by whatever path.
    pub(crate) fn is_demonstration(&self) -> bool {
        canonicalize(&self.model).is_ok_and(|dir| canonicalize(SHIPPED).is_ok_and(|d| d == dir))
    }
}
