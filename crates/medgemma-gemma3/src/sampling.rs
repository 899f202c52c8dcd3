//! From logits to the next token.
//!
//! The order is transformers' (`generation/logits_process.py`): repetition penalty, temperature,
//! top-k, top-p, min-p. Log-probabilities are those of the model itself, before any of them.

use std::collections::HashSet;
use std::fmt;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::constraint::{Form, TokenSet};
use crate::error::{Error, Result};
use crate::ranked::{Candidate, Ranked};
use crate::summary::Summary;

/// How the next token is chosen. The default is greedy: the same prompt gives the same answer,
/// as in every official MedGemma example.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Sampling {
    /// 0 (default) takes the most likely token; above, logits are divided by it before drawing.
    pub temperature: f32,
    /// Draw among this many most likely tokens; `None` (default) among all.
    pub top_k: Option<usize>,
    /// Draw among the fewest tokens that together have this probability, in (0, 1]; `None` (default) all.
    pub top_p: Option<f32>,
    /// Draw among tokens at least this fraction as likely as the likeliest, in [0, 1]; `None` (default) all.
    pub min_p: Option<f32>,
    /// Above 1 makes tokens that were read or written already less likely (Keskar et al. 2019);
    /// 1 (default) changes nothing. Applies to greedy choice too.
    pub repetition_penalty: f32,
    /// Start of the random sequence, which is the same on every machine: from equal logits the same seed
    /// draws the same tokens. Logits differ by rounding between processors, devices and precisions, and so
    /// may what is drawn where a number falls close to the border of two tokens.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: None,
            top_p: None,
            min_p: None,
            repetition_penalty: 1.0,
            seed: 0,
        }
    }
}

impl Sampling {
    /// Draws at this temperature; 1 draws from the model's own distribution.
    #[must_use]
    pub fn with_temperature(mut self, temperature: f32) -> Self {
        self.temperature = temperature;
        self
    }

    /// Draws among the `k` most likely tokens.
    #[must_use]
    pub fn with_top_k(mut self, k: usize) -> Self {
        self.top_k = Some(k);
        self
    }

    /// Draws among the fewest tokens that together have probability `p`.
    #[must_use]
    pub fn with_top_p(mut self, p: f32) -> Self {
        self.top_p = Some(p);
        self
    }

    /// Draws among tokens at least `p` times as likely as the likeliest.
    #[must_use]
    pub fn with_min_p(mut self, p: f32) -> Self {
        self.min_p = Some(p);
        self
    }

    /// Makes tokens that were read or written already less likely.
    #[must_use]
    pub fn with_repetition_penalty(mut self, penalty: f32) -> Self {
        self.repetition_penalty = penalty;
        self
    }

    /// Starts the random sequence from this number.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Whether the likeliest token is taken, whatever was written before.
    pub(crate) fn is_argmax(&self) -> bool {
        self.temperature == 0.0 && self.repetition_penalty == 1.0
    }

    /// Refuses values outside of their range.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] naming the option.
    pub fn validate(&self) -> Result<()> {
        let check = |ok: bool, option, found: String, expected| {
            if ok {
                Ok(())
            } else {
                Err(Error::InvalidOption {
                    option,
                    found,
                    expected,
                })
            }
        };
        let t = self.temperature;
        check(
            t.is_finite() && t >= 0.0,
            "temperature",
            t.to_string(),
            "a finite number of at least 0",
        )?;
        check(
            self.top_k != Some(0),
            "top_k",
            "0".to_owned(),
            "at least 1, or None",
        )?;
        let p = self.top_p.unwrap_or(1.0);
        check(
            p > 0.0 && p <= 1.0,
            "top_p",
            p.to_string(),
            "a number in (0, 1]",
        )?;
        let p = self.min_p.unwrap_or(0.0);
        check(
            (0.0..=1.0).contains(&p),
            "min_p",
            p.to_string(),
            "a number in [0, 1]",
        )?;
        let r = self.repetition_penalty;
        check(
            r.is_finite() && r > 0.0,
            "repetition_penalty",
            r.to_string(),
            "a finite number above 0",
        )
    }
}

/// A chosen token. `Debug` leaves its id out: ids in a row are an answer.
#[derive(Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Token {
    /// Its id.
    pub id: u32,
    /// Natural logarithm of the probability that the model itself gave it.
    pub logprob: f32,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("logprob", &self.logprob)
            .finish_non_exhaustive()
    }
}

/// The state of drawing: options, random numbers, and what was seen.
#[derive(Debug, Clone)]
pub(crate) struct Sampler {
    sampling: Sampling,
    rng: ChaCha8Rng,
    seen: HashSet<u32>,
}

