//! A conversation on the terminal: each line is a message, each answer streams while it is written,
//! and a later turn reads only what is new.

mod arguments;
mod turn;

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;
use medgemma::{Device, GenerateOptions, Image, MedGemma, Message, NOTICE};
use turn::answer;

const HELP: &str =
    "/image FILE shows a picture with the next message, /new starts over, /quit ends";

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
    let options = GenerateOptions::default().with_max_new_tokens(arguments.max_new_tokens);
    let (mut chat, mut message) = (model.chat(), Message::user());
    let mut err = io::stderr();
    writeln!(err, "{NOTICE}\n{HELP}")?;
    let mut lines = io::stdin().lines();
    loop {
        if io::stdin().is_terminal() {
            write!(err, "> ")?;
        }
        let Some(line) = lines.next().transpose()? else {
            break;
        };
        let (command, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        match command {
            "" => {}
            "/quit" => break,
            "/new" => (chat, message) = (model.chat(), Message::user()),
            "/image" => match Image::open(rest.trim()) {
                Ok(image) => message = message.image(image),
                Err(error) => writeln!(err, "error: {error}")?,
            },
            slash if slash.starts_with('/') => writeln!(err, "unknown command {slash}; {HELP}")?,
            _ => {
                let message = std::mem::replace(&mut message, Message::user()).text(line);
                if let Err(error) = answer(&mut chat, message, &options) {
                    // A refused message leaves the conversation as it was: the user may go on.
                    writeln!(err, "error: {error}")?;
                }
            }
        }
    }
    Ok(())
}
