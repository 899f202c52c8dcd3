//! A CT volume as MedGemma 1.5 was trained to read it: three windows as red, green and blue, at most 85 slices, each
//! followed by its number, the question last. A second question encodes no slice again.

mod arguments;
mod montage;
mod series;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use arguments::Arguments;
use clap::Parser;
use image::ImageFormat;
use medgemma::{
    Device, GenerateOptions, LoadOptions, MedGemma, Message, Reply, VisionCache, Workload,
};
use medgemma_medical::{Item, PreparedVolume, Prompt};

/// Said before the shipped model says anything.
const DEMONSTRATION: &str = "This is the tiny demonstration model, NOT MedGemma: it tells kinds of pictures apart and \
knows no medicine. For MedGemma, get the weights from Google and pass --model DIR.";
/// Bytes for encoded slices: 85 of MedGemma 4B take 223 MB, of the 27B 468 MB.
const KEPT: usize = 512 << 20;
/// Tokens of a slice: its soft tokens, and the words and markers around them.
const SLICE_TOKENS: usize = 256 + 16;
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
    let volume = series::read(&arguments.source)?;
    let prepared = arguments.recipe().prepare_volume(&volume)?;
    drop(volume);
    writeln!(
        io::stdout(),
        "{}",
        serde_json::to_string(prepared.recipe())?
    )?;
    if let Some(path) = &arguments.montage {
        let picture = montage::draw(prepared.images(), arguments.tile)?;
        let saved = picture.save_with_format(path, ImageFormat::Png);
        saved.map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
    }
    if arguments.pixels_only {
        return Ok(());
    }
    if arguments.is_demonstration() {
        writeln!(io::stderr(), "{DEMONSTRATION}")?;
    }
    let device: Device = arguments.device.parse()?;
    let options = LoadOptions::default()
        .with_workload(workload(&prepared, arguments))
        .with_vision_cache(VisionCache::in_memory(KEPT));
    let model = MedGemma::load_with(&arguments.model, &device, options)?;
    let first = ask(&model, &prepared, &arguments.question, arguments)?;
    let second = ask(&model, &prepared, &arguments.second_question, arguments)?;
    Ok(saved_time(&model, &first, &second)?)
}

/// What a question about the volume takes, so that a machine too small for it is told before it begins. A token of text has
/// a byte at least.
fn workload(prepared: &PreparedVolume, arguments: &Arguments) -> Workload {
    let (question, second) = (&arguments.question, &arguments.second_question);
    let words = arguments.instruction.len() + question.len().max(second.len()) + TEMPLATE_TOKENS;
    let slices = prepared.images().len();
    let context = slices * SLICE_TOKENS + words + arguments.max_new_tokens;
    Workload::new(context, slices)
}

/// Another conversation for each question: only the slices are kept.
fn ask(
    model: &MedGemma,
    prepared: &PreparedVolume,
    question: &str,
    arguments: &Arguments,
) -> Result<Reply, Box<dyn Error>> {
    let prompt = prepared.clone().prompt(&arguments.instruction, question);
    let options = GenerateOptions::default().with_max_new_tokens(arguments.max_new_tokens);
    let reply = model.generate(&[message(prompt)], &options)?;
    // Below each answer, so that the first has it whatever becomes of the second.
    let footnote = reply.footnote();
    writeln!(io::stdout(), "> {question}\n{reply}\n{footnote}")?;
    Ok(reply)
}

/// Pictures and words in the order of training.
fn message(prompt: Prompt) -> Message {
    let items = prompt.into_items().into_iter();
    items.fold(Message::user(), |message, item| match item {
        Item::Image(image) => message.image(image),
        Item::Text(text) => message.text(text),
    })
}

/// What the second question did not have to wait for.
fn saved_time(model: &MedGemma, first: &Reply, second: &Reply) -> io::Result<()> {
    let used = model.model().vision_cache_use().unwrap_or_default();
    let to_first_token = |reply: &Reply| reply.timings.images + reply.timings.prefill;
    let times = |before: Duration, after: Duration| {
        before.as_secs_f64() / after.as_secs_f64().max(f64::EPSILON)
    };
    let mut err = io::stderr().lock();
    writeln!(
        err,
        "slices encoded {}, found again {}",
        used.encoded, used.from_memory
    )?;
    for (what, before, after) in [
        ("slices", first.timings.images, second.timings.images),
        ("first token", to_first_token(first), to_first_token(second)),
    ] {
        writeln!(
            err,
            "{what}: {:.1} ms, then {:.1} ms ({:.1} times as fast)",
            before.as_secs_f64() * 1e3,
            after.as_secs_f64() * 1e3,
            times(before, after)
        )?;
    }
    Ok(())
}
