//! Attention of many queries on the tile unit, where the tiles of keys and values that are made once
//! serve many rows.
//!
//! Two tiles of rows are taken at a time, against chunks of keys: scores = q · Kᵀ; the online softmax
//! of each row; sums = sums + numerators · V. The numerators of a row lie as the left operand of the
//! second product wants them. The tile unit works beside the vectors: between the rows of a chunk's
//! softmax it is given the steps of the products of the chunk before and of the one behind.

mod pack;
mod product;
mod softmax;
mod tiles;

use std::f32::consts::LOG2_E;
use std::ops::Range;

use super::super::plan::{Piece, Sink};
use super::super::shared::Shared;
use super::super::{Problem, tile};
use crate::scratch;
use pack::DEPTH;
use product::Product;
use softmax::{Gathered, Row};
use tiles::{SIDE, Sums, TILE};

/// See [`tile::Kernels::many`].
pub(super) const MANY: tile::Many = tile::Many {
    rows: ROWS,
    least: 2 * ROWS,
    shared,
    share,
    run,
};

/// Rows that are taken at a time: two tiles.
const ROWS: usize = 2 * SIDE;

/// Steps of [`DEPTH`] keys of a chunk: two chunks' scores and numerators, queries and sums are in the
/// first-level cache.
const CHUNK: usize = 4;

/// Numbers of the tiles of keys and values that are taken at a time, which stay in the second-level
/// cache; tests come to more than once of fewer.
const PACKED: usize = if cfg!(test) { 1 << 15 } else { 1 << 18 };

/// The most numbers of tiles that are made once for all pieces: 64 MiB; tests come to fewer and more.
const SHARED: usize = if cfg!(test) { 1 << 17 } else { 1 << 24 };

/// Tiles of a head's lanes, and of a piece's rows.
#[derive(Clone, Copy)]
struct Extents {
    /// Along the depth of the scores.
    depth: usize,
    /// Of the columns of values.
    columns: usize,
    /// Blocks of two tiles of rows.
    blocks: usize,
    /// Steps of the keys whose tiles are made at a time.
    steps: usize,
}

impl Extents {
    fn new(h: usize, rows: usize, keys: usize) -> Self {
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
    fn of_step(self) -> [usize; 2] {
        [2 * self.depth * TILE, self.columns * TILE]
    }
}

/// See [`tile::Many::shared`]: of each head the keys' tiles, then the values'.
fn shared(problem: &Problem<'_>) -> (usize, usize) {
    let steps = problem.seen.len().div_ceil(DEPTH);
    let step: usize = Extents::new(problem.keys.head_dim, 0, 0)
        .of_step()
        .iter()
        .sum();
    let heads = problem.keys.heads;
    match heads * steps * step {
        numbers if numbers <= SHARED => (numbers, steps.div_ceil(CHUNK) * heads),
        _ => (0, 0),
    }
}

/// See [`tile::Many::share`]. Parts of the same keys follow each other: where heads lie side by side,
/// they have pages of memory in common.
///
/// # Safety
/// The processor has [`crate::Path::Amx`]; no other thread makes this part.
unsafe fn share(problem: &Problem<'_>, part: usize, to: &Shared<'_>) {
    let keys = problem.seen.clone();
    let steps = keys.len().div_ceil(DEPTH);
    let [of_keys, of_values] = Extents::new(problem.keys.head_dim, 0, 0).of_step();
    let (first, head) = (part / problem.keys.heads * CHUNK, part % problem.keys.heads);
    let part = first..steps.min(first + CHUNK);
    let keys = keys.start + first * DEPTH..keys.end;
    let start = head * steps * (of_keys + of_values);
    let values = start + steps * of_keys;
    // SAFETY: the caller's promise; parts have no numbers in common.
    unsafe {
        let to_keys = to.part(start + part.start * of_keys..start + part.end * of_keys);
        let to_values = to.part(values + part.start * of_values..values + part.end * of_values);
        pack::keys(&problem.keys, head, keys.clone(), to_keys);
        pack::values(&problem.values, head, keys, to_values);
    }
}

/// A thread's memory for a piece, in tiles but for `tops`.
struct Space<'a> {
    /// `[blocks][2][depth]`, of pairs of bf16.
    q: &'a mut [f32],
    /// `[blocks][2][columns]`.
    sums: &'a mut [f32],
    /// `[blocks][2 · 16]`.
    tops: &'a mut [f32],
    /// `[2][2][2 · CHUNK]`: of two chunks.
    scores: &'a mut [f32],
    /// `[2][2][CHUNK]`, of pairs.
    numerators: &'a mut [f32],
}

