//! Scores as lines of the terminal: logit, sigmoid and softmax by name, and a bar.

use std::io::{self, Write};

use medgemma::{ClassScore, Classification, Probability};

/// Columns of a bar of probability 1.
const BAR: usize = 30;

/// Name of a probability, as the columns have it.
pub(crate) fn name(by: Probability) -> &'static str {
    match by {
        Probability::Sigmoid => "sigmoid",
        _ => "softmax",
    }
}

/// The scores, largest logit first.
pub(crate) fn ranked(found: &Classification) -> Vec<&ClassScore> {
    let mut scores: Vec<_> = found.scores().iter().collect();
    scores.sort_by(|a, b| b.logit.total_cmp(&a.logit));
    scores
}

/// The three figures of a class, under the heading [`HEADING`].
pub(crate) fn figures(score: &ClassScore) -> String {
    let ClassScore {
        logit,
        sigmoid,
        softmax,
        ..
    } = score;
    format!("{logit:>8.3} {sigmoid:>8.4} {softmax:>8.4}")
}

/// What [`figures`] are.
pub(crate) const HEADING: &str = "   logit  sigmoid  softmax";

/// A line for each class, and one for what follows from them.
pub(crate) fn write(
    out: &mut impl Write,
    found: &Classification,
    by: Probability,
    threshold: f32,
) -> io::Result<()> {
    let scores = ranked(found);
    let labels = scores.iter().map(|score| score.label.chars().count());
    let width = labels.max().unwrap_or(0).max("class".len());
    writeln!(out, "{:width$} {HEADING}  {} as a bar", "class", name(by))?;
    for score in scores {
        let bar = "█".repeat(filled(score.probability(by), BAR));
        let line = format!("{:width$} {}  {bar}", score.label, figures(score));
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out, "{}", decision(found, by, threshold))
}

/// The best class, or that there is none to be relied on.
pub(crate) fn decision(found: &Classification, by: Probability, threshold: f32) -> String {
    let (name, best) = (name(by), found.best());
    let probability = best.probability(by);
    match found.decide(by, threshold) {
        Some(best) => format!("answer: {} ({name} {probability:.4})", best.label),
        None if probability >= threshold => {
            let best = found.scores().iter().filter(|s| s.logit == best.logit);
            let best: Vec<&str> = best.map(|score| score.label.as_str()).collect();
            format!(
                "no answer: the best classes, {}, have the same {name} {probability:.4}",
                best.join(" and ")
            )
        }
        None => format!(
            "no answer: the best class, {}, has {name} {probability:.4}, below {threshold}",
            best.label
        ),
    }
}

/// The part of `whole` steps that a probability fills.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a probability times a few hundred steps"
)]
pub(crate) fn filled(probability: f32, whole: usize) -> usize {
    (probability * whole as f32).round() as usize
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use medgemma::{Classification, Probability};

    use super::{decision, write};

    /// By hand: logits ln 3 and 0, so that sigmoids are 3/4 and 1/2, softmaxes 3/4 and 1/4.
    fn found() -> Classification {
        Classification::from_logits(&["b", "a class"], &[0.0, 3.0_f32.ln()]).unwrap()
    }

    #[test]
    fn the_largest_logit_comes_first_and_each_figure_has_its_name() {
        let mut out = Vec::new();
        write(&mut out, &found(), Probability::Sigmoid, 0.5).unwrap();
        let expected = "\
class      logit  sigmoid  softmax  sigmoid as a bar
a class    1.099   0.7500   0.7500  ███████████████████████
b          0.000   0.5000   0.2500  ███████████████
answer: a class (sigmoid 0.7500)
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn of_classes_that_are_equal_none_is_the_answer() {
        let found = Classification::from_logits(&["a", "b", "c"], &[1.0, 1.0, 0.0]).unwrap();
        let told = decision(&found, Probability::Sigmoid, 0.5);
        let expected = "no answer: the best classes, a and b, have the same sigmoid 0.7311";
        assert_eq!(told, expected);
    }

    #[test]
    fn below_the_threshold_there_is_no_answer() {
        let softmax = decision(&found(), Probability::Softmax, 0.8);
        let expected = "no answer: the best class, a class, has softmax 0.7500, below 0.8";
        assert_eq!(softmax, expected);
        assert!(decision(&found(), Probability::Softmax, 0.75).starts_with("answer: a class"));
    }
}
