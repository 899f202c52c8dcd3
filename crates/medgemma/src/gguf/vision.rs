//! The vision tower's configuration, and how it is fed and pooled, from the metadata of an `mmproj`
//! file.

use std::path::Path;

use medgemma_tensor::Result;
use medgemma_tensor::checkpoint::GgufMetadata;
use serde_json::{Map, Value};

use super::need;

/// Sizes of the vision tower: GGUF's key, the configuration's. All must be there.
pub(super) const SIZES: [(&str, &str); 6] = [
    ("embedding_length", "hidden_size"),
    ("feed_forward_length", "intermediate_size"),
    ("block_count", "num_hidden_layers"),
    ("attention.head_count", "num_attention_heads"),
    ("image_size", "image_size"),
    ("patch_size", "patch_size"),
];

/// The vision tower's configuration, which must fit the text model.
pub(super) fn read(metadata: &GgufMetadata, text: &GgufMetadata) -> Result<Map<String, Value>> {
    const PROJECTOR: &str = "clip.projector_type";
    let kind = match metadata.text("clip.vision.projector_type")? {
        None => metadata.text(PROJECTOR)?,
        kind => kind,
    };
    if kind != Some("gemma3") {
        return Err(metadata.error(
            PROJECTOR,
            "`gemma3`, the vision part of Gemma 3 or MedGemma",
        ));
    }
    for (key, expected) in [
        ("clip.has_vision_encoder", true),
        ("clip.use_gelu", true),
        ("clip.use_silu", false),
    ] {
        if metadata.flag(key)?.is_some_and(|flag| flag != expected) {
            return Err(metadata.error(key, expected.to_string()));
        }
    }
    const WIDTH: &str = "clip.vision.projection_dim";
    // That the text model has none is for its own reading to say.
    let width = text.size("gemma3.embedding_length")?;
    if let (Some(width), Some(projected)) = (width, metadata.size(WIDTH)?)
        && projected != width
    {
        let file = file_name(text.path());
        return Err(metadata.error(WIDTH, format!("{width}, the width of {file}")));
    }
    let mut config = Map::new();
    config.insert("model_type".into(), "siglip_vision_model".into());
    config.insert("vision_use_head".into(), false.into());
    for (key, name) in SIZES {
        let key = format!("clip.vision.{key}");
        let size = need(metadata, &key, GgufMetadata::size)?;
        config.insert(name.into(), size.into());
    }
    let eps = need(
        metadata,
        "clip.vision.attention.layer_norm_epsilon",
        GgufMetadata::number,
    )?;
    config.insert("layer_norm_eps".into(), eps.into());
    Ok(config)
}

/// Soft tokens of a picture: the tower's grid, pooled by a factor of 4 or as the file says.
pub(super) fn tokens_per_image(metadata: &GgufMetadata) -> Result<usize> {
    const KEY: &str = "clip.vision.projector.scale_factor";
    let side = need(metadata, "clip.vision.image_size", GgufMetadata::size)?;
    let patch = need(metadata, "clip.vision.patch_size", GgufMetadata::size)?;
    let (grid, factor) = (side / patch, metadata.size(KEY)?.unwrap_or(4));
    if grid == 0 || !grid.is_multiple_of(factor) {
        let expected = format!("a divisor of the {grid} patches of a side");
        return Err(metadata.error(KEY, expected));
    }
    Ok((grid / factor) * (grid / factor))
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}
