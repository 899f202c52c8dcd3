//! Near-duplicates against a comparison of all pairs.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use medgemma_search::{Batch, Compared, DuplicateOptions, Filter, Index, Metadata, Writer};
use rand::RngExt;

use crate::support::{build, cpus, entries, fingerprint, numbers, product, rng, unit};

const DIMENSION: usize = 19;

/// Vectors of which many are near to an earlier one, at all distances about the threshold.
fn archive() -> Vec<(String, Vec<f32>, Metadata)> {
    let mut rng = rng(3);
    let mut all: Vec<(String, Vec<f32>, Metadata)> = Vec::new();
    for row in 0..700 {
        let mut vector = numbers(&mut rng, DIMENSION);
        if row % 3 == 2 {
            let (_, other, _) = &all[rng.random_range(0..all.len())];
            let noise: f32 = rng.random_range(0.0..0.5);
            for (x, other) in vector.iter_mut().zip(other) {
                *x = other + noise * *x;
            }
        }
        let metadata = [("third".to_owned(), (row % 3).into())].into();
        all.push((format!("{row:03}"), vector, metadata));
    }
    all
}

fn expected(index: &Index, threshold: f64, part: Option<i32>) -> BTreeSet<(String, String)> {
    let mut entries = entries(index);
    entries.retain(|e| part.is_none_or(|part| e.metadata["third"] == part.into()));
    let mut pairs = BTreeSet::new();
    for (row, a) in entries.iter().enumerate() {
        for b in &entries[row + 1..] {
            let lengths = product(&a.vector, &a.vector) * product(&b.vector, &b.vector);
            if product(&a.vector, &b.vector) / lengths.sqrt() >= threshold {
                pairs.insert((a.id.clone(), b.id.clone()));
            }
        }
    }
    pairs
}

#[test]
fn every_pair_above_the_threshold_is_found_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = build(folder.path(), DIMENSION, 128, &archive());
    for (threshold, part) in [(0.9, None), (0.97, None), (0.999, None), (0.7, Some(2))] {
        let pairs = expected(&index, f64::from(threshold), part);
        assert!(pairs.len() > 2, "{threshold}: {} pairs", pairs.len());
        let mut options = DuplicateOptions::default().with_threshold(threshold);
        if let Some(part) = part {
            options = options.with_filter(Filter::equals("third", part));
        }
        for cpu in cpus() {
            let found = index.duplicates(&cpu, &options).expect("compared");
            assert_eq!(found.found, pairs.len() as u64);
            let ids = found
                .pairs
                .iter()
                .map(|p| (p.first.clone(), p.second.clone()));
            assert_eq!(ids.collect::<BTreeSet<_>>(), pairs, "{threshold}");
            assert!(found.pairs.is_sorted_by(|a, b| a.score >= b.score));
            // The best of them, and how many there are.
            let few = index
                .duplicates(&cpu, &options.clone().with_limit(2))
                .expect("compared");
            assert_eq!(
                (&few.pairs[..], few.found),
                (&found.pairs[..2], found.found)
            );
        }
    }
}

#[test]
fn a_comparison_tells_how_far_it_is_and_can_be_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = build(folder.path(), DIMENSION, 128, &archive());
    let options = DuplicateOptions::default().with_threshold(0.9);
    let all = 700 * 699 / 2;
    for cpu in cpus() {
        let whole = index.duplicates(&cpu, &options).expect("compared");
        assert!(!whole.stopped);
        let mut told: Vec<Compared> = Vec::new();
        let watched = index.duplicates_observed(&cpu, &options, |compared| {
            told.push(compared);
            ControlFlow::Continue(())
        });
        assert_eq!(watched.expect("compared"), whole);
        let dones: Vec<u64> = told.iter().map(|compared| compared.done).collect();
        assert!(dones.is_sorted_by(|a, b| a < b), "{dones:?}");
        assert!(told.iter().all(|compared| compared.pairs == all));
        // 128 rows at a time.
        assert_eq!((dones.len(), dones.last()), (6, Some(&all)));
        // Nobody is told of anything once the end was asked for.
        let mut calls = 0;
        let part = index.duplicates_observed(&cpu, &options, |_| {
            calls += 1;
            ControlFlow::Break(())
        });
        let part = part.expect("compared");
        assert_eq!((calls, part.stopped), (1, true));
        if cpu.pool().threads() == 1 {
            assert!(part.found > 0 && part.found < whole.found, "{}", part.found);
        }
        assert!(part.pairs.iter().all(|pair| whole.pairs.contains(pair)));
    }
}

#[test]
fn a_watcher_that_panics_ends_the_comparison() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = build(folder.path(), DIMENSION, 128, &archive());
    let options = DuplicateOptions::default().with_threshold(0.9);
    for cpu in cpus() {
        let mut calls = 0;
        let watched = catch_unwind(AssertUnwindSafe(|| {
            index.duplicates_observed(&cpu, &options, |_| {
                calls += 1;
                panic!("the watcher's fault");
            })
        }));
        assert!(watched.is_err());
        assert_eq!(calls, 1);
    }
}

#[test]
fn copies_are_found_and_deleted_ones_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::create(folder.path(), &fingerprint(3)).expect("created");
    let mut batch = Batch::new();
    for id in ["a", "b", "c", "d"] {
        batch.put(id, vec![0.3, -0.2, 0.9], Metadata::new());
    }
    writer.append(&batch).expect("appended");
    writer.append(Batch::new().delete("b")).expect("appended");
    let index = Index::open(folder.path(), &fingerprint(3)).expect("opened");
    for cpu in cpus() {
        let options = DuplicateOptions::default().with_threshold(0.9999);
        let found = index.duplicates(&cpu, &options).expect("compared");
        let ids: Vec<_> = found
            .pairs
            .iter()
            .map(|p| (&*p.first, &*p.second))
            .collect();
        assert_eq!(ids, [("a", "c"), ("a", "d"), ("c", "d")]);
        for threshold in [0.0, -1.0, 1.5, f32::NAN] {
            let options = DuplicateOptions::default().with_threshold(threshold);
            let error = index.duplicates(&cpu, &options).expect_err("no threshold");
            assert!(error.to_string().contains("options.threshold"), "{error}");
        }
    }
}

#[test]
fn of_vectors_that_are_stored_twice_all_pairs_have_the_highest_score() {
    const PAIRS: usize = 300;
    let mut rng = rng(21);
    // Lengths that are left as they are, since they are 1 to a millionth.
    let vectors: Vec<Vec<f32>> = (0..PAIRS)
        .map(|_| {
            let off = 1.0 + rng.random_range(-9e-7..9e-7f64);
            let unit = unit(&numbers(&mut rng, 1152));
            unit.iter().map(|&x| (f64::from(x) * off) as f32).collect()
        })
        .collect();
    let entry = |copy: char| {
        let entry = move |(row, vector): (usize, &Vec<f32>)| {
            (format!("{row:03}{copy}"), vector.clone(), Metadata::new())
        };
        vectors.iter().enumerate().map(entry)
    };
    let all: Vec<_> = entry('a').chain(entry('b')).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let index = build(folder.path(), 1152, 200, &all);
    for cpu in cpus() {
        let options = DuplicateOptions::default().with_threshold(1.0);
        let found = index.duplicates(&cpu, &options).expect("compared");
        assert_eq!(found.found, PAIRS as u64);
        for (row, pair) in found.pairs.iter().enumerate() {
            assert_eq!(pair.first, format!("{row:03}a"));
            assert_eq!(pair.second, format!("{row:03}b"));
            assert_eq!(pair.score, 1.0);
        }
    }
}
