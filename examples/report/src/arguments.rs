//! The command line and what it leaves open.

use std::fs::canonicalize;
use std::path::PathBuf;

use clap::Parser;
use medgemma::LoadOptions;

/// The model that ships with this example.
const SHIPPED_MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/model");
/// The radiograph that ships with it.
const SHIPPED_IMAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/images/chest.png");

/// Writes a report on images. Without arguments: the demonstration model on a chest radiograph.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// Hugging Face model directory, as published.
    #[arg(long, value_name = "DIR", default_value = SHIPPED_MODEL, hide_default_value = true)]
    pub(crate) model: PathBuf,
    /// PNG or JPEG files, in the order the model sees them. Without it and without a prompt: the
    /// chest radiograph of this example.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    image: Vec<PathBuf>,
    /// The question; with it and without an image, it is a question about text alone.
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Instruction in front of the question, such as "You are an expert radiologist."
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// Asks a thinking model (27B, 1.5 4B) to reason first; the reasoning goes to standard error.
    #[arg(long)]
    pub(crate) thinking: bool,
    /// best, cpu, ndarray, wgpu, wgpu:software or cuda:N, of those compiled in.
    #[arg(long, value_name = "NAME", default_value = "best")]
    pub(crate) device: String,
    /// Tokens after which the answer is cut off [default: 512, with --thinking 2048]
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<usize>,
    /// Centres images on a black square instead of stretching them, as Google trained radiographs.
    #[arg(long)]
    pad_to_square: bool,
}

impl Arguments {
    pub(crate) fn images(&self) -> Vec<PathBuf> {
        if self.image.is_empty() && self.prompt.is_none() {
            return vec![SHIPPED_IMAGE.into()];
        }
        self.image.clone()
    }

    pub(crate) fn prompt(&self) -> &str {
        self.prompt.as_deref().unwrap_or("Describe this image.")
    }

    pub(crate) fn max_new_tokens(&self) -> usize {
        let default = if self.thinking { 2048 } else { 512 };
        self.max_new_tokens.unwrap_or(default)
    }

    pub(crate) fn load_options<'a>(&self) -> LoadOptions<'a> {
        LoadOptions::default().with_pad_to_square(self.pad_to_square)
    }

    /// Whether the model is the one of this example, by whatever path.
    pub(crate) fn is_demonstration(&self) -> bool {
        canonicalize(&self.model)
            .is_ok_and(|dir| canonicalize(SHIPPED_MODEL).is_ok_and(|d| d == dir))
    }
}
