//! What is done with the sums of a block.

use std::ops::Range;

use super::roll::{Job, Sums};
use super::unit::Unit;
use super::{Halves, ROWS, TOKENS, Tokens, vectors, weights};
use crate::activation::{gated_block, gelu_block};
use crate::cpu::Path;
use crate::linear::output::Output;
use crate::linear::panel::Weights;
use crate::lines::Line;

/// Linear layers with one input, or a stretch of their columns: groups of the first come first.
pub(super) struct Plain<'a, 'b> {
    path: Path,
    x: &'a Tokens,
    layers: &'a [(Weights<'a>, Output<'b>)],
    steps: Range<usize>,
}

impl<'a, 'b> Plain<'a, 'b> {
    /// For steps `steps`; the first of them are put, the others' sums added.
    pub(super) fn new(
        path: Path,
        x: &'a Tokens,
        layers: &'a [(Weights<'a>, Output<'b>)],
        steps: Range<usize>,
    ) -> Self {
        Self {
            path,
            x,
            layers,
            steps,
        }
    }

    /// The layer of a group, and which of the layer's it is.
    fn layer(&self, mut group: usize) -> (&(Weights<'a>, Output<'b>), usize) {
        for layer in self.layers {
            let groups = layer.0.rows().div_ceil(ROWS);
            if group < groups {
                return (layer, group);
            }
            group -= groups;
        }
        unreachable!("a group of a layer")
    }
}

impl Job for Plain<'_, '_> {
    fn path(&self) -> Path {
        self.path
    }

    fn groups(&self) -> usize {
        let groups = |(weights, _): &(Weights<'_>, _)| weights.rows().div_ceil(ROWS);
        self.layers.iter().map(groups).sum()
    }

    fn slot(&self) -> usize {
        weights::slot(self.steps.len())
    }

    fn fill(&self, group: usize, slot: &mut [Line]) {
        let ((weights, out), group) = self.layer(group);
        let first = self.steps.start == 0;
        let bias = out.bias(0, weights.rows()).filter(|_| first);
        let steps = self.steps.clone();
        weights::fill(self.path, *weights, bias, group, steps, slot);
    }

    fn multiply(&self, unit: &Unit, panel: usize, group: usize, slot: &[Line], sums: &mut Sums) {
        let (weights, bias) = weights::parts(slot);
        let tokens = self.x.panel(panel, self.steps.clone());
        let ((_, out), group) = self.layer(group);
        let added = self.steps.start > 0;
        let (token, row) = (panel * TOKENS, group * ROWS);
        let whole = token + TOKENS <= out.m() && row + ROWS <= out.rows();
        if whole && !added {
            let place = out.place(token, row, TOKENS, ROWS);
            // SAFETY: `place` has seen that these are outputs; this block alone writes its rows of its
            // tokens.
            unsafe { unit.multiply_into(tokens, weights, bias, place, out.rows()) };
        } else {
            unit.multiply(tokens, weights, bias, &mut sums[0]);
            // SAFETY: this block alone writes its rows of its tokens.
            unsafe { vectors::put(self.path, &sums[0], token, row, out, added) };
        }
    }
}

/// What comes between the two halves of an MLP.
pub(super) enum Unfolding<'a> {
    /// `gelu(x · Wᵀ + b)`
    Gelu(Weights<'a>, Option<&'a [f32]>),
    /// `gelu(x · gateᵀ) ⊙ (x · upᵀ)`
    Gated([Weights<'a>; 2]),
}

/// The first half of an MLP, whose results go into the tokens of the second.
pub(super) struct Unfold<'a> {
    pub(super) path: Path,
    pub(super) x: &'a Tokens,
    /// The panel of `x` that is the first of `into`.
    pub(super) first: usize,
    pub(super) unfolding: Unfolding<'a>,
    pub(super) into: Halves<'a>,
}

impl Unfold<'_> {
    fn weights(&self) -> Weights<'_> {
        match self.unfolding {
            Unfolding::Gelu(weights, _) | Unfolding::Gated([weights, _]) => weights,
        }
    }
}

impl Job for Unfold<'_> {
    fn path(&self) -> Path {
        self.path
    }

    fn groups(&self) -> usize {
        self.weights().rows().div_ceil(ROWS)
    }

    fn slot(&self) -> usize {
        let slot = weights::slot(self.x.steps());
        match self.unfolding {
            Unfolding::Gelu(..) => slot,
            Unfolding::Gated(_) => 2 * slot,
        }
    }

    fn fill(&self, group: usize, slot: &mut [Line]) {
        let steps = 0..self.x.steps();
        match self.unfolding {
            Unfolding::Gelu(weights, bias) => {
                weights::fill(self.path, weights, bias, group, steps, slot);
            }
            Unfolding::Gated(both) => {
                let slots = slot.chunks_exact_mut(weights::slot(steps.len()));
                for (weights, slot) in both.into_iter().zip(slots) {
                    weights::fill(self.path, weights, None, group, steps.clone(), slot);
                }
            }
        }
    }

    fn multiply(&self, unit: &Unit, panel: usize, group: usize, slot: &[Line], sums: &mut Sums) {
        let tokens = self.x.panel(panel, 0..self.x.steps());
        let slots = slot.chunks_exact(weights::slot(self.x.steps()));
        for (slot, sums) in slots.zip(&mut *sums) {
            let (weights, bias) = weights::parts(slot);
            unit.multiply(tokens, weights, bias, sums);
        }
        let [sums, up] = sums;
        match self.unfolding {
            Unfolding::Gelu(..) => gelu_block(self.path, sums),
            Unfolding::Gated(_) => gated_block(self.path, sums, up),
        }
        let token = (panel - self.first) * TOKENS;
        // SAFETY: this block alone writes its columns of its tokens.
        unsafe {
            vectors::round(
                self.path,
                sums,
                token,
                group,
                self.weights().rows(),
                &self.into,
            )
        };
    }
}
