//! Choosing among given answers by how likely the model finds each: no token is written.

use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::score::Score;

/// How given answers compare. **Not for clinical use**: shares of a language model's likelihood are
/// no probabilities of findings.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Choice {
    /// One for each answer, in the order given.
    pub answers: Vec<ChoiceScore>,
}

/// One of the given answers. `Debug` prints the length of its text only.
#[derive(Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChoiceScore {
    /// The answer as given.
    pub text: String,
    /// Natural log-probability of each of its tokens, given those before it.
    pub score: Score,
    /// Its share of the answers' probability: a softmax over [`Score::total`]. Answers of few
    /// tokens gain by it, since every further token makes a text less likely.
    pub probability: f32,
    /// The same over [`Score::mean`], the log-probability for each token: for answers that differ
    /// in length. Answers of which one begins with another are only fairly compared by this.
    pub probability_per_token: f32,
}

impl fmt::Debug for ChoiceScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChoiceScore")
            .field("text", &format_args!("{} bytes", self.text.len()))
            .field("score", &self.score)
            .field("probability", &self.probability)
            .field("probability_per_token", &self.probability_per_token)
            .finish()
    }
}

impl Choice {
    /// Index of the likeliest answer, the first of equals.
    #[must_use]
    pub fn likeliest(&self) -> usize {
        first_of_largest(self.answers.iter().map(|answer| answer.probability))
    }

    /// Index of the answer that is likeliest for each of its tokens, the first of equals.
    #[must_use]
    pub fn likeliest_per_token(&self) -> usize {
        first_of_largest(
            self.answers
                .iter()
                .map(|answer| answer.probability_per_token),
        )
    }

    pub(crate) fn of(texts: &[&str], scores: Vec<Score>) -> Self {
        let totals = softmax(scores.iter().map(Score::total));
        let means = softmax(scores.iter().map(Score::mean));
        let answers = texts.iter().zip(scores).zip(totals.into_iter().zip(means));
        Self {
            answers: answers
                .map(
                    |((&text, score), (probability, probability_per_token))| ChoiceScore {
                        text: text.to_owned(),
                        score,
                        probability,
                        probability_per_token,
                    },
                )
                .collect(),
        }
    }
}

/// Refuses lists that there is nothing to choose from.
pub(crate) fn check(answers: &[&str]) -> Result<()> {
    let empty = answers.iter().position(|answer| answer.is_empty());
    match empty.or_else(|| answers.is_empty().then_some(0)) {
        Some(index) => Err(Error::EmptyChoice {
            index,
            count: answers.len(),
        }),
        None => Ok(()),
    }
}

fn first_of_largest(values: impl Iterator<Item = f32>) -> usize {
    let mut best = (0, f32::NEG_INFINITY);
    for (index, value) in values.enumerate() {
        if value > best.1 {
            best = (index, value);
        }
    }
    best.0
}

#[allow(clippy::cast_possible_truncation, reason = "a share is rounded to f32")]
fn softmax(logs: impl Iterator<Item = f32> + Clone) -> Vec<f32> {
    let highest = logs.clone().fold(f32::NEG_INFINITY, f32::max);
    let weights = logs.map(|log| f64::from(log - highest).exp());
    let sum: f64 = weights.clone().sum();
    weights.map(|weight| (weight / sum) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::{Choice, Score, check};

    #[test]
    fn shares_are_of_the_whole_answer_or_of_each_token() {
        let score = |logs: &[f32]| Score {
            token_logprobs: logs.to_vec(),
        };
        // 0.5, and 0.8 · 0.5 = 0.4: the longer one is likelier for each token.
        let (half, most) = (0.5_f32.ln(), 0.8_f32.ln());
        let choice = Choice::of(
            &["no", "yes it is"],
            vec![score(&[half]), score(&[most, half])],
        );
        let shares: Vec<f32> = choice
            .answers
            .iter()
            .map(|answer| answer.probability)
            .collect();
        assert!((shares[0] - 0.5 / 0.9).abs() < 1e-6 && (shares[1] - 0.4 / 0.9).abs() < 1e-6);
        let mean = 0.4_f32.sqrt();
        let share = choice.answers[1].probability_per_token;
        assert!((share - mean / (mean + 0.5)).abs() < 1e-6, "{share}");
        assert_eq!((choice.likeliest(), choice.likeliest_per_token()), (0, 1));
        assert_eq!(choice.answers[1].text, "yes it is");
        let shown = format!("{choice:?}");
        assert!(
            !shown.contains("yes") && shown.contains("9 bytes"),
            "{shown}"
        );
        // Far below what exp() can show.
        let far = Choice::of(&["a", "b"], vec![score(&[-2000.0]), score(&[-2001.0])]);
        assert!((far.answers[0].probability - 0.731).abs() < 1e-3);
        let equal = Choice::of(&["a", "b"], vec![score(&[-1.0]), score(&[-1.0])]);
        assert_eq!(equal.likeliest(), 0);
    }

    #[test]
    fn nothing_to_choose_from_is_named() {
        assert!(check(&["A", "B"]).is_ok());
        let told = |answers: &[&str]| check(answers).expect_err("refused").to_string();
        assert!(told(&[]).contains("choice 0 of 0"));
        assert!(told(&["A", ""]).contains("choice 1 of 2"));
    }
}
