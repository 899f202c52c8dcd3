//! Fits by their properties, and what is refused.

mod support;

use std::ops::ControlFlow;
use std::slice;

use medgemma_probe::{ClassWeights, Error, FitOptions, Fitting, Kind, Probe};
use proptest::prelude::*;
use support::noisy_rows;

fn argument<T: std::fmt::Debug>(result: Result<T, Error>) -> (String, String) {
    match result {
        Err(Error::Argument {
            argument,
            expected,
            found,
        }) => (argument, format!("{expected}, {found}")),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_row_without_weight_has_no_part_in_the_scale_either() {
    let (mut rows, mut classes) = noisy_rows(30, 3, 2);
    let options = FitOptions::default()
        .with_standardize(true)
        .with_tolerance(1e-12);
    let fit = |rows: &[Vec<f32>], classes: &[usize], options: &FitOptions| {
        let fitted = Probe::fit_classes(&["a", "b"], rows, classes, options);
        fitted.expect("a fit").probe
    };
    let without = fit(&rows, &classes, &options);
    let asked = rows[0].clone();
    rows.push(vec![1000.0; 3]);
    classes.push(0);
    let mut weights = vec![1.0; 30];
    weights.push(0.0);
    let with = fit(&rows, &classes, &options.with_sample_weights(weights));
    let [a, b] = [without, with].map(|probe| probe.probabilities(&asked).expect("a row")[0]);
    assert!((a - b).abs() < 1e-9, "{a} {b}");
}

#[test]
fn two_classes_are_the_sigmoid_of_one_row_of_weights() {
    let (rows, classes) = noisy_rows(40, 3, 2);
    let fitted = Probe::fit_classes(&["a", "b"], &rows, &classes, &FitOptions::default());
    let probe = fitted.expect("a fit").probe;
    let marks: Vec<[Option<bool>; 1]> = classes.iter().map(|&class| [Some(class == 1)]).collect();
    let label = Probe::fit_labels(&["b"], &rows, &marks, &FitOptions::default());
    let label = label.expect("a fit").probe;
    assert_eq!(
        (probe.kind(), label.kind()),
        (Kind::MultiClass, Kind::MultiLabel)
    );
    assert_eq!(probe.weights().next().expect("two rows"), [0.0; 3]);
    assert_eq!(probe.weights().nth(1), label.weights().next());
    for row in &rows {
        let [a, b] = probe.probabilities(row).expect("a row")[..] else {
            panic!("two classes")
        };
        let alone = label.probabilities(row).expect("a row")[0];
        assert!((a + b - 1.0).abs() < 1e-15 && (b - alone).abs() < 1e-15);
        assert_eq!(probe.best(row).expect("a row"), usize::from(b > a));
    }
}

/// A label is fitted as if the rows where it is unknown were not there.
#[test]
fn what_is_unknown_is_left_out() {
    let (rows, classes) = noisy_rows(60, 4, 2);
    let options = FitOptions::default()
        .with_class_weights(ClassWeights::Balanced)
        .with_sample_weights(
            (0..60_u8)
                .map(|i| 1.0 + f64::from(i % 4))
                .collect::<Vec<_>>(),
        );
    let known = |i: usize| i % 3 != 1;
    let marks: Vec<[Option<bool>; 2]> = (0..60)
        .map(|i| [Some(classes[i] == 0), known(i).then_some(classes[i] == 1)])
        .collect();
    let both = Probe::fit_labels(&["all", "some"], &rows, &marks, &options).expect("a fit");
    let kept: Vec<usize> = (0..60).filter(|&i| known(i)).collect();
    let rows: Vec<&Vec<f32>> = kept.iter().map(|&i| &rows[i]).collect();
    let marks: Vec<[Option<bool>; 1]> = kept.iter().map(|&i| [marks[i][1]]).collect();
    let weights = options.sample_weights.as_ref().expect("given");
    let weights: Vec<f64> = kept.iter().map(|&i| weights[i]).collect();
    let options = options.with_sample_weights(weights);
    let alone = Probe::fit_labels(&["some"], &rows, &marks, &options).expect("a fit");
    assert_eq!(both.probe.weights().nth(1), alone.probe.weights().next());
    assert_eq!(both.convergence.len(), 2);
    assert_eq!(both.convergence[1], alone.convergence[0]);
}

#[test]
fn a_fit_can_be_watched_and_stopped() {
    let (rows, classes) = noisy_rows(60, 5, 3);
    let (labels, options) = (["a", "b", "c"], FitOptions::default());
    // What the watcher sees until it has seen `most`, and how the fit ends.
    let watched = |most: usize| {
        let mut seen: Vec<Fitting> = Vec::new();
        let watch = |fitting: &Fitting| {
            seen.push(*fitting);
            match seen.len() == most {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let fitted = Probe::fit_classes_observed(&labels, &rows, &classes, &options, watch);
        (seen, fitted)
    };
    let plain = Probe::fit_classes(&labels, &rows, &classes, &options).expect("a fit");
    let (seen, fitted) = watched(usize::MAX);
    assert_eq!(fitted.expect("a fit"), plain);
    let ended = plain.convergence[0];
    let numbers: Vec<u64> = seen.iter().map(|fitting| fitting.evaluations).collect();
    assert_eq!(numbers, (1..=ended.evaluations).collect::<Vec<_>>());
    for fitting in &seen {
        assert_eq!((fitting.fit, fitting.fits, fitting.most), (0, 1, 4001));
    }
    // Of no weights at all the loss is that of three classes by chance.
    assert!((seen[0].loss - 3.0_f64.ln()).abs() < 1e-12, "{:?}", seen[0]);
    assert!(seen[0].gradient > 1e-3, "{:?}", seen[0]);
    let last = seen.last().expect("looked at");
    assert_eq!((last.loss, last.gradient), (ended.loss, ended.gradient));
    for most in [1, 2, 7] {
        let (seen, stopped) = watched(most);
        assert_eq!(seen.len(), most, "it goes no further");
        let error = stopped.expect_err("stopped");
        let message = error.to_string();
        let at = matches!(error, Error::Stopped { evaluations } if evaluations == most as u64);
        assert!(
            at && message.contains(&format!("{most} times")),
            "{message}"
        );
    }

    // One fit for each label; the last one is stopped.
    let marks: Vec<[Option<bool>; 3]> = classes
        .iter()
        .map(|&class| [0, 1, 2].map(|label| Some(label == class)))
        .collect();
    let plain = Probe::fit_labels(&labels, &rows, &marks, &options).expect("fits");
    let mut counts = [0; 3];
    let watch = |fitting: &Fitting| {
        assert_eq!(fitting.fits, 3);
        counts[fitting.fit] += 1;
        ControlFlow::Continue(())
    };
    let fitted = Probe::fit_labels_observed(&labels, &rows, &marks, &options, watch);
    assert_eq!(fitted.expect("fits"), plain);
    let each = plain.convergence.iter().map(|fit| fit.evaluations);
    assert_eq!(counts.to_vec(), each.collect::<Vec<_>>());
    let stop = |fitting: &Fitting| match (fitting.fit, fitting.evaluations) {
        (2, 3) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let stopped = Probe::fit_labels_observed(&labels, &rows, &marks, &options, stop);
    let error = stopped.expect_err("stopped");
    assert!(
        matches!(error, Error::Stopped { evaluations: 3 }),
        "{error}"
    );
}

#[test]
fn a_fit_that_does_not_arrive_says_so() {
    let (rows, classes) = noisy_rows(50, 6, 3);
    let labels = ["a", "b", "c"];
    let fit = |options: &FitOptions| {
        let fitted = Probe::fit_classes(&labels, &rows, &classes, options).expect("a fit");
        let [convergence] = fitted.convergence[..] else {
            panic!("one fit")
        };
        assert_eq!(fitted.converged(), convergence.converged);
        convergence
    };
    let whole = fit(&FitOptions::default());
    assert!(whole.converged && whole.gradient <= 1e-7, "{whole:?}");
    assert!(
        whole.evaluations > whole.iterations && whole.iterations > 3,
        "{whole:?}"
    );
    let short = fit(&FitOptions::default().with_max_iterations(2));
    assert!(!short.converged && short.gradient > 1e-7, "{short:?}");
    assert_eq!(short.iterations, 2);
    // Two steps are better than none, and worse than all.
    assert!(
        whole.loss < short.loss && short.loss < 3_f64.ln(),
        "{short:?}"
    );
    // Below what rounding allows: it ends, says that it has not arrived, and has the best there is.
    let vain = fit(&FitOptions::default().with_tolerance(1e-25));
    assert!(!vain.converged && vain.evaluations <= 4001, "{vain:?}");
    assert!(
        vain.loss <= whole.loss + 1e-15 && vain.gradient < 1e-7,
        "{vain:?}"
    );
}

/// Rows that say nothing leave the shares of the classes, whatever the penalty: intercepts are free of
/// it. So they do when balanced, in which the fit itself gives each a third; weights that were given stay.
#[test]
fn rows_that_are_all_alike_leave_the_shares_of_the_classes() {
    let rows = [[2.0, 0.0]; 8];
    let classes = [0, 0, 0, 0, 0, 1, 1, 2];
    for (weights, expected) in [
        (ClassWeights::Equal, [5.0 / 8.0, 2.0 / 8.0, 1.0 / 8.0]),
        (ClassWeights::Balanced, [5.0 / 8.0, 2.0 / 8.0, 1.0 / 8.0]),
        (ClassWeights::Given(vec![1.0, 1.0, 3.0]), [0.5, 0.2, 0.3]),
    ] {
        for standardize in [false, true] {
            let options = FitOptions::default()
                .with_c(1e-4)
                .with_class_weights(weights.clone())
                .with_standardize(standardize);
            let fitted = Probe::fit_classes(&["a", "b", "c"], &rows, &classes, &options);
            let probe = fitted.expect("a fit").probe;
            let said = &probe.penalty().expect("fitted here").prevalence;
            for (said, expected) in said.iter().zip(expected) {
                assert!((said - expected).abs() < 1e-15, "{said} {expected}");
            }
            let found = probe.probabilities(rows[0]);
            for (found, expected) in found.expect("a row").into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{found} {expected}");
            }
        }
    }
}

/// Numbers at the ends of f32: an end in bounded time, and finite probabilities.
#[test]
fn extreme_features_are_no_panic() {
    let rows = [
        [f32::MAX, 1.0],
        [-f32::MAX, 0.0],
        [f32::MIN_POSITIVE, -1.0],
        [3e38, 1e-40],
    ];
    for standardize in [false, true] {
        for c in [1e-30, 1.0, 1e30] {
            let options = FitOptions::default()
                .with_standardize(standardize)
                .with_c(c);
            let fitted = Probe::fit_classes(&["a", "b"], &rows, &[0, 1, 1, 0], &options);
            let fitted = fitted.expect("a fit, arrived or not");
            assert!(fitted.convergence[0].evaluations <= 4001);
            for row in &rows {
                let found = fitted.probe.probabilities(row).expect("a row");
                assert!(found.iter().all(|p| (0.0..=1.0).contains(p)), "{found:?}");
            }
        }
    }
}

#[test]
fn rows_and_labels_that_do_not_match_are_refused() {
    let rows = [[0.5, 1.0], [1.5, -1.0], [0.0, 2.0]];
    let good = FitOptions::default();
    let fit = |labels: &[&str], rows: &[Vec<f32>], classes: &[usize]| {
        argument(Probe::fit_classes(labels, rows, classes, &good))
    };
    let vectors: Vec<Vec<f32>> = rows.iter().map(|row| row.to_vec()).collect();
    let labels = ["a", "b"];
    let (place, what) = fit(&labels, &[], &[]);
    assert!(
        place == "rows" && what.contains("at least one"),
        "{place} {what}"
    );
    let (place, what) = fit(&labels, &[vec![], vec![]], &[0, 1]);
    assert!(
        place == "rows[0]" && what.ends_with(", 0"),
        "{place} {what}"
    );
    let uneven = [vec![1.0, 2.0], vec![1.0]];
    let (place, what) = fit(&labels, &uneven, &[0, 1]);
    assert!(
        place == "rows[1]" && what.starts_with('2'),
        "{place} {what}"
    );
    for bad in [f32::NAN, f32::INFINITY] {
        let (place, _) = fit(&labels, &[vec![1.0, 2.0], vec![1.0, bad]], &[0, 1]);
        assert_eq!(place, "rows[1][1]");
    }
    let (place, what) = fit(&labels, &vectors, &[0, 1]);
    assert!(
        place == "classes" && what.contains("3 in all, 2"),
        "{place} {what}"
    );
    let (place, what) = fit(&labels, &vectors, &[0, 1, 2]);
    assert!(
        place == "classes[2]" && what.contains("2 labels"),
        "{place} {what}"
    );
    let (place, what) = fit(&labels, &vectors, &[1, 1, 1]);
    assert!(
        place == "classes" && what.contains("none for `a`"),
        "{place} {what}"
    );
    for (labels, expected) in [
        (vec!["a"], "1 labels"),
        (vec!["a", "a"], "`a` twice"),
        (vec!["a", ""], "empty"),
    ] {
        let (place, what) = fit(&labels, &vectors, &[0, 1, 0]);
        assert!(
            place == "labels" && what.contains(expected),
            "{place} {what}"
        );
    }
}

#[test]
fn marks_that_do_not_match_are_refused() {
    let rows = [[0.5, 1.0], [1.5, -1.0]];
    let fit = |labels: &[&str], marks: &[Vec<Option<bool>>]| {
        argument(Probe::fit_labels(
            labels,
            &rows,
            marks,
            &FitOptions::default(),
        ))
    };
    let (yes, no) = (Some(true), Some(false));
    let (place, _) = fit(&["a"], &[vec![yes]]);
    assert_eq!(place, "marks");
    let (place, _) = fit(&["a"], &[vec![yes], vec![no, yes]]);
    assert_eq!(place, "marks[1]");
    let (place, what) = fit(&["a", "b"], &[vec![yes, None], vec![no, yes]]);
    assert!(
        place == "marks" && what.contains("no negative one for `b`"),
        "{what}"
    );
    let (_, what) = fit(&["a"], &[vec![None], vec![no]]);
    assert!(what.contains("no positive one for `a`"), "{what}");
    let (place, _) = fit(&[], &[vec![], vec![]]);
    assert_eq!(place, "labels");
}

#[test]
fn options_out_of_range_are_refused() {
    let rows = [[0.5], [1.5], [2.5]];
    let good = FitOptions::default();
    let of = |options: FitOptions| {
        argument(Probe::fit_classes(&["a", "b"], &rows, &[0, 1, 1], &options)).0
    };
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e31] {
        assert_eq!(of(good.clone().with_c(bad)), "options.c");
        assert_eq!(of(good.clone().with_tolerance(bad)), "options.tolerance");
        let weights = ClassWeights::Given(vec![1.0, bad]);
        let place = of(good.clone().with_class_weights(weights));
        assert_eq!(place, "options.class_weights[1]");
        if bad != 0.0 {
            let place = of(good.clone().with_sample_weights([1.0, 1.0, bad]));
            assert_eq!(place, "options.sample_weights[2]");
        }
    }
    assert_eq!(
        of(good.clone().with_max_iterations(0)),
        "options.max_iterations"
    );
    let one = ClassWeights::Given(vec![1.0]);
    assert_eq!(
        of(good.clone().with_class_weights(one)),
        "options.class_weights"
    );
    let place = of(good.clone().with_sample_weights([1.0]));
    assert_eq!(place, "options.sample_weights");
    // A class whose rows count for nothing is not there.
    assert_eq!(of(good.with_sample_weights([0.0, 1.0, 1.0])), "classes");
}

#[test]
fn a_row_of_another_encoder_is_refused() {
    let probe = Probe::new(Kind::MultiLabel, &["a"], &[[1.0, 2.0]], &[0.5]).expect("a probe");
    for (row, place) in [
        (vec![1.0], "row"),
        (vec![1.0; 3], "row"),
        (vec![1.0, f32::NAN], "row[1]"),
    ] {
        assert_eq!(argument(probe.probabilities(&row)).0, place);
        assert_eq!(argument(probe.best(&row)).0, place);
    }
    assert!(probe.expect_encoder("a").is_err());
    let probe = probe.with_encoder("a");
    probe.expect_encoder("a").expect("its own");
    let error = probe.expect_encoder("b").expect_err("another").to_string();
    assert!(error.contains("`a`") && error.contains("`b`"), "{error}");
}

#[test]
fn weights_that_are_no_probe_are_refused() {
    let new = |labels: &[&str], weights: &[Vec<f64>], intercepts: &[f64]| {
        argument(Probe::new(Kind::MultiClass, labels, weights, intercepts)).0
    };
    let one = vec![1.0, 2.0];
    assert_eq!(
        new(&["a", "b"], slice::from_ref(&one), &[0.0, 0.0]),
        "weights"
    );
    assert_eq!(
        new(&["a", "b"], &[one.clone(), vec![1.0]], &[0.0, 0.0]),
        "weights[1]"
    );
    assert_eq!(
        new(&["a", "b"], &[vec![], vec![]], &[0.0, 0.0]),
        "weights[0]"
    );
    let two = [one.clone(), one.clone()];
    assert_eq!(new(&["a", "b"], &two, &[0.0]), "intercepts");
    assert_eq!(new(&["a", "b"], &two, &[0.0, f64::NAN]), "intercepts");
    assert_eq!(
        new(
            &["a", "b"],
            &[one.clone(), vec![1.0, f64::INFINITY]],
            &[0.0; 2]
        ),
        "weights"
    );
    assert_eq!(new(&["a"], &[one], &[0.0]), "labels");
    let probe = Probe::new(Kind::MultiClass, &["a", "b"], &two, &[0.0; 2]).expect("a probe");
    assert_eq!(
        argument(probe.clone().with_thresholds([0.5])).0,
        "thresholds"
    );
    assert_eq!(
        argument(probe.with_thresholds([0.5, 1.5])).0,
        "thresholds[1]"
    );
}

/// Scores (0, 1, 1): of equal ones the first.
#[test]
fn the_best_label_is_the_most_probable() {
    let weights = [[0.0], [1.0], [1.0]];
    let probe = Probe::new(Kind::MultiClass, &["a", "b", "c"], &weights, &[0.0; 3]);
    let probe = probe.expect("a probe");
    assert_eq!(probe.best([1.0]).expect("a row"), 1);
    assert_eq!(probe.best([-1.0]).expect("a row"), 0);
}

/// Scores 40, 50 and 60: every sigmoid is 1 to the last bit, and of the softmax what is left is lost.
#[test]
fn where_probabilities_round_to_one_scores_still_differ() {
    let labels = ["a", "b", "c"];
    let weights = [[40.0], [60.0], [50.0]];
    let of = |kind| Probe::new(kind, &labels, &weights, &[0.0; 3]).expect("a probe");
    let probe = of(Kind::MultiLabel);
    assert_eq!(probe.probabilities([1.0]).expect("a row"), [1.0; 3]);
    assert_eq!(probe.scores([1.0]).expect("a row"), [40.0, 60.0, 50.0]);
    assert_eq!(probe.log_odds([1.0]).expect("a row"), [40.0, 60.0, 50.0]);
    assert_eq!(probe.best([1.0]).expect("a row"), 1);

    let probe = of(Kind::MultiClass);
    let [ten, eleven] = [10.0, 11.0].map(|x| probe.probabilities([x]).expect("a row")[1]);
    assert_eq!((ten, eleven), (1.0, 1.0));
    let [ten, eleven] = [10.0, 11.0].map(|x| probe.log_odds([x]).expect("a row")[1]);
    assert_eq!((ten, eleven), (100.0, 110.0));
    assert_eq!(probe.scores([10.0]).expect("a row"), [400.0, 600.0, 500.0]);
}

/// Where probabilities do not round, odds are theirs.
#[test]
fn log_odds_are_those_of_the_probabilities() {
    let weights = [[0.3, -1.0], [0.0, 0.5], [-0.7, 0.2]];
    for kind in [Kind::MultiClass, Kind::MultiLabel] {
        let probe = Probe::new(kind, &["a", "b", "c"], &weights, &[0.1, 0.0, -0.4]);
        let probe = probe.expect("a probe");
        let row = [1.5, -0.5];
        let probabilities = probe.probabilities(row).expect("a row");
        let odds = probe.log_odds(row).expect("a row");
        for (odds, p) in odds.into_iter().zip(probabilities) {
            let expected = (p / (1.0 - p)).ln();
            assert!(
                (odds - expected).abs() < 1e-13,
                "{kind:?}: {odds} {expected}"
            );
        }
    }
}

/// Finite weights, finite rows: products that are not. The first of two labels has a score, the second
/// infinity less infinity.
#[test]
fn scores_that_are_not_finite_are_refused() {
    let huge = f64::MAX;
    for kind in [Kind::MultiClass, Kind::MultiLabel] {
        let weights = [[1.0, 1.0], [huge, -huge]];
        let probe = Probe::new(kind, &["fine", "huge"], &weights, &[0.0; 2]).expect("finite");
        for row in [[4.0, 4.0], [4.0, 0.0], [-4.0, 0.0]] {
            let refused = [
                probe.scores(row).map(drop),
                probe.probabilities(row).map(drop),
                probe.log_odds(row).map(drop),
                probe.best(row).map(drop),
            ];
            for refused in refused {
                match refused {
                    Err(Error::NonFiniteScore { label, found }) => {
                        assert!(label == "huge" && !found.is_finite(), "{label} {found}");
                    }
                    other => panic!("{kind:?} {row:?}: {other:?}"),
                }
            }
        }
        let fine = probe.probabilities([0.5, 0.5]).expect("a row");
        assert!(fine.iter().all(|p| p.is_finite()), "{fine:?}");
    }
    // Each score is finite, their difference is not.
    let weights = [[huge], [-huge]];
    let probe = Probe::new(Kind::MultiClass, &["a", "b"], &weights, &[0.0; 2]).expect("finite");
    assert_eq!(probe.probabilities([1.0]).expect("a row"), [1.0, 0.0]);
    let error = probe.log_odds([1.0]).expect_err("infinite").to_string();
    assert!(
        error.contains("label `a`") && error.contains("inf"),
        "{error}"
    );
}

#[test]
fn debug_shows_no_weights() {
    let probe = Probe::new(Kind::MultiLabel, &["a"], &[[0.123, 2.0]], &[0.456]).expect("a probe");
    let shown = format!("{probe:?}");
    assert!(shown.contains("dimension: 2") && !shown.contains("123") && !shown.contains("456"));
}

/// The rows, of three numbers, with the first one shifted and then multiplied.
fn in_other_units(rows: &[Vec<f32>], factor: f32, shift: f32) -> Vec<Vec<f32>> {
    rows.iter()
        .map(|row| vec![row[0] * factor + shift * factor, row[1], row[2]])
        .collect()
}

/// Means of up to a hundred deviations: these did not arrive when scores were taken of features as they are.
#[test]
fn a_standardised_fit_arrives_far_from_zero() {
    let (rows, classes) = noisy_rows(30, 3, 2);
    let options = FitOptions::default()
        .with_standardize(true)
        .with_tolerance(1e-9);
    for (factor, shift) in [
        (520.683_6, 72.192_03),
        (303.002_78, 95.541_77),
        (25.773_643, 98.396_93),
    ] {
        let rows = in_other_units(&rows, factor, shift);
        let fitted = Probe::fit_classes(&["a", "b"], &rows, &classes, &options).expect("a fit");
        assert!(
            fitted.converged(),
            "{factor} {shift}: {:?}",
            fitted.convergence
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Names of classes, order of rows and a row written twice for one of weight 2 change nothing.
    #[test]
    fn a_fit_depends_on_what_is_meant(
        count in 12..40_usize, dimension in 1..8_usize, c in 0.01..50.0_f64, turn in 1..7_usize,
        standardize: bool, balanced: bool,
    ) {
        let (rows, classes) = noisy_rows(count, dimension, 3);
        let weights = if balanced { ClassWeights::Balanced } else { ClassWeights::Equal };
        let options = FitOptions::default()
            .with_c(c)
            .with_class_weights(weights)
            .with_standardize(standardize)
            .with_tolerance(1e-9);
        let names = ["a", "b", "c"];
        let fit = |rows: &[Vec<f32>], classes: &[usize], options: &FitOptions| {
            Probe::fit_classes(&names, rows, classes, options).expect("a fit").probe
        };
        let probe = fit(&rows, &classes, &options);
        // Other names for the same classes.
        let renamed: Vec<usize> = classes.iter().map(|class| (class + turn) % 3).collect();
        let other = fit(&rows, &renamed, &options);
        // Rows in another order.
        let turned: Vec<usize> = (0..count).map(|i| (i * 7 + turn) % count).collect();
        let is_order = turned.iter().copied().collect::<std::collections::BTreeSet<_>>().len() == count;
        let order: Vec<usize> = if is_order { turned } else { (0..count).rev().collect() };
        let mixed = fit(
            &order.iter().map(|&i| rows[i].clone()).collect::<Vec<_>>(),
            &order.iter().map(|&i| classes[i]).collect::<Vec<_>>(),
            &options,
        );
        for row in &rows {
            let found = probe.probabilities(row).expect("a row");
            let renamed = other.probabilities(row).expect("a row");
            let mixed = mixed.probabilities(row).expect("a row");
            prop_assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            for class in 0..3 {
                prop_assert!((found[class] - renamed[(class + turn) % 3]).abs() < 1e-5);
                prop_assert!((found[class] - mixed[class]).abs() < 1e-5);
            }
        }
        let twice = turn % count;
        let mut weights = vec![1.0; count];
        weights[twice] = 2.0;
        let weighted = fit(&rows, &classes, &options.clone().with_sample_weights(weights));
        let (mut more, mut of) = (rows.clone(), classes.clone());
        more.push(rows[twice].clone());
        of.push(classes[twice]);
        let doubled = fit(&more, &of, &options);
        for row in &rows {
            let (a, b) = (weighted.probabilities(row), doubled.probabilities(row));
            let (a, b) = (a.expect("a row"), b.expect("a row"));
            prop_assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5));
        }
    }

    /// Standardised, units of measurement play no part.
    #[test]
    fn a_standardised_fit_has_no_units(factor in 0.001..1000.0_f32, shift in -100.0..100.0_f32) {
        let (rows, classes) = noisy_rows(30, 3, 2);
        let options = FitOptions::default().with_standardize(true).with_tolerance(1e-9);
        let moved = in_other_units(&rows, factor, shift);
        let [probe, other] = [&rows, &moved].map(|rows| {
            let fitted = Probe::fit_classes(&["a", "b"], rows, &classes, &options).expect("a fit");
            assert!(fitted.converged());
            fitted.probe
        });
        for (row, moved) in rows.iter().zip(&moved) {
            let found = probe.probabilities(row).expect("a row")[1];
            let expected = other.probabilities(moved).expect("a row")[1];
            // f32 loses some of a small feature beside a large shift.
            prop_assert!((found - expected).abs() < 2e-4, "{} {}", found, expected);
        }
    }
}
