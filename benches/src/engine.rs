//! Every call by which this program chooses how the library works: threads, instructions, precision,
//! files. The stages know none of it.

use std::error::Error;
use std::path::Path;

use medgemma::{Device, Image, LoadOptions, MedGemma, MedSigLip, Model, cpu};

use crate::arguments::Arguments;

/// What can go wrong here is printed, not acted on.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Sets threads and instructions for the process.
pub(crate) fn configure(arguments: &Arguments) -> Result<()> {
    cpu::set_threads(arguments.threads);
    if let Some(path) = arguments.path {
        cpu::set_instructions(path)?;
    }
    Ok(())
}

/// The instructions in use.
pub(crate) fn instructions() -> &'static str {
    cpu::instructions().name()
}

/// The model with its tokenizer.
pub(crate) fn load(arguments: &Arguments) -> Result<MedGemma> {
    let (path, device) = place(arguments)?;
    Ok(MedGemma::load_with(path, &device, options(arguments))?)
}

/// The model alone: any vocabulary will do.
pub(crate) fn weights(arguments: &Arguments) -> Result<Model> {
    let (path, device) = place(arguments)?;
    Ok(Model::load(path, &device, options(arguments))?)
}

/// The dual encoder.
pub(crate) fn dual_encoder(arguments: &Arguments) -> Result<MedSigLip> {
    let (path, device) = place(arguments)?;
    Ok(MedSigLip::load(path, &device)?)
}

fn place(arguments: &Arguments) -> Result<(&Path, Device)> {
    let path = arguments.model.as_deref().ok_or("--model is missing")?;
    Ok((path, arguments.device.parse()?))
}

/// A GGUF file without `--mmproj` is a text model here, whatever lies beside it.
fn options(arguments: &Arguments) -> LoadOptions<'static> {
    let options = LoadOptions::default()
        .with_precision(arguments.precision)
        .with_kv_cache(arguments.kv);
    match (&arguments.mmproj, &arguments.model) {
        (Some(file), _) => options.with_mmproj(file),
        (None, Some(model)) if model.is_file() => options.without_mmproj(),
        (None, _) => options,
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
