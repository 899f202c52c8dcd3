//! Searches of so many rows that their 4-bit codes are scanned first, once they were made.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use medgemma_search::{Batch, Cpu, Filter, Index, Metadata, Query, Writer};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::support::{cpus, fingerprint, numbers, product, rng, unit};

/// Odd, so that a byte has one number alone.
const DIMENSION: usize = 33;
const ROWS: usize = 40_000;
/// Vectors of a batch.
const BATCH: usize = 8000;
const K: usize = 10;

/// Embeddings as models give them: much in common, one number large in all, and another hardly ever
/// anything but 0.
fn embedding(rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut vector = numbers(rng, DIMENSION);
    for (d, x) in vector.iter_mut().enumerate() {
        *x += if d % 2 == 0 { 2.0 } else { -1.5 };
    }
    vector[7] += 6.0;
    vector[11] = if rng.random_range(0..50) == 0 {
        2.0
    } else {
        0.0
    };
    vector
}

/// All vectors, and an index of them; every other one has `half`.
fn archive() -> &'static (tempfile::TempDir, Vec<Vec<f32>>) {
    static MADE: OnceLock<(tempfile::TempDir, Vec<Vec<f32>>)> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut rng = rng(5);
        let vectors: Vec<_> = (0..ROWS).map(|_| unit(&embedding(&mut rng))).collect();
        let mut writer = Writer::create(folder.path(), &fingerprint(DIMENSION)).expect("created");
        append(&mut writer, &vectors, 0);
        (folder, vectors)
    })
}

/// Ids are the rows' numbers from `first` on.
fn append(writer: &mut Writer, vectors: &[Vec<f32>], first: usize) {
    for (index, some) in vectors.chunks(BATCH).enumerate() {
        let mut batch = Batch::new();
        for (row, vector) in some.iter().enumerate() {
            let row = first + index * BATCH + row;
            let half = row
                .is_multiple_of(2)
                .then(|| ("half".to_owned(), true.into()));
            batch.put(row.to_string(), vector.clone(), half.into_iter().collect());
        }
        writer.append(&batch).expect("appended");
    }
}

fn open(folder: &tempfile::TempDir) -> Index {
    let mut index = Index::open(folder.path(), &fingerprint(DIMENSION)).expect("opened");
    index.make_coarse_codes(&Cpu::detect()).expect("made");
    index
}

fn found(index: &Index, cpu: &Cpu, query: &Query) -> Vec<(String, u32)> {
    let hits = index.search(cpu, query).expect("searched");
    let hit = |hit: medgemma_search::Hit| (hit.id, hit.score.to_bits());
    hits.into_iter().map(hit).collect()
}

/// The rows of the best scores among those that are wanted.
fn best(vectors: &[Vec<f32>], query: &[f32], wanted: impl Fn(usize) -> bool) -> BTreeSet<String> {
    let query = unit(query);
    let rows = (0..vectors.len()).filter(|row| wanted(*row));
    let mut scores: Vec<(f64, usize)> = rows
        .map(|row| (product(&query, &vectors[row]), row))
        .collect();
    scores.sort_by(|a, b| b.0.total_cmp(&a.0));
    scores[..K].iter().map(|(_, row)| row.to_string()).collect()
}

/// Of the best of some queries none is missed.
fn check(index: &Index, vectors: &[Vec<f32>], half: bool) {
    let cpu = Cpu::detect();
    let mut rng = rng(6);
    let mut missed = 0;
    for _ in 0..30 {
        let query = embedding(&mut rng);
        let asked = Query::new(query.clone()).with_k(K);
        let asked = match half {
            true => asked.with_filter(Filter::equals("half", true)),
            false => asked,
        };
        let wanted = |row| !half || row % 2 == 0;
        let best = best(vectors, &query, wanted);
        let found = found(index, &cpu, &asked);
        assert_eq!(found.len(), K);
        missed += found.iter().filter(|(id, _)| !best.contains(id)).count();
    }
    assert_eq!(missed, 0, "of {} of {} rows", 30 * K, vectors.len());
}

