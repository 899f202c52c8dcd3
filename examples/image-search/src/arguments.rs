//! The command line.

use std::fs::canonicalize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use medgemma::{Resize, SiglipNormalization, SiglipOptions};

/// The demonstration model of the zero-shot example.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../zero-shot/model");

/// Finds pictures of a folder by a text, by a picture, or by both.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) task: Task,
    /// Hugging Face directory of a SigLIP model [default: the demonstration model, which is not MedSigLIP]
    #[arg(long, global = true, value_name = "DIR", default_value = SHIPPED, hide_default_value = true)]
    pub(crate) model: PathBuf,
    /// best, cpu, ndarray, wgpu, wgpu:software or cuda:N, of those compiled in.
    #[arg(long, global = true, value_name = "NAME", default_value = "best")]
    pub(crate) device: String,
    /// tf-bilinear, pil-bilinear, pil-bicubic, torchvision-bilinear, torchvision-bicubic; or pil or torchvision:
    /// that backend of transformers with the filter that the directory's `resample` names. Of an index always the same
    /// [default: as MedSigLIP was evaluated, tf-bilinear]
    #[arg(long, global = true, value_name = "NAME")]
    resize: Option<Resize>,
    /// Centres pictures on a black square instead of stretching them, as Google trained. Of an index always or never.
    #[arg(long, global = true)]
    pad_to_square: bool,
}

impl Arguments {
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
            .is_ok_and(|dir| canonicalize(SHIPPED).is_ok_and(|shipped| shipped == dir))
    }
}

#[derive(Subcommand)]
pub(crate) enum Task {
    /// Takes the pictures of a folder, and of the folders in it, into an index.
    Index(IndexTask),
    /// Finds the pictures of an index that are most like a text, a picture, or both.
    Query(QueryTask),
}

#[derive(Args)]
pub(crate) struct IndexTask {
    /// Where the PNG and JPEG files are.
    pub(crate) folder: PathBuf,
    /// Where the index is, or is to be made.
    #[arg(long, value_name = "DIR")]
    pub(crate) index: PathBuf,
    /// Pictures that are published together: what a crash costs is at most one such batch.
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub(crate) batch: usize,
    /// Threads that read and decode, each with a picture or two in memory [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// Removes from the index the pictures, of any folder, that are not where they are recorded. Those on
    /// a disk that is not there are gone too; so is one of which only an equal file in another folder is
    /// left, until that folder is indexed again. Nothing is removed if a file could not be read.
    #[arg(long)]
    pub(crate) prune: bool,
}

#[derive(Args)]
pub(crate) struct QueryTask {
    /// Where the index is.
    #[arg(long, value_name = "DIR")]
    pub(crate) index: PathBuf,
    /// What the pictures show; with --image, see --text-weight.
    #[arg(long, value_name = "TEXT", required_unless_present = "image")]
    pub(crate) text: Option<String>,
    /// How the text is normalised: siglip-tokenizer, as in transformers and Google's container, for which
    /// `<90` is `90`, or tokenizer-json, as the published `tokenizer.json` says, which keeps `/`, `<` and `>`.
    #[arg(long, value_name = "NAME", default_value_t, requires = "text")]
    pub(crate) normalization: SiglipNormalization,
    /// A PNG or JPEG file that they are like.
    #[arg(long, value_name = "FILE")]
    pub(crate) image: Option<PathBuf>,
    /// The text's part of the sum that is searched for, 0 to 1; the rest is the image's. Of equal parts
    /// the image decides more: pictures are far more like each other than like any text. Give the text
    /// more than a half for it to tell.
    #[arg(
        long, value_name = "W", default_value_t = 0.5, value_parser = weight,
        requires_all = ["text", "image"]
    )]
    pub(crate) text_weight: f32,
    /// Pictures to show at most.
    #[arg(long, value_name = "K", default_value_t = 10)]
    pub(crate) top: usize,
    /// Only pictures whose metadata has this value, once for each condition: folder, file, path,
    /// width or height.
    #[arg(long, value_name = "KEY=VALUE", value_parser = condition)]
    pub(crate) filter: Vec<(String, String)>,
    /// Where a contact sheet is to be written: one file, with the pictures in it.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

fn condition(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn weight(text: &str) -> Result<f32, String> {
    let weight: Option<f32> = text.parse().ok();
    let weight = weight.filter(|weight| (0.0..=1.0).contains(weight));
    weight.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}
