//! What is asked of the program, and what is taken where nothing is said.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use medgemma::cpu::InstructionPath;
use medgemma::{KvPrecision, Precision};

/// A part of the work that is timed by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// From the files (in the page cache) to a model that can answer.
    Load,
    /// Reading a prompt.
    Prefill,
    /// Writing one token after another.
    Decode,
    /// From the pixels of one image to its soft tokens.
    Vision,
    /// From the start of the process to the first token about an image.
    FirstToken,
    /// What the machine can do at most: memory and multiplications.
    Limit,
}

/// The stages that need a model, as clap wants to hear it.
const MODEL_STAGES: [(&str, &str); 5] = [
    ("stage", "load"),
    ("stage", "prefill"),
    ("stage", "decode"),
    ("stage", "vision"),
    ("stage", "first-token"),
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
    /// Tokens read (prefill: 512) or written a run (decode: 32).
    #[arg(long)]
    pub(crate) tokens: Option<usize>,
    /// Tokens read before writing begins (512).
    #[arg(long)]
    pub(crate) context: Option<usize>,
    /// Conversations that are written at once.
    #[arg(long, default_value_t = 1)]
    pub(crate) batch: usize,
    /// Times that the figure is taken; the median counts.
    #[arg(long, default_value_t = 5)]
    pub(crate) runs: usize,
    /// Instructions: scalar, neon, avx2, avx512 or amx; the best of the processor by default.
    #[arg(long)]
    pub(crate) path: Option<InstructionPath>,
    /// The picture of `first-token` and `vision`; a grey ramp by default.
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
        let usual = if self.stage == Stage::Prefill {
            512
        } else {
            32
        };
        self.tokens.unwrap_or(usual)
    }

    /// Tokens read before a run.
    pub(crate) fn context(&self) -> usize {
        let usual = if self.stage == Stage::Decode { 512 } else { 0 };
        self.context.unwrap_or(usual)
    }
}
