//! A schema as the decoder follows it: which tokens keep an answer on the way to JSON.
//!
//! The parser behind it is the crate `llguidance`; `docs/structured.md` says why this one.

use std::fmt;
use std::sync::{Arc, OnceLock};

use llguidance::api::{StopReason, TopLevelGrammar};
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::{
    ApproximateTokEnv, INVALID_TOKEN, InferenceCapabilities, TokEnv, TokRxInfo, TokTrie,
};
use llguidance::{JsonCompileOptions, Matcher, ParserFactory};
use medgemma_gemma3::{Constraint, ConstraintError, ConstraintState, TokenSet};
use medgemma_tokenizer::{SpecialTokens, Tokenizer};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::schema::Schema;

/// A model's tokens as a tree of bytes, made when the first schema is used: a second or two
/// for 262 thousand tokens, and shared by all answers after that.
#[derive(Default)]
pub(crate) struct Vocabulary(OnceLock<Arc<ParserFactory>>);

impl Vocabulary {
    /// A schema for the model that this is the vocabulary of. `vocab_size`: logits of a row.
    pub(crate) fn constraint(
        &self,
        schema: &Schema,
        tokenizer: &Tokenizer,
        special: &SpecialTokens,
        stop_ids: &[u32],
        vocab_size: usize,
    ) -> Result<JsonConstraint> {
        let factory = match self.0.get() {
            Some(factory) => factory.clone(),
            None => {
                let built = factory(&tokens(tokenizer, special, stop_ids, vocab_size))?;
                self.0.get_or_init(|| Arc::new(built)).clone()
            }
        };
        let markers = special.thought_start.zip(special.thought_end);
        Ok(JsonConstraint {
            matcher: matcher(&factory, schema.prepared())?,
            markers: markers.filter(|_| schema.reasoning()),
            stop_ids: stop_ids.to_vec(),
        })
    }
}

/// Refuses a schema that no parser can be made of, whatever the vocabulary.
pub(crate) fn check(schema: &Value) -> Result<()> {
    matcher(&factory(&ApproximateTokEnv::single_byte_env())?, schema)?;
    Ok(())
}

/// The bytes of every token; special tokens and markers of thoughts are no text and have none.
fn tokens(
    tokenizer: &Tokenizer,
    special: &SpecialTokens,
    stop_ids: &[u32],
    vocab_size: usize,
) -> TokEnv {
    let ids = 0..u32::try_from(vocab_size).unwrap_or(u32::MAX);
    let text = |id: &u32| ![special.thought_start, special.thought_end].contains(&Some(*id));
    let bytes: Vec<Vec<u8>> = ids
        .clone()
        .map(|id| {
            Some(id)
                .filter(text)
                .and_then(|id| tokenizer.token_bytes(id))
        })
        .map(Option::unwrap_or_default)
        .collect();
    let ends: Vec<u32> = stop_ids
        .iter()
        .copied()
        .filter(|id| ids.contains(id))
        .collect();
    let info = TokRxInfo::new(ids.end, INVALID_TOKEN);
    let mut tree = TokTrie::from(&info, &bytes);
    if !ends.is_empty() {
        tree = tree.with_eos_tokens(&ends);
    }
    Arc::new(ApproximateTokEnv::new(tree))
}

fn factory(tokens: &TokEnv) -> Result<ParserFactory> {
    let capabilities = InferenceCapabilities::default();
    let slices = SlicedBiasComputer::json_slices();
    let mut factory = ParserFactory::new(tokens, capabilities, &slices).map_err(refused)?;
    factory.quiet();
    // Its errors would otherwise quote the answer.
    factory.limits_mut().verbose_errors = false;
    Ok(factory)
}

/// The parser at the start of an answer.
fn matcher(factory: &ParserFactory, schema: &Value) -> Result<Matcher> {
    if !schema.is_object() {
        let found = if schema == &Value::Bool(false) {
            "it is unsatisfiable: no value fulfils `false`"
        } else {
            "it is neither an object nor `true`"
        };
        return Err(Error::Schema {
            reason: found.to_owned(),
        });
    }
    let mut schema = schema.clone();
    options().apply_to(&mut schema);
    let grammar = TopLevelGrammar::from_json_schema(schema);
    let parser = factory.create_parser(grammar).map_err(refused)?;
    Ok(Matcher::new(Ok(parser)))
}

fn refused(error: impl fmt::Display) -> Error {
    let told = error.to_string();
    // Where the parser stumbles, its error has the addresses of its code below; else the definition that it is in.
    let mut lines = told.lines().take_while(|line| *line != "<backtrace>");
    let first = lines.next().unwrap_or_default();
    let reason = match first.strip_prefix("panic: ") {
        Some(fault) => format!("the parser stumbled over it ({fault})"),
        None => {
            let others = lines.map(str::trim).filter(|line| !line.is_empty());
            let all: Vec<&str> = std::iter::once(first).chain(others).collect();
            all.join(" ")
        }
    };
    Error::Schema { reason }
}

