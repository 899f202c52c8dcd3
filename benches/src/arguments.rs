//! What is asked of the program, and what is taken where nothing is said.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use medgemma::cpu::InstructionPath;
use medgemma::{KvPrecision, Precision, Speculation};

/// A part of the work that is timed by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// From the files (in the page cache) to a model that can answer.
    Load,
    /// Reading a prompt.
    Prefill,
    /// Writing one token after another.
    Decode,
    /// Writing a greedy answer to a real text, with speculation or without.
    Generate,
    /// From the pixels of one image to its soft tokens.
    Vision,
    /// From the start of the process to the first token about an image.
    FirstToken,
    /// From the pixels of images to their vectors, of a dual encoder such as MedSigLIP.
    EmbedImage,
    /// From the ids of texts to their vectors.
    EmbedText,
    /// What the machine can do at most: memory and multiplications.
    Limit,
}

/// Whether `generate` guesses tokens ahead: the library's [`Speculation`], as a word on the command
/// line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Guessing {
    /// One token a pass.
    Off,
    /// Guesses what followed the last words earlier.
    PromptLookup,
}

impl From<Guessing> for Speculation {
    fn from(guessing: Guessing) -> Self {
        match guessing {
            Guessing::Off => Self::Off,
            Guessing::PromptLookup => Self::PromptLookup,
        }
    }
}

/// What `generate` continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PromptText {
    /// A report given twice and begun a third time: the answer repeats its input.
    Copy,
    /// The beginning of a list: nothing of the answer stands in it.
    List,
}

/// The stages that need a model, as clap wants to hear it.
const MODEL_STAGES: [(&str, &str); 8] = [
    ("stage", "load"),
    ("stage", "prefill"),
    ("stage", "decode"),
    ("stage", "generate"),
    ("stage", "vision"),
    ("stage", "first-token"),
    ("stage", "embed-image"),
    ("stage", "embed-text"),
];

/// One figure of a whole model, as one line.
#[derive(Debug, Parser)]
#[command(name = "medgemma-bench")]
pub(crate) struct Arguments {
    /// A model directory, or a GGUF file; not needed for the limits.
    #[arg(long, required_if_eq_any = MODEL_STAGES)]
    pub(crate) model: Option<PathBuf>,
    /// The GGUF file of the vision tower, beside a GGUF model.
    #[arg(long)]
    pub(crate) mmproj: Option<PathBuf>,
    /// as-is, bf16, int8 or int4.
    #[arg(long, default_value = "as-is")]
    pub(crate) precision: Precision,
    /// Keys and values: as-weights or int8.
    #[arg(long, default_value_t)]
    pub(crate) kv: KvPrecision,
    /// Threads, this one included.
    #[arg(long, default_value_t = 2)]
    pub(crate) threads: usize,
    /// What to time.
    #[arg(long, value_enum)]
    pub(crate) stage: Stage,
    /// Tokens read (prefill: 512) or written a run (decode: 32, generate: 96).
    #[arg(long)]
    pub(crate) tokens: Option<usize>,
    /// Tokens read before writing begins (decode: 512); of `first-token` text is put around the image
    /// until its prompt has so many.
    #[arg(long)]
    pub(crate) context: Option<usize>,
    /// Conversations that are written at once; images or texts that are embedded.
    #[arg(long, default_value_t = 1)]
    pub(crate) batch: usize,
    /// What `generate` guesses ahead.
    #[arg(long, value_enum, default_value_t = Guessing::Off)]
    pub(crate) speculation: Guessing,
    /// What `generate` continues.
    #[arg(long, value_enum, default_value_t = PromptText::Copy)]
    pub(crate) text: PromptText,
    /// A JSON schema that the answer of `generate` is written by, of which the time is told apart.
    #[arg(long)]
    pub(crate) schema: Option<PathBuf>,
    /// `generate` draws its tokens as Gemma's `generation_config.json` says: by temperature 1 among the
    /// likeliest 64 that have 95 % together; from the same seed each time. Greedy otherwise.
    #[arg(long)]
    pub(crate) sampled: bool,
    /// Times that the figure is taken; the median counts.
    #[arg(long, default_value_t = 5)]
    pub(crate) runs: usize,
    /// Instructions: scalar, neon, avx2, avx512 or amx; the best of the processor by default.
    #[arg(long)]
    pub(crate) path: Option<InstructionPath>,
    /// The picture of `first-token`, `vision` and `embed-image`; a grey ramp by default.
    #[arg(long)]
    pub(crate) image: Option<PathBuf>,
    /// Where the model runs.
    #[arg(long, default_value = "cpu")]
    pub(crate) device: String,
    /// Print JSON instead of words.
    #[arg(long)]
    pub(crate) json: bool,
    /// Take one figure in this very process: how `first-token` calls itself.
    #[arg(long, hide = true)]
    pub(crate) child: bool,
}

impl Arguments {
    /// Tokens read or written in a run.
    pub(crate) fn tokens(&self) -> usize {
        let usual = match self.stage {
            Stage::Prefill => 512,
            Stage::Generate => 96,
            _ => 32,
        };
        self.tokens.unwrap_or(usual)
    }

    /// Tokens read before a run.
    pub(crate) fn context(&self) -> usize {
        let usual = if self.stage == Stage::Decode { 512 } else { 0 };
        self.context.unwrap_or(usual)
    }
}
