//! Linear layers over many tokens on the tile unit, which multiplies faster than any cache but the
//! first delivers: what counts is where the operands are.
//!
//! A block is 32 tokens times 48 rows of weights over all columns, so that its sums never leave the
//! tiles. Weights are turned into a slot of their own, some of which stay in the second-level
//! cache while the tokens' panels go by, each multiplied with all slots; see [`roll`]. Long rows are
//! cut into stretches of columns, whose sums are added in the outputs.
//!
//! Of few tokens the products take less time than the weights' way from memory: see [`straight`].

mod jobs;
mod mlp;
mod plain;
mod roll;
mod straight;
#[cfg(test)]
mod tests;
mod tokens;
mod unit;
mod vectors;
#[cfg(target_arch = "x86_64")]
mod vectors_avx512;
mod weights;

use std::ops::Range;

use crate::cells::Cells;
use crate::cpu::Cpu;

use super::output::Output;
use super::panel::Weights;

pub(super) use mlp::{gated_mlp, mlp};
pub(super) use tokens::Tokens;

/// Tokens of a panel: two tiles.
pub(super) const TOKENS: usize = 32;

/// Rows of weights of a slot: three tiles.
pub(super) const ROWS: usize = 48;

/// Sums of a block.
pub(super) const BLOCK: usize = TOKENS * ROWS;

/// A tile of sums: a row of weights to 16 tokens.
pub(super) type Sums = [f32; LANES * LANES];

/// Sums of 32 rows of weights with 32 tokens: tiles of rows, and in each of tokens.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Crossed(pub(super) [[Sums; 2]; 2]);

impl Crossed {
    const ZERO: Self = Self([[[0.0; LANES * LANES]; 2]; 2]);
}

/// Columns of a step: a row of a tile.
const COLS: usize = 32;

/// Columns of half a line, and rows of a tile.
const LANES: usize = 16;

/// Steps of the longest blocks of weights, 256 columns: stretches begin where blocks do.
const WHOLE: usize = 8;

/// Steps of a stretch of columns at most: there are four or five slots then.
const STRETCH: usize = 11 * WHOLE;

/// Panels that go by slots at most: a thread is done with its slots only when all have, and another
/// may wait for it. Those of an image, 4096 patches, go by at once.
const PANELS: usize = 128;

/// bf16 numbers that are written by several threads, each halves of lines of its own.
struct Halves<'a> {
    steps: usize,
    cells: Cells<'a, [u16; LANES]>,
}

impl Halves<'_> {
    /// Where columns `16 · piece` and following of a token are.
    fn place(&self, token: usize, piece: usize) -> usize {
        let (panel, token) = (token / TOKENS, token % TOKENS);
        ((panel * self.steps + piece / 2) * TOKENS + token) * 2 + piece % 2
    }
}

/// `out = x · weightsᵀ + bias` for layers of one input, `x` `[m, cols]`.
pub(super) fn linear(cpu: &Cpu, x: &[f32], cols: usize, layers: &[(Weights<'_>, Output<'_>)]) {
    if straight::takes(x.len() / cols, cols) {
        straight::linear(cpu, x, cols, layers);
    } else {
        rolled(cpu, &Tokens::pack(cpu, x, cols), layers);
    }
}

/// [`linear`] of many tokens.
pub(super) fn rolled(cpu: &Cpu, x: &Tokens, layers: &[(Weights<'_>, Output<'_>)]) {
    for panels in even(x.panels(), PANELS) {
        for steps in stretches(x.steps()) {
            let job = jobs::Plain::new(cpu.path(), x, layers, steps);
            roll::roll(cpu, panels.clone(), &job);
        }
    }
}

/// Whether an MLP of `m` tokens over `cols` columns is taken as a whole: where the tokens are not few,
/// for which there is [`straight`], and the first half fits into a slot.
pub(super) fn has_mlp(m: usize, cols: usize) -> bool {
    !straight::takes(m, cols) && 2 * weights::slot(cols.div_ceil(COLS)) <= roll::SLOTS
}

/// Columns in stretches of about one length.
fn stretches(steps: usize) -> impl Iterator<Item = Range<usize>> {
    let whole = even(steps.div_ceil(WHOLE), STRETCH / WHOLE);
    whole.map(move |part| part.start * WHOLE..steps.min(part.end * WHOLE))
}

/// `0..count` in as few ranges of at most `most` as there can be, of about one length.
fn even(count: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let parts = count.div_ceil(most);
    (0..parts).map(move |part| count * part / parts..count * (part + 1) / parts)
}
