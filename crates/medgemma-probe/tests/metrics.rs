//! Figures of given scores: against scikit-learn's, see `golden/generate.py`, and by their definitions.

mod support;

use medgemma_probe::{Confusion, Error, roc_auc, threshold_at_sensitivity, youden_threshold};
use proptest::prelude::*;
use serde::Deserialize;
use support::golden;

#[derive(Deserialize)]
struct Goldens {
    binary: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    scores: Vec<f64>,
    truth: Vec<bool>,
    threshold: f64,
    auc: f64,
    confusion: [usize; 4],
    balanced_accuracy: f64,
    youden: f64,
    at_sensitivity: Vec<[f64; 2]>,
}

#[test]
fn figures_equal_scikit_learn() {
    let goldens: Goldens = golden("metrics");
    assert_eq!(goldens.binary.len(), 8);
    for case in goldens.binary {
        let (name, scores, truth) = (&case.name, &case.scores, &case.truth);
        let auc = roc_auc(scores, truth).expect("both kinds");
        assert!((auc - case.auc).abs() < 1e-14, "{name}: {auc} {}", case.auc);
        let found = Confusion::at(scores, truth, case.threshold).expect("numbers");
        let counts = [
            found.true_positives,
            found.false_positives,
            found.true_negatives,
            found.false_negatives,
        ];
        assert_eq!(counts, case.confusion, "{name}");
        let balanced = found.balanced_accuracy().expect("both kinds");
        assert!((balanced - case.balanced_accuracy).abs() < 1e-14, "{name}");
        assert_eq!(
            youden_threshold(scores, truth).expect("both kinds"),
            case.youden,
            "{name}"
        );
        assert_eq!(case.at_sensitivity.len(), 4);
        for [wanted, expected] in case.at_sensitivity {
            let found = threshold_at_sensitivity(scores, truth, wanted).expect("positives");
            assert_eq!(found, expected, "{name}: {wanted}");
        }
    }
}

/// 3 of 4 positives and 4 of 6 negatives.
#[test]
fn each_share_has_its_own_denominator() {
    let scores = [0.9, 0.8, 0.5, 0.2, 0.7, 0.6, 0.4, 0.3, 0.1, 0.0];
    let truth = [
        true, true, true, true, false, false, false, false, false, false,
    ];
    let found = Confusion::at(&scores, &truth, 0.5).expect("numbers");
    let close = |found: Option<f64>, expected: f64| {
        let found = found.expect("a figure");
        assert!((found - expected).abs() < 1e-15, "{found} {expected}");
    };
    close(found.sensitivity(), 3.0 / 4.0);
    close(found.specificity(), 4.0 / 6.0);
    close(found.ppv(), 3.0 / 5.0);
    close(found.npv(), 4.0 / 5.0);
    close(found.accuracy(), 7.0 / 10.0);
    close(found.balanced_accuracy(), (3.0 / 4.0 + 4.0 / 6.0) / 2.0);
}

#[test]
fn a_share_of_nothing_is_no_figure() {
    let none = Confusion::default();
    assert_eq!((none.accuracy(), none.balanced_accuracy()), (None, None));
    let healthy = Confusion::at(&[0.1, 0.2], &[false, false], 0.5).expect("numbers");
    assert_eq!((healthy.sensitivity(), healthy.ppv()), (None, None));
    assert_eq!(
        (healthy.specificity(), healthy.npv()),
        (Some(1.0), Some(1.0))
    );
    let ill = Confusion::at(&[0.7, 0.8], &[true, true], 0.5).expect("numbers");
    assert_eq!((ill.specificity(), ill.npv()), (None, None));
    assert_eq!((ill.sensitivity(), ill.ppv()), (Some(1.0), Some(1.0)));
}

