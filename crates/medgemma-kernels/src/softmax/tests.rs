//! Softmax against its formula in `f64`.

use proptest::prelude::*;

use super::softmax;
use crate::elementwise::check::{ROUNDING, check, numbers, on_every_path};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_are_shares(
        rows in 0usize..40, cols in 1usize..1500, scale in prop::sample::select(vec![0.1f32, 5.0, 40.0]),
        shift in -1e3f32..1e3, seed: u64,
    ) {
        let x: Vec<f32> = numbers(seed, rows * cols, scale).iter().map(|x| x + shift).collect();
        let (mut expected, mut tolerance) = (vec![], vec![]);
        for x in x.chunks_exact(cols) {
            let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let exp = |x: f32| (f64::from(x) - f64::from(max)).exp();
            let sum: f64 = x.iter().map(|&x| exp(x)).sum();
            for &x in x {
                let y = exp(x) / sum;
                expected.push(y);
                // Four sums at a time at least; the exponential has 2 units in the last place, and
                // its argument one rounding, here and in each term of the sum, where a term counts
                // the less the longer its argument is.
                let length = f64::from(max - x);
                tolerance.push(y * ROUNDING * (cols as f64 / 4.0 + length + 12.0));
            }
        }
        check(&expected, &tolerance, |cpu, out| softmax(cpu, &x, cols, out));
    }
}

#[test]
fn infinities_and_nan() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let cases: [(&[f32], &[f32]); 7] = [
        (&[3.0], &[1.0]),
        (&[-inf, 2.0, -inf, 2.0, -inf], &[0.0, 0.5, 0.0, 0.5, 0.0]),
        (&[3e38, -3e38], &[1.0, 0.0]),
        (&[-inf, -inf], &[nan, nan]),
        (&[inf, 0.0], &[nan, nan]),
        (&[0.0, nan, 0.0], &[nan, nan, nan]),
        (&[nan, 0.0, 9.0], &[nan, nan, nan]),
    ];
    for (x, expected) in cases {
        // Once short, once long enough for whole vectors and a rest.
        for copies in [1, 7] {
            let x = x.repeat(copies);
            let cols = x.len();
            for out in on_every_path(cols, |cpu, out| softmax(cpu, &x, cols, out)) {
                for (y, expected) in out.iter().zip(expected.iter().cycle()) {
                    let expected = expected / copies as f32;
                    let same = (y - expected).abs() <= 1e-7 || y.is_nan() && expected.is_nan();
                    assert!(same, "{x:?}: {out:?}");
                }
            }
        }
    }
}