impl<'a> Space<'a> {
    /// The size of each field.
    fn sizes(extents: Extents) -> [usize; 5] {
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
            2 * 2 * 2 * CHUNK * TILE,
            2 * 2 * CHUNK * TILE,
        ]
    }

    /// Divides `numbers`, which are as many as the sizes together.
    fn new(extents: Extents, mut numbers: &'a mut [f32]) -> Self {
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

/// Tiles of keys, and of their values.
#[derive(Clone, Copy)]
struct Packed<'a> {
    keys: &'a [f32],
    values: &'a [f32],
}

/// See [`tile::Many::run`].
///
/// # Safety
/// The processor has [`crate::Path::Amx`]; no other thread runs this piece; keys and values are not
/// f32.
unsafe fn run(problem: &Problem<'_>, piece: &Piece, sink: &Sink<'_>, shared: &[f32]) {
    let extents = Extents::new(problem.keys.head_dim, piece.rows.len(), piece.keys.len());
    let seen: Vec<Range<usize>> = (piece.rows.clone())
        .map(|row| problem.visible(row / problem.group()))
        .map(|keys| keys.start.max(piece.keys.start)..keys.end.min(piece.keys.end))
        .collect();
    scratch::with(Space::sizes(extents).iter().sum(), |numbers| {
        let mut space = Space::new(extents, numbers);
        for (index, row) in piece.rows.clone().enumerate() {
            let query = &problem.q[problem.place(piece.head, row)];
            let tiles = &mut space.q[index / SIDE * extents.depth * TILE..];
            // SAFETY: the caller's promise.
            unsafe { pack::query(query, index % SIDE, tiles) };
        }
        // SAFETY: the caller's promise.
        unsafe {
            if shared.is_empty() {
                pack_and_run(problem, extents, piece, &seen, &mut space);
            } else {
                run_shared(problem, extents, piece, (&seen, shared), &mut space);
            }
            give(problem, extents, piece, &space, sink);
        }
    });
}

/// Takes keys whose tiles all pieces have in common.
///
/// # Safety
/// As for [`run`].
unsafe fn run_shared(
    problem: &Problem<'_>,
    extents: Extents,
    piece: &Piece,
    (seen, shared): (&[Range<usize>], &[f32]),
    space: &mut Space<'_>,
) {
    let all = &problem.seen;
    let steps = all.len().div_ceil(DEPTH);
    let [of_keys, of_values] = extents.of_step();
    let of_head = steps * (of_keys + of_values);
    let (keys, values) = shared[piece.head * of_head..][..of_head].split_at(steps * of_keys);
    let last = piece.keys.end.saturating_sub(all.start).div_ceil(DEPTH);
    let first = piece.keys.start.saturating_sub(all.start) / DEPTH;
    for first in (first..last).step_by(extents.steps.max(1)) {
        let part = first..last.min(first + extents.steps);
        let packed = Packed {
            keys: &keys[part.start * of_keys..],
            values: &values[part.start * of_values..],
        };
        let keys = all.start + part.start * DEPTH..all.end.min(all.start + part.end * DEPTH);
        // SAFETY: the caller's promise.
        unsafe { against(problem, extents, &keys, seen, packed, space) };
    }
}

