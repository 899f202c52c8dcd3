//! Intervals: what is drawn, what comes out, and how often they hold what they should.

use medgemma_probe::{Bootstrap, Error, Interval, NoInterval, Units, evaluate, roc_auc};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// The ends of a figure that has an interval.
fn ends(figure: Option<Interval>) -> [f64; 2] {
    figure.expect("a figure").ends.expect("an interval")
}

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
        for (end, sign) in ends(Some(found)).into_iter().zip([-1.0, 1.0]) {
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
        let [low, high] = ends(found.auc);
        held += u32::from(low <= 0.875 && 0.875 <= high);
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
        let [low, high] = ends(found.expect("numbers").accuracy);
        high - low
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
    // Four positives: their share has Wilson's interval, the figures of both kinds have none.
    for (figure, expected) in [
        (found.auc, (6.0 + 6.0 + 4.0 + 2.0) / 24.0),
        (found.balanced_accuracy, 17.0 / 24.0),
    ] {
        let figure = figure.expect("a figure");
        assert!((figure.estimate - expected).abs() < 1e-14, "{figure:?}");
        assert_eq!(figure.ends, Err(NoInterval::Few { found: 4 }));
    }
    let expected = [
        (found.sensitivity, 3.0 / 4.0),
        (found.specificity, 4.0 / 6.0),
        (found.ppv, 3.0 / 5.0),
        (found.npv, 4.0 / 5.0),
        (found.accuracy, 7.0 / 10.0),
    ];
    for (interval, expected) in expected {
        let interval = interval.expect("a figure");
        assert!(
            (interval.estimate - expected).abs() < 1e-14,
            "{interval:?} {expected}"
        );
        let [low, high] = ends(Some(interval));
        assert!(low < expected && expected <= high, "{interval:?}");
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
            let [low, high] = ends(share);
            assert_eq!((share.expect("a share").estimate, high), (1.0, 1.0));
            let expected = count / (count + 1.959_963_985_f64.powi(2));
            assert!((low - expected).abs() < 1e-9, "{share:?} {expected}");
        }
        // An AUC has no such formula: it is said, not widened.
        for figure in [found.auc, found.balanced_accuracy] {
            let figure = figure.expect("both kinds");
            assert_eq!((figure.estimate, figure.ends), (1.0, Err(NoInterval::Same)));
        }
    }
    let level = bootstrap.with_level(0.8);
    let none = evaluate(&scores, &truth, 2.0, Units::Samples, &level).expect("numbers");
    let [low, high] = ends(none.sensitivity);
    // z = 1.2816: z² / (30 + z²).
    assert!(
        low == 0.0 && (high - 0.051_904_272_2).abs() < 1e-9,
        "{low} {high}"
    );
    // Groups are not independent samples.
    let groups: Vec<usize> = (0..60).map(|i| i / 5).collect();
    let grouped = evaluate(&scores, &truth, 0.5, Units::Groups(&groups), &bootstrap);
    let grouped = grouped.expect("numbers").sensitivity.expect("positives");
    assert_eq!(
        (grouped.estimate, grouped.ends),
        (1.0, Err(NoInterval::Same))
    );
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
        let [low, high] = ends(share);
        let expected = count / (count + 1.959_963_985_f64.powi(2));
        assert!((low - expected).abs() < 1e-9, "{share:?} {expected}");
        assert_eq!((share.expect("a share").estimate, high), (1.0, 1.0));
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
    let [low, high] = ends(found.sensitivity);
    assert!((low - 0.833_296).abs() < 1e-6, "{low}");
    assert_eq!(high, 1.0);
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
    let [low, high] = ends(Some(drawn));
    assert!(low < 0.331 && high > 0.669, "{drawn:?}");
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
        let [low, high] = ends(found.expect("numbers").sensitivity);
        held += u32::from(low <= 0.97 && 0.97 <= high);
    }
    assert!(held >= 180, "{held}");
}

