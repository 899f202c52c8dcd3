//! Both norms against their formulas in `f64`.

use proptest::prelude::*;

use super::{add_layer_norm, add_rms_norm, add_rms_norms, layer_norm, rms_norm};
use crate::elementwise::add;
use crate::elementwise::check::{ROUNDING, check, numbers, on_every_path};
use crate::{Cpu, Path};

/// Large enough to be missed if it were lost.
const EPS: f32 = 0.05;

/// Relative error of the RMS norm of `d` numbers: the sum of squares of a path with 16 sums at a
/// time rounds `d / 16` times and then some, of which the root leaves half; then the formula.
fn rms_rounding(d: usize) -> f64 {
    (d as f64 / 32.0 + 10.0) * ROUNDING
}

fn rms_expected(x: &[f32], gain: &[f32]) -> Vec<f64> {
    let d = gain.len();
    let rows = x.chunks_exact(d).flat_map(|x| {
        let squares: f64 = x.iter().map(|&x| f64::from(x).powi(2)).sum();
        let root = (squares / d as f64 + f64::from(EPS)).sqrt();
        let row = x.iter().zip(gain);
        row.map(move |(&x, &gain)| f64::from(x) / root * f64::from(gain))
    });
    rows.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rms_norm_is_its_formula(rows in 0usize..40, d in 1usize..1500, seed: u64) {
        let x = numbers(seed, rows * d, 3.0);
        let gain = numbers(!seed, d, 2.0);
        let expected = rms_expected(&x, &gain);
        let tolerance: Vec<f64> = expected.iter().map(|y| y.abs() * rms_rounding(d)).collect();
        check(&expected, &tolerance, |cpu, out| rms_norm(cpu, &x, &gain, EPS, out));
    }

    #[test]
    fn add_rms_norm_is_the_sum(rows in 0usize..40, d in 1usize..1500, seed: u64) {
        let x = numbers(seed, rows * d, 3.0);
        let gain = numbers(!seed, d, 2.0);
        let residual = numbers(seed ^ 1, rows * d, 10.0);
        let normed = rms_expected(&x, &gain);
        let pairs = normed.iter().zip(&residual);
        let expected: Vec<f64> = pairs.map(|(y, &r)| y + f64::from(r)).collect();
        let pairs = normed.iter().zip(&expected);
        let tolerance: Vec<f64> = pairs
            .map(|(normed, sum)| normed.abs() * rms_rounding(d) + sum.abs() * ROUNDING * 1.01)
            .collect();
        check(&expected, &tolerance, |cpu, out| {
            out.copy_from_slice(&residual);
            add_rms_norm(cpu, &x, &gain, EPS, out);
        });
    }

    /// The numbers of two passes, and these are their formulas.
    #[test]
    fn a_sum_and_its_norm_in_one_pass_are_those_of_two(rows in 0usize..40, d in 1usize..1500, seed: u64) {
        let (x, residual) = (numbers(seed, rows * d, 3.0), numbers(seed ^ 1, rows * d, 10.0));
        let (first, second) = (numbers(!seed, d, 2.0), numbers(seed ^ 2, d, 2.0));
        for path in Path::tested() {
            for threads in 1..=3 {
                let cpu = &Cpu::new(threads, path);
                let (mut sum, mut normed) = (residual.clone(), vec![7.0; rows * d]);
                add_rms_norm(cpu, &x, &first, EPS, &mut sum);
                rms_norm(cpu, &sum, &second, 2.0 * EPS, &mut normed);
                let (mut found, mut out) = (residual.clone(), x.clone());
                let norms = [(&*first, EPS), (&*second, 2.0 * EPS)];
                add_rms_norms(cpu, &mut out, norms, &mut found);
                prop_assert!(found == sum && out == normed, "RMS norms, {path}");

                let (mut sum, mut normed) = (residual.clone(), vec![7.0; rows * d]);
                add(cpu, &x, &mut sum);
                layer_norm(cpu, &sum, &first, &second, EPS, &mut normed);
                let (mut found, mut out) = (residual.clone(), x.clone());
                add_layer_norm(cpu, &mut out, &first, &second, EPS, &mut found);
                prop_assert!(found == sum && out == normed, "layer norm, {path}");
            }
        }
    }

    /// Rows far from zero, so that a variance from sums of squares would be nothing but rounding.
    #[test]
    fn layer_norm_is_its_formula(rows in 0usize..40, d in 2usize..1500, seed: u64, far in -50f32..50.0) {
        let x: Vec<f32> = numbers(seed, rows * d, 1.0).iter().map(|x| x + far).collect();
        let (weight, bias) = (numbers(!seed, d, 2.0), numbers(seed ^ 1, d, 0.5));
        let (mut expected, mut tolerance) = (vec![], vec![]);
        for x in x.chunks_exact(d) {
            let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / d as f64;
            let squares: f64 = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum();
            let root = (squares / d as f64 + f64::from(EPS)).sqrt();
            // The mean's sum rounds as that of squares does, and moves every difference; its square
            // is what it adds to the variance.
            let shift = (d as f64 / 16.0 + 8.0) * ROUNDING * (f64::from(far.abs()) + 1.0);
            let relative = rms_rounding(d) + (shift / root).powi(2);
            for ((&x, &weight), &bias) in x.iter().zip(&weight).zip(&bias) {
                let y = (f64::from(x) - mean) / root * f64::from(weight);
                let sum = y + f64::from(bias);
                expected.push(sum);
                let shifted = shift / root * f64::from(weight).abs();
                tolerance.push(shifted + y.abs() * relative + sum.abs() * ROUNDING * 1.01);
            }
        }
        check(&expected, &tolerance, |cpu, out| layer_norm(cpu, &x, &weight, &bias, EPS, out));
    }
}

