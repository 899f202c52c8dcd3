//! Intervals: what is drawn, what comes out, and how often they hold what they should.

use medgemma_probe::{Bootstrap, Error, Units, evaluate, roc_auc};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

fn counted(samples: &[usize], of: usize) -> Vec<usize> {
    let mut counts = vec![0; of];
    for &sample in samples {
        counts[sample] += 1;
    }
    counts
}

#[test]
fn samples_are_drawn_with_replacement_as_many_as_there_are() {
    let mut seen = Vec::new();
    let bootstrap = Bootstrap::default().with_resamples(300);
    let figure = |samples: &[usize]| {
        assert_eq!(samples.len(), 10);
        seen.push(counted(samples, 10));
        Some(0.0)
    };
    bootstrap
        .interval(10, Units::Samples, figure)
        .expect("options");
    // The samples themselves come first.
    assert_eq!(seen.remove(0), vec![1; 10]);
    assert_eq!(seen.len(), 300);
    // Each sample is left out of a share (9/10)¹⁰ = 0.349 of 300 draws: 104.6, deviation 8.3.
    for sample in 0..10 {
        let left_out = seen.iter().filter(|counts| counts[sample] == 0).count();
        assert!((70..140).contains(&left_out), "{sample}: {left_out}");
    }
    assert_ne!(seen[0], seen[1]);
}

#[test]
fn classes_keep_their_number_and_groups_stay_whole() {
    let bootstrap = Bootstrap::default().with_resamples(200);
    let classes = [7, 2, 7, 7, 2, 7];
    let mut drawn = Vec::new();
    let figure = |samples: &[usize]| {
        let counts = counted(samples, 6);
        assert_eq!(counts[1] + counts[4], 2, "{counts:?}");
        assert_eq!(samples.len(), 6);
        drawn.push(counts);
        Some(0.0)
    };
    let units = Units::Classes(&classes);
    bootstrap.interval(6, units, figure).expect("options");
    assert!(drawn.iter().any(|counts| counts[0] > 1) && drawn.iter().any(|counts| counts[0] == 0));

    let groups = [3, 9, 3, 1, 9, 9];
    let mut sizes = Vec::new();
    let figure = |samples: &[usize]| {
        let counts = counted(samples, 6);
        assert_eq!(counts[0], counts[2], "{counts:?}");
        assert!(
            counts[1] == counts[4] && counts[4] == counts[5],
            "{counts:?}"
        );
        assert_eq!(
            counts[0] + counts[1] + counts[3],
            3,
            "three groups: {counts:?}"
        );
        sizes.push(samples.len());
        Some(0.0)
    };
    bootstrap
        .interval(6, Units::Groups(&groups), figure)
        .expect("options");
    assert!(sizes.contains(&9) && sizes.contains(&3), "{sizes:?}");
}

#[test]
fn equal_seeds_give_equal_intervals() {
    let figure = |samples: &[usize]| Some(samples.iter().sum::<usize>() as f64);
    let of = |seed| {
        let bootstrap = Bootstrap::default().with_resamples(100).with_seed(seed);
        bootstrap
            .interval(50, Units::Samples, figure)
            .expect("options")
    };
    assert_eq!(of(3), of(3));
    assert_ne!(of(3), of(4));
}

/// Estimate and ends of a mean: its deviation is that of the samples over √n.
#[test]
fn the_interval_of_a_mean_is_that_of_theory() {
    let values: Vec<f64> = (0..400_u16).map(|i| f64::from(i % 20)).collect();
    let mean = |samples: &[usize]| {
        let sum: f64 = samples.iter().map(|&i| values[i]).sum();
        Some(sum / samples.len() as f64)
    };
    // Uniform on 0 … 19: variance (20² − 1) / 12.
    let deviation = (399.0_f64 / 12.0 / 400.0).sqrt();
    for (level, quantile) in [(0.95, 1.960), (0.8, 1.2816)] {
        let bootstrap = Bootstrap::default()
            .with_resamples(20_000)
            .with_level(level);
        let found = bootstrap
            .interval(400, Units::Samples, mean)
            .expect("options");
        let found = found.expect("a mean");
        assert_eq!((found.estimate, found.undefined), (9.5, 0));
        for (end, sign) in [(found.low, -1.0), (found.high, 1.0)] {
            let off = (end - 9.5 - sign * quantile * deviation) / deviation;
            assert!(off.abs() < 0.06, "{level}: {found:?} {off}");
        }
    }
}