/// The groups of positives, of negatives, of what is called positive and what is not: five of each are the
/// least, four are not enough, and samples of one group count once.
#[test]
fn a_figure_of_fewer_than_five_groups_has_no_interval() {
    // By kind: true and called, missed, false alarm, rightly passed. Each group has two samples of one kind.
    let judge = |groups: [usize; 4]| {
        let kinds = groups.iter().enumerate();
        let kinds: Vec<usize> = kinds.flat_map(|(kind, &n)| vec![kind; 2 * n]).collect();
        let truth: Vec<bool> = kinds.iter().map(|&kind| kind < 2).collect();
        let scores: Vec<f64> = kinds
            .iter()
            .map(|&kind| if kind % 2 == 0 { 0.9 } else { 0.1 })
            .collect();
        let groups: Vec<usize> = (0..kinds.len()).map(|sample| sample / 2).collect();
        let units = Units::Groups(&groups);
        let found = evaluate(&scores, &truth, 0.5, units, &Bootstrap::default()).expect("numbers");
        let figures = [
            found.auc,
            found.balanced_accuracy,
            found.sensitivity,
            found.specificity,
            found.ppv,
            found.npv,
            found.accuracy,
        ];
        figures.map(|figure| figure.expect("a figure").ends.map(|_| ()))
    };
    let (good, few) = (Ok(()), |found| Err(NoInterval::Few { found }));
    assert_eq!(judge([3, 2, 2, 3]), [good; 7]);
    // Four positives.
    assert_eq!(
        judge([2, 2, 3, 4]),
        [few(4), few(4), few(4), good, good, good, good]
    );
    // Four negatives.
    assert_eq!(
        judge([4, 3, 2, 2]),
        [few(4), few(4), good, few(4), good, good, good]
    );
    // Four are called positive, then four are not.
    assert_eq!(
        judge([2, 4, 2, 4]),
        [good, good, good, good, few(4), good, good]
    );
    assert_eq!(
        judge([4, 2, 4, 2]),
        [good, good, good, good, good, few(4), good]
    );
    assert_eq!(judge([1, 1, 1, 1])[6], few(4));
    assert_eq!(judge([1, 1, 1, 2])[6], good);
    // A figure of one's own: the groups in all.
    let own = |groups: &[usize]| {
        let mean =
            |samples: &[usize]| Some(samples.iter().sum::<usize>() as f64 / samples.len() as f64);
        let found = Bootstrap::default().interval(groups.len(), Units::Groups(groups), mean);
        found.expect("options").expect("a mean").ends.map(|_| ())
    };
    assert_eq!(own(&[1, 1, 2, 2, 3, 3, 4, 4]), few(4));
    assert_eq!(own(&[1, 2, 3, 4, 5]), good);
}

/// An AUC of 0.86 with a few positives: percentiles of one or two hold it far less often than they say, and so
/// are not shown; of five they hold it nearly so often, of forty as often.
#[test]
fn intervals_of_few_positives_are_not_shown_or_hold_the_truth() {
    let mut random = ChaCha12Rng::seed_from_u64(11);
    let mut normal = move || (0..12).map(|_| random.random_range(0.0..1.0)).sum::<f64>() - 6.0;
    let draws = 150;
    for (positives, least) in [
        (1, None),
        (2, None),
        (4, None),
        (5, Some(115)),
        (40, Some(132)),
    ] {
        let (mut shown, mut held) = (0, 0);
        for seed in 0..draws {
            let truth: Vec<bool> = (0..positives + 60).map(|i| i < positives).collect();
            let scores: Vec<f64> = truth
                .iter()
                .map(|&truth| normal() + if truth { 1.5 } else { 0.0 })
                .collect();
            let groups: Vec<usize> = (0..truth.len()).collect();
            let bootstrap = Bootstrap::default().with_resamples(300).with_seed(seed);
            let found = evaluate(&scores, &truth, 0.5, Units::Groups(&groups), &bootstrap);
            if let Ok([low, high]) = found.expect("numbers").auc.expect("both kinds").ends {
                shown += 1;
                // Φ(1.5 / √2)
                held += u32::from((low..=high).contains(&0.8556));
            }
        }
        match least {
            None => assert_eq!(shown, 0, "{positives}"),
            // A perfect AUC has none either.
            Some(least) => assert!(held >= least, "{positives}: {held} of {shown}"),
        }
    }
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
    // None of the resamples that begin with the last sample: a sixth of them.
    let some = |samples: &[usize]| match samples[0] {
        5 => Some(f64::NAN),
        first => Some(first as f64),
    };
    let found = Bootstrap::default().interval(6, Units::Samples, some);
    let found = found.expect("options").expect("a figure");
    assert_eq!(
        (found.estimate, found.ends),
        (0.0, Err(NoInterval::Undefined))
    );
    assert!((270..400).contains(&found.undefined), "{found:?}");
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
