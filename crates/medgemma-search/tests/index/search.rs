//! Hits against a comparison with every vector.

use medgemma_search::{Cpu, Error, Filter, Fingerprint, Index, Metadata, Query, Value};
use proptest::prelude::*;
use rand::RngExt;

use crate::support::{build, cpus, entries, numbers, product, rng, unit};

/// Vectors of one length, some of them equal, some with one number that dwarfs the others: these
/// have the coarsest codes.
fn vectors() -> impl Strategy<Value = (usize, Vec<Vec<f32>>, Vec<f32>)> {
    (1usize..40).prop_flat_map(|len| {
        let vector = move || {
            let plain = prop::collection::vec(-1f32..1.0, len);
            let spiked = (plain.clone(), 0..len).prop_map(|(mut vector, at)| {
                vector[at] = 20.0;
                vector
            });
            let short = prop::collection::vec(-1i8..=1, len);
            let short = short.prop_map(|v| v.into_iter().map(f32::from).collect::<Vec<f32>>());
            prop_oneof![plain, spiked, short].prop_filter("a direction", |v| product(v, v) > 1e-6)
        };
        (Just(len), prop::collection::vec(vector(), 0..200), vector())
    })
}

/// What a third of the vectors has as `part`.
const PART: &str = "third";

/// The hits must be the `k` best, or the `k` best of [`PART`] if there is a filter, in order; scores closer than rounding may stand in any order.
fn check(index: &Index, cpu: &Cpu, query: &Query) -> Result<(), TestCaseError> {
    let hits = index.search(cpu, query).expect("searched");
    let target = unit(&query.vector);
    let part = query.filter.as_ref().map(|_| Value::from(PART));
    let mut scores: Vec<f64> = entries(index)
        .iter()
        .filter(|entry| part.is_none() || entry.metadata.get("part") == part.as_ref())
        .map(|entry| product(&target, &entry.vector))
        .collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    prop_assert_eq!(hits.len(), query.k.min(scores.len()));
    for (hit, score) in hits.iter().zip(&scores) {
        let off = (f64::from(hit.score) - score).abs();
        prop_assert!(off < 1e-6, "{:?} where the best is {}", hit, score);
    }
    for pair in hits.windows(2) {
        let order = pair[1].score.total_cmp(&pair[0].score);
        let order = order.then_with(|| pair[0].id.cmp(&pair[1].id));
        prop_assert!(order.is_lt(), "{:?}", pair);
    }
    Ok(())
}

/// Vectors are kept as they come where their length is 1 to a millionth: what decides is the angle.
#[test]
fn a_longer_vector_is_not_nearer_for_it() {
    let (near, longer) = (vec![0.999_999_1, 0.0], vec![1.000_000_4, 0.001]);
    let folder = tempfile::tempdir().expect("a folder");
    let entries = [
        ("longer".to_owned(), longer, Metadata::new()),
        ("near".to_owned(), near, Metadata::new()),
    ];
    let index = build(folder.path(), 2, 2, &entries);
    for query in [
        Query::new(vec![1.0, 0.0]),
        Query::new(vec![1.0, 0.0]).with_exact(),
    ] {
        let hits = index.search(&cpus()[0], &query).expect("searched");
        let found: Vec<_> = hits
            .iter()
            .map(|hit| (hit.id.as_str(), hit.score))
            .collect();
        assert_eq!(found[0], ("near", 1.0), "{found:?}");
        assert!(found[1].1 < 1.0, "{found:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_exact_hits_are_the_best(
        (len, vectors, query) in vectors(),
        k in 0usize..30,
        rescored in 0usize..8,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        // Ids in another order than rows.
        let entry = |(row, vector): (usize, &Vec<f32>)| {
            let part = (row % 3 == 0).then(|| ("part".to_owned(), PART.into()));
            (format!("{:03}", row * 89 % 199), vector.clone(), part.into_iter().collect())
        };
        let all: Vec<_> = vectors.iter().take(199).enumerate().map(entry).collect();
        let index = build(folder.path(), len, 64, &all);
        for cpu in cpus() {
            let query = Query::new(query.clone()).with_k(k);
            // All rows are scored again; and as few as it takes for the second scan to matter.
            check(&index, &cpu, &query.clone().with_rescored(vectors.len()))?;
            let exact = query.with_rescored(rescored).with_exact();
            check(&index, &cpu, &exact)?;
            check(&index, &cpu, &exact.with_filter(Filter::equals("part", PART)))?;
        }
    }
}

/// Clusters in which the tenth and the eleventh neighbour differ by little.
fn clustered(rows: usize, dimension: usize) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let mut rng = rng(11);
    let centres: Vec<Vec<f32>> = (0..rows / 100)
        .map(|_| numbers(&mut rng, dimension))
        .collect();
    let near = |rng: &mut rand_chacha::ChaCha8Rng| {
        let centre = &centres[rng.random_range(0..centres.len())];
        let noise = numbers(rng, dimension);
        let mixed = centre.iter().zip(noise).map(|(c, n)| c + 0.5 * n);
        mixed.collect::<Vec<f32>>()
    };
    let vectors = (0..rows).map(|_| near(&mut rng)).collect();
    let queries = (0..100).map(|_| near(&mut rng)).collect();
    (vectors, queries)
}

