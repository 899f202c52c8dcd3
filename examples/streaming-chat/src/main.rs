//! A conversation on the terminal: each line is a message, each answer streams while it is written,
//! and a later turn reads only what is new.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use medgemma::{Chat, Device, GenerateOptions, Image, MedGemma, Message, NOTICE};

/// The demonstration model of the report example.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/model");
const HELP: &str =
    "/image FILE shows a picture with the next message, /new starts over, /quit ends";

/// Talks with a model, one line a message.
#[derive(Parser)]
struct Arguments {
    /// Hugging Face model directory [default: the demonstration model, which is not MedGemma]
    #[arg(long, value_name = "DIR", default_value = SHIPPED, hide_default_value = true)]
    model: PathBuf,
    /// best, cpu, ndarray, wgpu, wgpu:software or cuda:N, of those compiled in.
    #[arg(long, value_name = "NAME", default_value = "best")]
    device: String,
    /// Tokens after which an answer is cut off.
    #[arg(long, value_name = "N", default_value_t = 512)]
    max_new_tokens: usize,
}

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
                    // The conversation is as it was before the message: the user may go on.
                    writeln!(err, "error: {error}")?;
                }
            }
        }
    }
    Ok(())
}

/// One turn: the answer to standard output piece by piece, its figures to standard error.
fn answer(
    chat: &mut Chat,
    message: Message,
    options: &GenerateOptions,
) -> Result<(), Box<dyn Error>> {
    let mut stream = chat.stream(message, options)?;
    let mut out = io::stdout().lock();
    for piece in &mut stream {
        write!(out, "{}", piece?)?;
        out.flush()?;
    }
    writeln!(out)?;
    let usage = stream.into_reply().usage;
    Ok(writeln!(
        io::stderr(),
        "({} tokens kept, {} read, {} written)",
        usage.cached_tokens,
        usage.prompt_tokens,
        usage.reply_tokens
    )?)
}
