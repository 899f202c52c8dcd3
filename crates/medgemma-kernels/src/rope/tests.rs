//! The fused norm and rotation against their formulas in `f64`.

use proptest::prelude::*;

use super::qk_norm_rope;
use crate::elementwise::check::{ROUNDING, check, numbers};
use crate::{Cpu, Path};

/// Large enough to be missed if it were lost.
const EPS: f32 = 0.05;

/// Angles of `tokens` positions as Gemma's tables have them, from an arbitrary first position.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding is what is wanted"
)]
fn angles(tokens: usize, half: usize, position: usize) -> (Vec<f32>, Vec<f32>) {
    let pairs = (0..tokens).flat_map(|token| {
        (0..half).map(move |i| {
            let angle = (position + token) as f64 * 1e4f64.powf(-(i as f64) / half as f64);
            (angle.cos() as f32, angle.sin() as f32)
        })
    });
    pairs.unzip()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn halves_are_normed_and_rotated(
        tokens in 0usize..30, heads in 1usize..9, half in 1usize..140, position in 0usize..9000, seed: u64,
    ) {
        let h = 2 * half;
        let x = numbers(seed, tokens * heads * h, 3.0);
        let gain = numbers(!seed, h, 2.0);
        let (cos, sin) = angles(tokens, half, position);
        // The norm's rounding as in `rms_norm`, then a product each and their sum.
        let rounding = (h as f64 / 32.0 + 13.0) * ROUNDING;
        let (mut expected, mut tolerance) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        for (head, x) in x.chunks_exact(h).enumerate() {
            let squares: f64 = x.iter().map(|&x| f64::from(x).powi(2)).sum();
            let root = (squares / h as f64 + f64::from(EPS)).sqrt();
            for i in 0..half {
                let normed = |i: usize| f64::from(x[i]) / root * f64::from(gain[i]);
                let (a, b) = (normed(i), normed(half + i));
                let angle = head / heads * half + i;
                let (cos, sin) = (f64::from(cos[angle]), f64::from(sin[angle]));
                expected[head * h + i] = a * cos - b * sin;
                expected[head * h + half + i] = b * cos + a * sin;
                tolerance[head * h + i] = ((a * cos).abs() + (b * sin).abs()) * rounding;
                tolerance[head * h + half + i] = ((b * cos).abs() + (a * sin).abs()) * rounding;
            }
        }
        check(&expected, &tolerance, |cpu, out| {
            qk_norm_rope(cpu, &x, heads, &gain, EPS, &cos, &sin, out);
        });
    }
}

#[test]
#[should_panic(expected = "lengths of cos and sin")]
fn angles_of_another_shape_are_refused() {
    let cpu = Cpu::new(1, Path::Scalar);
    let x = [1.0; 8];
    qk_norm_rope(
        &cpu,
        &x,
        2,
        &[1.0; 4],
        EPS,
        &[1.0; 4],
        &[0.0; 4],
        &mut [0.0; 8],
    );
}

#[test]
#[should_panic(expected = "1 heads of 3")]
fn an_odd_head_is_refused() {
    let cpu = Cpu::new(1, Path::Scalar);
    qk_norm_rope(
        &cpu,
        &[1.0; 3],
        1,
        &[1.0; 3],
        EPS,
        &[1.0],
        &[0.0],
        &mut [0.0; 3],
    );
}

/// Wrapped round, heads times their size are 2.
#[test]
#[should_panic(expected = "9223372036854775809 heads of 2")]
fn more_heads_than_can_be_counted_are_refused() {
    let cpu = Cpu::new(1, Path::Scalar);
    qk_norm_rope(
        &cpu,
        &[1.0; 4],
        (1 << 63) + 1,
        &[1.0; 2],
        EPS,
        &[1.0; 2],
        &[0.0; 2],
        &mut [0.0; 4],
    );
}