#[test]
fn the_scan_recalls_what_is_nearest() {
    const ROWS: usize = 20_000;
    const DIMENSION: usize = 96;
    let (vectors, queries) = clustered(ROWS, DIMENSION);
    let folder = tempfile::tempdir().expect("a folder");
    let entry =
        |(row, vector): (usize, &Vec<f32>)| (row.to_string(), vector.clone(), Metadata::new());
    let all: Vec<_> = vectors.iter().enumerate().map(entry).collect();
    let index = build(folder.path(), DIMENSION, 5000, &all);
    let cpu = Cpu::new(2, Cpu::detect().path());
    let units: Vec<Vec<f32>> = vectors.iter().map(|vector| unit(vector)).collect();
    let (mut recalled, mut without) = (0, 0);
    for query in &queries {
        let target = unit(query);
        let mut best: Vec<(f64, usize)> =
            units.iter().map(|v| product(&target, v)).zip(0..).collect();
        best.sort_by(|a, b| b.0.total_cmp(&a.0));
        let best: Vec<String> = best[..10].iter().map(|(_, row)| row.to_string()).collect();
        let count = |query: Query| {
            let hits = index.search(&cpu, &query).expect("searched");
            hits.iter().filter(|hit| best.contains(&hit.id)).count()
        };
        recalled += count(Query::new(query.clone()));
        without += count(Query::new(query.clone()).with_rescored(0));
    }
    assert!(recalled >= 990, "recall at 10 is {recalled} of 1000");
    // The vectors are such that codes alone do not suffice.
    assert!(without < recalled, "{without} without scoring again");
}

#[test]
fn what_codes_do_not_tell_apart_is_found_by_the_exact_search() {
    // Slices that hardly differ: all have the same codes.
    let angle = |row: u16| f64::from(row) * 3.9e-6;
    let vector = |row: u16| vec![angle(row).cos() as f32, angle(row).sin() as f32];
    // The nearer to the query, the smaller the id: many scores are equal as f32.
    let entry = |row: u16| (format!("{:03}", 999 - row), vector(row), Metadata::new());
    let all: Vec<_> = (0..1000).map(entry).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let index = build(folder.path(), 2, 300, &all);
    let query = Query::new(vector(999));
    let mut expected: Vec<(f32, String)> = entries(&index)
        .into_iter()
        .map(|entry| {
            let score = product(&query.vector, &entry.vector).min(1.0);
            (score as f32, entry.id)
        })
        .collect();
    expected.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    expected.truncate(10);
    for cpu in cpus() {
        let search = |query: &Query| -> Vec<(f32, String)> {
            let hits = index.search(&cpu, query).expect("searched");
            hits.into_iter().map(|hit| (hit.score, hit.id)).collect()
        };
        assert_eq!(search(&query.clone().with_exact()), expected);
        // What the documentation warns of.
        let missed = search(&query);
        assert!(
            missed.iter().all(|hit| !expected.contains(hit)),
            "{missed:?}"
        );
    }
}

