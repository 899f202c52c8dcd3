//! How likely the model finds given answers.

use std::ops::ControlFlow;

use medgemma_gemma3::{DEFAULT_CHUNK, SCORED_ROWS};
use serde::Serialize;

use crate::choice;
use crate::error::Result;
use crate::medgemma::MedGemma;
use crate::memory::{Held, Request};
use crate::message::Message;
use crate::prompt::{Prompt, Shown};
use crate::recording::scoring;

/// How likely the model finds one given answer. **Not for clinical use**: a likelihood under a
/// language model is no probability of a finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Score {
    /// Natural log-probability of each token of the answer, given those before it.
    pub token_logprobs: Vec<f32>,
}

impl Score {
    /// Log-probability of the whole answer.
    #[must_use]
    pub fn total(&self) -> f32 {
        self.token_logprobs.iter().sum()
    }

    /// Log-probability for each token, for answers of different lengths; 0 without tokens.
    #[must_use]
    pub fn mean(&self) -> f32 {
        self.total() / self.token_logprobs.len().max(1) as f32
    }
}

pub(crate) fn score(
    model: &MedGemma,
    messages: &[Message],
    answers: &[&str],
) -> Result<Vec<Score>> {
    // An empty answer would be the likeliest of any.
    choice::check(answers)?;
    let prompt = model.prompt(messages)?;
    let texts = answers;
    let answers = encode(model, texts)?;
    let longest = longest(&answers);
    model.check_context(0, prompt.ids.len(), longest)?;
    let _entry = model.model().enter(&Request {
        contexts: &[prompt.ids.len() + longest],
        at_once: 1,
        scored: scored(longest),
        images: prompt.shown(),
        images_held: 0,
        prefill_chunk: DEFAULT_CHUNK,
        cache_bytes: 0,
        entered: Held::default(),
    })?;
    scoring(model.recorder(), prompt, 0, texts, |prompt| {
        scores(model, prompt, &answers)
    })
}

/// The scores of these answers to a prompt.
fn scores(model: &MedGemma, prompt: Prompt, answers: &[Vec<u32>]) -> Result<Vec<Score>> {
    let encoded = prompt.segments(
        model.model(),
        model.prefixes(),
        &mut Shown::default(),
        &mut |_| ControlFlow::Continue(()),
    )?;
    let segments = encoded.unwrap_or_default().segments;
    let scores = model.model().decoder().score(&segments, answers)?;
    Ok(scores
        .into_iter()
        .map(|token_logprobs| Score { token_logprobs })
        .collect())
}

/// Tokens of the longest.
pub(crate) fn longest(answers: &[Vec<u32>]) -> usize {
    answers.iter().map(Vec::len).max().unwrap_or(0)
}

/// Rows whose logits are held at a time: what follows the last token of an answer is not asked for.
pub(crate) fn scored(longest: usize) -> usize {
    longest.saturating_sub(1).min(SCORED_ROWS)
}

/// The ids of given answers.
pub(crate) fn encode(model: &MedGemma, answers: &[&str]) -> Result<Vec<Vec<u32>>> {
    let encoded = answers.iter().map(|text| model.tokenizer().encode(text));
    Ok(encoded.collect::<std::result::Result<Vec<_>, _>>()?)
}