/// Nine of ten intervals of level 0.9 hold the truth, and 160 draws of 200 samples find out.
#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let mut random = ChaCha12Rng::seed_from_u64(5);
    let (mut held, draws) = (0, 160);
    for seed in 0..draws {
        let truth: Vec<bool> = (0..200).map(|_| random.random_bool(0.4)).collect();
        let scores: Vec<f64> = truth
            .iter()
            .map(|&truth| random.random_range(0.0..1.0) + if truth { 0.5 } else { 0.0 })
            .collect();
        let options = Bootstrap::default().with_resamples(400).with_level(0.9);
        let bootstrap = options.with_seed(seed);
        let found = evaluate(&scores, &truth, 0.75, Units::Samples, &bootstrap).expect("numbers");
        let auc = found.auc.expect("both kinds");
        assert_eq!(auc.estimate, roc_auc(&scores, &truth).expect("both kinds"));
        // Of two uniforms, one half a unit further up: 1 − ½ · (1/2)².
        held += u32::from(auc.low <= 0.875 && 0.875 <= auc.high);
    }
    // 144 expected, deviation 3.8.
    assert!((131..=156).contains(&held), "{held}");
}

/// Four copies of each picture of a patient say no more than one.
#[test]
fn groups_give_the_intervals_of_what_is_independent() {
    let truth: Vec<bool> = (0..60).map(|i| i % 3 == 0).collect();
    let scores: Vec<f64> = (0..60_u8)
        .map(|i| f64::from(i % 7) + f64::from(i % 3))
        .collect();
    let width = |copies: usize, units: fn(&[usize]) -> Units<'_>| {
        let groups: Vec<usize> = (0..60 * copies).map(|i| i / copies).collect();
        let truth: Vec<bool> = groups.iter().map(|&group| truth[group]).collect();
        let scores: Vec<f64> = groups.iter().map(|&group| scores[group]).collect();
        let found = evaluate(&scores, &truth, 3.0, units(&groups), &Bootstrap::default());
        let accuracy = found.expect("numbers").accuracy.expect("samples");
        accuracy.high - accuracy.low
    };
    let one = width(1, |_| Units::Samples);
    let grouped = width(4, |groups| Units::Groups(groups));
    let taken_for_independent = width(4, |_| Units::Samples);
    assert!((grouped / one - 1.0).abs() < 0.12, "{grouped} {one}");
    assert!(
        (taken_for_independent / one - 0.5).abs() < 0.12,
        "{taken_for_independent} {one}"
    );
}

#[test]
fn each_figure_of_an_evaluation_is_its_own() {
    let scores = [0.9, 0.8, 0.5, 0.2, 0.7, 0.6, 0.4, 0.3, 0.1, 0.0];
    let truth = [
        true, true, true, true, false, false, false, false, false, false,
    ];
    let bootstrap = Bootstrap::default();
    let found = evaluate(&scores, &truth, 0.5, Units::Samples, &bootstrap).expect("numbers");
    let expected = [
        (found.auc, (6.0 + 6.0 + 4.0 + 2.0) / 24.0),
        (found.sensitivity, 3.0 / 4.0),
        (found.specificity, 4.0 / 6.0),
        (found.ppv, 3.0 / 5.0),
        (found.npv, 4.0 / 5.0),
        (found.accuracy, 7.0 / 10.0),
        (found.balanced_accuracy, 17.0 / 24.0),
    ];
    for (interval, expected) in expected {
        let interval = interval.expect("a figure");
        assert!(
            (interval.estimate - expected).abs() < 1e-14,
            "{interval:?} {expected}"
        );
        assert!(
            interval.low < expected && expected <= interval.high,
            "{interval:?}"
        );
    }
    assert_eq!(found.threshold, 0.5);
    assert_eq!(found.confusion.true_positives, 3);
    // Of 2000 resamples a share 0.6¹⁰ has no positive: 12.1, deviation 3.5.
    let undefined = found.sensitivity.expect("a figure").undefined;
    assert!((1..30).contains(&undefined), "{undefined}");
    assert_eq!(found.accuracy.expect("a figure").undefined, 0);
}

