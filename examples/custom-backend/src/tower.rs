//! The vision tower out of a whole model's checkpoint, and a measure on what it gives.

use std::error::Error;
use std::path::Path;

use medgemma_siglip::{IGNORED, RENAMES, VisionConfig, VisionTower};
use medgemma_tensor::checkpoint::{Loader, SafetensorsDir, read_json};
use medgemma_tensor::{Device, Tensor, vec_from};

/// Every other part of a Gemma 3 checkpoint, in each dialect of names.
const OTHER_PARTS: [&str; 5] = [
    "language_model.",
    "multi_modal_projector.",
    "lm_head.",
    "model.language_model.",
    "model.multi_modal_projector.",
];

/// Loads the tower of a model directory; what belongs to it is checked to the last tensor.
pub(crate) fn load(
    dir: &Path,
    device: &Device,
) -> Result<(VisionConfig, VisionTower), Box<dyn Error>> {
    let file = dir.join("config.json");
    let json = read_json(&file)?;
    let config = VisionConfig::from_json(&file, "vision_config.", &json["vision_config"])?;
    let source = SafetensorsDir::open(dir)?;
    let mut loader = Loader::new(&source, RENAMES, device)?.with_ignored(IGNORED);
    for part in OTHER_PARTS {
        loader.ignore(part, "not part of the vision tower");
    }
    let tower = VisionTower::load(&mut loader.scope("vision_tower"), &config)?;
    loader.finish()?;
    Ok((config, tower))
}

/// Cosine of the angle between two pictures' features, each averaged over its patches.
///
/// # Shapes
/// - `a`, `b`: `[patches, width]`
pub(crate) fn cosine(a: Tensor<2>, b: Tensor<2>) -> medgemma_tensor::Result<f32> {
    let (a, b) = (a.mean_dim(0), b.mean_dim(0));
    let length = |x: &Tensor<2>| x.clone().powi_scalar(2).sum().sqrt();
    let lengths = length(&a) * length(&b);
    Ok(vec_from((a * b).sum() / lengths, "cosine")?[0])
}
