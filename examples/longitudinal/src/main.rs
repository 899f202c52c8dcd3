//! Two radiographs of one patient, the earlier first, and what a model says of the change.

mod arguments;

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;
use image::{ImageFormat, Rgb, RgbImage};
use medgemma::{Device, GenerateOptions, Image, MedGemma, Message};
use medgemma_medical::{Dicom, Item, Limits, PreparedPicture, Prompt, XrayRecipe, longitudinal};

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
    let earlier = prepared(&arguments.earlier)?;
    let later = prepared(&arguments.later)?;
    if let Some(path) = &arguments.out {
        let picture = side_by_side([earlier.image(), later.image()])?;
        let saved = picture.save_with_format(path, ImageFormat::Png);
        saved.map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
    }
    let prompt = longitudinal(earlier, later, &arguments.question);
    writeln!(io::stdout(), "{}", serde_json::to_string(prompt.recipe())?)?;
    if arguments.pixels_only {
        return Ok(());
    }
    if arguments.is_demonstration() {
        writeln!(io::stderr(), "{DEMONSTRATION}")?;
    }
    let device: Device = arguments.device.parse()?;
    let model = MedGemma::load(&arguments.model, &device)?;
    let message = message(prompt);
    let options = GenerateOptions::default().with_max_new_tokens(arguments.max_new_tokens);
    // As it is written; below it whether it was cut off, and always the notice.
    let mut chat = model.chat();
    let answer = chat.stream(message, &options)?;
    answer.write_to(&mut io::stdout())?;
    Ok(())
}

fn prepared(path: &Path) -> Result<PreparedPicture, Box<dyn Error>> {
    let file = Dicom::open(path, &Limits::default())?;
    for notice in file.notices() {
        writeln!(io::stderr(), "notice: {}: {notice}", path.display())?;
    }
    Ok(XrayRecipe::for_frame(&file, 0)?.prepare_frame(&file, 0)?)
}

/// Pictures and words in the order of training.
fn message(prompt: Prompt) -> Message {
    let items = prompt.into_items().into_iter();
    items.fold(Message::user(), |message, item| match item {
        Item::Image(image) => message.image(image),
        Item::Text(text) => message.text(text),
    })
}

/// Both from the top on, as they are.
fn side_by_side(pictures: [&Image; 2]) -> Result<RgbImage, Box<dyn Error>> {
    let width = u32::try_from(pictures[0].width() + pictures[1].width())?;
    let height = u32::try_from(pictures[0].height().max(pictures[1].height()))?;
    let mut canvas = RgbImage::new(width, height);
    let mut left = 0;
    for picture in pictures {
        let pixels = picture.as_rgb8().chunks_exact(3);
        for (index, pixel) in pixels.enumerate() {
            let (x, y) = (index % picture.width(), index / picture.width());
            let colour = Rgb([pixel[0], pixel[1], pixel[2]]);
            canvas.put_pixel(left + u32::try_from(x)?, u32::try_from(y)?, colour);
        }
        left += u32::try_from(picture.width())?;
    }
    Ok(canvas)
}
