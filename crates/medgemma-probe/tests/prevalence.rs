//! What probabilities are of: simulated patients, of whom few have the finding.

use medgemma_probe::{ClassWeights, FitOptions, Kind, Probe};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// A rare, a common and the most common finding, as shares of patients.
const SHARES: [f64; 3] = [0.02, 0.28, 0.7];

/// Patients by finding, and two numbers of each, normal around a place of the finding: for these a logistic
/// regression of the classes is exactly right.
#[allow(clippy::cast_possible_truncation, reason = "numbers around zero")]
fn patients(count: usize, seed: u64) -> (Vec<[f32; 2]>, Vec<usize>) {
    let mut random = ChaCha12Rng::seed_from_u64(seed);
    let mut normal = {
        let mut random = ChaCha12Rng::seed_from_u64(seed + 1000);
        // Box and Muller.
        move || {
            let [u, v]: [f64; 2] = std::array::from_fn(|_| random.random_range(1e-12..1.0));
            (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
        }
    };
    let places = [[1.5, 0.0], [0.0, 1.5], [0.0, 0.0]];
    let draw = |_| {
        let at: f64 = random.random_range(0.0..1.0);
        let class = usize::from(at >= SHARES[0]) + usize::from(at >= SHARES[0] + SHARES[1]);
        let row = places[class].map(|place: f64| (place + normal()) as f32);
        (row, class)
    };
    (0..count).map(draw).unzip()
}

fn balanced() -> FitOptions {
    FitOptions::default()
        .with_class_weights(ClassWeights::Balanced)
        .with_standardize(true)
}

/// Of new patients, the mean probability of each finding is the share that has it, and of those given a
/// probability between two numbers, as many have it as it says.
fn check(probabilities: &[Vec<f64>], truth: impl Fn(usize, usize) -> bool, labels: &[f64]) {
    let patients = probabilities.len() as f64;
    for (label, share) in labels.iter().enumerate() {
        let mean = probabilities.iter().map(|p| p[label]).sum::<f64>() / patients;
        // Of 4000 fitted to, 80 have the rare one: a deviation of 11 %.
        assert!((mean / share - 1.0).abs() < 0.25, "{label}: {mean} {share}");
        for (from, to) in [(0.0, 0.05), (0.05, 0.3), (0.3, 1.0)] {
            let within = (0..probabilities.len())
                .filter(|&patient| (from..to).contains(&probabilities[patient][label]));
            let within: Vec<usize> = within.collect();
            let said: f64 = within
                .iter()
                .map(|&patient| probabilities[patient][label])
                .sum();
            let had = within
                .iter()
                .filter(|&&patient| truth(patient, label))
                .count() as f64;
            // Five deviations of a count, and what the fit is off.
            let bound = 5.0 * said.max(1.0).sqrt() + 0.25 * said;
            assert!((said - had).abs() < bound, "{label} {from}: {said} {had}");
        }
    }
}

#[test]
fn balanced_classes_have_the_probabilities_of_their_prevalence() {
    let (rows, classes) = patients(4000, 1);
    let (new, truth) = patients(20_000, 2);
    let fit = |names: &[&str], of: &dyn Fn(usize) -> usize| {
        let classes: Vec<usize> = classes.iter().map(|&class| of(class)).collect();
        let fitted = Probe::fit_classes(names, &rows, &classes, &balanced()).expect("a fit");
        assert!(fitted.converged());
        let probe = fitted.probe;
        let all = new
            .iter()
            .map(|row| probe.probabilities(row).expect("a row"));
        (all.collect::<Vec<_>>(), probe)
    };
    let (three, probe) = fit(&["rare", "common", "none"], &|class| class);
    check(&three, |patient, label| truth[patient] == label, &SHARES);
    for (found, share) in probe
        .penalty()
        .expect("fitted")
        .prevalence
        .iter()
        .zip(SHARES)
    {
        assert!((found - share).abs() < 0.02, "{found} {share}");
    }
    let (two, probe) = fit(&["others", "rare"], &|class| usize::from(class == 0));
    let rare = |patient: usize, label: usize| (truth[patient] == 0) == (label == 1);
    check(&two, rare, &[0.98, 0.02]);
    assert_eq!(probe.kind(), Kind::MultiClass);
    // The first of two has no row of weights, and keeps a score of zero.
    assert_eq!(probe.intercepts()[0], 0.0);
}

#[test]
fn balanced_labels_have_the_probabilities_of_their_prevalence() {
    let (rows, classes) = patients(4000, 3);
    let (new, truth) = patients(20_000, 4);
    let marks = classes
        .iter()
        .map(|&class| [Some(class == 0), Some(class == 1)]);
    let marks: Vec<[Option<bool>; 2]> = marks.collect();
    let fitted = Probe::fit_labels(&["rare", "common"], &rows, &marks, &balanced());
    let probe = fitted.expect("a fit").probe;
    let found = new
        .iter()
        .map(|row| probe.probabilities(row).expect("a row"));
    let found: Vec<Vec<f64>> = found.collect();
    check(
        &found,
        |patient, label| truth[patient] == label,
        &SHARES[..2],
    );
    let prevalence = &probe.penalty().expect("fitted").prevalence;
    let rows = classes.len() as f64;
    for (label, found) in prevalence.iter().enumerate() {
        let share = classes.iter().filter(|&&class| class == label).count() as f64 / rows;
        assert!((found - share).abs() < 1e-12, "{found} {share}");
    }
}

/// From the prevalence on, a label is called true where the fit itself, which takes both kinds for equally
/// frequent, has more than ½.
#[test]
fn from_its_prevalence_on_a_label_is_decided_as_if_it_were_as_frequent_as_not() {
    let (rows, classes) = patients(4000, 5);
    let rare: Vec<usize> = classes
        .iter()
        .map(|&class| usize::from(class == 0))
        .collect();
    let fit = |weights| {
        let options = balanced().with_class_weights(weights);
        let fitted = Probe::fit_classes(&["others", "rare"], &rows, &rare, &options);
        fitted.expect("a fit").probe
    };
    let probe = fit(ClassWeights::Balanced);
    let threshold = probe.penalty().expect("fitted").prevalence[1];
    let positives = rare.iter().sum::<usize>() as f64;
    let all = rare.len() as f64;
    let each = |total: f64| all / 2.0 / total;
    // The same weights as a number for each class: left in, and said to be those of as many of either.
    let even = fit(ClassWeights::Given(vec![
        each(all - positives),
        each(positives),
    ]));
    for share in &even.penalty().expect("fitted").prevalence {
        assert!((share - 0.5).abs() < 1e-12, "{share}");
    }
    let (mut yes, mut decided) = (0, 0);
    for row in &rows {
        let p = probe.probabilities(row).expect("a row")[1];
        let q = even.probabilities(row).expect("a row")[1];
        if (q - 0.5).abs() > 1e-6 {
            assert_eq!(p >= threshold, q >= 0.5, "{p} {q}");
            decided += 1;
        }
        yes += usize::from(q >= 0.5);
    }
    assert!(yes > 500 && decided > 3900, "{yes} {decided}");
}
