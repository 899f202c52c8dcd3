//! The stages of the navigator, and how a model is asked in each.

use std::fmt;

use serde::Serialize;

/// What a model is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// Which kinds of resources the question needs.
    Kinds,
    /// Which of a kind's resources.
    Search,
    /// What these say to the question.
    Facts,
    /// The answer.
    Answer,
}

impl Stage {
    /// All stages, in their order.
    pub const ALL: [Self; 4] = [Self::Kinds, Self::Search, Self::Facts, Self::Answer];
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kinds => "kinds",
            Self::Search => "search",
            Self::Facts => "facts",
            Self::Answer => "answer",
        })
    }
}

/// How a model is asked in one stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StageOptions {
    /// Temperature; 0 is greedy.
    pub temperature: f64,
    /// Tokens of the answer at most.
    pub max_tokens: usize,
}

impl StageOptions {
    /// Both.
    #[must_use]
    pub fn new(temperature: f64, max_tokens: usize) -> Self {
        Self {
            temperature,
            max_tokens,
        }
    }
}

/// The published agent's, by stage: temperatures 0.0, 0.0, 0.6 and 0.1, 1000 tokens, 8000 for the answer.
///
/// The agent has a stage before these, at 0.1, in which the model asks for the list of resources that there are. Nothing
/// else can be asked for then, and so it is not asked. Source: `notebooks/ehr_navigator_agent.ipynb` of
/// Google-Health/medgemma.
pub const PUBLISHED: [(Stage, StageOptions); 4] = [
    (
        Stage::Kinds,
        StageOptions {
            temperature: 0.0,
            max_tokens: 1000,
        },
    ),
    (
        Stage::Search,
        StageOptions {
            temperature: 0.0,
            max_tokens: 1000,
        },
    ),
    (
        Stage::Facts,
        StageOptions {
            temperature: 0.6,
            max_tokens: 1000,
        },
    ),
    (
        Stage::Answer,
        StageOptions {
            temperature: 0.1,
            max_tokens: 8000,
        },
    ),
];