impl Sampler {
    /// `seen`: the ids of the prompt, for the repetition penalty.
    pub(crate) fn new(sampling: Sampling, seen: impl IntoIterator<Item = u32>) -> Result<Self> {
        sampling.validate()?;
        let rng = ChaCha8Rng::seed_from_u64(sampling.seed);
        Ok(Self {
            rng,
            seen: seen.into_iter().collect(),
            sampling,
        })
    }

    /// Chooses the token for `position` from its logits over the vocabulary, among those that a form
    /// allows if there is one. Its log-probability is the model's, as if all were allowed.
    pub(crate) fn choose(
        &mut self,
        logits: &[f32],
        position: usize,
        form: Option<&mut Form>,
    ) -> Result<Token> {
        let summary = Summary::of(logits);
        if !summary.log_sum_exp.is_finite() {
            return Err(Error::NonFiniteLogits { position });
        }
        let id = match form {
            None if self.sampling.is_argmax() => Some(summary.argmax),
            Some(form) if self.sampling.is_argmax() => {
                // Most of the time the model wants what the form does: one id is soon looked at.
                if form.permits(id_of(summary.argmax), position)? {
                    Some(summary.argmax)
                } else {
                    form.allowed(position)?.argmax(logits)
                }
            }
            None => self.choose_modified(logits, None),
            Some(form) => self.choose_modified(logits, Some(form.allowed(position)?)),
        };
        let id = id.ok_or(Error::NothingAllowed { position })?;
        let token = id_of(id);
        self.seen.insert(token);
        Ok(Token {
            id: token,
            logprob: logits[id] - summary.log_sum_exp,
        })
    }

    /// By temperature, penalty and filters.
    fn choose_modified(&mut self, logits: &[f32], allowed: Option<&TokenSet>) -> Option<usize> {
        let mut row = self.penalise(logits);
        if let Some(allowed) = allowed {
            row = allowed.masked(&row);
        }
        let summary = Summary::of(&row);
        if summary.highest == f32::NEG_INFINITY {
            None
        } else if self.sampling.temperature == 0.0 {
            Some(summary.argmax)
        } else {
            Some(self.draw(&row, summary.highest))
        }
    }

    /// Divides positive and multiplies negative logits of seen tokens.
    fn penalise(&self, logits: &[f32]) -> Vec<f32> {
        let mut logits = logits.to_vec();
        let penalty = self.sampling.repetition_penalty;
        if penalty != 1.0 {
            for &id in &self.seen {
                if let Some(logit) = logits.get_mut(id as usize) {
                    let penalised = if *logit > 0.0 {
                        *logit / penalty
                    } else {
                        *logit * penalty
                    };
                    // Infinities among logits have no softmax.
                    *logit = penalised.clamp(f32::MIN, f32::MAX);
                }
            }
        }
        logits
    }

    /// `highest`: the largest of the logits.
    fn draw(&mut self, logits: &[f32], highest: f32) -> usize {
        let share = self.rng.random::<f64>();
        if let Some(id) = self.candidates(logits, highest, false).find(share) {
            return id;
        }
        // Rounding decides: everything is added up in order.
        let candidates = self.candidates(logits, highest, true).into_sorted();
        let total: f64 = candidates.iter().map(|&(_, weight)| weight).sum();
        let mut target = share * total;
        for &(id, weight) in &candidates {
            target -= weight;
            if target < 0.0 {
                return id;
            }
        }
        // It can leave a crumb of `target` behind the last candidate.
        candidates.last().map_or(0, |&(id, _)| id)
    }

    /// Tokens that may be drawn with their unnormalised probabilities.
    ///
    /// A `top_p` of 1 leaves out what is lost in the sum of all by rounding. To find that, everything must
    /// be in order, and as long as rounding does not decide, none of it is drawn: only if `strict`.
    fn candidates(&self, logits: &[f32], highest: f32, strict: bool) -> Ranked {
        let temperature = f64::from(self.sampling.temperature);
        let weight = |logit: f32| ((f64::from(logit) - f64::from(highest)) / temperature).exp();
        // What is not allowed is −∞: it must not be drawn even by a rounding.
        let candidates: Vec<Candidate> = logits
            .iter()
            .enumerate()
            .filter(|&(_, &logit)| logit > f32::NEG_INFINITY)
            .map(|(id, &logit)| (id, weight(logit)))
            .collect();
        let mut ranked = Ranked::new(candidates);
        if let Some(k) = self.sampling.top_k {
            ranked.keep_likeliest(k);
        }
        if let Some(p) = self.sampling.top_p.filter(|&p| strict || p < 1.0) {
            ranked.keep_mass(f64::from(p));
        }
        if let Some(p) = self.sampling.min_p {
            ranked.keep_fraction(f64::from(p));
        }
        ranked
    }
}

/// The id of a row of the vocabulary.
fn id_of(index: usize) -> u32 {
    u32::try_from(index).expect("a vocabulary has fewer than 2³² entries")
}

#[cfg(test)]
mod tests;
