//! Attention of many queries on the tile unit, where the tiles of keys and values that are made once
//! serve many rows.
//!
//! Two tiles of rows are taken at a time, against chunks of keys: scores = q · Kᵀ; the online softmax
//! of each row; sums = sums + numerators · V. The numerators of a row lie as the left operand of the
//! second product wants them.

mod chunks;
mod pack;
mod product;
mod softmax;
mod space;
mod tiles;

use std::ops::Range;

use super::super::plan::{Piece, Sink};
use super::super::shared::Shared;
use super::super::{Problem, tile};
use crate::scratch;
use chunks::against;
use pack::DEPTH;
use space::{CHUNK, Extents, ROWS, SHARED, Space};
use tiles::{SIDE, TILE};

/// See [`tile::Kernels::many`].
pub(super) const MANY: tile::Many = tile::Many {
    rows: ROWS,
    least: 2 * ROWS,
    shared,
    share,
    run,
};

/// See [`tile::Many::shared`]: of each head the keys' tiles, then the values'.
fn shared(problem: &Problem<'_>) -> (usize, usize) {
    let steps = problem.seen.len().div_ceil(DEPTH);
    let step: usize = Extents::new(problem.keys.head_dim, 0, 0)
        .of_step()
        .iter()
        .sum();
    let heads = problem.keys.heads;
    // Of keys that all lie at one place there may be any number.
    let numbers = (heads.checked_mul(steps)).and_then(|steps| steps.checked_mul(step));
    match numbers {
        Some(numbers) if numbers <= SHARED => (numbers, steps.div_ceil(CHUNK) * heads),
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
            if row + pack::AHEAD < piece.rows.end {
                pack::prefetch(&problem.q[problem.place(piece.head, row + pack::AHEAD)]);
            }
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

#[cfg(test)]
mod tests;
