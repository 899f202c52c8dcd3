//! The command line.

use std::fs::canonicalize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use medgemma::{Resize, SiglipOptions};
use medgemma_probe::{Bootstrap, ClassWeights, FitOptions};

/// The dual encoder that ships with the example zero-shot.
const SHIPPED_MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../zero-shot/model");
/// Pictures of the report example, by how they were taken.
const SHIPPED_CSV: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pictures.csv");

/// Fits a linear probe to labelled pictures and judges it. Without arguments: the demonstration model
/// and the pictures of the report example. Not for clinical use.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) fit: Fit,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Asks a saved probe about pictures.
    Predict(Predict),
}

#[derive(Args)]
pub(crate) struct Fit {
    /// Columns path, label and, if they are there, split (train or test) and group (such as the
    /// patient). Paths start from the file's folder [default: pictures of the report example]
    #[arg(long, value_name = "FILE", default_value = SHIPPED_CSV, hide_default_value = true)]
    pub(crate) csv: PathBuf,
    #[command(flatten)]
    pub(crate) encoder: EncoderArguments,
    /// Where to save the probe [default: nowhere]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Where embeddings are kept: what is there is not embedded again, by a later run or one that goes on after an
    /// end [default: nowhere]
    #[arg(long, value_name = "DIR")]
    pub(crate) embeddings: Option<PathBuf>,
    /// How often each picture fitted to is seen: once whole, the other times a part of it.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) crops: u16,
    /// The inverse of the penalty on weights.
    #[arg(long, value_name = "NUMBER", default_value_t = 0.1, value_parser = penalty)]
    c: f64,
    /// Call a label true from the probability on that finds this share of it in the pictures fitted to
    /// [default: from its share of the pictures fitted to on]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) sensitivity: Option<f64>,
    /// For the parts of pictures, the intervals and, without a column split, the parting of groups.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) seed: u64,
}

impl Fit {
    pub(crate) fn options(&self) -> FitOptions {
        FitOptions::default()
            .with_c(self.c)
            .with_class_weights(ClassWeights::Balanced)
            .with_standardize(true)
    }

    pub(crate) fn bootstrap(&self) -> Bootstrap {
        Bootstrap::default().with_seed(self.seed)
    }
}

#[derive(Args)]
pub(crate) struct Predict {
    /// A file that was saved with --out.
    #[arg(long, value_name = "FILE")]
    pub(crate) probe: PathBuf,
    #[command(flatten)]
    pub(crate) encoder: EncoderArguments,
    /// PNG or JPEG files.
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<PathBuf>,
}

#[derive(Args)]
pub(crate) struct EncoderArguments {
    /// Directory of a SigLIP model [default: the demonstration model, which is not MedSigLIP]
    #[arg(long, value_name = "DIR", default_value = SHIPPED_MODEL, hide_default_value = true)]
    pub(crate) model: PathBuf,
    /// best, cpu, ndarray, wgpu, wgpu:software or cuda:N, of those compiled in.
    #[arg(long, value_name = "NAME", default_value = "best")]
    pub(crate) device: String,
    /// tf-bilinear, pil-bilinear, pil-bicubic, torchvision-bilinear, torchvision-bicubic; or pil or torchvision:
    /// that backend of transformers with the filter that the directory's `resample` names
    /// [default: as MedSigLIP was evaluated, tf-bilinear]
    #[arg(long, value_name = "NAME")]
    resize: Option<Resize>,
    /// Centres pictures on a black square instead of stretching them, as Google trained.
    #[arg(long)]
    pad_to_square: bool,
}

/// Refused here, before any picture is embedded.
fn share(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if value > 0.0 && value <= 1.0 {
        return Ok(value);
    }
    Err("expected a share above 0 and at most 1".to_owned())
}

/// The range of [`FitOptions::c`].
fn penalty(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (1e-30..=1e30).contains(&value) {
        return Ok(value);
    }
    Err("expected a number from 1e-30 to 1e30".to_owned())
}

impl EncoderArguments {
    pub(crate) fn load_options<'a>(&self) -> SiglipOptions<'a> {
        let options = SiglipOptions::default().with_pad_to_square(self.pad_to_square);
        match self.resize {
            Some(resize) => options.with_resize(resize),
            None => options,
        }
    }

    /// Whether the model is the one that ships, by whatever path.
    pub(crate) fn is_demonstration(&self) -> bool {
        canonicalize(&self.model)
            .is_ok_and(|dir| canonicalize(SHIPPED_MODEL).is_ok_and(|shipped| shipped == dir))
    }
}
