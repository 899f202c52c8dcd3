//! The command line and what it leaves open.

use std::fs::canonicalize;
use std::path::PathBuf;

use clap::Parser;

/// The demonstration model of the report example.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/model");

/// Asks where something is on a picture; gives boxes in pixels and draws them. Not for clinical use.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// The picture: PNG or JPEG.
    pub(crate) image: PathBuf,
    /// What to look for, such as "left clavicle".
    pub(crate) what: String,
    /// Writes the picture with its boxes as PNG.
    #[arg(long, value_name = "PNG")]
    pub(crate) out: Option<PathBuf>,
    /// Has the answer written by a schema, without reasoning: a list of boxes comes, be there reason for one or not.
    #[arg(long)]
    pub(crate) by_schema: bool,
    /// Reads this answer, written elsewhere about the picture padded to a square; no model is loaded.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["by_schema", "model"])]
    pub(crate) answer: Option<String>,
    /// Hugging Face model directory [default: the demonstration model, which is not MedGemma]
    #[arg(long, value_name = "DIR", default_value = SHIPPED, hide_default_value = true)]
    pub(crate) model: PathBuf,
    /// best, cpu, ndarray, wgpu, wgpu:software or cuda:N, of those compiled in.
    #[arg(long, value_name = "NAME", default_value = "best")]
    pub(crate) device: String,
    /// Tokens after which the answer is cut off.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) max_new_tokens: usize,
}

impl Arguments {
    /// Whether the model is the one of the report example, by whatever path.
    pub(crate) fn is_demonstration(&self) -> bool {
        canonicalize(&self.model).is_ok_and(|dir| canonicalize(SHIPPED).is_ok_and(|d| d == dir))
    }
}
