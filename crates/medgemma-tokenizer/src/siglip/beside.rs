//! What lies beside a tokenizer's file and tells `SiglipTokenizer` of `transformers` 5.23 more of it: `tokenizer_config.json`,
//! `special_tokens_map.json` and `added_tokens.json` (`from_pretrained` and `save_pretrained` in
//! `tokenization_utils_base.py`). Tokens that a fine-tune adds stand there alone: `spiece.model` stays as it was.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::json::parse;
use super::model::{EOS, Model, PAD, UNK, is_extra};
use crate::error::{Error, Result};
use crate::tokenizer::read_file;

/// What counts of `tokenizer_config.json`, and of `special_tokens_map.json`.
#[derive(Deserialize)]
struct RawConfig {
    do_lower_case: Option<bool>,
    pad_token: Option<RawToken>,
    eos_token: Option<RawToken>,
    unk_token: Option<RawToken>,
    additional_special_tokens: Option<Vec<RawToken>>,
    extra_special_tokens: Option<RawTokens>,
    added_tokens_decoder: Option<BTreeMap<String, RawToken>>,
}

/// A token by its text or with its settings, which tell what becomes of white space around it.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawToken {
    Text(String),
    Settings { content: String },
}

/// Before version 5 of `transformers` they had names.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawTokens {
    Unnamed(Vec<RawToken>),
    Named(BTreeMap<String, RawToken>),
}

impl RawToken {
    fn text(&self) -> &str {
        let (Self::Text(text) | Self::Settings { content: text }) = self;
        text
    }
}

/// Refuses what would give other ids than the files of `model` alone.
///
/// # Errors
/// [`Error::Unsupported`] naming file and key, [`Error::Parse`], [`Error::Read`].
pub(super) fn check(dir: &Path, model: &Model) -> Result<()> {
    let mut declared = false;
    // Those behind the first are looked at only where it does not say which tokens there are.
    for file in ["tokenizer_config.json", "special_tokens_map.json"] {
        let path = dir.join(file);
        if !declared && path.exists() {
            let name = path.display().to_string();
            let config: RawConfig = parse(&name, &read_file(&path)?)?;
            declared = config.added_tokens_decoder.is_some();
            Beside { name: &name, model }.config(&config)?;
        }
    }
    let path = dir.join("added_tokens.json");
    if !declared && path.exists() {
        let name = path.display().to_string();
        let ids: BTreeMap<String, u64> = parse(&name, &read_file(&path)?)?;
        let beside = Beside { name: &name, model };
        for (text, id) in &ids {
            beside.token(text, text, Some(&id.to_string()))?;
        }
    }
    Ok(())
}

/// The checks of one file; holds its name for their messages.
struct Beside<'a> {
    name: &'a str,
    model: &'a Model,
}

impl Beside<'_> {
    fn config(&self, config: &RawConfig) -> Result<()> {
        if config.do_lower_case == Some(false) {
            return Err(self.unsupported("do_lower_case", "true", "false"));
        }
        let published = [
            ("pad_token", &config.pad_token, EOS, "`</s>`"),
            ("eos_token", &config.eos_token, EOS, "`</s>`"),
            ("unk_token", &config.unk_token, UNK, "`<unk>`"),
        ];
        for (key, token, text, expected) in published {
            if let Some(token) = token.as_ref().filter(|token| token.text() != text) {
                return Err(self.unsupported(key, expected, &format!("{:?}", token.text())));
            }
        }
        for (id, token) in config.added_tokens_decoder.iter().flatten() {
            self.token(
                &format!("added_tokens_decoder.{id}"),
                token.text(),
                Some(id),
            )?;
        }
        for token in config.additional_special_tokens.iter().flatten() {
            self.token("additional_special_tokens", token.text(), None)?;
        }
        let extra: Vec<&RawToken> = match &config.extra_special_tokens {
            Some(RawTokens::Unnamed(tokens)) => tokens.iter().collect(),
            Some(RawTokens::Named(tokens)) => tokens.values().collect(),
            None => Vec::new(),
        };
        for token in extra {
            self.token("extra_special_tokens", token.text(), None)?;
        }
        Ok(())
    }

    /// Refuses a token that is not the vocabulary's own, under its id there. Of those that [`is_extra`] a text that begins with
    /// one would be cut otherwise by the reference, into an id beyond the rows of the model that has them.
    fn token(&self, key: &str, text: &str, id: Option<&str>) -> Result<()> {
        let own = self
            .model
            .id(text)
            .filter(|_| [PAD, EOS, UNK].contains(&text) || is_extra(text));
        if own.is_some_and(|own| id.is_none_or(|id| id == own.to_string())) {
            return Ok(());
        }
        let expected =
            "`<pad>`, `</s>`, `<unk>` or an `▁<extra_id_…>` under its id in the vocabulary";
        Err(self.unsupported(key, expected, &format!("{text:?}")))
    }

    fn unsupported(&self, key: &str, expected: &'static str, found: &str) -> Error {
        Error::unsupported(self.name, key, expected, found)
    }
}
