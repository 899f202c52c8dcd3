//! What GGUF metadata says of a model, as the `config.json` that it was converted from would have
//! said it: one reading of configurations, one set of checks.
//!
//! Keys, and what is meant where one is absent, are those of llama.cpp for the architecture
//! `gemma3` (`src/models/gemma3.cpp`, `tools/mtmd/clip.cpp`, converter `conversion/gemma.py`, all at
//! 0c1e570). Where its files are silent on what every published size has, the published value
//! stands in.

use std::path::Path;

use medgemma_image::ImageProcessor;
use medgemma_tensor::checkpoint::{GgufMetadata, GgufPair, WeightSource};
use medgemma_tensor::{Error, Result};
use medgemma_tokenizer::{GgufVocabulary, SpecialTokens, special};
use serde_json::{Map, Value, json};

use crate::config::ModelConfig;

/// More layers than any model has; bounds what a hostile file can make us allocate.
const MAX_LAYERS: usize = 10_000;

/// Every sixth layer is global where a file says nothing (`load_swa_pattern` in llama.cpp).
const PATTERN: usize = 6;

/// Base of the local layers' rotation where a file says nothing, as converters before 2026 did.
const LOCAL_BASE: f64 = 10_000.0;

/// Layers and width of the published models and the linear factor of their global rotation.
const PUBLISHED: [(usize, usize, f64); 5] = [
    (18, 640, 1.0),
    (26, 1152, 1.0),
    (34, 2560, 8.0),
    (48, 3840, 8.0),
    (62, 5376, 8.0),
];

/// Base of the global rotation in all of them.
const PUBLISHED_BASE: f64 = 1_000_000.0;

/// Sizes of the decoder: GGUF's key, the configuration's, whether it must be there.
const TEXT_SIZES: [(&str, &str, bool); 7] = [
    ("block_count", "num_hidden_layers", true),
    ("embedding_length", "hidden_size", true),
    ("feed_forward_length", "intermediate_size", true),
    ("attention.head_count", "num_attention_heads", true),
    ("attention.head_count_kv", "num_key_value_heads", false),
    ("attention.key_length", "head_dim", false),
    ("context_length", "max_position_embeddings", true),
];

/// Sizes of the vision tower, likewise; all must be there.
const VISION_SIZES: [(&str, &str); 6] = [
    ("embedding_length", "hidden_size"),
    ("feed_forward_length", "intermediate_size"),
    ("block_count", "num_hidden_layers"),
    ("attention.head_count", "num_attention_heads"),
    ("image_size", "image_size"),
    ("patch_size", "patch_size"),
];

/// Other keys of the decoder that are read below or change nothing.
const TEXT_KNOWN: [&str; 15] = [
    "attention.layer_norm_rms_epsilon",
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "attention.value_length",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.freq_base_swa",
    "rope.scale_linear",
    "rope.scaling.factor",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "vocab_size",
];

/// The configuration of a pair of files.
///
/// # Errors
/// [`Error::Config`] naming file and key for what is missing or cannot be followed.
pub(crate) fn config(pair: &GgufPair) -> Result<ModelConfig> {
    let metadata = pair.text().metadata();
    let mut text = text(metadata)?;
    text.insert("vocab_size".into(), rows(pair)?.into());
    let tied = pair.info("output.weight").is_none();
    let value = match pair.mmproj() {
        None => {
            text.insert("tie_word_embeddings".into(), tied.into());
            Value::Object(text)
        }
        Some(mmproj) => {
            let ids =
                vocabulary(metadata)?.map_or(SpecialTokens::GEMMA3, |words| image_ids(&words));
            let vision = vision(mmproj.metadata(), metadata)?;
            json!({
                "model_type": "gemma3",
                "mm_tokens_per_image": tokens_per_image(mmproj.metadata())?,
                "boi_token_index": ids.start_of_image,
                "eoi_token_index": ids.end_of_image,
                "image_token_index": ids.image_soft_token,
                "tie_word_embeddings": tied,
                "text_config": text,
                "vision_config": vision,
            })
        }
    };
    let mut config = ModelConfig::from_json(metadata.path(), &value)
        .map_err(|error| in_terms_of_gguf(error, pair))?;
    config.unknown_keys = unknown(metadata);
    Ok(config)
}

