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

/// One row of one head.
fn one(problem: &Problem<'_>, row: usize, head: usize, out: &mut [f32]) {
    let (keys, values) = (&problem.keys, &problem.values);
    let h = keys.head_dim;
    let q = &problem.q[(row * problem.heads + head) * h..][..h];
    let source = head / problem.group();
    let visible = problem.visible(row);
    let scores: Vec<f32> = visible
        .clone()
        .map(|key| {
            let dot: f32 = (0..h)
                .map(|lane| q[lane] * keys.at(source, key, lane))
                .sum();
            dot * problem.scale
        })
        .collect();
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    out.fill(0.0);
    for (key, score) in visible.zip(scores) {
        let p = (score - max).exp();
        sum += p;
        for (lane, out) in out.iter_mut().enumerate() {
            *out += p * values.at(source, key, lane);
        }
    }
    if sum != 0.0 {
        out.iter_mut().for_each(|out| *out /= sum);
    }
}
