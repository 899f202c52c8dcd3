//! Few tokens: all of them wait in the second-level cache while the weights come from memory once.
//! Rows of weights are left operands as they lie, and nothing of them is turned; the tokens are, and the
//! sums, which are few.

use std::ops::Range;

use super::roll::SLOTS;
use super::unit::Unit;
use super::{COLS, Crossed, LANES, STRETCH, TOKENS, stretches, vectors};
use crate::cells::Cells;
use crate::cpu::Cpu;
use crate::linear::output::Output;
use crate::linear::pack::Step;
use crate::linear::panel::{Panel, Shape, Weights};
use crate::lines::{Line, Lines, bytes};
use crate::scratch;

/// Panels of tokens at most: of more, turning the weights costs less than it saves.
pub(super) const PANELS: usize = 4;

/// Rows of weights that are taken at a time.
const GROUP: usize = 32;

/// Whether `m` tokens of `cols` columns are few, that stay in the cache.
pub(super) fn takes(m: usize, cols: usize) -> bool {
    let panels = m.div_ceil(TOKENS);
    panels <= PANELS && panels * cols.div_ceil(COLS) * TOKENS <= SLOTS
}

/// `[panel][step][2][LANES]` lines, each with a pair of columns of 16 tokens.
struct Turned {
    lines: Lines,
    steps: usize,
}

impl Turned {
    /// Rounds and turns `x`, `[m, cols]`. Tokens that are not there may hold anything.
    fn pack(cpu: &Cpu, x: &[f32], cols: usize) -> Self {
        let steps = cols.div_ceil(COLS);
        let len = steps * TOKENS;
        let panels = (x.len() / cols).div_ceil(TOKENS);
        let mut lines = Lines::any(panels * len);
        let cells = Cells::new(&mut lines);
        cpu.pool().run(panels, &|panel| {
            // SAFETY: the pool runs each piece once, and panels have no line in common.
            let lines = unsafe { cells.part(panel * len, len) };
            let x = &x[panel * TOKENS * cols..];
            scratch::with_lines(len, |packed| {
                vectors::pack(cpu.path(), &x[..x.len().min(TOKENS * cols)], cols, packed);
                let tiles = packed
                    .chunks_exact(LANES)
                    .zip(lines.chunks_exact_mut(LANES));
                for (from, to) in tiles {
                    vectors::turn(cpu.path(), bytes(from), size_of::<Line>(), 1, to);
                }
            });
        });
        Self { lines, steps }
    }

    fn panel(&self, panel: usize, steps: Range<usize>) -> &[Line] {
        let start = panel * self.steps;
        &self.lines[(start + steps.start) * TOKENS..(start + steps.end) * TOKENS]
    }
}

/// See [`super::linear`].
///
/// # Panics
/// When `x` is more than [`PANELS`] panels.
pub(super) fn linear(cpu: &Cpu, x: &[f32], cols: usize, layers: &[(Weights<'_>, Output<'_>)]) {
    if x.is_empty() {
        return;
    }
    let tokens = Turned::pack(cpu, x, cols);
    let groups = |weights: &Weights<'_>| weights.rows().div_ceil(GROUP);
    let all = layers.iter().map(|(weights, _)| groups(weights)).sum();
    cpu.pool().run(all, &|mut index| {
        for (weights, out) in layers {
            if index < groups(weights) {
                // SAFETY: the pool runs each piece once, and groups have no output in common.
                return unsafe { group(cpu, &tokens, *weights, index * GROUP, out) };
            }
            index -= groups(weights);
        }
    });
}

/// Rows `first` and following with all tokens.
///
/// # Safety
/// No other thread writes these rows' outputs.
unsafe fn group(cpu: &Cpu, tokens: &Turned, weights: Weights<'_>, first: usize, out: &Output<'_>) {
    let shape = Shape {
        step: Step::Pair,
        rows: GROUP,
        multiple: COLS / 2,
    };
    let mut panel = Panel::new(cpu.path(), shape, STRETCH * COLS / 2);
    let mut sums = [Crossed::ZERO; PANELS];
    let sums = &mut sums[..out.m().div_ceil(TOKENS)];
    // What comes from memory is met by as many tokens at once as there can be; what has been unpacked is
    // in the cache.
    let width = if weights.format().is_blocks() { 1 } else { 2 };
    let unit = Unit::of(cpu.path());
    for steps in parts(weights.cols()) {
        let pairs = steps.start * COLS / 2..weights.cols().div_ceil(2).min(steps.end * COLS / 2);
        let (bytes, stride) = panel.group(weights, first, pairs);
        for (index, sums) in sums.chunks_mut(width).enumerate() {
            let tokens = |panel| tokens.panel(index * width + panel, steps.clone());
            match sums {
                [one, other] => {
                    for (tile, (one, other)) in one.0.iter_mut().zip(&mut other.0).enumerate() {
                        let rows = &bytes[tile * LANES * stride..];
                        let tokens = [tokens(0), tokens(1)];
                        unit.multiply_half(rows, stride, tokens, [one, other]);
                    }
                }
                [last] => unit.multiply_rows(bytes, stride, tokens(0), last),
                _ => {}
            }
        }
    }
    drop(unit);
    let rows = GROUP.min(out.rows() - first);
    for (index, sums) in sums.iter().enumerate() {
        let turned = vectors::turned(cpu.path(), sums);
        for (token, numbers) in (index * TOKENS..out.m()).zip(&turned) {
            // SAFETY: the caller's promise.
            unsafe { out.put(token, first, &numbers[..rows]) };
        }
    }
}

/// Stretches of columns; what is less than a step comes last and alone, since it cannot be read where
/// it is.
fn parts(cols: usize) -> impl Iterator<Item = Range<usize>> {
    let (whole, all) = (cols / COLS, cols.div_ceil(COLS));
    stretches(whole).chain((whole < all).then_some(whole..all))
}
