//! Writes what a model computes for given token ids and images into one safetensors file, so that
//! anyone can compare it with the reference on any checkpoint.

mod output;

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use medgemma::{Device, Image, LoadOptions, Model, Pixels, Resizer, SoftTokens};
use medgemma_gemma3::{Finish, GenerateOptions};
use medgemma_tensor::vec_from;
use output::Output;

/// Computes logits, soft tokens and a greedy continuation for a prompt of token ids.
#[derive(Parser)]
struct Arguments {
    /// Hugging Face model directory; no tokenizer is needed.
    #[arg(long)]
    model: PathBuf,
    /// Token ids of the prompt, soft tokens in place: 2,5,9
    #[arg(long, value_delimiter = ',', required = true)]
    prompt_ids: Vec<u32>,
    /// PNG or JPEG, once for each image, in the order of the soft tokens.
    #[arg(long)]
    image: Vec<PathBuf>,
    /// Tokens to write.
    #[arg(long, default_value_t = 16)]
    max_new_tokens: usize,
    /// Goes on after the model's stop ids.
    #[arg(long)]
    ignore_eos: bool,
    /// cpu, ndarray, wgpu, wgpu:software, cuda:N or best.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Which reference's resizing to follow: pil or torchvision.
    #[arg(long, default_value = "pil", value_parser = ["pil", "torchvision"])]
    resize: String,
    /// Where to write `input_ids`, `pixel_values`, `soft_tokens`, `logits`, `generated_ids`.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let device: Device = arguments.device.parse()?;
    let resizer = if arguments.resize == "pil" {
        Resizer::PilBilinear
    } else {
        Resizer::TorchvisionBilinear
    };
    let model = Model::load(
        &arguments.model,
        &device,
        LoadOptions::default().with_resizer(resizer),
    )?;

    let mut pixels = Vec::new();
    for path in &arguments.image {
        pixels.extend(model.process(&Image::open(path)?)?.pixels);
    }
    let images = pixels
        .iter()
        .map(|pixels| model.encode(pixels))
        .collect::<medgemma::Result<Vec<_>>>()?;
    let logits = prompt_logits(&model, &arguments, &images)?;
    let generated = continuation(&model, &arguments, &images)?;
    println!(
        "prompt {} ids, {} image(s), generated {:?}",
        arguments.prompt_ids.len(),
        images.len(),
        generated
    );
    write(&arguments, &pixels, &images, logits, &generated)
}

/// Logits of every position of the prompt, `[t, v]`.
fn prompt_logits(
    model: &Model,
    arguments: &Arguments,
    images: &[SoftTokens],
) -> Result<([usize; 2], Vec<f32>), Box<dyn Error>> {
    let decoder = model.decoder();
    let segments = model.segments(&arguments.prompt_ids, images)?;
    let logits = decoder.logits_of_all(
        &segments,
        &mut decoder.new_cache(),
        medgemma_gemma3::DEFAULT_CHUNK,
    )?;
    Ok((logits.dims(), vec_from(logits, "logits")?))
}

/// Greedy ids; the stop id that ended them is the last, as the reference returns it.
fn continuation(
    model: &Model,
    arguments: &Arguments,
    images: &[SoftTokens],
) -> Result<Vec<u32>, Box<dyn Error>> {
    let decoder = model.decoder();
    let mut options = GenerateOptions::default();
    options.max_new_tokens = arguments.max_new_tokens;
    if !arguments.ignore_eos {
        options
            .stop_ids
            .clone_from(&model.config().generation.eos_token_ids);
    }
    let mut cache = decoder.new_cache();
    let segments = model.segments(&arguments.prompt_ids, images)?;
    let mut generation = decoder.generate(segments, &mut cache, &options, Box::new(|_, _| true))?;
    let mut ids = Vec::new();
    for token in &mut generation {
        ids.push(token?.id);
    }
    if let Some(Finish::Stop(token)) = generation.finish() {
        ids.push(token.id);
    }
    Ok(ids)
}

fn write(
    arguments: &Arguments,
    pixels: &[Pixels],
    images: &[SoftTokens],
    (shape, logits): ([usize; 2], Vec<f32>),
    generated: &[u32],
) -> Result<(), Box<dyn Error>> {
    let mut output = Output::default();
    output.ids("input_ids", &arguments.prompt_ids);
    output.ids("generated_ids", generated);
    output.floats("logits", &shape, &logits);
    if let (Some(first), Some(soft)) = (pixels.first(), images.first()) {
        let all: Vec<f32> = pixels
            .iter()
            .flat_map(|pixels| pixels.data.iter().copied())
            .collect();
        output.floats(
            "pixel_values",
            &[&[pixels.len()], first.shape.as_slice()].concat(),
            &all,
        );
        let rows = images
            .iter()
            .map(SoftTokens::to_vec)
            .collect::<medgemma::Result<Vec<_>>>()?
            .concat();
        output.floats(
            "soft_tokens",
            &[&[images.len()], soft.dims().as_slice()].concat(),
            &rows,
        );
    }
    Ok(output.write(&arguments.out)?)
}
