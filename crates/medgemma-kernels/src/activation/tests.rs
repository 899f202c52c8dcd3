//! GELU against its formula in `f64`.

use proptest::prelude::*;

use super::{geglu, gelu_tanh};
use crate::elementwise::check::{ROUNDING, check, numbers, on_every_path};

/// The formula as it is written, and the argument of the exponential that it stands for.
fn gelu(x: f64) -> (f64, f64) {
    let z = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
    // 1 + tanh z without the difference of close numbers.
    (x / (1.0 + (-2.0 * z).exp()), 2.0 * z)
}

/// Relative error: roundings of the argument count as often as it is long, the exponential has 2
/// units in the last place, and then come a sum and a quotient.
fn rounding(argument: f64) -> f64 {
    (5.0 * argument.abs() + 8.0) * ROUNDING
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gelu_is_its_formula(len in 0usize..50_000, scale in prop::sample::select(vec![1e-30f32, 0.01, 1.0, 8.0]), seed: u64) {
        let x = numbers(seed, len, scale);
        let (mut expected, mut tolerance) = (vec![], vec![]);
        for &x in &x {
            let (y, argument) = gelu(x.into());
            expected.push(y);
            tolerance.push(y.abs() * rounding(argument));
        }
        check(&expected, &tolerance, |cpu, out| gelu_tanh(cpu, &x, out));
    }

    #[test]
    fn geglu_is_the_product(len in 0usize..50_000, seed: u64) {
        let (gate, up) = (numbers(seed, len, 8.0), numbers(!seed, len, 5.0));
        let (mut expected, mut tolerance) = (vec![], vec![]);
        for (&gate, &up) in gate.iter().zip(&up) {
            let (y, argument) = gelu(gate.into());
            expected.push(y * f64::from(up));
            tolerance.push((y * f64::from(up)).abs() * (rounding(argument) + ROUNDING));
        }
        check(&expected, &tolerance, |cpu, out| geglu(cpu, &gate, &up, out));
    }
}

#[test]
fn the_formula_above_is_the_published_one() {
    let mut x = -8.0;
    while x < 8.0 {
        let z = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
        assert!(
            (gelu(x).0 - x / 2.0 * (1.0 + z.tanh())).abs() < 1e-14,
            "{x}"
        );
        x += 0.001;
    }
}

#[test]
fn nothing_overflows_and_nan_stays() {
    let large = [
        0.0,
        -0.0,
        9.0,
        12.0,
        20.0,
        1e3,
        1e10,
        1e13,
        1e20,
        1e30,
        3e38,
        f32::INFINITY,
    ];
    let outs = on_every_path(large.len(), |cpu, out| gelu_tanh(cpu, &large, out));
    for out in outs {
        assert_eq!(out, large, "far right of 0 it is the identity");
    }
    let small: Vec<f32> = large[2..11].iter().map(|x| -x).collect();
    let outs = on_every_path(small.len(), |cpu, out| gelu_tanh(cpu, &small, out));
    for out in outs {
        for (y, x) in out.iter().zip(&small) {
            assert!(y.abs() <= 1e-6 * x.abs().min(1.0), "gelu({x}) = {y}");
        }
    }
    let lost = [f32::NAN, f32::NEG_INFINITY];
    let outs = on_every_path(2, |cpu, out| gelu_tanh(cpu, &lost, out));
    assert!(outs.iter().flatten().all(|y| y.is_nan()), "{outs:?}");
}
