//! Fits against scikit-learn's, see `golden/generate.py`.

mod support;

use std::collections::HashMap;

use medgemma_probe::{ClassWeights, FitOptions, Fitted, Probe};
use serde::Deserialize;
use support::golden;

/// Off by this much of the largest number at most. The reference's two solvers differ by up to 1e-5
/// in weights; the one whose numbers are kept, Newton's, is the sharper one.
const WEIGHTS: f64 = 2e-6;
const PROBABILITIES: f64 = 5e-7;

#[derive(Deserialize)]
struct Goldens {
    data: HashMap<String, Vec<Vec<f32>>>,
    classes: Vec<Case>,
    labels: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    data: String,
    #[serde(default)]
    classes: Vec<usize>,
    #[serde(default)]
    marks: Vec<Vec<i8>>,
    c: f64,
    class_weights: Option<Weights>,
    #[serde(default)]
    sample_weights: Option<Vec<f64>>,
    standardize: bool,
    weights: Vec<Vec<f64>>,
    intercepts: Vec<f64>,
    probabilities: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Weights {
    Named(String),
    Given(Vec<f64>),
}

impl Case {
    fn options(&self) -> FitOptions {
        let weights = match &self.class_weights {
            None => ClassWeights::Equal,
            Some(Weights::Named(name)) => {
                assert_eq!(name, "balanced");
                ClassWeights::Balanced
            }
            Some(Weights::Given(weights)) => ClassWeights::Given(weights.clone()),
        };
        let options = FitOptions::default()
            .with_c(self.c)
            .with_class_weights(weights)
            .with_standardize(self.standardize);
        match &self.sample_weights {
            None => options,
            Some(weights) => options.with_sample_weights(weights.as_slice()),
        }
    }

    /// The reference's numbers at the prevalence of its rows, by Bayes: of a class whose rows weigh w, the odds
    /// are w times too high where weights were balanced. `totals` are the weights of rows of each class.
    fn unbalance(&mut self, label: Option<usize>, totals: &[f64]) {
        if !matches!(self.class_weights, Some(Weights::Named(_))) {
            return;
        }
        let Some(label) = label else {
            // Balanced: as many of each class, so that a row weighs as 1 / total.
            for (intercept, total) in self.intercepts.iter_mut().zip(totals) {
                *intercept -= (totals[0] / total).ln();
            }
            for row in &mut self.probabilities {
                row.iter_mut()
                    .zip(totals)
                    .for_each(|(p, total)| *p *= total);
                let all: f64 = row.iter().sum();
                row.iter_mut().for_each(|p| *p /= all);
            }
            return;
        };
        self.intercepts[label] -= (totals[0] / totals[1]).ln();
        for row in &mut self.probabilities {
            let p = row[label];
            row[label] = p * totals[1] / (p * totals[1] + (1.0 - p) * totals[0]);
        }
    }

    /// The weights of the rows of each kind.
    fn totals(&self, kinds: usize, kind: impl Fn(usize) -> Option<usize>) -> Vec<f64> {
        let mut totals = vec![0.0; kinds];
        for row in 0..self.classes.len().max(self.marks.len()) {
            if let Some(kind) = kind(row) {
                totals[kind] += self.sample_weights.as_ref().map_or(1.0, |all| all[row]);
            }
        }
        totals
    }

    /// Holds a fit to the reference's numbers.
    fn check(&self, rows: &[Vec<f32>], fitted: &Fitted) {
        let name = &self.name;
        assert!(fitted.converged(), "{name}: {:?}", fitted.convergence);
        let probe = &fitted.probe;
        let found: Vec<f64> = probe.weights().flatten().copied().collect();
        let expected: Vec<f64> = self.weights.concat();
        close(&format!("{name}: weights"), &found, &expected, WEIGHTS);
        let place = format!("{name}: intercepts");
        // As sharp as the sums that they are left over from.
        let largest = self
            .weights
            .concat()
            .iter()
            .fold(1.0, |a: f64, b| a.max(b.abs()));
        for (found, expected) in probe.intercepts().iter().zip(&self.intercepts) {
            let off = (found - expected).abs() / largest.max(expected.abs());
            assert!(off < WEIGHTS, "{place}: {found} {expected}");
        }
        let found: Vec<f64> = rows
            .iter()
            .flat_map(|row| probe.probabilities(row).expect("a row of the data"))
            .collect();
        let expected = self.probabilities.concat();
        close(
            &format!("{name}: probabilities"),
            &found,
            &expected,
            PROBABILITIES,
        );
    }
}

/// Relative to the largest number expected.
fn close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    let off = found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs() / largest);
    let off = off.fold(0.0, f64::max);
    assert!(off < tolerance, "{what}: off by {off:e} of {largest}");
}

/// The reference has one row of weights for two classes, and the first of ours is then zero.
#[test]
fn classes_equal_scikit_learn() {
    let goldens: Goldens = golden("logistic");
    assert_eq!(goldens.classes.len(), 16);
    for mut case in goldens.classes {
        let rows = &goldens.data[&case.data];
        let count = case.classes.iter().max().expect("rows") + 1;
        let labels: Vec<String> = (0..count).map(|class| format!("class {class}")).collect();
        if count == 2 {
            case.weights.insert(0, vec![0.0; rows[0].len()]);
            case.intercepts.insert(0, 0.0);
        }
        let totals = case.totals(count, |row| Some(case.classes[row]));
        case.unbalance(None, &totals);
        let fitted = Probe::fit_classes(&labels, rows, &case.classes, &case.options());
        case.check(rows, &fitted.expect("a fit"));
    }
}

#[test]
fn labels_equal_scikit_learn_on_the_rows_that_are_known() {
    let goldens: Goldens = golden("logistic");
    assert_eq!(goldens.labels.len(), 3);
    for mut case in goldens.labels {
        let rows = &goldens.data[&case.data];
        let known = |mark: &i8| (*mark >= 0).then_some(*mark == 1);
        let marks: Vec<Vec<Option<bool>>> = case
            .marks
            .iter()
            .map(|marks| marks.iter().map(known).collect())
            .collect();
        let totals = [0, 1, 2].map(|label: usize| {
            let of_label = case.totals(2, |row| Some(usize::from(marks[row][label]?)));
            (label, of_label)
        });
        for (label, totals) in totals {
            case.unbalance(Some(label), &totals);
        }
        let fitted = Probe::fit_labels(&["a", "b", "c"], rows, &marks, &case.options());
        case.check(rows, &fitted.expect("a fit"));
    }
}
