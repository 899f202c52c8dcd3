//! One figure of a whole model: how long a stage takes, what memory, with which instructions.
//! `README.md` says what each stage answers; `peers/` compares the figures with other programs'.

mod arguments;
mod embed;
mod engine;
mod first_token;
mod form;
mod generate;
mod limit;
mod line;
mod machine;
mod stages;

use std::process::ExitCode;
use std::time::Instant;

use arguments::{Arguments, Stage};
use clap::Parser;
use line::Figure;

fn main() -> ExitCode {
    let begun = Instant::now();
    let arguments = Arguments::parse();
    match run(&arguments, begun) {
        Ok(()) => ExitCode::SUCCESS,
        #[allow(clippy::print_stderr, reason = "the program's own message to its user")]
        Err(error) => {
            eprintln!("medgemma-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, begun: Instant) -> engine::Result<()> {
    arguments.check()?;
    engine::configure(arguments)?;
    for figure in figures(arguments, begun)? {
        line::print(arguments, &figure)?;
    }
    Ok(())
}

fn figures(arguments: &Arguments, begun: Instant) -> engine::Result<Vec<Figure>> {
    let figure = match arguments.stage {
        Stage::Load => stages::load(arguments)?,
        Stage::Prefill => stages::prefill(arguments)?,
        Stage::Decode => stages::decode(arguments)?,
        Stage::Generate => generate::generate(arguments)?,
        Stage::Vision => stages::vision(arguments)?,
        Stage::FirstToken if arguments.child => first_token::of_this_process(arguments, begun)?,
        Stage::FirstToken => first_token::of_children(arguments)?,
        Stage::EmbedImage => embed::images(arguments)?,
        Stage::EmbedText => embed::texts(arguments)?,
        Stage::Limit => return Ok(limit::limits(arguments)),
    };
    Ok(vec![figure])
}