#[test]
fn zeros_of_both_signs_are_tied() {
    assert_eq!(
        roc_auc(&[0.0, -0.0], &[true, false]).expect("both kinds"),
        0.5
    );
    let youden = youden_threshold(&[0.0, -0.0, 1.0], &[false, true, true]);
    assert_eq!(youden.expect("both kinds"), 1.0);
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let refused = |result: Result<f64, Error>, expected: &str| match result {
        Err(Error::Argument { argument, .. }) => assert_eq!(argument, expected),
        other => panic!("{expected}: {other:?}"),
    };
    let half = |scores: &[f64], truth: &[bool]| threshold_at_sensitivity(scores, truth, 0.5);
    for figure in [roc_auc, youden_threshold, half] {
        refused(figure(&[0.5, 0.6], &[true]), "truth");
        refused(figure(&[0.5, f64::NAN], &[true, false]), "scores[1]");
        refused(figure(&[], &[]), "truth");
        refused(figure(&[0.5, 0.6], &[false, false]), "truth");
    }
    for figure in [roc_auc, youden_threshold] {
        refused(figure(&[0.5, 0.6], &[true, true]), "truth");
    }
    for share in [0.0, 1.1, f64::NAN] {
        let result = threshold_at_sensitivity(&[0.5, 0.6], &[true, false], share);
        refused(result, "sensitivity");
    }
    assert!(Confusion::at(&[0.5], &[true], f64::NAN).is_err());
    assert!(Confusion::at(&[0.5], &[], 0.5).is_err());
    assert!(Confusion::at(&[f64::NAN], &[true], 0.5).is_err());
}

/// The definition: pairs in which the positive is above, a tie counting half.
fn auc_by_pairs(scores: &[f64], truth: &[bool]) -> f64 {
    let of = |kind: bool| {
        let chosen = scores.iter().zip(truth).filter(move |(_, t)| **t == kind);
        chosen.map(|(score, _)| *score)
    };
    let mut sum = 0.0;
    for positive in of(true) {
        for negative in of(false) {
            sum += if positive > negative {
                1.0
            } else if positive == negative {
                0.5
            } else {
                0.0
            };
        }
    }
    let [positives, negatives] = [true, false].map(|kind| of(kind).map(|_| 1.0).sum::<f64>());
    sum / positives / negatives
}

/// Scores of few values, so that many are tied, with at least one sample of each kind.
fn samples() -> impl Strategy<Value = (Vec<f64>, Vec<bool>)> {
    let sample = (0..12_i8, any::<bool>());
    proptest::collection::vec(sample, 2..60).prop_map(|drawn| {
        let scores = drawn.iter().map(|(score, _)| f64::from(*score) / 4.0 - 1.0);
        let mut truth: Vec<bool> = drawn.iter().map(|(_, truth)| *truth).collect();
        let (first, rest) = truth.split_first_mut().expect("two or more");
        (*first, rest[0]) = (true, false);
        (scores.collect(), truth)
    })
}

proptest! {
    #[test]
    fn the_auc_is_a_share_of_pairs((scores, truth) in samples()) {
        let auc = roc_auc(&scores, &truth).expect("both kinds");
        prop_assert!((auc - auc_by_pairs(&scores, &truth)).abs() < 1e-12);
        // Only the order counts, and turned round it is the rest.
        let bent: Vec<f64> = scores.iter().map(|x| x.exp() * 1e3).collect();
        prop_assert_eq!(roc_auc(&bent, &truth).expect("both kinds"), auc);
        let turned: Vec<f64> = scores.iter().map(|x| -x).collect();
        prop_assert!((roc_auc(&turned, &truth).expect("both kinds") + auc - 1.0).abs() < 1e-12);
    }

    /// No score above it finds enough.
    #[test]
    fn the_threshold_of_a_sensitivity_is_the_largest(
        (scores, truth) in samples(), wanted in 0.01..=1.0_f64,
    ) {
        let threshold = threshold_at_sensitivity(&scores, &truth, wanted).expect("positives");
        let found = |at| Confusion::at(&scores, &truth, at).expect("numbers").sensitivity();
        prop_assert!(found(threshold) >= Some(wanted));
        for &score in scores.iter().filter(|&&score| score > threshold) {
            prop_assert!(found(score) < Some(wanted), "{} {}", score, threshold);
        }
    }

    /// No score does better, none above it as well.
    #[test]
    fn the_threshold_of_youden_is_the_best((scores, truth) in samples()) {
        let best = youden_threshold(&scores, &truth).expect("both kinds");
        let index = |at| {
            let found = Confusion::at(&scores, &truth, at).expect("numbers");
            found.sensitivity().expect("positives") + found.specificity().expect("negatives")
        };
        for &score in &scores {
            let better = index(score) - index(best);
            prop_assert!(better < 1e-12 && (score <= best || better < -1e-12));
        }
    }
}
