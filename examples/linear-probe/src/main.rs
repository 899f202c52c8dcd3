//! A linear probe: pictures with labels in a CSV file become embeddings, a logistic regression learns
//! the labels, is judged by pictures that it has not seen, and is kept in a file that answers later.

mod arguments;
mod encoder;
mod judge;
mod samples;

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use arguments::{Arguments, Command, Fit, Predict};
use clap::Parser;
use encoder::Encoder;
use medgemma::Image;
use medgemma_probe::Probe;
use samples::Samples;

/// Said before the shipped model sees anything.
const DEMONSTRATION: &str = "The tiny demonstration model of the example zero-shot, NOT MedSigLIP. \
For MedSigLIP, get the weights from Google and pass --model DIR.";

/// Said after every answer.
const NOTICE: &str = "Not for clinical use: a model's opinion, not a diagnosis, not a medical \
device; a qualified person must verify it independently.";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Some(Command::Predict(predict)) => ask(predict),
        None => fit(&arguments.fit),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn fit(arguments: &Fit) -> Result<(), Box<dyn Error>> {
    // What can be refused is refused before the pictures are embedded, which takes longest.
    let samples = Samples::read(&arguments.csv, arguments.seed)?;
    samples.check()?;
    if let Some(path) = &arguments.out {
        check_folder(path)?;
    }
    samples.check_files()?;
    let encoder = load(&arguments.encoder)?;
    let mut left_out = 0;
    let told = |error: &str| {
        left_out += 1;
        // Said at once: the run may last.
        let _ = writeln!(io::stderr(), "left out: {error}");
    };
    let (train, test) = samples.embed(
        |image| encoder.embed(image),
        arguments.crops,
        arguments.seed,
        told,
    )?;
    let fitted = Probe::fit_classes(
        &samples.labels,
        &train.rows,
        &train.classes,
        &arguments.options(),
    )?;
    let mut out = io::stdout().lock();
    if left_out > 0 {
        writeln!(
            out,
            "pictures left out, since they cannot be read or embedded: {left_out}"
        )?;
    }
    writeln!(out, "fitted to {train}")?;
    if !fitted.converged() {
        writeln!(out, "The fit has not arrived: {:?}", fitted.convergence[0])?;
    }
    let probe = fitted.probe.with_encoder(encoder.id());
    let probe = judge::choose_thresholds(probe, &train.whole(), arguments.sensitivity)?;
    if let Some(path) = &arguments.out {
        probe.save(path)?;
        writeln!(out, "saved to {}", path.display())?;
    }
    if test.is_empty() {
        writeln!(out, "judged by nothing: there is no picture to judge by")?;
    } else {
        writeln!(out, "judged by {test}")?;
        judge::write(&mut out, &probe, &test, &arguments.bootstrap())?;
    }
    Ok(writeln!(out, "{NOTICE}")?)
}

/// Refuses a file whose folder is not there.
fn check_folder(path: &Path) -> Result<(), String> {
    // Of a name alone the folder is the empty path: the one where the program runs.
    match path.parent() {
        Some(folder) if folder != Path::new("") && !folder.is_dir() => Err(format!(
            "--out: expected a file in a folder that exists, found {}; make the folder first",
            path.display()
        )),
        _ => Ok(()),
    }
}

fn ask(arguments: &Predict) -> Result<(), Box<dyn Error>> {
    let probe = Probe::load(&arguments.probe)?;
    let encoder = load(&arguments.encoder)?;
    probe.expect_encoder(encoder.id())?;
    let mut out = io::stdout().lock();
    let mut unanswered = 0;
    for path in &arguments.images {
        match answer(path, &encoder, &probe) {
            Ok(probabilities) => {
                writeln!(out, "{}", path.display())?;
                judge::write_answer(&mut out, &probe, &probabilities)?;
            }
            Err(error) => {
                unanswered += 1;
                let _ = writeln!(io::stderr(), "not answered: {error}");
            }
        }
    }
    judge::write_meaning(&mut out, &probe)?;
    writeln!(out, "{NOTICE}")?;
    match (unanswered, arguments.images.len()) {
        (0, _) => Ok(()),
        (some, all) => Err(format!("{some} of {all} pictures are not answered, see above").into()),
    }
}

/// The probabilities of one picture; an error names it.
fn answer(path: &Path, encoder: &Encoder, probe: &Probe) -> Result<Vec<f64>, String> {
    let image = Image::open(path).map_err(|error| error.to_string())?;
    let named = |error: &dyn Error| format!("{}: {error}", path.display());
    let embedding = encoder.embed(image).map_err(|error| named(&error))?;
    probe
        .probabilities(embedding)
        .map_err(|error| named(&error))
}

fn load(arguments: &arguments::EncoderArguments) -> Result<Encoder, Box<dyn Error>> {
    if arguments.is_demonstration() {
        writeln!(io::stderr(), "{DEMONSTRATION}\n")?;
    }
    Encoder::load(&arguments.model, &arguments.device)
}
