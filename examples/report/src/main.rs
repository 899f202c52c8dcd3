//! Streams a report on images: pictures and a question in, the answer on standard output as it is
//! written; progress, reasoning and figures on standard error.

mod arguments;
mod progress;
mod summary;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;
use medgemma::{Device, GenerateOptions, Image, MedGemma, Message, Piece, Stream};
use progress::{bytes_loaded, prompt_read};

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => summary::failure(&*error),
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let device: Device = arguments.device.parse()?;
    summary::introduction(arguments.is_demonstration())?;
    let options = arguments.load_options().with_progress(bytes_loaded());
    let model = MedGemma::load_with(&arguments.model, &device, options)?;

    let mut chat = model.chat().with_thinking(arguments.thinking);
    if let Some(system) = &arguments.system {
        chat = chat.with_system(system);
    }
    let mut message = Message::user();
    for path in arguments.images() {
        let image = Image::open(&path)?;
        if let Some(few) = image.few_bits() {
            writeln!(io::stderr(), "{}: {few}", path.display())?;
        }
        message = message.image(image);
    }

    let options = GenerateOptions::default().with_max_new_tokens(arguments.max_new_tokens());
    let message = message.text(arguments.prompt());
    let mut stream = chat.stream_observed(message, &options, prompt_read())?;
    let written = write_answer(&mut stream);
    // What was written until an error is an answer too: it is never without its notice.
    summary::figures(&stream.into_reply(), &device)?;
    written
}

/// The answer to standard output, reasoning to standard error, each piece as soon as it is there.
fn write_answer(stream: &mut Stream<'_>) -> Result<(), Box<dyn Error>> {
    let (mut answer, mut aside) = (io::stdout().lock(), io::stderr().lock());
    let mut thinking = false;
    for piece in stream {
        match piece? {
            Piece::Reasoning(text) => {
                thinking = true;
                write!(aside, "{text}")?;
            }
            piece => {
                if std::mem::take(&mut thinking) {
                    writeln!(aside)?;
                }
                write!(answer, "{piece}")?;
                answer.flush()?;
            }
        }
    }
    Ok(writeln!(answer)?)
}