/// How images become pixels, from the vision part's metadata.
pub(crate) fn processor(metadata: &GgufMetadata) -> crate::Result<ImageProcessor> {
    let side = need(metadata, "clip.vision.image_size", GgufMetadata::size)?;
    let mut config = json!({ "size": { "height": side, "width": side } });
    for key in ["image_mean", "image_std"] {
        let full = format!("clip.vision.{key}");
        config[key] = need(metadata, &full, GgufMetadata::numbers)?.into();
    }
    let name = metadata.path().display().to_string();
    Ok(ImageProcessor::from_json(&config.to_string(), &name)?)
}

/// Tensors that may be left aside, and why: frequency factors, if all of them are 1. Gemma 3 has
/// none.
///
/// # Errors
/// Those of reading the tensor.
pub(crate) fn ignored(pair: &GgufPair) -> Result<Option<(&'static str, &'static str)>> {
    const FACTORS: &str = "rope_freqs.weight";
    if pair.info(FACTORS).is_none() {
        return Ok(None);
    }
    let bytes = pair.bytes(FACTORS)?;
    let (values, rest) = bytes.as_chunks();
    let ones = values.iter().all(|&value| f32::from_le_bytes(value) == 1.0);
    Ok((ones && rest.is_empty()).then_some((FACTORS, "factors of 1")))
}

/// The vocabulary, or `None` if the file has none.
pub(crate) fn vocabulary(metadata: &GgufMetadata) -> Result<Option<GgufVocabulary<'_>>> {
    let Some(model) = metadata.text("tokenizer.ggml.model")? else {
        return Ok(None);
    };
    let scores = metadata.numbers("tokenizer.ggml.scores")?;
    let types = metadata.integers("tokenizer.ggml.token_type")?;
    Ok(Some(GgufVocabulary {
        model,
        tokens: need(metadata, "tokenizer.ggml.tokens", GgufMetadata::texts)?,
        // Only SentencePiece's kind has them; the tokenizer says so of another.
        scores: scores.unwrap_or_default(),
        types: types.unwrap_or_default(),
        unknown: metadata.id("tokenizer.ggml.unknown_token_id")?,
        add_space_prefix: metadata
            .flag("tokenizer.ggml.add_space_prefix")?
            .unwrap_or(false),
    }))
}

/// The value of `key`, which must be there.
fn need<'a, T>(
    metadata: &'a GgufMetadata,
    key: &str,
    get: impl FnOnce(&'a GgufMetadata, &str) -> Result<Option<T>>,
) -> Result<T> {
    get(metadata, key)?.ok_or_else(|| metadata.error(key, "this key"))
}

/// Refuses other models, and a vision part in the place of a text model.
///
/// # Errors
/// [`Error::Config`] that says which model it is.
pub(crate) fn check_architecture(metadata: &GgufMetadata) -> Result<()> {
    const KEY: &str = "general.architecture";
    match metadata.text(KEY)? {
        Some("gemma3") => Ok(()),
        Some("clip") => {
            let expected = "`gemma3`, a text model: name that file, and this one as its mmproj";
            Err(metadata.error(KEY, expected))
        }
        _ => Err(metadata.error(KEY, "`gemma3`")),
    }
}

/// Rows of the embedding, which only the tensor itself tells.
fn rows(pair: &GgufPair) -> Result<usize> {
    const NAME: &str = "token_embd.weight";
    let rows = pair.info(NAME).and_then(|info| info.shape.first());
    rows.copied().ok_or_else(|| Error::MissingTensor {
        location: pair.location().to_path_buf(),
        key: NAME.to_owned(),
        closest: None,
    })
}

