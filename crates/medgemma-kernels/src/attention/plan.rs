//! Cutting attention into pieces for the threads, and putting the pieces' results together.
//!
//! A piece is a block of rows of queries against a stretch of keys. The rows of a head of keys are
//! those of all the queries' heads that read it: row r stands for token r / group, head r % group.
//! Where rows alone are too few pieces, keys are cut too, and each piece leaves its weighted sum of
//! values with the maximum and sum that it stands for. The cut depends on shapes alone, never on
//! the threads, so results do not either.

use std::ops::Range;

use super::few;
use super::powers::fade;
use super::shared::Shared;
use super::tile::{KEYS, Kernels, Many};
use super::{Numbers, Problem};
use crate::Cpu;

/// Pieces to aim at where work is cut finer for the threads' sake.
const PIECES: usize = 64;

/// The fewest keys of a piece of few rows: some microseconds of work.
const FEW_KEYS: usize = 128;

/// Rows of a text that are taken in the arithmetic of one: so many verify a draft, whose tokens are to be
/// those that would have been written one by one.
const TOGETHER: usize = 8;

/// Partial results that are merged sooner than other threads are called.
const ALONE: usize = 1 << 16;

/// Tiles of a block of rows: what is made of keys and values before they are multiplied serves
/// them all.
const TILES: usize = 16;

pub(super) struct Piece {
    /// Head of keys.
    pub(super) head: usize,
    pub(super) rows: Range<usize>,
    pub(super) keys: Range<usize>,
    /// Where its partial results begin; `None` if its keys are all there are.
    partial: Option<usize>,
}

/// By what steps pieces are run.
#[derive(Clone, Copy)]
pub(super) enum Way<'a> {
    /// Pieces are of few rows.
    Few,
    Tiles,
    Many(&'a Many),
}

impl<'a> Way<'a> {
    fn of(problem: &Problem<'_>, kernels: &'a Kernels) -> Self {
        let rows = problem.t * problem.group();
        if rows <= few::ROWS || problem.t <= TOGETHER {
            return Self::Few;
        }
        let many = (kernels.many.as_ref()).filter(|many| rows >= many.least);
        match (problem.keys.numbers, many) {
            (Numbers::Bf16(_) | Numbers::Int8 { .. }, Some(many)) => Self::Many(many),
            _ => Self::Tiles,
        }
    }
}

pub(super) struct Plan<'a> {
    pub(super) pieces: Vec<Piece>,
    /// Rows whose results are spread over pieces, and those.
    merges: Vec<(usize, Range<usize>)>,
    /// Numbers of all partial results.
    pub(super) partials: usize,
    pub(super) way: Way<'a>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(problem: &Problem<'_>, kernels: &'a Kernels) -> Self {
        let rows = problem.t * problem.group();
        let heads = problem.keys.heads;
        let way = Way::of(problem, kernels);
        let block = |width: usize, most: usize| {
            let stretches = (problem.keys.len / (2 * KEYS)).max(1);
            let tiles = (rows * heads).div_ceil(width).saturating_mul(stretches);
            width * (tiles / (PIECES / 2)).clamp(1, most)
        };
        let block = match way {
            Way::Few => rows.clamp(1, few::ROWS),
            Way::Tiles => block(kernels.width, TILES),
            Way::Many(many) => block(many.rows, TILES),
        };
        let mut plan = Self {
            pieces: Vec::new(),
            merges: Vec::new(),
            partials: 0,
            way,
        };
        let blocks = match way {
            // Keys are cut as for one row.
            Way::Few => heads,
            _ => heads * rows.div_ceil(block),
        };
        for head in 0..heads {
            // Last rows first: in a causal text they see the most keys, and work that takes long
            // should not be begun last.
            for first in (0..rows).step_by(block).rev() {
                let rows = first..rows.min(first + block);
                plan.cut(problem, head, rows, blocks);
            }
        }
        plan
    }

    /// Adds the pieces of a block of rows, one of `blocks`.
    fn cut(&mut self, problem: &Problem<'_>, head: usize, rows: Range<usize>, blocks: usize) {
        let group = problem.group();
        let seen = (rows.start / group..=(rows.end - 1) / group)
            .map(|row| problem.visible(row))
            .filter(|keys| !keys.is_empty())
            .reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))
            .unwrap_or(0..0);
        let even = seen.len().saturating_mul(blocks).div_ceil(PIECES);
        let stretch = if matches!(self.way, Way::Few) {
            even.next_multiple_of(FEW_KEYS / 2).max(FEW_KEYS)
        } else if blocks < PIECES / 2 {
            even.next_multiple_of(KEYS).max(2 * KEYS)
        } else {
            usize::MAX
        };
        let count = seen.len().div_ceil(stretch).max(1);
        let before = self.pieces.len();
        for index in 0..count {
            let start = seen.start + index * stretch;
            let partial = (count > 1).then_some(self.partials);
            if partial.is_some() {
                self.partials += rows.len() * (problem.keys.head_dim + 2);
            }
            self.pieces.push(Piece {
                head,
                rows: rows.clone(),
                keys: start..seen.end.min(start.saturating_add(stretch)),
                partial,
            });
        }
        if count > 1 {
            let pieces = before..self.pieces.len();
            self.merges.extend(rows.map(|row| (row, pieces.clone())));
        }
    }

    /// Puts partial results together.
    pub(super) fn merge(
        &self,
        cpu: &Cpu,
        problem: &Problem<'_>,
        partials: &[f32],
        out: &Shared<'_>,
    ) {
        let one = |index: usize| {
            let (row, pieces) = &self.merges[index];
            // SAFETY: the pieces are done, and rows have no number in common.
            unsafe { merge(problem, partials, *row, &self.pieces[pieces.clone()], out) };
        };
        if partials.len() < ALONE {
            (0..self.merges.len()).for_each(one);
        } else {
            cpu.pool().run(self.merges.len(), &one);
        }
    }
}

