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
use medgemma_records::{
    Bundle, NavigatorOptions, Record, Reference, Stage, StageOptions, navigate,
};
use navigator::Navigator;

/// Said before the shipped model says anything.
const DEMONSTRATION: &str = "This is the tiny demonstration model, NOT MedGemma: it was made for pictures and can read no \
record. What it picks is arbitrary, and its answers are wrong. For MedGemma, get the weights from Google and pass --model DIR.";

/// Patients that an error names.
const LISTED: usize = 20;
/// Tokens of a conversation around its text.
const TEMPLATE: usize = 64;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            // Most messages have their cause in them.
            let (mut told, mut source) = (error.to_string(), error.source());
            while let Some(cause) = source {
                let message = cause.to_string();
                if !told.contains(&message) {
                    let _ = writeln!(io::stderr(), "  because: {message}");
                }
                (told, source) = (message, cause.source());
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let bundle = Bundle::read(&[&arguments.bundle])?;
    let mut options = NavigatorOptions::default().with_max_calls(arguments.max_calls);
    if let Some(patient) = chosen(&bundle, arguments)? {
        options = options.with_patient(patient.clone());
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
    account::outcome(&outcome, &mut io::stdout())?;
    match navigator.failed {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// The patient of `--patient`, by the name in citations or by FHIR's; of a record of one nobody has to be named.
fn chosen<'a>(
    bundle: &'a Bundle,
    arguments: &Arguments,
) -> Result<Option<&'a Reference>, Box<dyn Error>> {
    let patients = bundle.patients();
    let listed = match patients {
        [] => "no patients: leave --patient out".to_owned(),
        [one] => format!("one patient: {one}"),
        several => {
            let names: Vec<&str> = several.iter().take(LISTED).map(Reference::as_str).collect();
            let more = several.len() - names.len();
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            format!("{} patients: {}{more}", several.len(), names.join(", "))
        }
    };
    let file = arguments.bundle.display();
    let Some(name) = &arguments.patient else {
        return match patients.len() {
            0 | 1 => Ok(None),
            _ => Err(format!("{file}: expected the record of one patient, found those of {listed}; choose with --patient").into()),
        };
    };
    let full = bundle.find(name).map(Record::reference);
    let found = patients
        .iter()
        .find(|patient| patient.as_str() == name || Some(*patient) == full);
    let unknown =
        || format!("--patient: expected a patient of {file}, found `{name}`; it has {listed}");
    Ok(Some(found.ok_or_else(unknown)?))
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