#[test]
fn the_shortlist_has_the_best() {
    let (folder, vectors) = archive();
    let index = open(folder);
    check(&index, vectors, false);
    check(&index, vectors, true);
}

#[test]
fn threads_paths_and_company_change_nothing_among_many() {
    let (folder, _) = archive();
    let index = open(folder);
    let mut rng = rng(7);
    // More than are searched for at a time.
    let queries: Vec<Query> = (0..70)
        .map(|number| {
            let query = Query::new(embedding(&mut rng)).with_k(K);
            match number % 6 {
                // By 4-bit codes as well.
                1 | 4 => query.with_filter(Filter::equals("half", true)),
                // Not.
                2 => query.with_exact(),
                5 => query.with_rescored(4000),
                _ => query,
            }
        })
        .collect();
    let alone: Vec<_> = queries
        .iter()
        .map(|query| found(&index, &Cpu::detect(), query))
        .collect();
    for cpu in cpus() {
        let together = index.search_all(&cpu, &queries).expect("searched");
        for (query, alone) in queries.iter().zip(&alone).take(6) {
            assert_eq!(&found(&index, &cpu, query), alone, "{}", cpu.path());
        }
        for ((hits, alone), query) in together.into_iter().zip(&alone).zip(&queries) {
            let hits: Vec<_> = hits
                .into_iter()
                .map(|h| (h.id, h.score.to_bits()))
                .collect();
            assert_eq!(&hits, alone, "{}, {query:?}", cpu.path());
        }
    }
}

#[test]
fn what_is_appended_and_deleted_is_seen_after_a_refresh() {
    let (_, vectors) = archive();
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::create(folder.path(), &fingerprint(DIMENSION)).expect("created");
    let mut rows = 17_000;
    append(&mut writer, &vectors[..rows], 0);
    let mut index = open(&folder);
    // A chunk is 2048 rows: one is filled up, others are begun.
    for end in [rows, 17_001, 20_500, ROWS] {
        append(&mut writer, &vectors[rows..end], rows);
        rows = end;
        assert_eq!(index.refresh().expect("refreshed"), end > 17_000);
        check(&index, &vectors[..rows], false);
        let last = Query::new(vectors[rows - 1].clone()).with_k(1);
        assert_eq!(
            found(&index, &Cpu::detect(), &last)[0].0,
            (rows - 1).to_string()
        );
    }
    let mut batch = Batch::new();
    batch.delete((ROWS - 1).to_string());
    batch.put("0", vectors[ROWS - 1].clone(), Metadata::new());
    writer.append(&batch).expect("appended");
    assert!(index.refresh().expect("refreshed"));
    let last = Query::new(vectors[ROWS - 1].clone()).with_k(1);
    assert_eq!(found(&index, &Cpu::detect(), &last)[0].0, "0");
}

/// No number differs, so that none has a range.
#[test]
fn vectors_that_are_all_one_are_found_by_their_ids() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::create(folder.path(), &fingerprint(DIMENSION)).expect("created");
    let one = numbers(&mut rng(8), DIMENSION);
    append(&mut writer, &vec![one.clone(); 17_000], 0);
    let index = open(&folder);
    let query = Query::new(one).with_k(3);
    let ids: Vec<String> = found(&index, &Cpu::detect(), &query)
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(ids, ["0", "1", "10"]);
}

