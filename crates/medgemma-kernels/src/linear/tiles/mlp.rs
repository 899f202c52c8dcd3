//! Whole MLPs: what comes between their halves stays in bf16, as the second half reads it, and is
//! never written out in f32.

use super::jobs::{Unfold, Unfolding};
use super::roll::roll;
use super::{TOKENS, Tokens, even, rolled};
use crate::cpu::Cpu;
use crate::linear::output::Output;
use crate::linear::panel::Weights;

/// Numbers between the halves at a time: 36 MB, room for all of an image's.
const BETWEEN: usize = 18 << 20;

/// `down(gelu(x · gateᵀ) ⊙ (x · upᵀ))`
pub(in crate::linear) fn gated_mlp(
    cpu: &Cpu,
    x: &Tokens,
    both: [Weights<'_>; 2],
    down: Weights<'_>,
    out: &Output<'_>,
) {
    in_parts(cpu, x, &|| Unfolding::Gated(both), down, out, most(down));
}

/// `fc2(gelu(fc1(x)))`
pub(in crate::linear) fn mlp(
    cpu: &Cpu,
    x: &Tokens,
    (fc1, bias): (Weights<'_>, Option<&[f32]>),
    fc2: Weights<'_>,
    out: &Output<'_>,
) {
    in_parts(cpu, x, &|| Unfolding::Gelu(fc1, bias), fc2, out, most(fc2));
}

/// Panels whose numbers between the halves are no more than there may be.
fn most(fold: Weights<'_>) -> usize {
    (BETWEEN / fold.cols() / TOKENS).max(1)
}

/// `most` panels at a time.
pub(super) fn in_parts<'a>(
    cpu: &Cpu,
    x: &'a Tokens,
    unfolding: &dyn Fn() -> Unfolding<'a>,
    fold: Weights<'_>,
    out: &Output<'_>,
    most: usize,
) {
    let cols = fold.cols();
    for panels in even(x.panels(), most) {
        let first = panels.start * TOKENS;
        let m = x.m().min(panels.end * TOKENS) - first;
        let mut between = Tokens::any(m, cols);
        let unfold = Unfold {
            path: cpu.path(),
            x,
            first: panels.start,
            unfolding: unfolding(),
            into: between.halves(),
        };
        roll(cpu, panels, &unfold);
        rolled(cpu, &between, &[(fold, out.tokens(first, m))]);
    }
}
