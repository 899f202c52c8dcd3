//! Attention as plain Rust, one row of one head at a time: the specification of the other paths.

use super::Problem;
use super::shared::Shared;
use crate::Cpu;

/// Fills `out`; see [`super::attention`].
pub(super) fn attention(cpu: &Cpu, problem: &Problem<'_>, out: &mut [f32]) {
    let h = problem.keys.head_dim;
    let out = Shared::new(out);
    cpu.pool().run(problem.t * problem.heads, &|piece| {
        let (row, head) = (piece / problem.heads, piece % problem.heads);
        // SAFETY: each piece writes the one row of the same number.
        let out = unsafe { out.part(piece * h..(piece + 1) * h) };
        one(problem, row, head, out);
    });
}

/// One row of one head. Sums are f64, so that they add no error of their own to speak of.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the result is rounded to f32 at the end"
)]
fn one(problem: &Problem<'_>, row: usize, head: usize, out: &mut [f32]) {
    let h = problem.keys.head_dim;
    let q = &problem.q[(row * problem.heads + head) * h..][..h];
    let source = head / problem.group();
    let visible = problem.visible(row);
    let mut numbers = vec![0.0; h];
    let scores: Vec<f64> = visible
        .clone()
        .map(|key| {
            problem.keys.widen(source, key, &mut numbers);
            let products = q.iter().zip(&numbers);
            let products = products.map(|(q, key)| f64::from(*q) * f64::from(*key));
            products.sum::<f64>() * f64::from(problem.scale)
        })
        .collect();
    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    let mut sums = vec![0.0; h];
    for (key, score) in visible.zip(scores) {
        let numerator = (score - max).exp();
        sum += numerator;
        problem.values.widen(source, key, &mut numbers);
        for (sum, value) in sums.iter_mut().zip(&numbers) {
            *sum += numerator * f64::from(*value);
        }
    }
    let scale = if sum == 0.0 { 0.0 } else { 1.0 / sum };
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = (sum * scale) as f32;
    }
}
