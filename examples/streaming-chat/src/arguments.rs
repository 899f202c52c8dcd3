//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// The demonstration model of the report example.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/model");

/// Talks with a model, one line a message.
#[derive(Parser)]
pub(crate) struct Arguments {
    /// Hugging Face model directory [default: the demonstration model, which is not MedGemma]
    #[arg(long, value_name = "DIR", default_value = SHIPPED, hide_default_value = true)]
    pub(crate) model: PathBuf,
    /// best, cpu, ndarray, wgpu, wgpu:software or cuda:N, of those compiled in.
    #[arg(long, value_name = "NAME", default_value = "best")]
    pub(crate) device: String,
    /// Tokens after which an answer is cut off.
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub(crate) max_new_tokens: usize,
}
