//! MedGemma as the navigator asks it: kinds and codes by a schema that allows only those of the record, all else in words.

use std::collections::BTreeSet;
use std::error::Error;

use medgemma::{GenerateOptions, MedGemma, Message, Sampling, Schema};
use medgemma_records::{Answer, Ask, AskError, Bundle, Reference, Stage, StageOptions};
use serde_json::json;

/// Codes of one search, and kinds, at most: lists without an end could fill any number of tokens.
const MOST: usize = 8;

/// A model, and what it may choose among in this record.
pub(crate) struct Navigator {
    model: MedGemma,
    kinds: Schema,
    search: Schema,
    /// Why the model could not go on, if it could not: what was found until then is shown first.
    pub(crate) failed: Option<medgemma::Error>,
}

impl Navigator {
    pub(crate) fn new(
        model: MedGemma,
        bundle: &Bundle,
        patient: Option<&Reference>,
    ) -> Result<Self, Box<dyn Error>> {
        let manifest = bundle.manifest(patient)?;
        let kinds: Vec<&str> = manifest
            .kinds
            .iter()
            .map(|entry| entry.kind.name())
            .collect();
        if kinds.is_empty() {
            return Err("expected a bundle with resources of the kinds that are read, found none: give the patient's record".into());
        }
        // Of this patient alone, and of nothing that was entered in error.
        let codes: BTreeSet<&String> = manifest.kinds.iter().flat_map(|it| &it.codes).collect();
        let codes = match codes.is_empty() {
            true => json!({"type": "array", "maxItems": 0}),
            false => json!({"type": "array", "items": {"enum": codes}, "maxItems": MOST}),
        };
        let search = json!({
            "type": "object",
            "properties": {"resource": {"enum": kinds}, "codes": codes},
            "required": ["resource", "codes"]
        });
        let kinds =
            json!({"type": "array", "items": {"enum": kinds}, "minItems": 1, "maxItems": MOST});
        Ok(Self {
            model,
            kinds: Schema::from_value(kinds)?.without_reasoning(),
            search: Schema::from_value(search)?.without_reasoning(),
            failed: None,
        })
    }
}

impl Ask for Navigator {
    fn ask(
        &mut self,
        stage: Stage,
        prompt: &str,
        options: &StageOptions,
    ) -> Result<Answer, AskError> {
        #[expect(clippy::cast_possible_truncation, reason = "temperatures are small")]
        let sampling = Sampling::default().with_temperature(options.temperature as f32);
        let generate = GenerateOptions::default()
            .with_max_new_tokens(options.max_tokens)
            .with_sampling(sampling);
        let generate = match stage {
            Stage::Kinds => generate.with_schema(self.kinds.clone()),
            Stage::Search => generate.with_schema(self.search.clone()),
            _ => generate,
        };
        let message = Message::user().text(prompt);
        Ok(match self.model.chat().send_with(message, &generate) {
            Ok(reply) if reply.is_cut_off() => Answer::cut_off(reply.text),
            Ok(reply) => Answer::whole(reply.text),
            Err(error) => {
                self.failed = Some(error);
                Answer::stopped("")
            }
        })
    }

    /// What cannot be counted does not fit.
    fn count_tokens(&self, text: &str) -> usize {
        self.model
            .tokenizer()
            .encode(text)
            .map_or(usize::MAX, |ids| ids.len())
    }
}