fn text(metadata: &GgufMetadata) -> Result<Map<String, Value>> {
    let mut config = Map::new();
    config.insert("model_type".into(), "gemma3_text".into());
    for (key, name, required) in TEXT_SIZES {
        let key = format!("gemma3.{key}");
        match metadata.size(&key)? {
            Some(size) => drop(config.insert(name.into(), size.into())),
            None if required => return Err(metadata.error(&key, "this key")),
            None => {}
        }
    }
    let size = |name: &str| config.get(name).and_then(Value::as_u64).unwrap_or(0) as usize;
    let layers = size("num_hidden_layers");
    let (width, heads) = (size("hidden_size"), size("num_attention_heads"));
    let (keys, head) = (size("num_key_value_heads"), size("head_dim"));
    if layers > MAX_LAYERS {
        let expected = format!("at most {MAX_LAYERS} layers");
        return Err(metadata.error("gemma3.block_count", expected));
    }
    let head = if head == 0 { width / heads } else { head };
    // The 27B is told by its layers (`f_attention_scale` in llama.cpp).
    let scalar = if layers == 62 { width / heads } else { head };
    config.insert("head_dim".into(), head.into());
    let keys = if keys == 0 { heads } else { keys };
    config.insert("num_key_value_heads".into(), keys.into());
    config.insert("query_pre_attn_scalar".into(), scalar.into());
    same_head(metadata, head)?;
    no_soft_capping(metadata)?;
    let eps = need(
        metadata,
        "gemma3.attention.layer_norm_rms_epsilon",
        GgufMetadata::number,
    )?;
    config.insert("rms_norm_eps".into(), eps.into());
    let window = metadata.size("gemma3.attention.sliding_window")?;
    config.insert("sliding_window".into(), window.into());
    config.insert(
        "layer_types".into(),
        layer_types(metadata, layers, window.is_some())?,
    );
    config.insert("rope_parameters".into(), rope(metadata, layers, width)?);
    for (key, name) in [
        ("bos_token_id", "bos_token_id"),
        ("padding_token_id", "pad_token_id"),
    ] {
        let id = metadata.id(&format!("tokenizer.ggml.{key}"))?;
        config.insert(name.into(), id.into());
    }
    let mut ends = Vec::new();
    for key in ["eos_token_id", "eot_token_id"] {
        ends.extend(metadata.id(&format!("tokenizer.ggml.{key}"))?);
    }
    ends.dedup();
    config.insert("eos_token_id".into(), ends.into());
    Ok(config)
}

/// Values as wide as keys, and whole heads rotated: there are no keys for anything else.
fn same_head(metadata: &GgufMetadata, head: usize) -> Result<()> {
    for key in ["attention.value_length", "rope.dimension_count"] {
        let key = format!("gemma3.{key}");
        if metadata.size(&key)?.is_some_and(|size| size != head) {
            return Err(metadata.error(&key, format!("{head}, as attention.key_length")));
        }
    }
    Ok(())
}

fn no_soft_capping(metadata: &GgufMetadata) -> Result<()> {
    for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
        let key = format!("gemma3.{key}");
        if metadata.number(&key)?.is_some_and(|cap| cap != 0.0) {
            return Err(metadata.error(&key, "0: Gemma 3 has no soft-capping"));
        }
    }
    Ok(())
}

/// Which layers slide, as `config.json` lists them.
fn layer_types(metadata: &GgufMetadata, layers: usize, window: bool) -> Result<Value> {
    const KEY: &str = "gemma3.attention.sliding_window_pattern";
    let list = metadata.integers(KEY);
    let slides: Vec<bool> = if !window {
        vec![false; layers]
    } else if let Ok(Some(list)) = list {
        if list.len() != layers {
            return Err(metadata.error(KEY, format!("{layers} values, one for each layer")));
        }
        list.into_iter().map(|slides| slides != 0).collect()
    } else {
        // 0 for no global layers at all, 1 for no other.
        let pattern = metadata.count(KEY)?.unwrap_or(PATTERN);
        let slides = |layer: usize| pattern == 0 || !(layer + 1).is_multiple_of(pattern);
        (0..layers).map(slides).collect()
    };
    let name = |slides| {
        if slides {
            "sliding_attention"
        } else {
            "full_attention"
        }
    };
    Ok(slides.into_iter().map(name).collect())
}