#[test]
fn a_row_of_zeros_is_zero_and_a_nan_stays_in_its_row() {
    let d = 37;
    let mut x = vec![0.0; 3 * d];
    x[d + 5] = f32::NAN;
    let ones = vec![1.0; d];
    let zeros = vec![0.0; d];
    let rms = on_every_path(3 * d, |cpu, out| rms_norm(cpu, &x, &ones, EPS, out));
    let layer = on_every_path(3 * d, |cpu, out| {
        layer_norm(cpu, &x, &ones, &zeros, EPS, out)
    });
    for out in rms.iter().chain(&layer) {
        let (first, rest) = out.split_at(d);
        let (second, third) = rest.split_at(d);
        assert!(first.iter().chain(third).all(|&y| y == 0.0), "{out:?}");
        assert!(second.iter().all(|y| y.is_nan()), "{out:?}");
    }
}

#[test]
#[should_panic(expected = "5 numbers in rows of 2")]
fn half_a_row_is_refused() {
    let cpu = Cpu::new(1, Path::Scalar);
    rms_norm(&cpu, &[0.0; 5], &[1.0; 2], EPS, &mut [0.0; 5]);
}

#[test]
#[should_panic(expected = "length of the bias")]
fn a_short_bias_is_refused() {
    let cpu = Cpu::new(1, Path::Scalar);
    layer_norm(&cpu, &[0.0; 4], &[1.0; 4], &[0.0; 3], EPS, &mut [0.0; 4]);
}

#[test]
#[should_panic(expected = "length of the second gain")]
fn a_short_second_gain_is_refused() {
    let cpu = Cpu::new(1, Path::Scalar);
    let norms = [([1.0; 2].as_slice(), EPS), ([1.0; 1].as_slice(), EPS)];
    add_rms_norms(&cpu, &mut [0.0; 4], norms, &mut [0.0; 4]);
}

#[test]
#[should_panic(expected = "length of the bias")]
fn a_short_bias_after_a_sum_is_refused() {
    let cpu = Cpu::new(1, Path::Scalar);
    add_layer_norm(
        &cpu,
        &mut [0.0; 4],
        &[1.0; 4],
        &[0.0; 3],
        EPS,
        &mut [0.0; 4],
    );
}

/// What the documentation says of the three.
#[test]
fn squares_beyond_f32_make_zeros_of_a_row_in_vectors() {
    let mut x = [0.0; 64];
    x[5] = 2e19;
    let (ones, zeros) = ([1.0; 64], [0.0; 64]);
    for path in Path::tested() {
        let cpu = Cpu::new(1, path);
        let mut outs = [[f32::NAN; 64]; 3];
        rms_norm(&cpu, &x, &ones, 1e-6, &mut outs[0]);
        layer_norm(&cpu, &x, &ones, &zeros, 1e-6, &mut outs[1]);
        crate::qk_norm_rope(
            &cpu,
            &x,
            1,
            &ones,
            1e-6,
            &[1.0; 32],
            &[0.0; 32],
            &mut outs[2],
        );
        for out in outs {
            // The root of 64, or a little less of the mean's part.
            let wanted = if path == Path::Scalar {
                7.9..8.1
            } else {
                0.0..1e-30
            };
            assert!(wanted.contains(&out[5]), "{path}: {}", out[5]);
        }
    }
}
