//! The checkpoint `mm-2025` in every dialect of configuration and tensor names.
//!
//! The dialects are those of the published Gemma 3 and MedGemma directories, of transformers
//! 4.52's in-memory names, of what transformers 5.23 saves (`configs/mm-5x.keys.json` is its own
//! list), and of a text-only model cut out of a multimodal one.

use serde_json::{Value, json};

use crate::{Scratch, Tensors, paths};

/// A way in which one and the same model is written to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// `language_model.model.…`, `vision_tower.vision_model.…`, flat rope keys; two shards.
    Published2025,
    /// `language_model.model.…`, `vision_tower.…` without `vision_model`, `rope_parameters`.
    Transformers5,
    /// `model.language_model.…`, `model.vision_tower.vision_model.…`, and a `lm_head.weight` that
    /// equals the embedding.
    Prefixed,
    /// `model.…`: the decoder alone, `Gemma3ForCausalLM`, the text configuration at the top.
    TextOnly,
    /// No prefix at all: the decoder without its head, `Gemma3TextModel`, the text configuration at
    /// the top.
    Base,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 5] = [
        Self::Published2025,
        Self::Transformers5,
        Self::Prefixed,
        Self::TextOnly,
        Self::Base,
    ];

    /// Whether the directory holds the vision tower too.
    #[must_use]
    pub fn is_multimodal(self) -> bool {
        !matches!(self, Self::TextOnly | Self::Base)
    }

    /// A key of the 2025 dialect in this one; `None` if the tensor has no place in it.
    #[must_use]
    pub fn key(self, published: &str) -> Option<String> {
        match self {
            Self::Published2025 => Some(published.to_owned()),
            Self::Transformers5 => {
                Some(published.replacen("vision_tower.vision_model.", "vision_tower.", 1))
            }
            Self::Prefixed => Some(match published.strip_prefix("language_model.model.") {
                Some(rest) => format!("model.language_model.{rest}"),
                None => format!("model.{published}"),
            }),
            Self::TextOnly => published.strip_prefix("language_model.").map(str::to_owned),
            Self::Base => published
                .strip_prefix("language_model.model.")
                .map(str::to_owned),
        }
    }
}

/// The checkpoint `mm-2025`, rewritten: same weights, so the goldens `mm-2025.*` hold (those
/// with images only where [`Dialect::is_multimodal`]).
///
/// # Panics
/// If the directory cannot be written.
#[must_use]
pub fn dialect(dialect: Dialect) -> Scratch {
    let scratch = Scratch::of("mm-2025");
    if dialect == Dialect::Published2025 {
        return scratch;
    }
    let mut tensors: Tensors = scratch.tensors().renamed(|key| dialect.key(key));
    if dialect == Dialect::Prefixed {
        let embedding = tensors.get("model.language_model.embed_tokens.weight");
        let head = embedding
            .expect("the embedding has this key in this dialect")
            .clone();
        tensors.insert("lm_head.weight", head);
    }
    scratch.replace(&tensors);
    match dialect {
        Dialect::Published2025 => scratch,
        Dialect::Transformers5 => with_config(scratch, "mm-5x"),
        Dialect::Prefixed => with_config(scratch, "mm-new"),
        Dialect::TextOnly => text_only(scratch, "Gemma3ForCausalLM"),
        Dialect::Base => text_only(scratch, "Gemma3TextModel"),
    }
}

/// `mm-2025` with a window of 3, narrower than the image span of 4; the goldens are `mm-narrow.*`.
///
/// # Panics
/// If the directory cannot be written.
#[must_use]
pub fn narrow_window() -> Scratch {
    with_config(Scratch::of("mm-2025"), "mm-narrow")
}

fn with_config(scratch: Scratch, name: &str) -> Scratch {
    let from = paths::config(name);
    std::fs::copy(&from, scratch.file("config.json"))
        .unwrap_or_else(|e| panic!("{}: {e}", from.display()));
    scratch
}

fn text_only(scratch: Scratch, class: &str) -> Scratch {
    for name in ["preprocessor_config.json", "processor_config.json"] {
        std::fs::remove_file(scratch.file(name)).expect("the copy holds the processor's files");
    }
    scratch.edit_json("config.json", |config| {
        let mut text: Value = config["text_config"].take();
        text["architectures"] = json!([class]);
        text["eos_token_id"] = config["eos_token_id"].take();
        text["torch_dtype"] = config["torch_dtype"].take();
        *config = text;
    })
}
