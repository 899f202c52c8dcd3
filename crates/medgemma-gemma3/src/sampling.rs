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
    #[allow(
        clippy::float_cmp,
        reason = "exactly these values, the defaults, change nothing"
    )]
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
                    *logit = if *logit > 0.0 {
                        *logit / penalty
                    } else {
                        *logit * penalty
                    };
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
mod tests {
    use super::{Sampler, Sampling};
    use crate::constraint::{Constraint, ConstraintError, ConstraintState, Form, TokenSet};
    use crate::error::Error;

    /// Probabilities 0.4, 0.3, 0.2, 0.1 in a shuffled order.
    fn logits() -> Vec<f32> {
        [0.2_f32, 0.4, 0.1, 0.3]
            .iter()
            .map(|p| p.ln() + 5.0)
            .collect()
    }

    fn drawn(sampling: Sampling) -> Vec<usize> {
        let mut sampler = Sampler::new(sampling, []).expect("valid options");
        let mut counts = vec![0; 4];
        for _ in 0..20_000 {
            sampler.seen.clear();
            counts[sampler.choose(&logits(), 0, None).expect("finite").id as usize] += 1;
        }
        counts
    }

    fn random() -> Sampling {
        Sampling {
            temperature: 1.0,
            seed: 7,
            ..Sampling::default()
        }
    }

    #[test]
    fn greedy_takes_the_first_of_the_largest_and_reports_its_probability() {
        let mut sampler = Sampler::new(Sampling::default(), []).expect("valid options");
        let token = sampler.choose(&logits(), 0, None).expect("finite");
        assert_eq!(token.id, 1);
        assert!((token.logprob - 0.4_f32.ln()).abs() < 1e-6);
        assert_eq!(
            sampler
                .choose(&[1.0, 3.0, 3.0], 0, None)
                .expect("finite")
                .id,
            1
        );
    }

    #[test]
    fn draws_follow_the_distribution() {
        let counts = drawn(random());
        for (count, p) in counts.iter().zip([0.2, 0.4, 0.1, 0.3]) {
            // five standard deviations of 20 000 draws
            assert!(
                (f64::from(u32::try_from(*count).expect("small")) / 20_000.0 - p).abs() < 0.018,
                "{counts:?}"
            );
        }
    }

    #[test]
    fn each_filter_keeps_what_it_says() {
        let kept = |sampling| {
            drawn(sampling)
                .iter()
                .map(|&count| count > 0)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            kept(Sampling {
                top_k: Some(2),
                ..random()
            }),
            [false, true, false, true]
        );
        assert_eq!(
            kept(Sampling {
                top_p: Some(0.65),
                ..random()
            }),
            [false, true, false, true]
        );
        assert_eq!(
            kept(Sampling {
                top_p: Some(0.75),
                ..random()
            }),
            [true, true, false, true]
        );
        assert_eq!(
            kept(Sampling {
                top_p: Some(0.01),
                ..random()
            }),
            [false, true, false, false]
        );
        assert_eq!(
            kept(Sampling {
                min_p: Some(0.6),
                ..random()
            }),
            [false, true, false, true]
        );
        // temperature comes first: at 0.1 the second is (3/4)^10 = 0.056 as likely as the first
        assert_eq!(
            kept(Sampling {
                min_p: Some(0.06),
                temperature: 0.1,
                ..random()
            }),
            [false, true, false, false]
        );
    }

