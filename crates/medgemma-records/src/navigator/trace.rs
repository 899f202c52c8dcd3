//! What the navigator did, step by step, for whoever has to check it.

use std::fmt;

use serde::Serialize;

use crate::kind::Kind;

use super::stage::{Stage, StageOptions};

/// One step of a navigation, in order.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// The model was asked.
    Asked(Call),
    /// The kinds that are looked into, in order.
    Kinds {
        /// Which.
        kinds: Vec<Kind>,
        /// Whether the model picked them. If not, it named none that there is, and those that the question's words point at
        /// are taken.
        picked: bool,
    },
    /// Resources of a kind that were found for the model's search.
    Found {
        /// The kind.
        kind: Kind,
        /// How many.
        records: usize,
        /// What they were found by.
        by: Match,
    },
    /// The navigation was cut short, and went on to the answer, unless it was by the caller.
    Stopped(Stop),
}

/// What resources were found by, tried in this order until one finds any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Match {
    /// A code that was searched.
    Code,
    /// Words of the title, where the model searched by words.
    Title,
    /// A category: `laboratory`.
    Category,
    /// Nothing: what the model said could not be read, or names nothing that there is. All of the kind are taken.
    Everything,
    /// The model asked for all of the kind.
    All,
}

/// What ended a navigation early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stop {
    /// [`max_calls`](crate::NavigatorOptions::max_calls).
    Calls,
    /// [`max_total_tokens`](crate::NavigatorOptions::max_total_tokens).
    Tokens,
    /// The caller, by [`Answer::stopped`](crate::Answer::stopped).
    Caller,
}

/// A question to the model, and what it said. `Debug` shows neither.
#[derive(Clone, Serialize)]
#[non_exhaustive]
pub struct Call {
    /// The stage.
    pub stage: Stage,
    /// The kind that was looked into.
    pub kind: Option<Kind>,
    /// Which attempt, from 0.
    pub attempt: usize,
    /// How the model was asked.
    pub options: StageOptions,
    /// The prompt.
    pub prompt: String,
    /// Its tokens.
    pub prompt_tokens: usize,
    /// What the model said.
    pub answer: String,
    /// Its tokens.
    pub answer_tokens: usize,
    /// Whether the answer ended for want of tokens, or was broken off.
    pub is_cut_off: bool,
    /// Whether the answer could be read for what it was asked for.
    pub was_read: bool,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("stage", &self.stage)
            .field("kind", &self.kind)
            .field("attempt", &self.attempt)
            .field("prompt_tokens", &self.prompt_tokens)
            .field("answer_tokens", &self.answer_tokens)
            .field("is_cut_off", &self.is_cut_off)
            .field("was_read", &self.was_read)
            .finish_non_exhaustive()
    }
}