/// One line, a space after commas and colons or none: white space without end is the one thing that
/// a model can write for ever without saying anything.
fn options() -> JsonCompileOptions {
    JsonCompileOptions {
        item_separator: ", ?".to_owned(),
        key_separator: ": ?".to_owned(),
        whitespace_flexible: false,
        coerce_one_of: true,
        // Without `u`: one half of a surrogate pair is JSON by its grammar and no text.
        json_allowed_escapes: Some("nrbtf\\\"".to_owned()),
        ..JsonCompileOptions::default()
    }
}

/// A schema over one model's vocabulary.
pub(crate) struct JsonConstraint {
    matcher: Matcher,
    /// Start and end of a thought, if one may come first.
    markers: Option<(u32, u32)>,
    stop_ids: Vec<u32>,
}

impl fmt::Debug for JsonConstraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonConstraint")
            .field("reasoning", &self.markers.is_some())
            .finish_non_exhaustive()
    }
}

impl Constraint for JsonConstraint {
    fn begin(&self) -> std::result::Result<Box<dyn ConstraintState>, ConstraintError> {
        Ok(Box::new(JsonState {
            // Of its own caches: answers side by side do not wait for each other.
            matcher: self.matcher.deep_clone(),
            phase: Phase::Start,
            markers: self.markers,
            stop_ids: self.stop_ids.clone(),
        }))
    }
}

/// Where an answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before the first token.
    Start,
    /// In a thought.
    Thought,
    /// In the JSON.
    Json,
}

struct JsonState {
    matcher: Matcher,
    phase: Phase,
    markers: Option<(u32, u32)>,
    stop_ids: Vec<u32>,
}

impl ConstraintState for JsonState {
    fn allow(&mut self, allowed: &mut TokenSet) -> std::result::Result<(), ConstraintError> {
        if self.phase == Phase::Thought {
            // Any words, but the turn cannot end without an answer, nor a thought in a thought.
            allowed.insert_all();
            self.stop_ids.iter().for_each(|&id| allowed.remove(id));
            self.markers
                .iter()
                .for_each(|&(start, _)| allowed.remove(start));
            return Ok(());
        }
        let mask = self.matcher.compute_mask_or_eos();
        let mask = mask.map_err(|_| Stuck(self.matcher.stop_reason()))?;
        allowed.insert_words(mask.as_slice());
        if self.phase == Phase::Start
            && let Some((start, _)) = self.markers
        {
            allowed.insert(start);
        }
        Ok(())
    }

    fn permits(&mut self, id: u32) -> std::result::Result<bool, ConstraintError> {
        let tokens = self.matcher.tok_env();
        let tokens = tokens.map_err(|_| Stuck(self.matcher.stop_reason()))?;
        let tree = tokens.tok_trie();
        if id as usize >= tree.vocab_size() {
            return Ok(false);
        }
        let stop = self.stop_ids.contains(&id);
        let begins = self.markers.is_some_and(|(start, _)| start == id);
        match self.phase {
            Phase::Thought => return Ok(!stop && !begins),
            Phase::Start if begins => return Ok(true),
            // An id without text would pass for no text at all.
            _ if !stop && tree.token(id).is_empty() => return Ok(false),
            _ => {}
        }
        let valid = self.matcher.validate_tokens(&[id]);
        Ok(valid.map_err(|_| Stuck(self.matcher.stop_reason()))? == 1)
    }

    fn accept(&mut self, id: u32) -> std::result::Result<(), ConstraintError> {
        match (self.phase, self.markers) {
            (Phase::Start, Some((start, _))) if id == start => self.phase = Phase::Thought,
            (Phase::Thought, Some((_, end))) => {
                if id == end {
                    self.phase = Phase::Json;
                }
            }
            _ => {
                self.phase = Phase::Json;
                let taken = self.matcher.consume_token(id);
                taken.map_err(|_| Stuck(self.matcher.stop_reason()))?;
            }
        }
        Ok(())
    }

    fn finished(&self) -> bool {
        // An error stops the parser, too: it is told at the next choice.
        self.matcher.stop_reason() == StopReason::NoExtension
    }
}

/// The parser gave up. What it says of it would quote the answer: its reason alone is told.
#[derive(Debug, thiserror::Error)]
#[error("the schema's parser stopped: {0:?}")]
struct Stuck(StopReason);

#[cfg(test)]
mod tests {
    use super::refused;

    #[test]
    fn what_the_parser_says_is_one_line() {
        let told =
            refused("panic: out of range\n<backtrace>\n   0: main\n</backtrace>").to_string();
        assert!(told.ends_with("stumbled over it (out of range)"), "{told}");
        let told = refused("Unknown format: ip\n  while processing #/$defs/place\n").to_string();
        assert!(
            told.ends_with("cannot be used: Unknown format: ip while processing #/$defs/place"),
            "{told}"
        );
        let told = refused("no such rule\n<backtrace>\n   0: main\n</backtrace>").to_string();
        assert!(told.ends_with("cannot be used: no such rule"), "{told}");
    }
}
