//! Thresholds, figures and answers.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::Write;

use medgemma_probe::{
    Bootstrap, Interval, NoInterval, Probe, Result, Units, evaluate, threshold_at_sensitivity,
};

use crate::plain;
use crate::samples::Part;

/// From where on a label is called true by a probe that says neither thresholds nor what it was fitted to.
const EVEN: f64 = 0.5;

/// Sets the threshold of each label: the one that finds enough of the pictures fitted to, or else its share of
/// them, from which on a label is more probable than it was before the picture was seen. One half would call a
/// rare label true of hardly any picture.
pub(crate) fn choose_thresholds(
    probe: Probe,
    train: &Part,
    sensitivity: Option<f64>,
) -> Result<Probe> {
    let scores = probabilities(&probe, train)?;
    let labels = 0..probe.labels().len();
    let thresholds = labels.map(|label| match sensitivity {
        None => Ok(probe
            .penalty()
            .map_or(EVEN, |fitted| fitted.prevalence[label])),
        Some(wanted) => {
            let (scores, truth) = one_against_rest(&scores, train, label);
            threshold_at_sensitivity(&scores, &truth, wanted)
        }
    });
    let thresholds = thresholds.collect::<Result<Vec<f64>>>()?;
    probe.with_thresholds(thresholds)
}

/// Said once of all figures of few groups, whose numbers the table has.
const FEW: &str = "fewer than five groups have the label, or have another, which is too few to draw from: intervals \
of so few hold the truth far less often than they say";

/// A line of figures for each label against the rest, with the groups that it is true of, and how often
/// the most probable label is right. Groups are drawn for the intervals, not pictures.
pub(crate) fn write(
    out: &mut impl Write,
    probe: &Probe,
    test: &Part,
    bootstrap: &Bootstrap,
) -> std::result::Result<(), Box<dyn Error>> {
    let scores = probabilities(probe, test)?;
    // Probabilities of a sure probe round to 1 and tie, which an AUC would take for half right.
    let odds = test.rows.iter().map(|row| probe.log_odds(row));
    let odds = odds.collect::<Result<Vec<_>>>()?;
    let mut without = BTreeSet::new();
    let units = Units::Groups(&test.groups);
    let thresholds = probe.thresholds().unwrap_or_default();
    let names = ["AUC", "sensitivity", "specificity"].map(|name| format!("{name:<21}"));
    writeln!(
        out,
        "{:<15} groups  from  {}",
        "label",
        names.concat().trim_end()
    )?;
    for (label, (name, &threshold)) in probe.labels().iter().zip(thresholds).enumerate() {
        let (scores, truth) = one_against_rest(&scores, test, label);
        let found = evaluate(&scores, &truth, threshold, units, bootstrap)?;
        let (odds, _) = one_against_rest(&odds, test, label);
        // Of its figures the AUC alone, in which a threshold plays no part.
        let auc = evaluate(&odds, &truth, 0.0, units, bootstrap)?.auc;
        let positive = test.groups.iter().zip(&truth).filter(|(_, truth)| **truth);
        let groups: BTreeSet<_> = positive.map(|(group, _)| group).collect();
        let figures = [auc, found.sensitivity, found.specificity];
        without.extend(figures.iter().flatten().filter_map(reason));
        let figures = figures.map(|figure| format!("{:<21}", shown(figure)));
        let (groups, figures) = (groups.len(), figures.concat());
        writeln!(
            out,
            "{:<15} {groups:<6}  {:<4}  {}",
            plain(name),
            share(threshold),
            figures.trim_end()
        )?;
    }
    let best: Vec<usize> = test
        .rows
        .iter()
        .map(|row| probe.best(row))
        .collect::<Result<_>>()?;
    let right = |pictures: &[usize]| {
        let right = pictures
            .iter()
            .filter(|&&picture| best[picture] == test.classes[picture]);
        #[allow(clippy::cast_precision_loss, reason = "numbers of pictures")]
        Some(right.count() as f64 / pictures.len() as f64)
    };
    let accuracy = bootstrap.interval(best.len(), units, right)?;
    without.extend(accuracy.iter().filter_map(reason));
    writeln!(out, "the most probable label is right: {}", shown(accuracy))?;
    for reason in without {
        writeln!(out, "no interval: {reason}")?;
    }
    Ok(())
}