#[test]
fn scores_are_cosines() {
    // Lengths that are left as they are, since they are 1 to a millionth.
    let off = |by: f32| vec![0.6 * (1.0 + by), 0.8 * (1.0 + by)];
    let all = [("long", 8e-7), ("short", -8e-7)];
    let all = all.map(|(id, by)| (id.to_owned(), off(by), Metadata::new()));
    let folder = tempfile::tempdir().expect("a folder");
    let index = build(folder.path(), 2, 10, &all);
    let cpu = Cpu::new(1, Cpu::detect().path());
    for (sign, score) in [(1.0, 1.0), (-1.0, -1.0)] {
        let query = Query::new(off(8e-7).iter().map(|x| sign * x).collect::<Vec<_>>());
        let hits = index.search(&cpu, &query).expect("searched");
        assert!(hits.iter().all(|hit| hit.score.abs() <= 1.0), "{hits:?}");
        assert!(hits.iter().any(|hit| hit.score == score), "{hits:?}");
    }
}

#[test]
fn threads_paths_and_company_change_nothing() {
    let (vectors, queries) = clustered(3000, 40);
    let folder = tempfile::tempdir().expect("a folder");
    let entry = |(row, vector): (usize, &Vec<f32>)| {
        let metadata = [("even".to_owned(), (row % 2 == 0).into())].into();
        (row.to_string(), vector.clone(), metadata)
    };
    let all: Vec<_> = vectors.iter().enumerate().map(entry).collect();
    let index = build(folder.path(), 40, 700, &all);
    let queries: Vec<Query> = queries
        .into_iter()
        .take(7)
        .enumerate()
        .map(|(number, vector)| {
            let query = Query::new(vector).with_k(number * 3);
            let even = medgemma_search::Filter::equals("even", number % 2 == 0);
            if number < 4 {
                query.with_filter(even)
            } else {
                query
            }
        })
        .collect();
    let cpus = cpus();
    let expected = index.search_all(&cpus[0], &queries).expect("searched");
    for cpu in &cpus {
        assert_eq!(index.search_all(cpu, &queries).expect("searched"), expected);
        for (query, expected) in queries.iter().zip(&expected) {
            assert_eq!(&index.search(cpu, query).expect("searched"), expected);
        }
    }
    assert!(
        expected[2]
            .iter()
            .all(|hit| hit.metadata["even"] == true.into())
    );
    assert!(
        index
            .search_all(&cpus[0], &[])
            .expect("searched")
            .is_empty()
    );
}

/// Queries are searched for some at a time.
#[test]
fn of_many_queries_each_has_its_own_hits() {
    let (vectors, _) = clustered(500, 12);
    let folder = tempfile::tempdir().expect("a folder");
    let entry = |(row, vector): (usize, &Vec<f32>)| {
        let metadata = [("third".to_owned(), (row % 3 == 0).into())].into();
        (row.to_string(), vector.clone(), metadata)
    };
    let all: Vec<_> = vectors.iter().enumerate().map(entry).collect();
    let index = build(folder.path(), 12, 200, &all);
    let third = Filter::equals("third", true);
    let query = |row: usize| {
        let query = Query::new(vectors[row].clone()).with_k(1 + row % 4);
        match row % 5 {
            0 => query.with_filter(third.clone()),
            1 => query.with_exact(),
            _ => query,
        }
    };
    let cpu = Cpu::new(2, Cpu::detect().path());
    for count in [63, 64, 65, 129, 200] {
        let queries: Vec<Query> = (0..count).map(query).collect();
        let found = index.search_all(&cpu, &queries).expect("searched");
        assert_eq!(found.len(), count);
        for (query, found) in queries.iter().zip(found) {
            assert_eq!(found, index.search(&cpu, query).expect("searched"));
        }
    }
    let mut queries: Vec<Query> = (0..100).map(query).collect();
    queries[70] = Query::new([1.0; 3]);
    let error = index.search_all(&cpu, &queries).map(drop);
    let error = error.expect_err("of another dimension").to_string();
    assert!(error.contains("query 70.vector"), "{error}");
}

