//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// The demonstration model and a picture of the report example.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/model");
const CHEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/images/chest.png");

/// Compares two pictures by what the vision tower sees in them.
#[derive(Parser)]
pub(crate) struct Arguments {
    /// PNG or JPEG [default: the chest radiograph of the report example]
    #[arg(default_value = CHEST, hide_default_value = true)]
    pub(crate) first: PathBuf,
    /// PNG or JPEG [default: as the first]
    #[arg(default_value = CHEST, hide_default_value = true)]
    pub(crate) second: PathBuf,
    /// Hugging Face directory of a Gemma 3 model with vision.
    #[arg(long, value_name = "DIR", default_value = SHIPPED, hide_default_value = true)]
    pub(crate) model: PathBuf,
    /// best, cpu, ndarray, wgpu, wgpu:software or cuda:N, of those compiled in.
    #[arg(long, value_name = "NAME", default_value = "best")]
    pub(crate) device: String,
}
