//! The navigator: a model picks kinds of resources, searches each, says what they tell, and answers from that.
//!
//! After the published EHR navigator agent of MedGemma (`notebooks/ehr_navigator_agent.ipynb` of Google-Health/medgemma).
//! What differs: the record is a local [`Bundle`] in place of a server; a fact counts only with a citation that holds;
//! calls, tokens and retries are bounded; prompts are our own.

mod coverage;
mod dialogue;
mod gaps;
mod manifest;
mod options;
mod parse;
mod prompts;
mod run;
mod search;
mod stage;
mod trace;

use std::fmt;

use serde::Serialize;

use crate::bundle::Bundle;
use crate::error::{AskError, Result};
use crate::excerpt::Omitted;
use crate::facts::{Fact, Unsupported};
use crate::reference::Reference;

pub use manifest::{KindEntry, Manifest};
pub use options::NavigatorOptions;
pub use stage::{PUBLISHED, Stage, StageOptions};
pub use trace::{Call, Match, Step, Stop};

/// What a model says to one prompt. `Debug` shows no text.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The text, without reasoning.
    pub text: String,
    /// Whether it ended because there were no tokens left, and not by itself.
    pub is_cut_off: bool,
    /// Whether the navigation ends with it: no further call is made, not even for the answer.
    pub stops: bool,
}

impl Answer {
    /// One that ended by itself.
    #[must_use]
    pub fn whole(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_cut_off: false,
            stops: false,
        }
    }

    /// One that ended for want of tokens, in its text or in the reasoning before it.
    #[must_use]
    pub fn cut_off(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_cut_off: true,
            stops: false,
        }
    }

    /// What there is, perhaps nothing, of one that was broken off, where the caller wants no further call: a deadline has
    /// passed, a user has gone, a model has failed. [`navigate`] then gives what was found until then.
    #[must_use]
    pub fn stopped(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_cut_off: true,
            stops: true,
        }
    }

    /// The lines that are whole: the last one of a text that was cut off may name half a value or half a resource.
    pub(crate) fn whole_lines(&self) -> &str {
        match self.text.rfind('\n') {
            _ if !self.is_cut_off => &self.text,
            Some(end) => &self.text[..end],
            None => "",
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("is_cut_off", &self.is_cut_off)
            .field("stops", &self.stops)
            .finish_non_exhaustive()
    }
}

/// A language model, as far as the navigator needs one. Each call is a conversation of its own: one message, one answer.
pub trait Ask {
    /// The model's answer to a prompt, without its reasoning, and whether it came to its end: an answer that breaks off at
    /// its last token, or in its reasoning, must not be taken for all that there is to say.
    ///
    /// # Errors
    /// Anything; the navigation ends with it, and what was found is lost. [`Answer::stopped`] ends it and keeps that.
    fn ask(
        &mut self,
        stage: Stage,
        prompt: &str,
        options: &StageOptions,
    ) -> std::result::Result<Answer, AskError>;

    /// Tokens of a text, without a begin-of-sequence id.
    fn count_tokens(&self, text: &str) -> usize;
}

/// What a navigation comes to. `Debug` shows no text.
#[derive(Clone, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// The model's answer, as it gave it. Empty if it gave none, or was not asked for one ([`Stop::Caller`]).
    pub answer: String,
    /// Whether the answer ended for want of tokens, or was broken off: there would have been more of it.
    pub answer_is_cut_off: bool,
    /// Records that the answer cites, of those that its prompt named, each once.
    pub cited: Vec<Reference>,
    /// Citations in the answer that its prompt did not name: the model made them up.
    pub unfounded_citations: Vec<String>,
    /// What the answer was made from, or would have been.
    pub facts: Vec<Fact>,
    /// Facts for which the answer's prompt had no room.
    pub left_out: Vec<Fact>,
    /// What the model said of the record and did not support.
    pub unsupported: Vec<Unsupported>,
    /// Every record that the model was not shown, and why, in the order of the pages.
    pub omitted: Vec<Omitted>,
    /// Every step, with prompts and answers.
    pub trace: Vec<Step>,
    /// What cut the navigation short, if anything did.
    pub stopped: Option<Stop>,
    /// How often the model was asked.
    pub calls: usize,
    /// Tokens of all prompts and answers.
    pub tokens: usize,
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("answer_is_cut_off", &self.answer_is_cut_off)
            .field("facts", &self.facts.len())
            .field("unsupported", &self.unsupported.len())
            .field("omitted", &self.omitted.len())
            .field("stopped", &self.stopped)
            .field("calls", &self.calls)
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}

/// Answers a question from a bundle.
///
/// Ends after at most [`NavigatorOptions::max_calls`] calls, whatever the model says. A model that picks nothing is
/// helped: kinds are picked by the question's words, and of a kind everything is read.
///
/// # Errors
/// Several patients' records and none chosen, or none that name a patient; options out of range; a question for which
/// [`NavigatorOptions::max_prompt_tokens`] has no room; the model's own errors.
pub fn navigate(
    bundle: &Bundle,
    question: &str,
    model: &mut dyn Ask,
    options: &NavigatorOptions,
) -> Result<Outcome> {
    options.check()?;
    run::Run::new(bundle, question, model, options)?.finish()
}
