//! What the tests share.

use std::path::Path;

use medgemma_search::{Batch, Cpu, Entry, Fingerprint, Index, Metadata, Writer};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(crate) const MODEL: &str = "test-model";

pub(crate) fn fingerprint(dimension: usize) -> Fingerprint {
    Fingerprint::new(MODEL, dimension)
}

pub(crate) fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Numbers between −1 and 1.
pub(crate) fn numbers(rng: &mut ChaCha8Rng, len: usize) -> Vec<f32> {
    (0..len).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// An index of these entries in `folder`, appended in batches of `batch`.
pub(crate) fn build(
    folder: &Path,
    dimension: usize,
    batch: usize,
    entries: &[(String, Vec<f32>, Metadata)],
) -> Index {
    let fingerprint = fingerprint(dimension);
    let mut writer = Writer::create(folder, &fingerprint).expect("created");
    for entries in entries.chunks(batch) {
        let mut batch = Batch::new();
        for (id, vector, metadata) in entries {
            batch.put(id, vector.clone(), metadata.clone());
        }
        writer.append(&batch).expect("appended");
    }
    drop(writer);
    Index::open(folder, &fingerprint).expect("opened")
}

/// All entries, in order.
pub(crate) fn entries(index: &Index) -> Vec<Entry> {
    let entries = index.entries().collect::<Result<_, _>>();
    entries.expect("undamaged entries")
}

/// The inner product in f64.
pub(crate) fn product(a: &[f32], b: &[f32]) -> f64 {
    let products = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b));
    products.sum()
}

/// The vector at unit length.
pub(crate) fn unit(vector: &[f32]) -> Vec<f32> {
    let length = product(vector, vector).sqrt();
    let unit = |&x: &f32| (f64::from(x) / length) as f32;
    vector.iter().map(unit).collect()
}

/// Every path with one thread, the best one with three.
pub(crate) fn cpus() -> Vec<Cpu> {
    let mut cpus: Vec<Cpu> = ["scalar", "neon", "avx2", "avx512"]
        .iter()
        .filter_map(|name| Some(Cpu::new(1, name.parse().ok()?)))
        .collect();
    let best = Cpu::detect().path();
    cpus.push(Cpu::new(3, best));
    cpus
}
