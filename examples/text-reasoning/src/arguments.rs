//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// The demonstration model of the report example.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/model");

/// Asks a question, with reasoning.
#[derive(Parser)]
pub(crate) struct Arguments {
    /// Hugging Face model directory [default: the demonstration model, which is not MedGemma]
    #[arg(long, value_name = "DIR", default_value = SHIPPED, hide_default_value = true)]
    pub(crate) model: PathBuf,
    /// The question.
    #[arg(default_value = "Which part of the body does a chest radiograph show?")]
    pub(crate) question: String,
    /// A possible answer to score, once for each.
    #[arg(long, value_name = "TEXT")]
    pub(crate) choice: Vec<String>,
    /// best, cpu, ndarray, wgpu, wgpu:software or cuda:N, of those compiled in.
    #[arg(long, value_name = "NAME", default_value = "best")]
    pub(crate) device: String,
    /// Tokens after which reasoning and answer together are cut off.
    #[arg(long, value_name = "N", default_value_t = 2048)]
    pub(crate) max_new_tokens: usize,
}