/// Makes the tiles of a piece's keys, some at a time, and takes them.
///
/// # Safety
/// As for [`run`].
unsafe fn pack_and_run(
    problem: &Problem<'_>,
    extents: Extents,
    piece: &Piece,
    seen: &[Range<usize>],
    space: &mut Space<'_>,
) {
    let [of_keys, of_values] = extents.of_step();
    let many = extents.steps * DEPTH;
    scratch::with(extents.steps * (of_keys + of_values), |packed| {
        let (keys_tiles, values_tiles) = packed.split_at_mut(extents.steps * of_keys);
        for first in piece.keys.clone().step_by(many.max(1)) {
            let keys = first..piece.keys.end.min(first + many);
            // SAFETY: the caller's promise.
            unsafe {
                pack::keys(&problem.keys, piece.head, keys.clone(), keys_tiles);
                pack::values(&problem.values, piece.head, keys.clone(), values_tiles);
                let packed = Packed {
                    keys: keys_tiles,
                    values: values_tiles,
                };
                against(problem, extents, &keys, seen, packed, space);
            }
        }
    });
}

/// Hands over what the rows have gathered.
///
/// # Safety
/// As for [`run`].
#[target_feature(enable = "avx512f")]
unsafe fn give(
    problem: &Problem<'_>,
    extents: Extents,
    piece: &Piece,
    space: &Space<'_>,
    sink: &Sink<'_>,
) {
    let h = problem.keys.head_dim;
    for (index, row) in piece.rows.clone().enumerate() {
        let sums = &space.sums[index / SIDE * extents.columns * TILE + index % SIDE * SIDE..];
        let state = [space.tops[index], sums[h / SIDE * TILE + h % SIDE]];
        // SAFETY: once for each row of this piece.
        let (places, scale) = unsafe { sink.place(problem, piece, row, state) };
        for (places, sums) in places.chunks_mut(SIDE).zip(sums.chunks(TILE)) {
            for (place, sum) in places.iter_mut().zip(sums) {
                *place = sum * scale;
            }
        }
    }
}

/// A chunk of keys for a block of rows.
#[derive(Clone)]
struct Chunk {
    block: usize,
    /// Steps of the keys that are packed.
    steps: Range<usize>,
}

/// What is to be done of `keys`, in order.
fn chunks<'a>(
    seen: &'a [Range<usize>],
    keys: &'a Range<usize>,
) -> impl Iterator<Item = Chunk> + 'a {
    let blocks = seen.chunks(ROWS).enumerate();
    blocks.flat_map(move |(block, seen)| {
        let within = |seen: &Range<usize>| seen.start.max(keys.start)..seen.end.min(keys.end);
        let parts = seen.iter().map(within).filter(|keys| !keys.is_empty());
        let union = parts.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end));
        let union = union.unwrap_or(keys.start..keys.start);
        let first = (union.start - keys.start) / DEPTH;
        let last = (union.end - keys.start).div_ceil(DEPTH);
        let count = (last - first).div_ceil(CHUNK);
        (0..count).map(move |index| {
            let start = first + index * CHUNK;
            let steps = start..last.min(start + CHUNK);
            Chunk { block, steps }
        })
    })
}

