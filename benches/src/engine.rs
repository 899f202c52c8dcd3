//! Every call by which this program chooses how the library works: threads, instructions, precision,
//! files. The stages know none of it.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use medgemma::{
    Device, Image, LoadOptions, MedGemma, MedSigLip, Model, Precision, SiglipOptions,
    SiglipWorkload, Workload, cpu,
};
use medgemma_bench::TEXT;

use crate::arguments::{Arguments, Stage};

/// What can go wrong here is printed, not acted on.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Sets threads and instructions for the process.
pub(crate) fn configure(arguments: &Arguments) -> Result<()> {
    cpu::set_threads(arguments.threads());
    if let Some(path) = arguments.path {
        cpu::set_instructions(path)?;
    }
    Ok(())
}

/// Threads in use: those asked for, or, for 0 and for more than a pool takes, others.
pub(crate) fn threads() -> usize {
    cpu::threads()
}

/// The instructions in use.
pub(crate) fn instructions() -> &'static str {
    cpu::instructions().name()
}

/// The model with its tokenizer.
pub(crate) fn load(arguments: &Arguments) -> Result<MedGemma> {
    let (path, device) = place(arguments)?;
    let model = MedGemma::load_with(path, &device, options(arguments))?;
    check_precision(arguments, &model.model().report().formats)?;
    Ok(model)
}

/// The model alone: any vocabulary will do.
pub(crate) fn weights(arguments: &Arguments) -> Result<Model> {
    let (path, device) = place(arguments)?;
    let model = Model::load(path, &device, options(arguments))?;
    check_precision(arguments, &model.report().formats)?;
    Ok(model)
}

/// Refuses a precision that a file's blocks, which stay as they are, would not have: the figure would be
/// taken for one of it.
fn check_precision(arguments: &Arguments, formats: &BTreeMap<String, usize>) -> Result<()> {
    const FLOATS: [&str; 3] = ["F32", "F16", "BF16"];
    let blocks = formats.keys().find(|name| !FLOATS.contains(&name.as_str()));
    match blocks {
        Some(format) if arguments.precision != Precision::AsIs => Err(format!(
            "--precision {}: the file has matrices in {format}, which stay as they are: leave the option \
             out, or give a model in bf16, f16 or f32",
            arguments.precision
        )
        .into()),
        _ => Ok(()),
    }
}

/// The dual encoder.
pub(crate) fn dual_encoder(arguments: &Arguments) -> Result<MedSigLip> {
    let (path, device) = place(arguments)?;
    let workload = match arguments.stage {
        // One picture is in work at a time, whatever the batch.
        Stage::EmbedImage => SiglipWorkload::new(1, 0),
        _ => SiglipWorkload::new(0, arguments.batch),
    };
    let options = SiglipOptions::default().with_workload(workload);
    Ok(MedSigLip::load_with(path, &device, options)?)
}

fn place(arguments: &Arguments) -> Result<(&Path, Device)> {
    let path = arguments.model.as_deref().ok_or("--model is missing")?;
    Ok((path, arguments.device.parse()?))
}

/// A GGUF file without `--mmproj` is a text model here, whatever lies beside it.
fn options(arguments: &Arguments) -> LoadOptions<'static> {
    let options = LoadOptions::default()
        .with_precision(arguments.precision)
        .with_kv_cache(arguments.kv)
        .with_workload(workload(arguments));
    match (&arguments.mmproj, &arguments.model) {
        (Some(file), _) => options.with_mmproj(file),
        (None, Some(model)) if model.is_file() => options.without_mmproj(),
        (None, _) => options,
    }
}

/// What the stage will need of memory, so that a model which does not fit with it is refused before
/// hours of measuring, and one that fits is not.
fn workload(arguments: &Arguments) -> Workload {
    /// Tokens of one picture and a question about it, more than any model of the family takes.
    const SHOWN: usize = 512;
    /// Bytes of a token of ordinary text at least.
    const BYTES: usize = 2;
    let (tokens, context) = (arguments.tokens(), arguments.context());
    match arguments.stage {
        Stage::Prefill => Workload::new(tokens, 0),
        // What was read before stays beside what the conversations make of it.
        Stage::Decode => {
            let all = context.saturating_add(tokens).saturating_add(1);
            Workload::new(all, 0).with_conversations(arguments.batch.saturating_add(1))
        }
        Stage::Generate => Workload::new((3 * TEXT.len() / BYTES).saturating_add(tokens), 0),
        Stage::Vision => Workload::new(1, 1),
        Stage::FirstToken => Workload::new(context.max(SHOWN).saturating_add(1), 1),
        Stage::Load | Stage::EmbedImage | Stage::EmbedText | Stage::Limit => Workload::default(),
    }
}

/// The picture that is looked at.
pub(crate) fn picture(arguments: &Arguments) -> Result<Image> {
    if let Some(path) = &arguments.image {
        return Ok(Image::open(path)?);
    }
    let side = 896usize;
    let grey = |at: usize| u8::try_from((at / side + at % side) % 512 / 2);
    let pixels = (0..side * side)
        .map(grey)
        .collect::<std::result::Result<_, _>>()?;
    Ok(Image::from_gray8(side, side, pixels)?)
}
