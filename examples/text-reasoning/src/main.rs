//! A question to a thinking model, its reasoning apart from its answer; then, for given choices,
//! how likely the model finds each.

mod arguments;
mod scores;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;
use medgemma::{Device, GenerateOptions, MedGemma, Message, Piece, Stream};
use scores::scores;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let device: Device = arguments.device.parse()?;
    let model = MedGemma::load(&arguments.model, &device)?;
    let question = Message::user().text(&arguments.question);
    let mut out = io::stdout().lock();
    let mut chat = model.chat().with_thinking(true);
    let options = GenerateOptions::default().with_max_new_tokens(arguments.max_new_tokens);
    let mut stream = chat.stream(question.clone(), &options)?;
    let mut done = parts(&mut stream, &mut out);
    let reply = stream.into_reply();
    match &reply.reasoning {
        None if done.is_ok() => writeln!(out, "\n\nThis model wrote no reasoning.")?,
        _ => writeln!(out)?,
    }
    if done.is_ok() && !arguments.choice.is_empty() {
        done = scores(&model, &question, &arguments.choice, &mut out);
    }
    // What was written until an error was read, too.
    writeln!(out, "\n{}", reply.footnote())?;
    done
}

/// Reasoning and answer as they come, each under its name.
fn parts(stream: &mut Stream<'_>, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut part = "";
    for piece in stream {
        let (name, text) = match piece? {
            Piece::Reasoning(text) => ("Reasoning:", text),
            piece => ("Answer:", piece.to_string()),
        };
        if std::mem::replace(&mut part, name) != name {
            writeln!(out, "\n{name}")?;
        }
        write!(out, "{text}")?;
        out.flush()?;
    }
    Ok(())
}
