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
    /// Threads of the device `cpu`, this one included (2); 0 for as many as the process may run at once.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
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
    #[arg(long, default_value = CPU)]
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
        self.tokens.unwrap_or(self.usual_tokens())
    }

    fn usual_tokens(&self) -> usize {
        match self.stage {
            Stage::Prefill => 512,
            Stage::Generate => 96,
            _ => 32,
        }
    }

    /// Tokens read before a run.
    pub(crate) fn context(&self) -> usize {
        self.context.unwrap_or(self.usual_context())
    }

    fn usual_context(&self) -> usize {
        if self.stage == Stage::Decode { 512 } else { 0 }
    }

    /// Whether the figure of this stage depends on `option`.
    pub(crate) fn uses(&self, option: What) -> bool {
        let stages = option.stages();
        stages.contains(&self.stage)
    }

    /// Refuses what this stage would take no notice of, since the figure would be taken for one of what was
    /// asked, and counts of nothing. What is given as it would be anyway, is no request.
    ///
    /// # Errors
    /// A message that names the option and the stage.
    pub(crate) fn check(&self) -> Result<(), String> {
        let asked = [
            (What::Model, self.model.is_some()),
            (What::Mmproj, self.mmproj.is_some()),
            (What::Precision, self.precision != Precision::AsIs),
            (What::Kv, self.kv != KvPrecision::default()),
            (What::Tokens, self.tokens() != self.usual_tokens()),
            (What::Context, self.context() != self.usual_context()),
            (What::Batch, self.batch != 1),
            (What::Speculation, self.speculation != Guessing::Off),
            (What::Text, self.text != PromptText::Copy),
            (What::Schema, self.schema.is_some()),
            (What::Sampled, self.sampled),
            (What::Image, self.image.is_some()),
            (What::Device, self.device != CPU),
        ];
        let stage = word(&self.stage);
        let vain = asked
            .iter()
            .find(|(what, asked)| *asked && !self.uses(*what));
        if let Some((what, _)) = vain {
            let others = what.stages().iter().map(word).collect::<Vec<_>>();
            let (name, others) = (what.name(), others.join(", "));
            return Err(format!(
                "--stage {stage} takes no notice of {name}: leave it out; it is for {others}"
            ));
        }
        self.check_pairs()?;
        // `first-token` adds text up to a context; `decode` writes after one.
        let context = if self.stage == Stage::Decode {
            self.context()
        } else {
            1
        };
        let counts = [
            ("--runs", self.runs),
            (What::Tokens.name(), self.tokens()),
            (What::Context.name(), context),
            (What::Batch.name(), self.batch),
        ];
        match counts.iter().find(|(_, count)| *count == 0) {
            Some((name, _)) => Err(format!("{name} is 0, expected 1 or more")),
            None => Ok(()),
        }
    }

    /// Refuses what another option leaves without effect.
    fn check_pairs(&self) -> Result<(), String> {
        if self.device == "best" {
            return Err("--device best: name the device, which the line is to say".to_owned());
        }
        let elsewhere = !self.on_cpu();
        let device = format!("--device {}", self.device);
        let sampled = What::Sampled.name();
        for (asked, with, vain) in [
            (
                self.sampled && self.speculation != Guessing::Off,
                sampled,
                What::Speculation.name(),
            ),
            (elsewhere && self.path.is_some(), &device, "--path"),
            (elsewhere && self.threads.is_some(), &device, "--threads"),
        ] {
            if asked {
                return Err(format!(
                    "{with} takes no notice of {vain}: leave one of them out"
                ));
            }
        }
        Ok(())
    }

    /// Whether the kernels of the CPU compute, by whose threads and instructions figures stand or fall.
    pub(crate) fn on_cpu(&self) -> bool {
        self.device == CPU
    }

    /// Threads that are asked for.
    pub(crate) fn threads(&self) -> usize {
        self.threads.unwrap_or(2)
    }
}

/// The device where nothing else is said.
const CPU: &str = "cpu";

