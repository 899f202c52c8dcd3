//! Rows against the tiles of keys and values, a chunk of keys at a time.

use std::f32::consts::LOG2_E;
use std::ops::Range;

use super::Packed;
use super::pack::DEPTH;
use super::product::Product;
use super::softmax::{self, Gathered, Row};
use super::space::{CHUNK, Extents, ROWS, Space};
use super::tiles::{SIDE, Sums, TILE};
use crate::amx::{Config, release};
use crate::attention::Problem;

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
pub(super) unsafe fn against(
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
        Config::WHOLE.load();
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
                let (row, gathered) = row(problem, extents, &chunk, (turn, index), space);
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
        release();
    }
}

/// A row of a chunk's block: its scores and numerators, and what it has gathered.
fn row(
    problem: &Problem<'_>,
    extents: Extents,
    chunk: &Chunk,
    (turn, index): (usize, usize),
    space: &mut Space<'_>,
) -> (Row, Gathered) {
    let (tile, of_tile) = (index / SIDE, index % SIDE * SIDE);
    let scores = (turn * 2 + tile) * 2 * CHUNK * TILE + of_tile;
    let numerators = (turn * 2 + tile) * CHUNK * TILE + of_tile;
    let row = Row {
        scores: space.scores[scores..].as_ptr(),
        numerators: space.numerators[numerators..].as_mut_ptr(),
        steps: chunk.steps.len(),
        factor: problem.scale * LOG2_E,
    };
    let sums = (chunk.block * 2 + tile) * extents.columns * TILE + of_tile;
    let gathered = Gathered {
        top: &raw mut space.tops[chunk.block * ROWS + index],
        sums: space.sums[sums..].as_mut_ptr(),
        tiles: extents.columns,
    };
    (row, gathered)
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
