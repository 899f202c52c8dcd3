//! A linear probe: pictures with labels in a CSV file become embeddings, a logistic regression learns
//! the labels, is judged by pictures that it has not seen, and is kept in a file that answers later.

mod arguments;
mod encoder;
mod judge;
mod kept;
mod records;
mod samples;

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use arguments::{Arguments, Command, Fit, Predict};
use clap::Parser;
use encoder::Encoder;
use indicatif::{ProgressBar, ProgressStyle};
use kept::Kept;
use medgemma::Image;
use medgemma_image::Crop;
use medgemma_probe::Probe;
use samples::{Part, Samples};
use tempfile::NamedTempFile;

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
            let _ = writeln!(io::stderr(), "error: {}", plain(error));
            ExitCode::FAILURE
        }
    }
}

/// A text whose control characters are spelt out. In the name of a file they would act on the terminal: begin a line
/// that nobody has written, or clear others.
pub(crate) fn plain(text: impl Display) -> String {
    let mut plain = String::new();
    for letter in text.to_string().chars() {
        match letter.is_control() {
            true => plain.extend(letter.escape_default()),
            false => plain.push(letter),
        }
    }
    plain
}

fn fit(arguments: &Fit) -> Result<(), Box<dyn Error>> {
    // What can be refused is refused before the pictures are embedded, which takes longest.
    let samples = Samples::read(&arguments.csv, arguments.seed)?;
    samples.check()?;
    if let Some(path) = &arguments.out {
        check_place(path)?;
    }
    samples.check_files()?;
    samples.check_contents()?;
    let encoder = load(&arguments.encoder)?;
    let kept = arguments.embeddings.as_deref();
    let mut kept = kept.map(|dir| Kept::open(dir, &encoder)).transpose()?;
    let seen = embed(&samples, &encoder, &mut kept, arguments)?;
    let (train, test) = (&seen.train, &seen.test);
    let fitted = Probe::fit_classes(
        &samples.labels,
        &train.rows,
        &train.classes,
        &arguments.options(),
    )?;
    let mut out = io::stdout().lock();
    seen.write_faults(&mut out)?;
    if let Some(Kept { made, found, .. }) = &kept {
        writeln!(out, "embeddings: {made} made, {found} kept from before")?;
    }
    writeln!(out, "fitted to {train}")?;
    if !fitted.converged() {
        writeln!(out, "The fit has not arrived: {:?}", fitted.convergence[0])?;
    }
    let probe = fitted.probe.with_encoder(encoder.id());
    let probe = judge::choose_thresholds(probe, &train.whole(), arguments.sensitivity)?;
    let mut unsaved = None;
    if let Some(path) = &arguments.out {
        match probe.save(path) {
            Ok(()) => writeln!(out, "saved to {}", plain(path.display()))?,
            // The pictures have taken hours: what they have shown is told first.
            Err(error) => unsaved = Some(error),
        }
    }
    if test.is_empty() {
        writeln!(out, "judged by nothing: there is no picture to judge by")?;
    } else {
        writeln!(out, "judged by {test}")?;
        judge::write(&mut out, &probe, test, &arguments.bootstrap())?;
    }
    writeln!(out, "{NOTICE}")?;
    match unsaved {
        None => Ok(()),
        Some(error) => Err(format!("the probe is not saved: {error}").into()),
    }
}

/// The embeddings of both sides, and how many pictures something is wrong with.
struct Seen {
    train: Part,
    test: Part,
    left_out: usize,
    dark: usize,
}

impl Seen {
    /// Says before any figure what the figures leave out or are spoilt by.
    fn write_faults(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { left_out, dark, .. } = self;
        if *left_out > 0 {
            writeln!(
                out,
                "pictures left out, since they cannot be read or embedded: {left_out}"
            )?;
        }
        if *dark > 0 {
            writeln!(
                out,
                "nearly black: {dark} pictures use a few of their 16 bits; stretch or window them, and fit again"
            )?;
        }
        Ok(())
    }
}

/// Embeds all pictures that are not among the kept ones; a bar says how far it is.
fn embed(
    samples: &Samples,
    encoder: &Encoder,
    kept: &mut Option<Kept>,
    arguments: &Fit,
) -> Result<Seen, Box<dyn Error>> {
    // Draws nothing unless standard error is a terminal.
    let style = ProgressStyle::with_template("[{bar:20}] {pos} of {len} pictures, {eta} left")?;
    let bar = ProgressBar::new(samples.len() as u64).with_style(style);
    let mut left_out = 0;
    let seen = |seen: Result<(), &str>| {
        if let Err(error) = seen {
            left_out += 1;
            // Said at once: the run may last.
            let told = || drop(writeln!(io::stderr(), "left out: {}", plain(error)));
            bar.suspend(told);
        }
        bar.inc(1);
    };
    let mut dark = 0;
    let encode = |path: &Path, image: &Image, parts: &[Option<Crop>]| {
        dark += usize::from(image.few_bits().is_some());
        match kept {
            Some(kept) => kept.embed_parts(encoder, path, image, parts),
            None => Ok(encoder.embed_parts(path, image, parts)),
        }
    };
    let (train, test) = samples.embed(encode, arguments.crops, arguments.seed, seen)?;
    bar.finish_and_clear();
    Ok(Seen {
        train,
        test,
        left_out,
        dark,
    })
}

/// Refuses a file that could not be written in the end: a folder, one in no folder, or in one where no file can be made.
fn check_place(path: &Path) -> Result<(), String> {
    let wrong = |expected: &str, what_to_do: &str| {
        let found = path.display();
        Err(format!(
            "--out: expected {expected}, found {found}; {what_to_do}"
        ))
    };
    // `new/` names a folder too, and so does `..`, which has no name.
    let slash = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    if path.is_dir() || slash || path.file_name().is_none() {
        return wrong("a file", "name one in the folder");
    }
    // Of a name alone the folder is the empty path: the one where the program runs.
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return wrong("a file in a folder that exists", "make the folder first");
    }
    // Under another name: what is there stays until it is replaced.
    let made = NamedTempFile::new_in(folder).and_then(NamedTempFile::close);
    made.or_else(|error| {
        let told = format!("name another folder, or let files be made in this one: {error}");
        wrong("a file in a folder that can be written", &told)
    })
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
                writeln!(out, "{}", plain(path.display()))?;
                judge::write_answer(&mut out, &probe, &probabilities)?;
            }
            Err(error) => {
                unanswered += 1;
                let _ = writeln!(io::stderr(), "not answered: {}", plain(error));
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
    if let Some(few) = image.few_bits() {
        let _ = writeln!(io::stderr(), "{}: {few}", plain(path.display()));
    }
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
    Encoder::load(arguments)
}
