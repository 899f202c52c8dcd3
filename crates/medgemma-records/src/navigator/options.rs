//! How far the navigator goes.

use std::fmt;

use crate::error::{Error, Result};
use crate::rank::Weights;
use crate::reference::Reference;

use super::stage::{PUBLISHED, Stage, StageOptions};

/// Bounds and settings of [`navigate`](crate::navigate). Whatever a model says, it is asked no more than `max_calls` times,
/// with prompts of no more than `max_prompt_tokens`.
#[derive(Clone)]
#[non_exhaustive]
pub struct NavigatorOptions {
    /// How the model is asked in each stage. Default: [`PUBLISHED`].
    pub stages: [(Stage, StageOptions); 4],
    /// Calls of the model at most, the last of them for the answer. Default 32.
    pub max_calls: usize,
    /// Tokens of one prompt at most. Default 8192.
    pub max_prompt_tokens: usize,
    /// Tokens of all prompts and answers together at most. What the answer's own call may take is set aside. Default 200 000.
    pub max_total_tokens: usize,
    /// Kinds of resources that are looked into at most. Default 6.
    pub max_kinds: usize,
    /// Excerpts of one kind that are read at most, where its resources do not fit into one prompt. Default 2.
    pub max_excerpts: usize,
    /// How often a question is put again whose answer could not be read. Default 1.
    pub retries: usize,
    /// Whose records; needed where the bundle has several patients'.
    pub patient: Option<Reference>,
    /// How records are ranked.
    pub weights: Weights,
}

impl Default for NavigatorOptions {
    fn default() -> Self {
        Self {
            stages: PUBLISHED,
            max_calls: 32,
            max_prompt_tokens: 8192,
            max_total_tokens: 200_000,
            max_kinds: 6,
            max_excerpts: 2,
            retries: 1,
            patient: None,
            weights: Weights::default(),
        }
    }
}

impl fmt::Debug for NavigatorOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NavigatorOptions")
            .field("stages", &self.stages)
            .field("max_calls", &self.max_calls)
            .field("max_prompt_tokens", &self.max_prompt_tokens)
            .field("max_total_tokens", &self.max_total_tokens)
            .field("max_kinds", &self.max_kinds)
            .field("max_excerpts", &self.max_excerpts)
            .field("retries", &self.retries)
            .field("patient", &self.patient)
            .finish_non_exhaustive()
    }
}

impl NavigatorOptions {
    /// Sets how the model is asked in one stage.
    #[must_use]
    pub fn with_stage(mut self, stage: Stage, options: StageOptions) -> Self {
        for entry in self.stages.iter_mut().filter(|entry| entry.0 == stage) {
            entry.1 = options;
        }
        self
    }

    /// Sets [`max_calls`](Self::max_calls).
    #[must_use]
    pub fn with_max_calls(mut self, calls: usize) -> Self {
        self.max_calls = calls;
        self
    }

    /// Sets [`max_prompt_tokens`](Self::max_prompt_tokens).
    #[must_use]
    pub fn with_max_prompt_tokens(mut self, tokens: usize) -> Self {
        self.max_prompt_tokens = tokens;
        self
    }

    /// Sets [`max_total_tokens`](Self::max_total_tokens).
    #[must_use]
    pub fn with_max_total_tokens(mut self, tokens: usize) -> Self {
        self.max_total_tokens = tokens;
        self
    }

    /// Sets [`max_kinds`](Self::max_kinds).
    #[must_use]
    pub fn with_max_kinds(mut self, kinds: usize) -> Self {
        self.max_kinds = kinds;
        self
    }

    /// Sets [`max_excerpts`](Self::max_excerpts).
    #[must_use]
    pub fn with_max_excerpts(mut self, excerpts: usize) -> Self {
        self.max_excerpts = excerpts;
        self
    }

    /// Sets [`retries`](Self::retries).
    #[must_use]
    pub fn with_retries(mut self, retries: usize) -> Self {
        self.retries = retries;
        self
    }

    /// Sets [`patient`](Self::patient).
    #[must_use]
    pub fn with_patient(mut self, patient: Reference) -> Self {
        self.patient = Some(patient);
        self
    }

    /// Sets [`weights`](Self::weights).
    #[must_use]
    pub fn with_weights(mut self, weights: Weights) -> Self {
        self.weights = weights;
        self
    }

    /// How the model is asked in `stage`.
    #[must_use]
    pub fn stage(&self, stage: Stage) -> StageOptions {
        let of = self
            .stages
            .iter()
            .chain(&PUBLISHED)
            .find(|entry| entry.0 == stage);
        of.map_or(PUBLISHED[0].1, |entry| entry.1)
    }

    /// Tokens that the answer's call may take, set aside from the beginning.
    pub(crate) fn set_aside(&self) -> usize {
        self.max_prompt_tokens
            .saturating_add(self.stage(Stage::Answer).max_tokens)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let refused = |option, expected, found: String| {
            Err(Error::Option {
                option,
                expected,
                found,
            })
        };
        if self.max_calls == 0 {
            return refused("max_calls", "1 or more", "0".to_owned());
        }
        if self.max_total_tokens < self.set_aside() {
            return refused(
                "max_total_tokens",
                "`max_prompt_tokens` and the answer's `max_tokens`, or more",
                self.max_total_tokens.to_string(),
            );
        }
        for (stage, options) in &self.stages {
            if options.max_tokens == 0
                || !(options.temperature >= 0.0 && options.temperature.is_finite())
            {
                return refused(
                    "stages",
                    "a temperature of 0 or more and one token or more",
                    format!(
                        "{} and {} in `{stage}`",
                        options.temperature, options.max_tokens
                    ),
                );
            }
        }
        Ok(())
    }
}
