//! The command line and what it leaves open.

use std::fs::canonicalize;
use std::path::PathBuf;

use clap::Parser;
use medgemma_medical::{CtPreset, CtRecipe, Sampler};

/// The demonstration model of the report example.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/model");

/// Prepares a CT volume as MedGemma 1.5 was trained to read it, and asks two questions about it. Not for clinical use.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// A folder with the DICOM files of one series, a DICOM file of several frames, or a `.nii` or `.nii.gz`.
    pub(crate) source: PathBuf,
    /// Which windows become red, green and blue: medgemma-1.5, report or serving-as-written.
    #[arg(long, value_name = "NAME", default_value = "medgemma-1.5", value_parser = preset)]
    preset: CtPreset,
    /// Most slices to show, evenly spread [default: 85, as MedGemma 1.5 was trained]
    #[arg(long, value_name = "N")]
    slices: Option<usize>,
    /// Prepares only: no model is loaded.
    #[arg(long)]
    pub(crate) pixels_only: bool,
    /// Writes the slices as the model is shown them, numbered, as one PNG.
    #[arg(long, value_name = "PNG")]
    pub(crate) montage: Option<PathBuf>,
    /// The greatest side of a slice in the montage, in pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = 160, value_parser = clap::value_parser!(u32).range(16..))]
    pub(crate) tile: u32,
    /// Hugging Face model directory [default: the demonstration model, which is not MedGemma]
    #[arg(long, value_name = "DIR", default_value = SHIPPED, hide_default_value = true)]
    pub(crate) model: PathBuf,
    /// What stands before the slices.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "You are shown slices of one CT volume, from the feet up; each is followed by its number."
    )]
    pub(crate) instruction: String,
    /// The question, which stands after the slices.
    #[arg(long, value_name = "TEXT", default_value = "Describe this image.")]
    pub(crate) question: String,
    /// A second question about the same slices.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "Which part of the body is shown?"
    )]
    pub(crate) second_question: String,
    /// best, cpu, ndarray, wgpu, wgpu:software or cuda:N, of those compiled in.
    #[arg(long, value_name = "NAME", default_value = "best")]
    pub(crate) device: String,
    /// Tokens after which an answer is cut off.
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub(crate) max_new_tokens: usize,
}

impl Arguments {
    pub(crate) fn recipe(&self) -> CtRecipe {
        let recipe = CtRecipe::default().with_preset(self.preset);
        match self.slices {
            Some(most) => recipe.with_sampler(Sampler::AtMost(most)),
            None => recipe,
        }
    }

    /// Whether the model is the one of the report example, by whatever path.
    pub(crate) fn is_demonstration(&self) -> bool {
        canonicalize(&self.model).is_ok_and(|dir| canonicalize(SHIPPED).is_ok_and(|d| d == dir))
    }
}

fn preset(name: &str) -> Result<CtPreset, String> {
    CtPreset::named(name).map_err(|error| error.to_string())
}
