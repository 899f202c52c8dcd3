//! From the files of a model to its weights, in memory that was planned for.

use std::path::Path;

use medgemma_gemma3::Decoder;
use medgemma_image::ImageProcessor;
use medgemma_projector::{Projector, ProjectorConfig};
use medgemma_siglip::VisionTower;
use medgemma_tensor::Device;
use medgemma_tensor::checkpoint::{Loader, Rename, WeightSource};

use crate::config::{ModelConfig, MultimodalConfig};
use crate::error::Result;
use crate::files::Files;
use crate::memory::{Budget, MemoryPlan};
use crate::model::Inner;
use crate::options::LoadOptions;
use crate::vision_cache::Encodings;

/// Loads what was found at `path`, by its configuration.
pub(crate) fn load(
    path: &Path,
    files: Files,
    config: ModelConfig,
    device: &Device,
    options: LoadOptions<'_>,
) -> Result<Inner> {
    for key in &config.unknown_keys {
        tracing::warn!(key, "unknown key in the model's configuration");
    }
    let processor = image_processor(&files, &config, &options)?;
    let encodings = options.vision_cache.clone();
    let encodings = encodings.map(Encodings::new).transpose()?;
    let cache = files.cache(&format!("medgemma-{}.cache", options.precision));
    let ignored = files.ignored()?;
    let source = files.weights()?;
    let mut loader = loader(source.as_ref(), ignored, &config, device, &options)?;
    let budget = budget(&loader, &config, device, &options)?;
    budget.check_load(path, device)?;
    if options.cache_quantized {
        loader = loader.with_cache(cache)?;
    }
    if let Some(progress) = options.progress {
        loader = loader.with_progress(progress);
    }
    let multimodal = config.multimodal.as_ref();
    let vision = multimodal
        .map(|multimodal| vision(&mut loader, &config, multimodal))
        .transpose()?;
    let decoder = Decoder::load(&mut loader, config.text.clone(), device)?
        .with_kv_precision(options.kv_cache);
    let report = loader.finish()?;
    tracing::info!(
        tensors = report.tensors,
        parameters = report.parameters,
        bytes = report.bytes,
        device = device.name(),
        "model loaded"
    );
    Ok(Inner {
        dir: path.to_path_buf(),
        config,
        decoder,
        vision,
        processor,
        report,
        encodings,
        budget,
    })
}

/// What [`load`] holds against memory.
pub(crate) fn plan(
    files: Files,
    config: &ModelConfig,
    device: &Device,
    options: &LoadOptions<'_>,
) -> Result<MemoryPlan> {
    let ignored = files.ignored()?;
    let source = files.weights()?;
    let loader = loader(source.as_ref(), ignored, config, device, options)?;
    Ok(budget(&loader, config, device, options)?.plan())
}

/// Ready to load the weights, by their canonical names.
fn loader<'a>(
    source: &'a dyn WeightSource,
    ignored: Option<(&'static str, &'static str)>,
    config: &ModelConfig,
    device: &Device,
    options: &LoadOptions<'_>,
) -> Result<Loader<'a>> {
    let names: Vec<Rename> = [
        medgemma_siglip::RENAMES,
        medgemma_projector::RENAMES,
        medgemma_gemma3::RENAMES,
    ]
    .concat();
    let mut loader = Loader::new(source, &names, device)?
        .with_ignored(medgemma_siglip::IGNORED)
        .with_ignored(medgemma_gemma3::IGNORED)
        .with_precision(options.precision, medgemma_gemma3::MATRICES);
    leave_aside(&mut loader, config, ignored)?;
    Ok(loader)
}

fn budget(
    loader: &Loader<'_>,
    config: &ModelConfig,
    device: &Device,
    options: &LoadOptions<'_>,
) -> Result<Budget> {
    let arithmetic = Decoder::planned_arithmetic(loader, &config.text)?;
    let weights = [loader.held_bytes(), loader.mapped_bytes()];
    Ok(Budget::new(config, device, options, arithmetic, weights))
}

/// Tells the loader what of the files is not loaded, before anything is added up: what does not
/// enter the memory must not be planned for. `ignored`: what the files themselves say of it.
fn leave_aside(
    loader: &mut Loader<'_>,
    config: &ModelConfig,
    ignored: Option<(&'static str, &'static str)>,
) -> Result<()> {
    if let Some((name, reason)) = ignored {
        loader.ignore(name, reason);
    }
    let vision = config.multimodal.as_ref().map(|m| &m.vision);
    if vision.is_some_and(|vision| vision.vision_use_head) {
        let reason = "the pooling head: Gemma 3 reads patch features";
        loader.ignore("vision_tower.head.", reason);
    }
    Ok(Decoder::ignore_repeated_head(loader, &config.text)?)
}

/// Vision tower and projector from their canonical keys.
fn vision(
    loader: &mut Loader<'_>,
    config: &ModelConfig,
    multimodal: &MultimodalConfig,
) -> Result<(VisionTower, Projector)> {
    let tower = VisionTower::load(&mut loader.scope("vision_tower"), &multimodal.vision)?;
    let sizes = ProjectorConfig::new(
        multimodal.vision.hidden_size,
        config.text.hidden_size,
        multimodal.vision.image_size / multimodal.vision.patch_size,
        multimodal.mm_tokens_per_image,
        multimodal.vision.layer_norm_eps,
    )?;
    let projector = Projector::load(&mut loader.scope("multi_modal_projector"), &sizes)?;
    Ok((tower, projector))
}

/// The processor of the files with the caller's choices.
fn image_processor(
    files: &Files,
    config: &ModelConfig,
    options: &LoadOptions<'_>,
) -> Result<ImageProcessor> {
    let Some(multimodal) = &config.multimodal else {
        return Ok(ImageProcessor::default());
    };
    let mut processor = files.processor(multimodal.vision.image_size)?;
    if let Some(resizer) = options.resizer {
        processor = processor.with_resizer(resizer);
    }
    if let Some(pad) = options.pad_to_square {
        processor = processor.with_pad_to_square(pad);
    }
    if let Some(on) = options.pan_and_scan {
        processor = processor.with_do_pan_and_scan(on);
    }
    Ok(processor)
}
