//! Activations as the tile unit reads them: rounded to bf16, 32 tokens to a panel, and in it 32
//! columns of each token to a step.

use std::ops::Range;

use super::{COLS, Halves, TOKENS, vectors};
use crate::cells::Cells;
use crate::cpu::Cpu;
use crate::lines::{Line, Lines};

/// `[panel][step][TOKENS]` lines. Columns that are not there are zero; tokens that are not there may
/// hold anything.
pub(in crate::linear) struct Tokens {
    lines: Lines,
    m: usize,
    steps: usize,
}

impl Tokens {
    /// Room for `m` tokens of `cols` numbers.
    pub(super) fn any(m: usize, cols: usize) -> Self {
        let steps = cols.div_ceil(COLS);
        Self {
            lines: Lines::any(m.div_ceil(TOKENS) * TOKENS * steps),
            m,
            steps,
        }
    }

    /// Rounds `x`, `[m, cols]`.
    pub(in crate::linear) fn pack(cpu: &Cpu, x: &[f32], cols: usize) -> Self {
        let mut tokens = Self::any(x.len() / cols, cols);
        let len = tokens.steps * TOKENS;
        let panels = tokens.panels();
        let cells = Cells::new(&mut tokens.lines);
        cpu.pool().run(panels, &|panel| {
            // SAFETY: the pool runs each piece once, and panels have no line in common.
            let lines = unsafe { cells.part(panel * len, len) };
            let x = &x[panel * TOKENS * cols..];
            vectors::pack(cpu.path(), &x[..x.len().min(TOKENS * cols)], cols, lines);
        });
        tokens
    }

    pub(super) fn m(&self) -> usize {
        self.m
    }

    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    pub(super) fn panels(&self) -> usize {
        self.m.div_ceil(TOKENS)
    }

    /// Some steps of a panel.
    pub(super) fn panel(&self, panel: usize, steps: Range<usize>) -> &[Line] {
        let start = panel * self.steps;
        &self.lines[(start + steps.start) * TOKENS..(start + steps.end) * TOKENS]
    }

    /// To be written by several threads, 16 columns of a token at a time.
    pub(super) fn halves(&mut self) -> Halves<'_> {
        Halves {
            steps: self.steps,
            cells: Cells::new(self.lines.halves_mut()),
        }
    }
}
