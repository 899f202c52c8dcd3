//! The command line and what it leaves open.

use std::fs::canonicalize;
use std::path::PathBuf;

use clap::Parser;

/// The demonstration model of the report example.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/model");

/// Prepares a radiograph of a DICOM file as MedGemma was trained to read it, and reports on it. Not for clinical use.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// The DICOM file.
    pub(crate) file: PathBuf,
    /// Which frame of it, counted from 0.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) frame: usize,
    /// Decodes and prepares only: no model is loaded.
    #[arg(long)]
    pub(crate) pixels_only: bool,
    /// Writes the picture as the model is shown it, as PNG.
    #[arg(long, value_name = "PNG")]
    pub(crate) out: Option<PathBuf>,
    /// Hugging Face model directory [default: the demonstration model, which is not MedGemma]
    #[arg(long, value_name = "DIR", default_value = SHIPPED, hide_default_value = true)]
    pub(crate) model: PathBuf,
    /// The question.
    #[arg(long, value_name = "TEXT", default_value = "Describe this X-ray.")]
    pub(crate) prompt: String,
    /// best, cpu, ndarray, wgpu, wgpu:software or cuda:N, of those compiled in.
    #[arg(long, value_name = "NAME", default_value = "best")]
    pub(crate) device: String,
    /// Tokens after which the answer is cut off.
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub(crate) max_new_tokens: usize,
}

impl Arguments {
    /// Whether the model is the one of the report example, by whatever path.
    pub(crate) fn is_demonstration(&self) -> bool {
        canonicalize(&self.model).is_ok_and(|dir| canonicalize(SHIPPED).is_ok_and(|d| d == dir))
    }
}
