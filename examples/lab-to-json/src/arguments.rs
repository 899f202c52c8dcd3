//! The command line and what it leaves open.

use std::fs::canonicalize;
use std::path::PathBuf;

use clap::Parser;

/// The demonstration model of the report example.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/model");

/// Reads a picture of a laboratory report into typed JSON. Not for clinical use.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// The report: PNG or JPEG.
    pub(crate) image: PathBuf,
    /// Hugging Face model directory [default: the demonstration model, which is not MedGemma]
    #[arg(long, value_name = "DIR", default_value = SHIPPED, hide_default_value = true)]
    pub(crate) model: PathBuf,
    /// How many tests the report has, where that is known: the list has so many then, made up or not.
    #[arg(long, value_name = "N")]
    pub(crate) tests: Option<usize>,
    /// best, cpu, ndarray, wgpu, wgpu:software or cuda:N, of those compiled in.
    #[arg(long, value_name = "NAME", default_value = "best")]
    pub(crate) device: String,
    /// Tokens after which the answer is cut off, which is an error.
    #[arg(long, value_name = "N", default_value_t = 3500)]
    pub(crate) max_new_tokens: usize,
}

impl Arguments {
    /// Whether the model is the one of the report example, by whatever path.
    pub(crate) fn is_demonstration(&self) -> bool {
        canonicalize(&self.model).is_ok_and(|dir| canonicalize(SHIPPED).is_ok_and(|d| d == dir))
    }
}
