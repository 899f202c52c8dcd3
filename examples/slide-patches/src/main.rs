//! A whole-slide image as MedGemma 1.5 was trained to read it: patches with tissue, a sample where there are too many, the
//! words first. The slide is never in memory.

mod arguments;
mod canvas;
mod sheets;

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;
use image::{ImageFormat, RgbImage};
use medgemma::{Device, GenerateOptions, LoadOptions, MedGemma, Message, Workload};
use medgemma_medical::{Item, Prompt, Recipe, Slide, slide_instruction};

/// Said before the shipped model says anything.
const DEMONSTRATION: &str = "This is the tiny demonstration model, NOT MedGemma: it tells kinds of pictures apart and \
knows no medicine. For MedGemma, get the weights from Google and pass --model DIR.";
/// Tokens of a patch: its soft tokens, and the words and markers around them.
const PATCH_TOKENS: usize = 256 + 16;
/// Tokens of the chat template.
const TEMPLATE_TOKENS: usize = 32;

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
    let mut slide = Slide::open(&arguments.slide)?;
    let prepared = arguments.recipe().prepare(&mut slide)?;
    let recipe = serde_json::to_string(prepared.recipe())?;
    writeln!(io::stdout(), "{recipe}")?;
    if let (Some(path), Recipe::Slide(record)) = (&arguments.overview, prepared.recipe()) {
        save(&sheets::overview(&mut slide, record)?, path)?;
    }
    if let Some(path) = &arguments.montage {
        save(&sheets::montage(prepared.images())?, path)?;
    }
    if arguments.pixels_only {
        return Ok(());
    }
    if arguments.is_demonstration() {
        writeln!(io::stderr(), "{DEMONSTRATION}")?;
    }
    let device: Device = arguments.device.parse()?;
    let instruction = slide_instruction(&arguments.organ, &arguments.procedure);
    // So that a machine too small for so many patches is told before it begins. A token of text has a byte at least.
    let patches = prepared.images().len();
    let words = instruction.len() + TEMPLATE_TOKENS + arguments.max_new_tokens;
    let workload = Workload::new(patches * PATCH_TOKENS + words, patches);
    let options = LoadOptions::default().with_workload(workload);
    let model = MedGemma::load_with(&arguments.model, &device, options)?;
    let message = message(prepared.prompt(&instruction));
    let options = GenerateOptions::default().with_max_new_tokens(arguments.max_new_tokens);
    // As it is written; below it whether it was cut off, and always the notice.
    let mut chat = model.chat();
    let answer = chat.stream(message, &options)?;
    answer.write_to(&mut io::stdout())?;
    Ok(())
}

/// Words and pictures in the order of training.
fn message(prompt: Prompt) -> Message {
    let items = prompt.into_items().into_iter();
    items.fold(Message::user(), |message, item| match item {
        Item::Image(image) => message.image(image),
        Item::Text(text) => message.text(text),
    })
}

fn save(picture: &RgbImage, path: &Path) -> Result<(), String> {
    let saved = picture.save_with_format(path, ImageFormat::Png);
    saved.map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}
