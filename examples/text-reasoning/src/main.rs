//! A question to a thinking model, its reasoning apart from its answer; then, for given choices,
//! how likely the model finds each.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use medgemma::{Device, GenerateOptions, MedGemma, Message, NOTICE, Piece};

/// The demonstration model of the report example.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/model");

/// Asks a question, with reasoning.
#[derive(Parser)]
struct Arguments {
    /// Hugging Face model directory [default: the demonstration model, which is not MedGemma]
    #[arg(long, value_name = "DIR", default_value = SHIPPED, hide_default_value = true)]
    model: PathBuf,
    #[arg(default_value = "Which part of the body does a chest radiograph show?")]
    question: String,
    /// A possible answer to score, once for each.
    #[arg(long, value_name = "TEXT")]
    choice: Vec<String>,
    /// best, cpu, ndarray, wgpu, wgpu:software or cuda:N, of those compiled in.
    #[arg(long, value_name = "NAME", default_value = "best")]
    device: String,
    /// Tokens after which reasoning and answer together are cut off.
    #[arg(long, value_name = "N", default_value_t = 2048)]
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
    let question = Message::user().text(&arguments.question);
    let mut out = io::stdout().lock();
    let mut chat = model.chat().with_thinking();
    let options = GenerateOptions::default().with_max_new_tokens(arguments.max_new_tokens);
    let mut stream = chat.stream(question.clone(), &options)?;
    let mut part = "";
    for piece in &mut stream {
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
    let reply = stream.into_reply();
    match &reply.reasoning {
        None => writeln!(out, "\n\nThis model wrote no reasoning.")?,
        Some(_) if reply.reasoning_cut_off => writeln!(out, "\n\nCut off: no answer.")?,
        Some(_) => writeln!(out)?,
    }
    if !arguments.choice.is_empty() {
        scores(&model, question, &arguments.choice, &mut out)?;
    }
    Ok(writeln!(out, "\n{NOTICE}")?)
}

/// The choices, likeliest first by log-probability a token: the sum alone would favour short ones.
fn scores(
    model: &MedGemma,
    question: Message,
    choices: &[String],
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let texts: Vec<&str> = choices.iter().map(String::as_str).collect();
    let scores = model.score(&[question], &texts)?;
    let mut ranked: Vec<_> = texts.iter().zip(&scores).collect();
    ranked.sort_by(|(_, a), (_, b)| b.mean().total_cmp(&a.mean()));
    writeln!(out, "\nlog-probability\n a token  in all  choice")?;
    for (text, score) in ranked {
        writeln!(out, "{:>8.3} {:>7.3}  {text}", score.mean(), score.total())?;
    }
    Ok(())
}
