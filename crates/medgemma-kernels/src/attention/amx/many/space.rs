//! A piece's extents in tiles, and a thread's memory for it.

use super::pack::{self, DEPTH};
use super::tiles::{SIDE, TILE};

/// Rows that are taken at a time: two tiles.
pub(super) const ROWS: usize = 2 * SIDE;

/// Steps of [`DEPTH`] keys of a chunk. With 2, 3, 6 and 8 attention of an image takes 4 to 20 % longer.
pub(super) const CHUNK: usize = 4;

/// Numbers of the tiles of keys and values that are taken at a time, which stay in the second-level
/// cache; tests come to more than once of fewer.
const PACKED: usize = if cfg!(test) { 1 << 15 } else { 1 << 18 };

/// The most numbers of tiles that are made once for all pieces: 64 MiB; tests come to fewer and more.
pub(super) const SHARED: usize = if cfg!(test) { 1 << 17 } else { 1 << 24 };

/// Tiles of a head's lanes, and of a piece's rows.
#[derive(Clone, Copy)]
pub(super) struct Extents {
    /// Along the depth of the scores.
    pub(super) depth: usize,
    /// Of the columns of values.
    pub(super) columns: usize,
    /// Blocks of two tiles of rows.
    pub(super) blocks: usize,
    /// Steps of the keys whose tiles are made at a time.
    pub(super) steps: usize,
}

impl Extents {
    pub(super) fn new(h: usize, rows: usize, keys: usize) -> Self {
        let (depth, columns) = (h.div_ceil(DEPTH), pack::columns(h));
        let steps = keys.div_ceil(DEPTH);
        let most = (PACKED / ((2 * depth + columns) * TILE)).max(CHUNK);
        Self {
            depth,
            columns,
            blocks: rows.div_ceil(ROWS),
            steps: steps.div_ceil(steps.div_ceil(most).max(1)),
        }
    }

    /// Numbers of the tiles of a step's keys and values.
    pub(super) fn of_step(self) -> [usize; 2] {
        [2 * self.depth * TILE, self.columns * TILE]
    }
}

/// A thread's memory for a piece, in tiles but for `tops`.
pub(super) struct Space<'a> {
    /// `[blocks][2][depth]`, of pairs of bf16.
    pub(super) q: &'a mut [f32],
    /// `[blocks][2][columns]`.
    pub(super) sums: &'a mut [f32],
    /// `[blocks][2 · 16]`.
    pub(super) tops: &'a mut [f32],
    /// `[2][2 · CHUNK]`.
    pub(super) scores: &'a mut [f32],
    /// `[2][CHUNK]`, of pairs.
    pub(super) numerators: &'a mut [f32],
}

impl<'a> Space<'a> {
    /// The size of each field.
    pub(super) fn sizes(extents: Extents) -> [usize; 5] {
        let Extents {
            depth,
            columns,
            blocks,
            ..
        } = extents;
        [
            blocks * 2 * depth * TILE,
            blocks * 2 * columns * TILE,
            blocks * ROWS,
            2 * 2 * CHUNK * TILE,
            2 * CHUNK * TILE,
        ]
    }

    /// Divides `numbers`, which are as many as the sizes together.
    pub(super) fn new(extents: Extents, mut numbers: &'a mut [f32]) -> Self {
        let parts = Self::sizes(extents).map(|size| {
            let (part, rest) = std::mem::take(&mut numbers).split_at_mut(size);
            numbers = rest;
            part
        });
        let [q, sums, tops, scores, numerators] = parts;
        sums.fill(0.0);
        tops.fill(f32::MIN);
        Self {
            q,
            sums,
            tops,
            scores,
            numerators,
        }
    }
}
