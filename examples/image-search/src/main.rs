//! Pictures of a folder, found by a text, by a picture, or by both.

mod arguments;
mod encoder;
mod ingest;
mod kept;
mod place;
mod query;
mod sheet;
mod thumbnail;

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use arguments::{Arguments, Task};
use clap::Parser;
use encoder::Encoder;

/// Said before the shipped model looks at anything.
const DEMONSTRATION: &str = "This is the tiny demonstration model of the example zero-shot, NOT MedSigLIP: it \
tells kinds of pictures apart and knows no medicine. For MedSigLIP, get the weights from Google and pass --model DIR.";
/// Said with every result.
const NOTICE: &str = "Found by a model. Not for clinical use: likeness to a model is no finding, and a \
qualified person must look at the pictures independently.";

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
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

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if arguments.is_demonstration() {
        writeln!(io::stderr(), "{DEMONSTRATION}")?;
    }
    let index = match &arguments.task {
        Task::Index(task) => {
            // Said before the model is loaded, and before an index is made in vain.
            ingest::expect_folder(&task.folder)?;
            &task.index
        }
        Task::Query(task) => &task.index,
    };
    let encoder = Encoder::load(arguments, index)?;
    match &arguments.task {
        Task::Index(task) => ingest::run(task, &encoder),
        Task::Query(task) => query::run(task, &encoder),
    }
}
