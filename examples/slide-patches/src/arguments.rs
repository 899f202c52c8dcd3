//! The command line and what it leaves open.

use std::fs::canonicalize;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use medgemma_medical::{PatchRecipe, Tissue};

/// The demonstration model of the report example.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/model");

/// Cuts a whole-slide image into the patches that MedGemma 1.5 was trained to read, and has them described. Not for
/// clinical use.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// An SVS or another tiled TIFF, a DICOM file, or a folder with the DICOM files of one slide.
    pub(crate) slide: PathBuf,
    /// 5, 10 or 20, as in training.
    #[arg(long, value_name = "TIMES", default_value_t = 10.0)]
    magnification: f64,
    /// Most patches; a sample is drawn where there are more [default: 126, as in training]
    #[arg(long, value_name = "N")]
    patches: Option<usize>,
    /// Which sample is drawn.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Which patches are tissue.
    #[arg(long, value_enum, default_value_t = Rule::Hsv)]
    tissue: Rule,
    /// Micrometres per pixel, for a file that does not say it.
    #[arg(long, value_name = "NUMBER")]
    microns: Option<f64>,
    /// Cuts only: no model is loaded.
    #[arg(long)]
    pub(crate) pixels_only: bool,
    /// Writes the slide, small, with the patches as boxes: green and numbered where shown, grey where not.
    #[arg(long, value_name = "PNG")]
    pub(crate) overview: Option<PathBuf>,
    /// Writes the patches as the model is shown them, numbered, smaller, as one PNG.
    #[arg(long, value_name = "PNG")]
    pub(crate) montage: Option<PathBuf>,
    /// What was cut, for the instruction.
    #[arg(long, value_name = "TEXT", default_value = "colon")]
    pub(crate) organ: String,
    /// How it was taken, for the instruction.
    #[arg(long, value_name = "TEXT", default_value = "biopsy")]
    pub(crate) procedure: String,
    /// Hugging Face model directory [default: the demonstration model, which is not MedGemma]
    #[arg(long, value_name = "DIR", default_value = SHIPPED, hide_default_value = true)]
    pub(crate) model: PathBuf,
    /// best, cpu, ndarray, wgpu, wgpu:software or cuda:N, of those compiled in.
    #[arg(long, value_name = "NAME", default_value = "best")]
    pub(crate) device: String,
    /// Tokens after which the answer is cut off.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub(crate) max_new_tokens: usize,
}

/// When a patch is tissue.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rule {
    /// By colour.
    Hsv,
    /// By brightness, as the published notebook.
    Notebook,
    /// All are.
    Everything,
}

impl Arguments {
    pub(crate) fn recipe(&self) -> PatchRecipe {
        let tissue = match self.tissue {
            Rule::Hsv => Tissue::hsv(),
            Rule::Notebook => Tissue::notebook(),
            Rule::Everything => Tissue::Everything,
        };
        let mut recipe = PatchRecipe::default()
            .with_magnification(self.magnification)
            .with_tissue(tissue)
            .with_seed(self.seed);
        if let Some(patches) = self.patches {
            recipe = recipe.with_cap(patches);
        }
        if let Some(microns) = self.microns {
            recipe = recipe.with_microns_per_pixel(microns);
        }
        recipe
    }

    /// Whether the model is the one of the report example, by whatever path.
    pub(crate) fn is_demonstration(&self) -> bool {
        canonicalize(&self.model).is_ok_and(|dir| canonicalize(SHIPPED).is_ok_and(|d| d == dir))
    }
}