/// All of 30 found: a bootstrap has nothing else to draw, Wilson's interval is 30 / (30 + 1.96²) to 1.
#[test]
fn all_or_none_of_the_samples_have_an_interval_with_a_width() {
    let truth: Vec<bool> = (0..60).map(|i| i < 30).collect();
    let scores: Vec<f64> = truth
        .iter()
        .map(|&truth| f64::from(u8::from(truth)))
        .collect();
    let classes: Vec<usize> = truth.iter().map(|&truth| usize::from(truth)).collect();
    let bootstrap = Bootstrap::default().with_resamples(200);
    for units in [Units::Samples, Units::Classes(&classes)] {
        let found = evaluate(&scores, &truth, 0.5, units, &bootstrap).expect("numbers");
        for (share, count) in [
            (found.sensitivity, 30.0),
            (found.specificity, 30.0),
            (found.ppv, 30.0),
            (found.npv, 30.0),
            (found.accuracy, 60.0),
        ] {
            let share = share.expect("a share");
            assert_eq!((share.estimate, share.high), (1.0, 1.0));
            let expected = count / (count + 1.959_963_985_f64.powi(2));
            assert!((share.low - expected).abs() < 1e-9, "{share:?} {expected}");
            assert!(!share.degenerate(), "{share:?}");
        }
        // An AUC has no such formula: it is said, not widened.
        for figure in [found.auc, found.balanced_accuracy] {
            let figure = figure.expect("both kinds");
            assert_eq!((figure.low, figure.high), (1.0, 1.0));
            assert!(figure.degenerate());
        }
    }
    let level = bootstrap.with_level(0.8);
    let none = evaluate(&scores, &truth, 2.0, Units::Samples, &level).expect("numbers");
    let none = none.sensitivity.expect("positives");
    // z = 1.2816: z² / (30 + z²).
    assert!(
        none.low == 0.0 && (none.high - 0.051_904_272_2).abs() < 1e-9,
        "{none:?}"
    );
    // Groups are not independent samples.
    let groups: Vec<usize> = (0..60).map(|i| i / 5).collect();
    let grouped = evaluate(&scores, &truth, 0.5, Units::Groups(&groups), &bootstrap);
    let grouped = grouped.expect("numbers").sensitivity.expect("positives");
    assert_eq!((grouped.low, grouped.high), (1.0, 1.0));
    assert!(grouped.degenerate());
}

/// Of ten positives and twenty negatives: six found and no false alarm, then all found with three of those.
#[test]
fn each_share_is_widened_by_its_own_counts() {
    let truth: Vec<bool> = (0..30).map(|i| i < 10).collect();
    let judge = |said: fn(u8) -> bool| {
        let scores: Vec<f64> = (0..30).map(|i| f64::from(u8::from(said(i)))).collect();
        let bootstrap = Bootstrap::default().with_resamples(200);
        evaluate(&scores, &truth, 0.5, Units::Samples, &bootstrap).expect("numbers")
    };
    let (few, many) = (judge(|i| i < 6), judge(|i| i < 13));
    for (share, count) in [
        (few.ppv, 6.0),
        (few.specificity, 20.0),
        (many.npv, 17.0),
        (many.sensitivity, 10.0),
    ] {
        let share = share.expect("a share");
        let expected = count / (count + 1.959_963_985_f64.powi(2));
        assert!((share.low - expected).abs() < 1e-9, "{share:?} {expected}");
        assert_eq!((share.estimate, share.high), (1.0, 1.0));
    }
}

