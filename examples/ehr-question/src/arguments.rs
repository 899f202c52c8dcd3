//! The command line and what it leaves open.

use std::fs::canonicalize;
use std::path::PathBuf;

use clap::Parser;

/// The demonstration model of the report example.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/model");

/// Answers a question from a FHIR R4 bundle: the model picks kinds of resources, searches them, writes down facts, and
/// answers from those that cite what it was shown. Not for clinical use.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// A FHIR R4 bundle as JSON.
    pub(crate) bundle: PathBuf,
    /// The question.
    pub(crate) question: String,
    /// Hugging Face model directory [default: the demonstration model, which is not MedGemma]
    #[arg(long, value_name = "DIR", default_value = SHIPPED, hide_default_value = true)]
    pub(crate) model: PathBuf,
    /// Tokens of one prompt at most [default: 8192, or half of the model's context if that is less]
    #[arg(long, value_name = "N")]
    pub(crate) budget: Option<usize>,
    /// Whose record is read, where there are several: `Patient/…`, as citations name it.
    #[arg(long, value_name = "NAME")]
    pub(crate) patient: Option<String>,
    /// Calls of the model at most, the last of them for the answer.
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub(crate) max_calls: usize,
    /// best, cpu, ndarray, wgpu, wgpu:software or cuda:N, of those compiled in.
    #[arg(long, value_name = "NAME", default_value = "best")]
    pub(crate) device: String,
}

impl Arguments {
    /// Whether the model is the one of the report example, by whatever path.
    pub(crate) fn is_demonstration(&self) -> bool {
        canonicalize(&self.model).is_ok_and(|dir| canonicalize(SHIPPED).is_ok_and(|d| d == dir))
    }
}