/// An option that some stages take notice of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Model,
    Mmproj,
    Precision,
    Kv,
    Tokens,
    Context,
    Batch,
    Speculation,
    Text,
    Schema,
    Sampled,
    Image,
    Device,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Model => "--model",
            Self::Mmproj => "--mmproj",
            Self::Precision => "--precision",
            Self::Kv => "--kv",
            Self::Tokens => "--tokens",
            Self::Context => "--context",
            Self::Batch => "--batch",
            Self::Speculation => "--speculation",
            Self::Text => "--text",
            Self::Schema => "--schema",
            Self::Sampled => "--sampled",
            Self::Image => "--image",
            Self::Device => "--device",
        }
    }

    /// The stages that it is for.
    fn stages(self) -> &'static [Stage] {
        use Stage::{Decode, EmbedImage, EmbedText, FirstToken, Generate, Load, Prefill, Vision};
        match self {
            Self::Model | Self::Device => &[
                Load, Prefill, Decode, Generate, Vision, FirstToken, EmbedImage, EmbedText,
            ],
            // The dual encoder is one directory.
            Self::Mmproj => &[Load, Prefill, Decode, Generate, Vision, FirstToken],
            // The decoder's: towers are held as they lie.
            Self::Precision => &[Load, Prefill, Decode, Generate, FirstToken],
            Self::Kv => &[Prefill, Decode, Generate, FirstToken],
            Self::Tokens => &[Prefill, Decode, Generate],
            Self::Context => &[Decode, FirstToken],
            Self::Batch => &[Decode, EmbedImage, EmbedText],
            Self::Speculation | Self::Text | Self::Schema | Self::Sampled => &[Generate],
            Self::Image => &[Vision, FirstToken, EmbedImage],
        }
    }
}

/// A choice as it is written on the command line.
pub(crate) fn word(choice: &impl ValueEnum) -> String {
    let value = choice.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Arguments;

    fn parsed(line: &str) -> Arguments {
        let words = ["medgemma-bench"].into_iter().chain(line.split(' '));
        Arguments::try_parse_from(words).expect("it is a command line")
    }

    #[test]
    fn what_a_stage_takes_no_notice_of_is_refused() {
        for (line, option) in [
            ("--model m --stage prefill --context 8192", "--context"),
            ("--model m --stage prefill --batch 8", "--batch"),
            ("--model m --stage generate --context 8192", "--context"),
            ("--model m --stage generate --batch 2", "--batch"),
            ("--model m --stage decode --image a.png", "--image"),
            ("--model m --stage decode --sampled", "--sampled"),
            ("--model m --stage vision --tokens 8", "--tokens"),
            ("--model m --stage vision --kv int8", "--kv"),
            ("--model m --stage first-token --tokens 8", "--tokens"),
            (
                "--model m --stage embed-image --precision int8",
                "--precision",
            ),
            ("--model m --stage vision --precision int4", "--precision"),
            ("--stage limit --batch 2", "--batch"),
            ("--stage limit --model m", "--model"),
        ] {
            let told = parsed(line).check().expect_err("it is of no use");
            let stage = line
                .split("--stage ")
                .nth(1)
                .and_then(|l| l.split(' ').next());
            let stage = stage.expect("each has one");
            assert!(told.contains(option) && told.contains(stage), "{told}");
        }
    }

    #[test]
    fn what_another_option_leaves_without_effect_is_refused() {
        for (line, with, option) in [
            (
                "--model m --stage generate --sampled --speculation prompt-lookup",
                "--sampled",
                "--speculation",
            ),
            (
                "--model m --stage decode --device cuda:0 --path avx2",
                "cuda:0",
                "--path",
            ),
            (
                "--model m --stage decode --device cuda:0 --threads 2",
                "cuda:0",
                "--threads",
            ),
        ] {
            let told = parsed(line).check().expect_err("it is of no use");
            assert!(told.contains(with) && told.contains(option), "{told}");
        }
    }

    #[test]
    fn what_a_stage_obeys_and_what_holds_anyway_is_taken() {
        for line in [
            "--model m --stage load --precision int4 --mmproj v.gguf",
            "--model m --stage prefill --tokens 64 --batch 1 --context 0 --kv int8",
            "--model m --stage decode --tokens 8 --context 32 --batch 3",
            "--model m --stage generate --tokens 24 --sampled --text list",
            "--model m --stage decode --device cpu --threads 2 --path avx2",
            "--model m --stage vision --precision as-is --kv as-weights --image a.png",
            "--model m --stage first-token --context 600 --tokens 32",
            "--model m --stage first-token --context 0",
            "--model m --stage embed-text --batch 3 --device cuda:0",
            "--stage limit --threads 4 --runs 1 --path scalar",
        ] {
            assert_eq!(parsed(line).check(), Ok(()), "{line}");
        }
    }

    #[test]
    fn there_is_a_median_only_of_one_run_or_more() {
        for option in ["--runs", "--tokens", "--context", "--batch"] {
            let line = format!("--model m --stage decode {option} 0");
            let told = parsed(&line).check().expect_err("nothing is no measure");
            assert!(
                told.contains(option) && told.contains("1 or more"),
                "{told}"
            );
        }
    }
}
