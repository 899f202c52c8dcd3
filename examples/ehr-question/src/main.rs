//! A question to a patient's record: the navigator over a local FHIR bundle, with every step, source and omission.

mod account;
mod arguments;
mod navigator;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;
use medgemma::{Device, MedGemma};
use medgemma_records::{Bundle, NavigatorOptions, Stage, StageOptions, navigate};
use navigator::Navigator;

/// Said before the shipped model says anything.
const DEMONSTRATION: &str = "This is the tiny demonstration model, NOT MedGemma: it was made for pictures and can read no \
record. What it picks is arbitrary, and its answers are wrong. For MedGemma, get the weights from Google and pass --model DIR.";

/// Tokens of a conversation around its text.
const TEMPLATE: usize = 64;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                let _ = writeln!(io::stderr(), "  because: {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let bundle = Bundle::read(&[&arguments.bundle])?;
    let mut options = NavigatorOptions::default().with_max_calls(arguments.max_calls);
    if let Some(name) = &arguments.patient {
        let mut patients = bundle.patients().iter();
        let patient = patients.find(|patient| patient.as_str() == name);
        options = options.with_patient(patient.ok_or("no such patient in the bundle")?.clone());
    }
    account::record(&bundle, &mut io::stdout())?;
    if arguments.is_demonstration() {
        writeln!(io::stderr(), "{DEMONSTRATION}")?;
    }
    let device: Device = arguments.device.parse()?;
    let model = MedGemma::load(&arguments.model, &device)?;
    let context = model.model().config().text.max_position_embeddings;
    let options = fitted(options, arguments.budget, context);
    let mut navigator = Navigator::new(model, &bundle, options.patient.as_ref())?;
    let outcome = navigate(&bundle, &arguments.question, &mut navigator, &options)?;
    Ok(account::outcome(&outcome, &mut io::stdout())?)
}

/// Prompts of `budget` tokens, and answers for which the model's context then has room.
fn fitted(options: NavigatorOptions, budget: Option<usize>, context: usize) -> NavigatorOptions {
    let budget = budget.unwrap_or(options.max_prompt_tokens.min(context / 2));
    let room = context.saturating_sub(budget + TEMPLATE);
    let shortened = |options: NavigatorOptions, stage: Stage| {
        let of = options.stage(stage);
        options.with_stage(
            stage,
            StageOptions::new(of.temperature, of.max_tokens.min(room)),
        )
    };
    let options = options.with_max_prompt_tokens(budget);
    Stage::ALL.into_iter().fold(options, shortened)
}
