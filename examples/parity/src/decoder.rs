//! MedGemma: soft tokens, the logits of every position of a prompt, a greedy continuation.

use std::error::Error;
use std::io::{self, Write};

use medgemma::{Device, ImageBackend, LoadOptions, Model, Resize, SoftTokens};
use medgemma_gemma3::{Finish, GenerateOptions};
use medgemma_tensor::vec_from;

use crate::output::Output;
use crate::{Arguments, Switch, tell_unknown};

/// Computes what prompt and images ask for.
pub(crate) fn run(arguments: &Arguments, device: &Device) -> Result<Output, Box<dyn Error>> {
    if arguments.prompt_ids.is_empty() {
        return Err("--prompt-ids is missing: a MedGemma model reads a prompt of token ids".into());
    }
    let model = Model::load(&arguments.model, device, LoadOptions::default())?;
    tell_unknown(&model.config().unknown_keys)?;
    let resize = arguments
        .resize
        .unwrap_or(Resize::Backend(ImageBackend::Pil));
    let mut processor = model.processor().clone().with_resize(resize);
    if let Some(switch) = arguments.pan_and_scan {
        processor = processor.with_do_pan_and_scan(switch == Switch::On);
    }
    let mut pixels = Vec::new();
    for image in arguments.images() {
        pixels.extend(processor.process(&image?)?.pixels);
    }
    let images = pixels.iter().map(|pixels| model.encode(pixels));
    let images = images.collect::<medgemma::Result<Vec<_>>>()?;
    let (shape, logits) = prompt_logits(&model, arguments, &images)?;
    let generated = continuation(&model, arguments, &images)?;
    writeln!(
        io::stdout(),
        "prompt {} ids, {} image(s), generated {generated:?}",
        arguments.prompt_ids.len(),
        images.len(),
    )?;

    let mut output = Output::default();
    let prompt = &arguments.prompt_ids;
    output.ids("input_ids", &[prompt.len()], prompt);
    output.ids("generated_ids", &[generated.len()], &generated);
    output.floats("logits", &shape, &logits);
    if let Some(soft) = images.first() {
        output.pixels(&pixels)?;
        let rows = images.iter().map(SoftTokens::to_vec);
        let rows = rows.collect::<medgemma::Result<Vec<_>>>()?.concat();
        let shape = [&[images.len()], soft.dims().as_slice()].concat();
        output.floats("soft_tokens", &shape, &rows);
    }
    Ok(output)
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