/// One missed of 30: percentiles of the bootstrap reach down to 0.9, which is above the end for none missed
/// but for what Wilson's interval adds (0.8333 to 0.9941). Where it is the narrower one, nothing changes.
#[test]
fn a_share_takes_in_both_intervals() {
    let truth: Vec<bool> = (0..60).map(|i| i < 30).collect();
    let scores: Vec<f64> = (0..60_u8)
        .map(|i| f64::from(u8::from((1..30).contains(&i) || i >= 45)))
        .collect();
    let bootstrap = Bootstrap::default();
    let found = evaluate(&scores, &truth, 0.5, Units::Samples, &bootstrap).expect("numbers");
    let sensitivity = found.sensitivity.expect("positives");
    assert!(
        (sensitivity.low - 0.833_296).abs() < 1e-6,
        "{sensitivity:?}"
    );
    assert_eq!(sensitivity.high, 1.0);
    let share = |samples: &[usize]| {
        let negatives = samples.iter().filter(|&&i| !truth[i]);
        let (all, right) = negatives.fold((0_u32, 0_u32), |(all, right), &i| {
            (all + 1, right + u32::from(scores[i] < 0.5))
        });
        Some(f64::from(right) / f64::from(all))
    };
    let drawn = bootstrap
        .interval(60, Units::Samples, share)
        .expect("options");
    let (drawn, specificity) = (drawn.expect("a share"), found.specificity.expect("one"));
    // 15 of 30: Wilson's is 0.3315 to 0.6685.
    assert!(drawn.low < 0.331 && drawn.high > 0.669, "{drawn:?}");
    assert_eq!(specificity, drawn);
}

/// Of 40 samples a share of 0.97 is whole three times in ten: percentiles alone would hold it seven times.
#[test]
fn intervals_of_a_share_near_one_hold_it_as_often_as_they_say() {
    let mut random = ChaCha12Rng::seed_from_u64(8);
    let (mut held, draws) = (0, 200);
    for seed in 0..draws {
        let scores: Vec<f64> = (0..40)
            .map(|_| f64::from(u8::from(random.random_bool(0.97))))
            .collect();
        let options = Bootstrap::default().with_resamples(200).with_level(0.9);
        let bootstrap = options.with_seed(seed);
        let found = evaluate(&scores, &[true; 40], 0.5, Units::Samples, &bootstrap);
        let share = found.expect("numbers").sensitivity.expect("positives");
        held += u32::from(share.low <= 0.97 && 0.97 <= share.high);
    }
    assert!(held >= 180, "{held}");
}

#[test]
fn what_has_no_figure_has_no_interval() {
    let found = evaluate(
        &[0.1, 0.2],
        &[false, false],
        0.5,
        Units::Samples,
        &Bootstrap::default(),
    );
    let found = found.expect("numbers");
    assert_eq!(
        (found.auc, found.sensitivity, found.ppv),
        (None, None, None)
    );
    assert_eq!(found.specificity.expect("negatives").estimate, 1.0);
    // None of the resamples that begin with the last sample: a third of them.
    let some = |samples: &[usize]| Some(if samples[0] == 2 { f64::NAN } else { 1.0 });
    let found = Bootstrap::default().interval(3, Units::Samples, some);
    let found = found.expect("options").expect("a figure");
    assert_eq!((found.estimate, found.low, found.high), (1.0, 1.0, 1.0));
    assert!((600..735).contains(&found.undefined), "{found:?}");
    let bootstrap = Bootstrap::default().with_resamples(50);
    for nothing in [f64::NAN, f64::INFINITY] {
        let found = bootstrap.interval(3, Units::Samples, |_| Some(nothing));
        assert_eq!(found.expect("options"), None);
    }
}

#[test]
fn options_out_of_range_are_refused() {
    let refused =
        |bootstrap: Bootstrap, count: usize, units: Units<'_>, argument: &str| match bootstrap
            .interval(count, units, |_| Some(0.0))
        {
            Err(Error::Argument {
                argument: found, ..
            }) => assert_eq!(found, argument),
            other => panic!("{argument}: {other:?}"),
        };
    let good = Bootstrap::default();
    refused(
        good.with_resamples(0),
        3,
        Units::Samples,
        "bootstrap.resamples",
    );
    refused(
        good.with_resamples(1_000_001),
        3,
        Units::Samples,
        "bootstrap.resamples",
    );
    for level in [0.0, 1.0, f64::NAN] {
        refused(good.with_level(level), 3, Units::Samples, "bootstrap.level");
    }
    refused(good, 0, Units::Samples, "count");
    refused(good, 3, Units::Classes(&[0, 1]), "units.classes");
    refused(good, 3, Units::Groups(&[0, 1, 2, 3]), "units.groups");
}
