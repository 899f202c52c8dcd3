//! Where something is on a picture: asked as MedGemma 1.5 was trained, boxes taken from the padded square to pixels of
//! the picture as it is, and drawn.

mod arguments;

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;
use medgemma::{
    Device, GenerateOptions, Image, LoadOptions, MedGemma, Message, NOTICE, Reply, Schema,
};
use medgemma_answers::{Boxes, Fit, Frame, Mark, Region, boxes, draw, localization_prompt};
use schemars::JsonSchema;
use serde_json::json;

/// Said before the shipped model says anything.
const DEMONSTRATION: &str = "This is the tiny demonstration model, NOT MedGemma: it was never taught to find anything. \
Boxes that it gives are boxes by their form alone. For MedGemma 1.5, get the weights from Google and pass --model DIR.";

/// What `--by-schema` has written: an empty list is allowed.
#[derive(JsonSchema)]
#[allow(
    dead_code,
    reason = "it stands for its schema; answers are read as those without one are"
)]
struct Answer(#[schemars(length(max = 10))] Vec<Found>);

#[derive(JsonSchema)]
#[allow(dead_code, reason = "as above")]
struct Found {
    #[schemars(length(max = 60))]
    label: String,
    #[schemars(inner(range(min = 0, max = 1000)))]
    box_2d: [u16; 4],
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
    let image = Image::open(&arguments.image)?;
    if let Some(few) = image.few_bits() {
        writeln!(io::stderr(), "{}: {few}", arguments.image.display())?;
    }
    let mut out = io::stdout();
    let (answer, footnote) = match &arguments.answer {
        Some(answer) => (answer.clone(), NOTICE.to_owned()),
        None => {
            let reply = asked(arguments, &image)?;
            (reply.to_string(), reply.footnote())
        }
    };
    writeln!(out, "{answer}")?;
    let shown = show(arguments, &image, &answer);
    // The answer is there, whatever became of its boxes.
    writeln!(out, "{footnote}")?;
    shown
}

/// The boxes of the answer: a line for each, and the picture with all of them.
fn show(arguments: &Arguments, image: &Image, answer: &str) -> Result<(), Box<dyn Error>> {
    let (width, height) = (image.width(), image.height());
    let marks = marks(&boxes(answer), &Frame::new(width, height, Fit::PadCentred)?)?;
    for Mark { place, label, .. } in &marks {
        let place = [place.x0, place.y0, place.x1, place.y1];
        writeln!(
            io::stdout(),
            "{}",
            json!({"label": label, "x0_y0_x1_y1": place})
        )?;
    }
    if marks.is_empty() {
        writeln!(io::stderr(), "no box in the answer: nothing is drawn")?;
    } else if let Some(path) = &arguments.out {
        let png = draw(image.as_rgb8(), width, height, &marks)?;
        fs::write(path, png)
            .map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
    }
    Ok(())
}

/// The model's answer about the picture, padded to a square.
fn asked(arguments: &Arguments, image: &Image) -> Result<Reply, Box<dyn Error>> {
    if arguments.is_demonstration() {
        writeln!(io::stderr(), "{DEMONSTRATION}")?;
    }
    let device: Device = arguments.device.parse()?;
    let padded = LoadOptions::default().with_pad_to_square(true);
    let model = MedGemma::load_with(&arguments.model, &device, padded)?;
    let question = localization_prompt(&arguments.what);
    let message = Message::user().image(image.clone()).text(question);
    let mut options = GenerateOptions::default().with_max_new_tokens(arguments.max_new_tokens);
    if arguments.by_schema {
        options = options.with_schema(Schema::of::<Answer>()?.without_reasoning());
    }
    Ok(model.chat().send_with(message, &options)?)
}

/// The boxes in pixels; what is none is told.
fn marks(found: &Boxes, frame: &Frame) -> io::Result<Vec<Mark>> {
    let mut err = io::stderr();
    for skipped in &found.skipped {
        writeln!(err, "passed over, no box: {:?}", skipped.problem)?;
    }
    let mut marks = Vec::new();
    for found in &found.boxes {
        match frame.pixels(&found.region) {
            Some(place) => marks.push(Mark::new(place, found.label.clone().unwrap_or_default())),
            None => {
                let Region { y0, x0, y1, x1, .. } = found.region;
                writeln!(err, "passed over, in the padding: [{y0}, {x0}, {y1}, {x1}]")?;
            }
        }
    }
    Ok(marks)
}
