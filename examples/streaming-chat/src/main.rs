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

const HELP: &str = "/image FILE shows a picture with the next message, /image alone takes it back, /new starts over, /quit ends";

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
    let (mut missing, mut failed) = (false, false);
    let terminal = io::stdin().is_terminal();
    let mut err = io::stderr();
    writeln!(err, "{NOTICE}\n{HELP}")?;
    let mut lines = io::stdin().lines();
    loop {
        if terminal {
            write!(err, "> ")?;
        }
        let Some(line) = lines.next().transpose()? else {
            break;
        };
        let (command, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        match command {
            "" => {}
            "/quit" => break,
            "/new" => (chat, message, missing) = (model.chat(), Message::user(), false),
            "/image" if rest.trim().is_empty() => (message, missing) = (Message::user(), false),
            "/image" => match Image::open(rest.trim()) {
                Ok(image) => {
                    if let Some(few) = image.few_bits() {
                        writeln!(err, "{}: {few}", rest.trim())?;
                    }
                    (message, missing) = (message.image(image), false);
                }
                Err(error) => {
                    (missing, failed) = (true, true);
                    writeln!(err, "error: {error}")?;
                }
            },
            slash if slash.starts_with('/') => {
                failed = true;
                writeln!(err, "unknown command {slash}; {HELP}")?;
            }
            // An answer about a picture that was never shown reads like any other.
            _ if missing => writeln!(err, "error: not asked, for want of the picture; {HELP}")?,
            _ => {
                let before = chat.context_len();
                if let Err(error) = answer(&mut chat, message.clone().text(line), &options) {
                    failed = true;
                    writeln!(err, "error: {error}")?;
                }
                // A refused message leaves the conversation as it was, and its pictures for the next.
                if chat.context_len() > before {
                    message = Message::user();
                }
            }
        }
    }
    // A person has read the errors, a script goes by the exit code.
    if failed && !terminal {
        return Err("not every line could be followed, see above".into());
    }
    Ok(())
}
