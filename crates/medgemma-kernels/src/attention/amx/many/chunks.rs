//! Rows against the tiles of keys and values, a chunk of keys at a time.

use std::ops::Range;

use super::Packed;
use super::pack::DEPTH;
use super::product::Product;
use super::softmax::Block;
use super::space::{CHUNK, Extents, ROWS, Space};
use super::tiles::TILE;
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
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16,avx512vbmi")]
pub(super) unsafe fn against(
    problem: &Problem<'_>,
    extents: Extents,
    keys: &Range<usize>,
    seen: &[Range<usize>],
    packed: Packed<'_>,
    space: &mut Space<'_>,
) {
    let factor = problem.factor();
    // SAFETY: the caller's promise.
    unsafe {
        Config::WHOLE.load();
        for chunk in chunks(seen, keys) {
            scores(extents, &chunk, packed, space).run();
            let first = keys.start + chunk.steps.start * DEPTH;
            let end = keys.end - first;
            let rows = &seen[chunk.block * ROWS..];
            let rows = &rows[..rows.len().min(ROWS)];
            let block = block(extents, factor, &chunk, space);
            let all = |seen: &Range<usize>| {
                seen.start <= first && seen.end.saturating_sub(first).min(end) >= block.keys()
            };
            let mut left = u32::MAX >> (ROWS - rows.len());
            if rows.iter().all(all) {
                left &= block.take_all();
            }
            while left != 0 {
                let index = left.trailing_zeros() as usize;
                let seen = &rows[index];
                let seen =
                    seen.start.saturating_sub(first)..seen.end.saturating_sub(first).min(end);
                block.take(index, &seen);
                left &= left - 1;
            }
            values(extents, &chunk, packed, space).run();
        }
        release();
    }
}

/// The block of a chunk: its scores and numerators, and what its rows have gathered.
fn block(extents: Extents, factor: f32, chunk: &Chunk, space: &mut Space<'_>) -> Block {
    let sums = chunk.block * 2 * extents.columns * TILE;
    Block {
        scores: space.scores.as_ptr(),
        numerators: space.numerators.as_mut_ptr(),
        steps: chunk.steps.len(),
        factor,
        tops: space.tops[chunk.block * ROWS..][..ROWS].as_mut_ptr(),
        sums: space.sums[sums..].as_mut_ptr(),
        tiles: extents.columns,
    }
}

/// The product that makes a chunk's scores.
fn scores(extents: Extents, chunk: &Chunk, packed: Packed<'_>, space: &mut Space<'_>) -> Product {
    let depth = extents.depth * TILE;
    Product {
        a: space.q[chunk.block * 2 * depth..].as_ptr(),
        a_row: depth,
        b: packed.keys[chunk.steps.start * 2 * depth..].as_ptr(),
        b_column: depth,
        b_step: TILE,
        out: space.scores.as_mut_ptr(),
        out_row: 2 * CHUNK * TILE,
        columns: 2 * chunk.steps.len(),
        depth: extents.depth,
        fresh: true,
    }
}

/// The product that adds a chunk's weighted values.
fn values(extents: Extents, chunk: &Chunk, packed: Packed<'_>, space: &mut Space<'_>) -> Product {
    let columns = extents.columns * TILE;
    Product {
        a: space.numerators.as_ptr(),
        a_row: CHUNK * TILE,
        b: packed.values[chunk.steps.start * columns..].as_ptr(),
        b_column: TILE,
        b_step: columns,
        out: space.sums[chunk.block * 2 * columns..].as_mut_ptr(),
        out_row: columns,
        columns: extents.columns,
        depth: chunk.steps.len(),
        fresh: false,
    }
}