/// Both rotary embeddings, in the dialect of transformers 5.
fn rope(metadata: &GgufMetadata, layers: usize, width: usize) -> Result<Value> {
    let published = PUBLISHED
        .iter()
        .find(|&&(l, w, _)| (l, w) == (layers, width));
    let base = match metadata.number("gemma3.rope.freq_base")? {
        None if published.is_some() => PUBLISHED_BASE,
        None => return Err(metadata.error("gemma3.rope.freq_base", "this key")),
        Some(base) => base,
    };
    let local = metadata.number("gemma3.rope.freq_base_swa")?;
    let kind = metadata.text("gemma3.rope.scaling.type")?;
    let factor = match metadata.number("gemma3.rope.scaling.factor")? {
        None => metadata.number("gemma3.rope.scale_linear")?,
        factor => factor,
    };
    let factor = match (kind, factor) {
        (Some("none"), _) => 1.0,
        (Some("linear") | None, Some(factor)) => factor,
        // Silent: of a published size it is known, of another silence says that there is none.
        (None, None) => published.map_or(1.0, |&(_, _, factor)| factor),
        (Some("linear"), None) => {
            return Err(metadata.error("gemma3.rope.scaling.factor", "a number"));
        }
        (Some(_), _) => {
            return Err(metadata.error("gemma3.rope.scaling.type", "`none` or `linear`"));
        }
    };
    Ok(json!({
        "full_attention": { "rope_type": "linear", "rope_theta": base, "factor": factor },
        "sliding_attention": {
            "rope_type": "default", "rope_theta": local.unwrap_or(LOCAL_BASE),
        },
    }))
}

/// The vision tower's configuration, which must fit the text model.
fn vision(metadata: &GgufMetadata, text: &GgufMetadata) -> Result<Map<String, Value>> {
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
    let width = text.size("gemma3.embedding_length")?;
    let projected = metadata.size(WIDTH)?;
    if projected.is_some() && projected != width {
        let file = file_name(text.path());
        let width = width.unwrap_or(0);
        return Err(metadata.error(WIDTH, format!("{width}, the width of {file}")));
    }
    let mut config = Map::new();
    config.insert("model_type".into(), "siglip_vision_model".into());
    config.insert("vision_use_head".into(), false.into());
    for (key, name) in VISION_SIZES {
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
fn tokens_per_image(metadata: &GgufMetadata) -> Result<usize> {
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

/// The ids of the image tokens in this vocabulary, else the published ones.
fn image_ids(vocabulary: &GgufVocabulary<'_>) -> SpecialTokens {
    let mut ids = SpecialTokens::GEMMA3;
    for (id, token) in [
        (&mut ids.start_of_image, special::START_OF_IMAGE),
        (&mut ids.end_of_image, special::END_OF_IMAGE),
        (&mut ids.image_soft_token, special::IMAGE_SOFT_TOKEN),
    ] {
        *id = vocabulary.id(token).or(*id);
    }
    ids
}

/// The same complaint by file and key of GGUF.
fn in_terms_of_gguf(error: Error, pair: &GgufPair) -> Error {
    let Error::Config {
        path,
        key,
        expected,
        found,
    } = error
    else {
        return error;
    };
    let vision = key.strip_prefix("vision_config.");
    let name = vision.unwrap_or(key.strip_prefix("text_config.").unwrap_or(&key));
    let mmproj = pair.mmproj().filter(|_| vision.is_some());
    let path = mmproj.map_or(path, |file| file.location().to_path_buf());
    let known = if vision.is_some() {
        let found = VISION_SIZES.iter().find(|(_, n)| *n == name);
        found.map(|(key, _)| format!("clip.vision.{key}"))
    } else {
        let found = TEXT_SIZES.iter().find(|(_, n, _)| *n == name);
        found.map(|(key, _, _)| format!("gemma3.{key}"))
    };
    Error::Config {
        path,
        key: known.unwrap_or(key),
        expected,
        found,
    }
}

/// Keys of the decoder that are not understood.
fn unknown(metadata: &GgufMetadata) -> Vec<String> {
    let known = |key: &str| {
        let sizes = TEXT_SIZES.iter().map(|(key, _, _)| key);
        TEXT_KNOWN.iter().chain(sizes).any(|k| *k == key)
    };
    metadata
        .keys()
        .filter(|key| key.strip_prefix("gemma3.").is_some_and(|key| !known(key)))
        .map(str::to_owned)
        .collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

#[cfg(test)]
mod tests;
