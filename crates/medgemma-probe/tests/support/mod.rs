//! Reads what `golden/generate.py` wrote.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde::de::DeserializeOwned;

/// One of the files beside the generator.
pub(crate) fn golden<T: DeserializeOwned>(name: &str) -> T {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let text = std::fs::read(folder.join(format!("{name}.json"))).expect("a committed file");
    serde_json::from_slice(&text).expect("what the test reads")
}

/// Rows that say something of their classes, every class among them, and always the same.
pub(crate) fn noisy_rows(
    count: usize,
    dimension: usize,
    classes: usize,
) -> (Vec<Vec<f32>>, Vec<usize>) {
    let mut random = ChaCha12Rng::seed_from_u64(9);
    let mut of: Vec<usize> = (0..count)
        .map(|_| random.random_range(0..classes))
        .collect();
    for (class, first) in of.iter_mut().take(classes).enumerate() {
        *first = class;
    }
    let mut row = |&class: &usize| {
        let lift = |feature: usize| if feature % classes == class { 1.0 } else { 0.0 };
        let noise = 2.5;
        (0..dimension)
            .map(|at| lift(at) + random.random_range(-noise..noise))
            .collect()
    };
    (of.iter().map(&mut row).collect(), of)
}
