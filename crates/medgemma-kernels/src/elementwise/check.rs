//! What the tests of the row-wise kernels share.

use crate::{Cpu, Path};

/// Half a unit in the last place of 1: the relative error of one rounding.
pub(crate) const ROUNDING: f64 = 1.0 / (1 << 24) as f64;

/// `len` numbers between −`scale` and `scale`, the same for the same `seed`.
pub(crate) fn numbers(seed: u64, len: usize, scale: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        // SplitMix64 (Steele, Lea and Flood 2014).
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next() * scale).collect()
}

/// Runs `kernel` on every tested path with one to three threads, asks that the threads
/// make no difference, and that no number is further from `expected` than its tolerance.
pub(crate) fn check(expected: &[f64], tolerance: &[f64], kernel: impl Fn(&Cpu, &mut [f32])) {
    for path in Path::tested() {
        let [one, two, three] = [1, 2, 3].map(|threads| {
            let mut out = vec![f32::NAN; expected.len()];
            kernel(&Cpu::new(threads, path), &mut out);
            out
        });
        let bits = |out: &[f32]| out.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert!(
            bits(&one) == bits(&two) && bits(&one) == bits(&three),
            "{path}: threads differ"
        );
        for (i, &got) in one.iter().enumerate() {
            let error = (f64::from(got) - expected[i]).abs();
            assert!(
                error <= tolerance[i],
                "{path}: number {i} is {got:e}, not {:e}: {:.2} of the tolerance",
                expected[i],
                error / tolerance[i]
            );
        }
    }
}

/// What `kernel` makes of one row on every tested path, with one thread.
pub(crate) fn on_every_path(len: usize, kernel: impl Fn(&Cpu, &mut [f32])) -> Vec<Vec<f32>> {
    let run = |path| {
        let mut out = vec![-7.0; len];
        kernel(&Cpu::new(1, path), &mut out);
        out
    };
    Path::tested().map(run).collect()
}