/// Nearer to each other than any code tells apart: an exact search goes through the 8-bit codes alone.
#[test]
fn what_shortlists_do_not_tell_apart_is_found_by_the_exact_search() {
    let mut rng = rng(9);
    let one = embedding(&mut rng);
    let near = |rng: &mut ChaCha8Rng| {
        let off = numbers(rng, DIMENSION);
        let vector: Vec<f32> = one.iter().zip(off).map(|(x, off)| x + off * 1e-3).collect();
        unit(&vector)
    };
    let vectors: Vec<_> = (0..20_000).map(|_| near(&mut rng)).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::create(folder.path(), &fingerprint(DIMENSION)).expect("created");
    append(&mut writer, &vectors, 0);
    let index = open(&folder);
    let off = numbers(&mut rng, DIMENSION);
    let query: Vec<f32> = one.iter().zip(off).map(|(x, off)| x + off).collect();
    let hits = |query: Query| -> BTreeSet<String> {
        let hits = found(&index, &Cpu::detect(), &query);
        hits.into_iter().map(|(id, _)| id).collect()
    };
    let best = best(&vectors, &query, |_| true);
    let plain = Query::new(query).with_k(K);
    assert_ne!(hits(plain.clone()), best, "the case is too easy");
    assert_eq!(hits(plain.with_exact()), best);
}

/// Some kinds of pictures, beside which they differ by little: by what kinds have in common, codes of four
/// bits would tell nothing of the rest.
struct Kinds {
    kinds: Vec<Vec<f32>>,
    apart: f32,
}

impl Kinds {
    fn new(rng: &mut ChaCha8Rng, kinds: usize, apart: f32) -> Self {
        let kinds = (0..kinds).map(|_| unit(&numbers(rng, DIMENSION))).collect();
        Self { kinds, apart }
    }

    fn one(&self, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let kind = &self.kinds[rng.random_range(0..self.kinds.len())];
        let own = unit(&numbers(rng, DIMENSION));
        let sum = kind
            .iter()
            .zip(own)
            .map(|(kind, own)| kind + self.apart * own);
        unit(&sum.collect::<Vec<_>>())
    }
}

/// The hits of some queries are those of the 8-bit codes alone.
fn expect_same(index: &Index, plain: &Index, kinds: &Kinds) {
    let cpu = Cpu::detect();
    let mut rng = rng(12);
    for _ in 0..20 {
        let query = Query::new(kinds.one(&mut rng)).with_k(K);
        assert_eq!(found(index, &cpu, &query), found(plain, &cpu, &query));
    }
}

#[test]
fn kinds_that_are_alike_within_hide_no_neighbours() {
    let mut rng = rng(10);
    let kinds = Kinds::new(&mut rng, 3, 0.1);
    let vectors: Vec<_> = (0..30_000).map(|_| kinds.one(&mut rng)).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::create(folder.path(), &fingerprint(DIMENSION)).expect("created");
    append(&mut writer, &vectors, 0);
    let plain = Index::open(folder.path(), &fingerprint(DIMENSION)).expect("opened");
    expect_same(&open(&folder), &plain, &kinds);
}

/// Of kinds that come later the 4-bit codes know nothing: the 8-bit codes are scanned then.
#[test]
fn kinds_that_codes_do_not_know_hide_no_neighbours() {
    let mut rng = rng(11);
    let (first, second) = (Kinds::new(&mut rng, 2, 0.05), Kinds::new(&mut rng, 2, 0.05));
    let vectors = |rng: &mut ChaCha8Rng, kinds: &Kinds| -> Vec<_> {
        (0..17_000).map(|_| kinds.one(rng)).collect()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::create(folder.path(), &fingerprint(DIMENSION)).expect("created");
    append(&mut writer, &vectors(&mut rng, &first), 0);
    let mut index = open(&folder);
    append(&mut writer, &vectors(&mut rng, &second), 17_000);
    assert!(index.refresh().expect("refreshed"));
    let plain = Index::open(folder.path(), &fingerprint(DIMENSION)).expect("opened");
    expect_same(&index, &plain, &second);
    index.make_coarse_codes(&Cpu::detect()).expect("made again");
    expect_same(&index, &plain, &second);
    expect_same(&index, &plain, &first);
}