/// Puts the results of a row of `pieces` together, in the order of the keys.
///
/// # Safety
/// No other thread writes this row.
unsafe fn merge(
    problem: &Problem<'_>,
    partials: &[f32],
    row: usize,
    pieces: &[Piece],
    out: &Shared<'_>,
) {
    let h = problem.keys.head_dim;
    let partial = |piece: &Piece| {
        let start = piece.partial.unwrap_or_default() + (row - piece.rows.start) * (h + 2);
        &partials[start..start + h + 2]
    };
    // SAFETY: the caller's promise.
    let out = unsafe { out.part(problem.place(pieces[0].head, row)) };
    let tops = pieces.iter().map(|piece| partial(piece)[0]);
    let top = tops.fold(f32::MIN, f32::max);
    let mut sum = 0.0;
    out.fill(0.0);
    for piece in pieces {
        let partial = partial(piece);
        let weight = fade(partial[0], top, problem.factor());
        sum += weight * partial[1];
        for (out, number) in out.iter_mut().zip(&partial[2..]) {
            *out += weight * number;
        }
    }
    let scale = reciprocal(sum);
    out.iter_mut().for_each(|out| *out *= scale);
}

/// Where the pieces leave their results.
pub(super) struct Sink<'a> {
    pub(super) out: Shared<'a>,
    pub(super) partials: Shared<'a>,
}

impl Sink<'_> {
    /// Takes the results of a row of `piece`: the numbers by lane, with the largest score (a product that
    /// is not multiplied by the factor yet) and the sum of numerators that they stand for.
    ///
    /// # Safety
    /// Each row of each piece of a plan is given once.
    pub(super) unsafe fn put(
        &self,
        problem: &Problem<'_>,
        piece: &Piece,
        row: usize,
        state: [f32; 2],
        number: impl Fn(usize) -> f32,
    ) {
        // SAFETY: the caller's promise.
        let (place, scale) = unsafe { self.place(problem, piece, row, state) };
        for (lane, place) in place.iter_mut().enumerate() {
            *place = number(lane) * scale;
        }
    }

    /// As [`Self::put`]: where the numbers belong, and what they are to be multiplied by.
    ///
    /// # Safety
    /// As for [`Self::put`].
    #[expect(
        clippy::mut_from_ref,
        reason = "places of different rows do not overlap, as callers promise"
    )]
    pub(super) unsafe fn place(
        &self,
        problem: &Problem<'_>,
        piece: &Piece,
        row: usize,
        [top, sum]: [f32; 2],
    ) -> (&mut [f32], f32) {
        let h = problem.keys.head_dim;
        if let Some(start) = piece.partial {
            let start = start + (row - piece.rows.start) * (h + 2);
            // SAFETY: partial results are apart from those of other rows and pieces.
            let place = unsafe { self.partials.part(start..start + h + 2) };
            let (state, place) = place.split_at_mut(2);
            state.copy_from_slice(&[top, sum]);
            (place, 1.0)
        } else {
            // SAFETY: the only piece of this row.
            let place = unsafe { self.out.part(problem.place(piece.head, row)) };
            (place, reciprocal(sum))
        }
    }
}

/// 1 / sum, or 0 where nothing has been summed.
fn reciprocal(sum: f32) -> f32 {
    if sum == 0.0 { 0.0 } else { 1.0 / sum }
}
