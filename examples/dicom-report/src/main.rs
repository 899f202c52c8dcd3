//! A radiograph as the hospital stores it, prepared as MedGemma was trained to read it: what was done as JSON, the picture
//! as PNG, and what a model says of it.

mod arguments;

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;
use image::{ImageFormat, RgbImage};
use medgemma::{Device, GenerateOptions, Image, MedGemma, Message};
use medgemma_medical::{Dicom, Item, Limits, Prompt, XrayRecipe};

/// Said before the shipped model says anything.
const DEMONSTRATION: &str = "This is the tiny demonstration model, NOT MedGemma: it tells kinds of pictures apart and \
knows no medicine. For MedGemma, get the weights from Google and pass --model DIR.";

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
    let file = Dicom::open(&arguments.file, &Limits::default())?;
    let recipe = XrayRecipe::for_frame(&file, arguments.frame)?;
    let prepared = recipe.prepare_frame(&file, arguments.frame)?;
    let mut err = io::stderr();
    for notice in file.notices() {
        writeln!(err, "notice: {notice}")?;
    }
    writeln!(
        io::stdout(),
        "{}",
        serde_json::to_string(prepared.recipe())?
    )?;
    if let Some(path) = &arguments.out {
        save(prepared.image(), path)?;
    }
    if arguments.pixels_only {
        return Ok(());
    }
    if arguments.is_demonstration() {
        writeln!(err, "{DEMONSTRATION}")?;
    }
    let device: Device = arguments.device.parse()?;
    let model = MedGemma::load(&arguments.model, &device)?;
    let message = message(prepared.prompt(&arguments.prompt));
    let options = GenerateOptions::default().with_max_new_tokens(arguments.max_new_tokens);
    // As it is written; below it whether it was cut off, and always the notice.
    let mut chat = model.chat();
    let answer = chat.stream(message, &options)?;
    answer.write_to(&mut io::stdout())?;
    Ok(())
}

/// Pictures and words in the order of training.
fn message(prompt: Prompt) -> Message {
    let items = prompt.into_items().into_iter();
    items.fold(Message::user(), |message, item| match item {
        Item::Image(image) => message.image(image),
        Item::Text(text) => message.text(text),
    })
}

fn save(image: &Image, path: &Path) -> Result<(), Box<dyn Error>> {
    let size = |side: usize| u32::try_from(side);
    let (width, height) = (size(image.width())?, size(image.height())?);
    let picture =
        RgbImage::from_raw(width, height, image.as_rgb8().to_vec()).ok_or("no picture")?;
    let saved = picture.save_with_format(path, ImageFormat::Png);
    Ok(saved.map_err(|error| format!("cannot write `{}`: {error}", path.display()))?)
}