/// A line for each label: the probability, and a mark where it is called true.
pub(crate) fn write_answer(
    out: &mut impl Write,
    probe: &Probe,
    probabilities: &[f64],
) -> std::io::Result<()> {
    let thresholds = probe.thresholds().unwrap_or_default();
    for (label, (name, probability)) in probe.labels().iter().zip(probabilities).enumerate() {
        let threshold = thresholds.get(label).copied().unwrap_or(EVEN);
        let mark = if *probability >= threshold {
            "  yes"
        } else {
            ""
        };
        writeln!(out, "  {:<15} {probability:.4}{mark}", plain(name))?;
    }
    Ok(())
}

/// Of whom probabilities are those, and from where on a label is called true.
pub(crate) fn write_meaning(out: &mut impl Write, probe: &Probe) -> std::io::Result<()> {
    let each = |numbers: &[f64]| {
        let each = probe.labels().iter().zip(numbers);
        let each: Vec<String> = each
            .map(|(label, &number)| format!("{} {}", plain(label), share(number)))
            .collect();
        each.join(", ")
    };
    match probe.penalty() {
        Some(fitted) => writeln!(
            out,
            "probabilities are those of where labels are as frequent as in the pictures fitted to: {}; where one is rarer, it is less probable",
            each(&fitted.prevalence)
        )?,
        None => writeln!(
            out,
            "the probe does not say how frequent labels are where its probabilities hold: take them for an order, no more"
        )?,
    }
    match probe.thresholds() {
        Some(thresholds) => writeln!(out, "yes: from {} on", each(thresholds)),
        None => writeln!(out, "yes: from {EVEN} on"),
    }
}

/// For each row the probability of each label.
fn probabilities(probe: &Probe, part: &Part) -> Result<Vec<Vec<f64>>> {
    part.rows
        .iter()
        .map(|row| probe.probabilities(row))
        .collect()
}

/// The probabilities, or log-odds, of one label, and whether it is true.
fn one_against_rest(scores: &[Vec<f64>], part: &Part, label: usize) -> (Vec<f64>, Vec<bool>) {
    let scores = scores.iter().map(|row| row[label]);
    let truth = part.classes.iter().map(|&class| class == label);
    (scores.collect(), truth.collect())
}

/// Two digits, or two that are not 0 where those would read as 0: a rare finding's share is no 0.00.
fn share(number: f64) -> String {
    let zeros = if number > 0.0 && number < 0.1 {
        (-number.log10()).floor().min(300.0)
    } else {
        0.0
    };
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to 300"
    )]
    let digits = 2 + zeros as usize;
    format!("{number:.digits$}")
}

fn shown(interval: Option<Interval>) -> String {
    interval.map_or("-".to_owned(), |found| found.to_string())
}

/// Why a figure has no interval. One reason for all that have few groups, however few.
fn reason(figure: &Interval) -> Option<String> {
    match figure.ends.err()? {
        NoInterval::Few { .. } => Some(FEW.to_owned()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use medgemma_probe::{Kind, Probe};

    use super::{share, write_answer, write_meaning};

    /// Labels come out of files that may be somebody else's.
    #[test]
    fn control_characters_of_labels_are_spelt_out() {
        let labels = ["normal 0.9990  yes\n  x", "\u{1b}[2K"];
        let probe = Probe::new(Kind::MultiLabel, &labels, &[[1.0], [1.0]], &[0.0, 0.0]);
        let probe = probe.expect("a probe");
        let mut out = Vec::new();
        write_answer(&mut out, &probe, &[0.5, 0.5]).expect("written");
        write_meaning(&mut out, &probe).expect("written");
        let out = String::from_utf8(out).expect("a text");
        assert_eq!(out.lines().count(), 4, "{out:?}");
        assert!(!out.contains('\u{1b}'), "{out:?}");
    }

    #[test]
    fn a_small_share_has_two_digits_too() {
        let cases = [
            (0.0, "0.00"),
            (1.0, "1.00"),
            (0.364, "0.36"),
            (0.1, "0.10"),
            (0.0213, "0.021"),
            (0.004, "0.0040"),
        ];
        for (number, expected) in cases {
            assert_eq!(share(number), expected);
        }
    }
}
