//! What is drawn, what is kept, what is refused.

use super::{Sampler, Sampling};
use crate::constraint::{Constraint, ConstraintError, ConstraintState, Form, TokenSet};
use crate::error::Error;

/// Out of infinities would come weights that are no numbers.
#[test]
fn a_tiny_repetition_penalty_makes_no_infinities() {
    let sampling = Sampling {
        temperature: 1.0,
        top_k: Some(1),
        repetition_penalty: 1e-38,
        ..Sampling::default()
    };
    let mut sampler = Sampler::new(sampling, [3]).expect("valid options");
    let chosen = sampler.choose(&[1.0, 2.0, 3.0, 10.0], 0, None);
    assert_eq!(chosen.expect("finite").id, 3);
}

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
        let mut sampler = Sampler::new(Sampling { seed, ..random() }, []).expect("valid options");
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