    #[test]
    fn the_seed_alone_decides_the_draw() {
        let run = |seed| {
            let mut sampler =
                Sampler::new(Sampling { seed, ..random() }, []).expect("valid options");
            (0..32)
                .map(|_| sampler.choose(&logits(), 0, None).expect("finite").id)
                .collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn the_penalty_divides_positive_and_multiplies_negative_logits() {
        let sampling = Sampling {
            repetition_penalty: 2.0,
            ..Sampling::default()
        };
        let mut sampler = Sampler::new(sampling, [0, 3]).expect("valid options");
        assert_eq!(
            sampler.penalise(&[4.0, 3.0, -1.0, -1.0]),
            [2.0, 3.0, -1.0, -2.0]
        );
        assert_eq!(
            sampler
                .choose(&[4.0, 3.0, -1.0, -1.0], 0, None)
                .expect("finite")
                .id,
            1
        );
        // token 1 has now been written, so token 0 (2.0) beats it (1.5)
        assert_eq!(
            sampler
                .choose(&[4.0, 3.0, -1.0, -1.0], 0, None)
                .expect("finite")
                .id,
            0
        );
    }

    #[test]
    fn not_a_number_is_an_error_and_not_token_zero() {
        let mut sampler = Sampler::new(Sampling::default(), []).expect("valid options");
        for logits in [
            vec![f32::NAN, 1.0],
            vec![f32::NEG_INFINITY; 3],
            vec![f32::INFINITY, 0.0],
        ] {
            let error = sampler.choose(&logits, 5, None).expect_err("not finite");
            assert!(
                matches!(error, Error::NonFiniteLogits { position: 5 }),
                "{error}"
            );
        }
    }

    /// Always the same ids.
    #[derive(Debug, Clone, Copy)]
    struct Only(&'static [u32]);

    impl Constraint for Only {
        fn begin(&self) -> Result<Box<dyn ConstraintState>, ConstraintError> {
            Ok(Box::new(*self))
        }
    }

    impl ConstraintState for Only {
        fn allow(&mut self, allowed: &mut TokenSet) -> Result<(), ConstraintError> {
            self.0.iter().for_each(|&id| allowed.insert(id));
            Ok(())
        }

        fn permits(&mut self, id: u32) -> Result<bool, ConstraintError> {
            Ok(self.0.contains(&id))
        }

        fn accept(&mut self, _id: u32) -> Result<(), ConstraintError> {
            Ok(())
        }

        fn finished(&self) -> bool {
            false
        }
    }

    #[test]
    fn only_what_is_allowed_is_drawn_and_probabilities_stay_the_models() {
        let form = |ids| Form::begin(&Only(ids), 4).expect("it begins");
        let greedy = Sampling::default();
        let penalised = greedy.clone().with_repetition_penalty(1.5);
        for (sampling, most) in [(greedy, 0.2_f32), (penalised, 0.2), (random(), 0.2)] {
            let mut sampler = Sampler::new(sampling.clone(), []).expect("valid options");
            let mut allowed = form(&[0, 2]);
            let mut counts = [0_u32; 4];
            for _ in 0..3000 {
                sampler.seen.clear();
                let token = sampler.choose(&logits(), 0, Some(&mut allowed));
                let token = token.expect("two are allowed");
                counts[token.id as usize] += 1;
                if token.id == 0 {
                    assert!((token.logprob - most.ln()).abs() < 1e-6);
                }
            }
            assert_eq!((counts[1], counts[3]), (0, 0));
            // 0.2 and 0.1 are 2 to 1 among themselves
            let expected = if sampling.temperature == 0.0 {
                3000
            } else {
                2000
            };
            assert!(counts[0].abs_diff(expected) < 130, "{counts:?}");
            let none = sampler.choose(&logits(), 7, Some(&mut form(&[])));
            let error = none.expect_err("nothing is allowed");
            assert!(
                matches!(error, Error::NothingAllowed { position: 7 }),
                "{error}"
            );
        }
    }

    #[test]
    fn options_out_of_range_are_named() {
        for (sampling, name) in [
            (
                Sampling {
                    temperature: -1.0,
                    ..random()
                },
                "temperature",
            ),
            (
                Sampling {
                    temperature: f32::NAN,
                    ..random()
                },
                "temperature",
            ),
            (
                Sampling {
                    top_k: Some(0),
                    ..random()
                },
                "top_k",
            ),
            (
                Sampling {
                    top_p: Some(0.0),
                    ..random()
                },
                "top_p",
            ),
            (
                Sampling {
                    min_p: Some(1.5),
                    ..random()
                },
                "min_p",
            ),
            (
                Sampling {
                    repetition_penalty: 0.0,
                    ..random()
                },
                "repetition_penalty",
            ),
        ] {
            let error = Sampler::new(sampling, []).expect_err("out of range");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
