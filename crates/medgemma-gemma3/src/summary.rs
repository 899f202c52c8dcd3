//! What a choice needs to know of a row of logits, found in one pass over memory: a vocabulary is
//! 262 208 numbers, and a library exponential for each would cost as much as a layer.

/// Logits that are looked at together: they stay in the first-level cache for the second look.
const BLOCK: usize = 2048;

/// Sums and maxima kept side by side, so that the compiler can use vector instructions.
const LANES: usize = 16;

/// The largest logit and the normaliser of the softmax.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    /// Index of the largest logit, the first of equals, as torch's argmax.
    pub(crate) argmax: usize,
    /// The largest logit.
    pub(crate) highest: f32,
    /// `ln Σ exp(x)`; not finite when a logit is NaN or +∞, or when all are −∞.
    pub(crate) log_sum_exp: f32,
}

impl Summary {
    /// Of one row; its exponentials are exact to some units in the last place of f32, and summed
    /// in f64.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the sum is rounded to the logits' own format"
    )]
    pub(crate) fn of(logits: &[f32]) -> Self {
        let (mut argmax, mut highest, mut sum) = (0, f32::NEG_INFINITY, 0.0_f64);
        for (index, block) in logits.chunks(BLOCK).enumerate() {
            let Some(most) = maximum(block) else {
                return Self {
                    argmax: 0,
                    highest: f32::NAN,
                    log_sum_exp: f32::NAN,
                };
            };
            if most > highest {
                let at = block.iter().position(|&logit| logit >= most);
                argmax = index * BLOCK + at.unwrap_or(0);
                // The first sum is 0 · exp(−∞), which is 0.
                sum *= f64::from(highest - most).exp();
                highest = most;
            }
            if highest.is_finite() {
                sum += exponentials(block, highest);
            }
        }
        // +∞ and −∞ stand for themselves; the sum of finite logits is at least 1.
        let log_sum_exp = if highest.is_finite() {
            (f64::from(highest) + sum.ln()) as f32
        } else {
            highest
        };
        Self {
            argmax,
            highest,
            log_sum_exp,
        }
    }
}

/// The largest value, or `None` when one is NaN.
fn maximum(block: &[f32]) -> Option<f32> {
    let mut most = [f32::NEG_INFINITY; LANES];
    let mut strange = [false; LANES];
    let (whole, rest) = block.as_chunks::<LANES>();
    for values in whole {
        for lane in 0..LANES {
            // NaN compares as not larger: it is noted apart.
            most[lane] = if values[lane] > most[lane] {
                values[lane]
            } else {
                most[lane]
            };
            strange[lane] |= values[lane].is_nan();
        }
    }
    let strange = strange.contains(&true) || rest.iter().any(|value| value.is_nan());
    (!strange).then(|| {
        most.iter()
            .chain(rest)
            .copied()
            .fold(f32::NEG_INFINITY, f32::max)
    })
}

/// `Σ exp(x − highest)` over a block, of which none is larger than `highest`.
fn exponentials(block: &[f32], highest: f32) -> f64 {
    let mut sums = [0.0_f32; LANES];
    let (whole, rest) = block.as_chunks::<LANES>();
    for values in whole {
        for lane in 0..LANES {
            sums[lane] += exp_of_negative(values[lane] - highest);
        }
    }
    let rest = rest.iter().map(|&value| exp_of_negative(value - highest));
    sums.into_iter().chain(rest).map(f64::from).sum()
}

/// e^x for x ≤ 0, with a relative error below 3 · 10⁻⁷; 0 where e^x is no normal number.
///
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2, and e^r by its Taylor series, whose next term is below
/// 1.2 · 10⁻⁸ (r⁷/7!). No branch and no table, so that it runs in vector lanes.
#[allow(
    clippy::cast_possible_truncation,
    clippy::excessive_precision,
    reason = "n is a whole number in −127..=0; the two parts of ln 2 are exact in f32"
)]
fn exp_of_negative(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_375;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    /// Adding and subtracting it rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let x = x.max(-87.5);
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let series = [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let power = series.into_iter().fold(1.0 / 720.0, |sum, c| sum * r + c);
    let scale = f32::from_bits(((n as i32 + 127) as u32) << 23);
    power * scale
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Summary, exp_of_negative};

    /// The same by the textbook, in f64.
    fn plain(logits: &[f32]) -> (usize, f64) {
        let mut best = 0;
        for (index, &logit) in logits.iter().enumerate() {
            if logit > logits[best] {
                best = index;
            }
        }
        let highest = f64::from(logits[best]);
        let sum: f64 = logits
            .iter()
            .map(|&logit| (f64::from(logit) - highest).exp())
            .sum();
        (best, highest + sum.ln())
    }

    #[track_caller]
    fn compare(logits: &[f32]) {
        let found = Summary::of(logits);
        let (argmax, log_sum_exp) = plain(logits);
        assert_eq!(found.argmax, argmax);
        assert_eq!(found.highest.to_bits(), logits[argmax].to_bits());
        // The exponentials' error, and the rounding of the result to f32.
        let tolerance = 1e-6 + log_sum_exp.abs() * 1e-7;
        let apart = (f64::from(found.log_sum_exp) - log_sum_exp).abs();
        assert!(apart < tolerance, "{found:?} for {log_sum_exp}");
    }

    #[test]
    fn the_exponential_is_good_to_single_precision() {
        for step in 0..65_000_u16 {
            let x = -f32::from(step) / 750.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp_of_negative(x)) / exact - 1.0).abs();
            assert!(error < 3e-7, "{x}: {error}");
        }
        assert_eq!(exp_of_negative(0.0).to_bits(), 1.0_f32.to_bits());
        for x in [-88.0, -1e5, f32::MIN, f32::NEG_INFINITY] {
            assert!(exp_of_negative(x) < 1.1e-38);
        }
    }

    #[test]
    fn the_first_of_equals_is_taken_wherever_it_lies() {
        for length in [1, 2, 15, 16, 17, 2047, 2048, 2049, 5000] {
            for at in [0, 1, 15, 16, 2047, 2048, 4999] {
                let mut logits = vec![-1.5; length];
                for logit in logits.iter_mut().skip(at) {
                    *logit = 2.0;
                }
                compare(&logits);
            }
        }
        compare(&[1e4, 1e4]);
        compare(&[-1e30, 3.0, f32::NEG_INFINITY]);
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        for at in [0, 7, 16, 2048, 2999] {
            let mut logits = vec![0.5; 3000];
            logits[at] = f32::NAN;
            assert!(Summary::of(&logits).log_sum_exp.is_nan(), "at {at}");
            logits[at] = f32::INFINITY;
            assert!(!Summary::of(&logits).log_sum_exp.is_finite(), "at {at}");
        }
        let nothing = Summary::of(&[f32::NEG_INFINITY; 40]);
        assert!(!nothing.log_sum_exp.is_finite());
        assert!(!Summary::of(&[]).log_sum_exp.is_finite());
    }

    proptest! {
        #[test]
        fn it_is_that_of_plain_loops_over_f64(logits in prop::collection::vec(-60.0_f32..60.0, 1..6000)) {
            compare(&logits);
        }
    }
}