/// Takes keys whose tiles have been made.
///
/// # Safety
/// The processor has [`crate::Path::Amx`]; `space` is as its fields say.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
unsafe fn against(
    problem: &Problem<'_>,
    extents: Extents,
    keys: &Range<usize>,
    seen: &[Range<usize>],
    packed: Packed<'_>,
    space: &mut Space<'_>,
) {
    let mut chunks = chunks(seen, keys);
    let mut next = chunks.next();
    // SAFETY: the caller's promise.
    unsafe {
        tiles::configure();
        let mut both = Both {
            before: Product::NONE,
            ahead: Product::NONE,
        };
        let mut done = Sums::NOWHERE;
        if let Some(chunk) = &next {
            both.ahead = scores(extents, chunk, packed, 0, space);
            both.ahead.finish(&mut done);
        }
        let mut turn = 0;
        while let Some(chunk) = next {
            next = chunks.next();
            if let Some(next) = &next {
                both.ahead = scores(extents, next, packed, turn ^ 1, space);
            }
            let first = keys.start + chunk.steps.start * DEPTH;
            let end = keys.end - first;
            let rows = &seen[chunk.block * ROWS..];
            let rows = &rows[..rows.len().min(ROWS)];
            let (each, more) = (both.left() / rows.len(), both.left() % rows.len());
            for (index, seen) in rows.iter().enumerate() {
                let seen =
                    seen.start.saturating_sub(first)..seen.end.saturating_sub(first).min(end);
                let (tile, of_tile) = (index / SIDE, index % SIDE * SIDE);
                let row = Row {
                    scores: space.scores[(turn * 2 + tile) * 2 * CHUNK * TILE + of_tile..].as_ptr(),
                    numerators: space.numerators[(turn * 2 + tile) * CHUNK * TILE + of_tile..]
                        .as_mut_ptr(),
                    steps: chunk.steps.len(),
                    factor: problem.scale * LOG2_E,
                };
                let tile = chunk.block * 2 + tile;
                let gathered = Gathered {
                    top: &raw mut space.tops[chunk.block * ROWS + index],
                    sums: space.sums[tile * extents.columns * TILE + of_tile..].as_mut_ptr(),
                    tiles: extents.columns,
                };
                softmax::take(&row, &seen, &gathered, || both.before.finish(&mut done));
                for _ in 0..each + usize::from(index < more) {
                    both.advance(&mut done);
                }
            }
            both.finish(&mut done);
            both.before = values(extents, &chunk, packed, turn, space);
            turn ^= 1;
        }
        both.before.finish(&mut done);
        tiles::release();
    }
}

/// Two products, one after the other.
struct Both {
    before: Product,
    ahead: Product,
}

impl Both {
    fn left(&self) -> usize {
        self.before.left() + self.ahead.left()
    }

    /// # Safety
    /// As for [`Product::advance`].
    #[inline(always)]
    unsafe fn advance(&mut self, done: &mut Sums) {
        // SAFETY: the caller's promise.
        unsafe {
            if self.before.is_done() {
                self.ahead.advance(done);
            } else {
                self.before.advance(done);
            }
        }
    }

    /// # Safety
    /// As for [`Product::advance`].
    unsafe fn finish(&mut self, done: &mut Sums) {
        // SAFETY: the caller's promise.
        unsafe {
            self.before.finish(done);
            self.ahead.finish(done);
        }
    }
}

/// The product that makes a chunk's scores.
fn scores(
    extents: Extents,
    chunk: &Chunk,
    packed: Packed<'_>,
    turn: usize,
    space: &mut Space<'_>,
) -> Product {
    let depth = extents.depth * TILE;
    Product {
        a: space.q[chunk.block * 2 * depth..].as_ptr(),
        a_row: depth,
        b: packed.keys[chunk.steps.start * 2 * depth..].as_ptr(),
        b_column: depth,
        b_step: TILE,
        out: space.scores[turn * 2 * 2 * CHUNK * TILE..].as_mut_ptr(),
        out_row: 2 * CHUNK * TILE,
        columns: 2 * chunk.steps.len(),
        depth: extents.depth,
        ..Product::NONE
    }
}

/// The product that adds a chunk's weighted values.
fn values(
    extents: Extents,
    chunk: &Chunk,
    packed: Packed<'_>,
    turn: usize,
    space: &mut Space<'_>,
) -> Product {
    let columns = extents.columns * TILE;
    Product {
        a: space.numerators[turn * 2 * CHUNK * TILE..].as_ptr(),
        a_row: CHUNK * TILE,
        b: packed.values[chunk.steps.start * columns..].as_ptr(),
        b_column: TILE,
        b_step: columns,
        out: space.sums[chunk.block * 2 * columns..].as_mut_ptr(),
        out_row: columns,
        columns: extents.columns,
        depth: chunk.steps.len(),
        fresh: false,
        ..Product::NONE
    }
}

#[cfg(test)]
mod tests;
