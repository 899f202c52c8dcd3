//! What GGUF metadata says of a model, as the `config.json` that it was converted from would have
//! said it: one reading of configurations, one set of checks.
//!
//! Keys, and what is meant where one is absent, are those of llama.cpp for the architecture
//! `gemma3` (`src/models/gemma3.cpp`, `tools/mtmd/clip.cpp`, converter `conversion/gemma.py`, all at
//! 0c1e570). One default is ours: without `tokenizer.ggml.add_space_prefix` no space is put before a
//! text, as Gemma wants it, where llama.cpp puts one for vocabularies of SentencePiece's kind.

mod text;
mod vision;

#[cfg(test)]
mod tests;

use medgemma_image::ImageProcessor;
use medgemma_tensor::checkpoint::{Gguf, GgufMetadata, GgufPair, WeightSource};
use medgemma_tensor::{Error, Result};
use medgemma_tokenizer::{GgufVocabulary, SpecialTokens, special};
use serde_json::{Value, json};

use crate::config::ModelConfig;

/// The configuration of a pair of files.
///
/// # Errors
/// [`Error::Config`] naming file and key for what is missing or cannot be followed.
pub(crate) fn config(pair: &GgufPair) -> Result<ModelConfig> {
    let metadata = pair.text().metadata();
    let mut text = text::read(metadata)?;
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
            let tower = vision::read(mmproj.metadata(), metadata)?;
            json!({
                "model_type": "gemma3",
                "mm_tokens_per_image": vision::tokens_per_image(mmproj.metadata())?,
                "boi_token_index": ids.start_of_image,
                "eoi_token_index": ids.end_of_image,
                "image_token_index": ids.image_soft_token,
                "tie_word_embeddings": tied,
                "text_config": text,
                "vision_config": tower,
            })
        }
    };
    let mut config = ModelConfig::from_json(metadata.path(), &value)
        .map_err(|error| in_terms_of_gguf(error, pair))?;
    config.unknown_keys = text::unknown(metadata);
    Ok(config)
}

/// Refuses a vision part of another model.
///
/// # Errors
/// [`Error::Config`] naming the vision part's file and key.
pub(crate) fn check_vision(mmproj: &GgufMetadata, text: &GgufMetadata) -> Result<()> {
    vision::read(mmproj, text).map(drop)
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

/// The pieces of the vocabulary to hold another tokenizer against, also where a file says too little
/// of them to make a tokenizer; or `None` if it has none.
pub(crate) fn pieces(metadata: &GgufMetadata) -> Result<Option<GgufVocabulary<'_>>> {
    let Some(tokens) = metadata.texts("tokenizer.ggml.tokens")? else {
        return Ok(None);
    };
    let model = metadata.text("tokenizer.ggml.model")?.unwrap_or("llama");
    let types = metadata.integers("tokenizer.ggml.token_type")?;
    Ok(Some(GgufVocabulary {
        model,
        tokens,
        scores: Vec::new(),
        types: types.unwrap_or_default(),
        unknown: None,
        add_space_prefix: false,
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

/// What a file is for: a model, or what llama.cpp keeps in files of the same format.
const TYPE: &str = "general.type";

/// Whose model it is.
const ARCHITECTURE: &str = "general.architecture";

/// What a file is, by its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text model of the family.
    Gemma3,
    /// A vision part, of whatever model.
    Vision,
    /// What a fine-tune adds to a model.
    Adapter,
    /// How much each column of a model's matrices matters, for quantising it.
    ImportanceMatrix,
    /// A model of another family.
    Other,
}

impl Kind {
    /// What the file with this header is. A value of a wrong type says nothing.
    pub(crate) fn of(metadata: &GgufMetadata) -> Self {
        let text = |key| metadata.text(key).ok().flatten();
        match (text(TYPE), text(ARCHITECTURE)) {
            (Some("adapter"), _) => Self::Adapter,
            (Some("imatrix"), _) => Self::ImportanceMatrix,
            (Some("mmproj"), _) | (_, Some("clip")) => Self::Vision,
            (_, Some("gemma3")) => Self::Gemma3,
            _ => Self::Other,
        }
    }
}

/// Refuses other models, and what is no text model.
///
/// # Errors
/// [`Error::Config`] that says which model it is.
pub(crate) fn check_architecture(metadata: &GgufMetadata) -> Result<()> {
    let (key, expected) = match Kind::of(metadata) {
        Kind::Gemma3 => return Ok(()),
        Kind::Vision => (
            ARCHITECTURE,
            "`gemma3`, a text model: name that file, and this one as its mmproj",
        ),
        Kind::Adapter => (
            TYPE,
            "a model: merge the adapter into the one that it was trained on (`llama-export-lora` of \
             llama.cpp), and name the result",
        ),
        Kind::ImportanceMatrix => (
            TYPE,
            "a model: name the one that was quantised by this file",
        ),
        Kind::Other => (ARCHITECTURE, "`gemma3`"),
    };
    Err(metadata.error(key, expected))
}

/// What tells of a vision part within the text model's file, as Ollama packs both into one: a key of its,
/// else a tensor. A file with such keys and no such tensor is a text model, whose keys were left over.
pub(crate) fn vision_inside(text: &Gguf) -> Option<String> {
    // Of the tower and of the projector, in Ollama's names and in llama.cpp's.
    let of_vision = |name: &&str| name.starts_with("v.") || name.starts_with("mm.");
    let tensor = text.names().into_iter().find(of_vision)?;
    let mut keys = text.metadata().keys();
    let key = keys.find(|key| key.starts_with("gemma3.vision."));
    Some(key.unwrap_or(tensor).to_owned())
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
    let of_vision = key.strip_prefix("vision_config.");
    let name = of_vision.unwrap_or(key.strip_prefix("text_config.").unwrap_or(&key));
    let mmproj = pair.mmproj().filter(|_| of_vision.is_some());
    let path = mmproj.map_or(path, |file| file.location().to_path_buf());
    let known = if of_vision.is_some() {
        let found = vision::SIZES.iter().find(|(_, n)| *n == name);
        found.map(|(key, _)| format!("clip.vision.{key}"))
    } else {
        let found = text::SIZES.iter().find(|(_, n, _)| *n == name);
        found.map(|(key, _, _)| format!("gemma3.{key}"))
    };
    Error::Config {
        path,
        key: known.unwrap_or(key),
        expected,
        found,
    }
}