#[test]
fn equal_vectors_come_in_the_order_of_their_ids() {
    let folder = tempfile::tempdir().expect("a folder");
    let all: Vec<_> = (0..500)
        .map(|row| {
            (
                format!("{:03}", row * 7 % 500),
                vec![1.0, 2.0, 3.0],
                Metadata::new(),
            )
        })
        .collect();
    let index = build(folder.path(), 3, 100, &all);
    for cpu in cpus() {
        let hits = index
            .search(&cpu, &Query::new([0.0, 0.1, 1.0]).with_k(5))
            .expect("searched");
        let ids: Vec<&str> = hits.iter().map(|hit| &*hit.id).collect();
        assert_eq!(ids, ["000", "001", "002", "003", "004"]);
    }
}

#[test]
fn several_embeddings_make_one_query() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = [("x", [1.0, 0.0]), ("y", [0.0, 1.0]), ("both", [1.0, 1.0])]
        .map(|(id, vector)| (id.to_owned(), vector.to_vec(), Metadata::new()));
    let index = build(folder.path(), 2, 10, &all);
    let cpu = Cpu::new(1, Cpu::detect().path());
    let best = |query: Query| index.search(&cpu, &query).expect("searched")[0].clone();
    // Lengths do not count, weights do.
    let (text, image): (&[f32], &[f32]) = (&[100.0, 0.0], &[0.0, 0.1]);
    let both = best(Query::weighted(&[(text, 1.0), (image, 1.0)]).expect("a query"));
    assert_eq!(both.id, "both");
    assert!((both.score - 1.0).abs() < 1e-6);
    let away = best(Query::weighted(&[(text, 1.0), (image, -3.0)]).expect("a query"));
    assert_eq!(away.id, "x");
    // Twice the same direction, once of another length: what is left of it is rounding.
    let one = numbers(&mut rng(5), 1152);
    let other: Vec<f32> = one.iter().map(|x| x * 0.3).collect();
    let (one, other) = (&one[..], &other[..]);
    let refused: [&[(&[f32], f32)]; 8] = [
        &[(one, 1.0), (other, -1.0)],
        &[(one, 1e30), (other, -1e30)],
        &[(one, 0.0), (text, 0.0)],
        &[],
        &[(text, 1.0), (&[1.0], 1.0)],
        &[(text, f32::NAN)],
        &[(text, 1.0), (text, -1.0)],
        &[(&[0.0, 0.0], 1.0)],
    ];
    // Little is left, and it is not rounding.
    let near = best(Query::weighted(&[(text, 1.0), (&[1.0, 1e-4], -1.0)]).expect("a query"));
    assert_ne!(near.id, "y", "away from it");
    // Sums beyond f32 have a direction as well.
    let large = [(text, 3e38), (text, 3e38), (image, 3e38), (image, 3e38)];
    assert_eq!(best(Query::weighted(&large).expect("a query")).id, "both");
    for parts in refused {
        let error = Query::weighted(parts).expect_err("no query");
        assert!(error.to_string().contains("parts"), "{error}");
    }
    for vector in [vec![1.0; 3], vec![0.0; 2], vec![f32::NAN, 0.0]] {
        let error = index
            .search(&cpu, &Query::new(vector))
            .expect_err("no query");
        assert!(matches!(error, Error::Argument { .. }), "{error}");
    }
}

#[test]
fn a_copy_has_what_lives_bit_for_bit() {
    let (vectors, _) = clustered(3000, 24);
    let folder = tempfile::tempdir().expect("a folder");
    let entry = |(row, vector): (usize, &Vec<f32>)| {
        // Each id twice, so that half of the rows are dead.
        let metadata = [("row".to_owned(), f64::from(row as u32).into())].into();
        (format!("{}", row % 1500), vector.clone(), metadata)
    };
    let all: Vec<_> = vectors.iter().enumerate().map(entry).collect();
    let index = build(&folder.path().join("old"), 24, 500, &all);
    assert_eq!(index.len(), 1500);
    let new = folder.path().join("new");
    drop(index.copy_to(&new).expect("copied"));
    let copy = Index::open(&new, &Fingerprint::new("test-model", 24)).expect("opened");
    assert_eq!(entries(&copy), entries(&index));
    let bytes = |name: &str| {
        std::fs::metadata(folder.path().join(name))
            .expect("a file")
            .len()
    };
    assert_eq!(bytes("new/vectors") * 2, bytes("old/vectors"));
}
