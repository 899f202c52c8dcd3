//! Attention of many queries, bound by arithmetic: tiles of queries, a lane each, against blocks
//! of keys.
//!
//! For each block of keys, scores = K · qᵀ with a query's scores in a column; the online softmax
//! of each column; and sums = fade · sums + Vᵀ · numerators. K is read where it lies; what the
//! instructions cannot read is widened or paired a block at a time, once for all tiles of a piece.

pub(super) mod online;
mod operand;
pub(super) mod pack;
pub(super) mod product;

use std::f32::consts::LOG2_E;
use std::ops::Range;

use half::bf16;

use super::few::Few;
use super::plan::{Piece, Sink};
use super::{Numbers, Problem, scratch};
use online::Online;
use operand::Operand;
use product::Product;

/// Keys of a block: a whole number of the steps of [`product`] and of pairs, and few enough that a
/// tile's scores stay in the first-level cache or not far from it.
pub(super) const KEYS: usize = 192;

/// The steps of a tile for one kind of element.
pub(super) struct Steps {
    pub(super) product: unsafe fn(&Product),
    pub(super) online: unsafe fn(&Online),
}

/// The kernels of a path: to be called only where the processor has its instructions, with
/// operands as their types say.
pub(super) struct Kernels {
    /// Numbers of two vectors: queries of a tile, lanes of a step along a row.
    pub(super) width: usize,
    /// For elements that are f32, and how rows of bf16 are made of such.
    pub(super) singles: Steps,
    pub(super) widen: unsafe fn(&[bf16], &mut [f32]),
    /// For elements that are pairs of bf16, and how two rows are made of such.
    pub(super) pairs: Option<Pairs>,
    pub(super) few_f32: unsafe fn(&mut Few<'_, f32>),
    pub(super) few_bf16: unsafe fn(&mut Few<'_, bf16>),
}

/// See [`Kernels::pairs`].
pub(super) struct Pairs {
    pub(super) steps: Steps,
    pub(super) interleave: unsafe fn(&[bf16], &[bf16], &mut [f32]),
}

/// What of a block of keys the queries of a tile see.
#[derive(PartialEq)]
enum Sight {
    Nothing,
    Parts,
    All,
}

impl Sight {
    fn of(seen: &[Range<usize>], block: &Range<usize>) -> Self {
        let all = |keys: &Range<usize>| keys.start <= block.start && block.end <= keys.end;
        let any = |keys: &Range<usize>| keys.start.max(block.start) < keys.end.min(block.end);
        if seen.iter().all(all) {
            Self::All
        } else if seen.iter().any(any) {
            Self::Parts
        } else {
            Self::Nothing
        }
    }
}

/// A thread's memory for a piece.
struct Space<'a> {
    /// `[tiles][depth][width]` elements.
    q: &'a mut [f32],
    /// `[tiles][h][width]`.
    sums: &'a mut [f32],
    /// `[tiles][2][width]`.
    state: &'a mut [f32],
    /// `[KEYS][width]`.
    scores: &'a mut [f32],
    /// `[width]`.
    fade: &'a mut [f32],
    /// `[2][width]`.
    seen: &'a mut [f32],
    /// Elements of a block's keys and of its values, where they are not read from the storage.
    keys: &'a mut [f32],
    values: &'a mut [f32],
}

/// Runs a piece.
///
/// # Safety
/// The processor has the instructions of `kernels`; no other thread runs this piece.
pub(super) unsafe fn run(problem: &Problem<'_>, kernels: &Kernels, piece: &Piece, sink: &Sink<'_>) {
    let narrow = matches!(problem.keys.numbers, Numbers::Bf16(_));
    let pairs = kernels.pairs.as_ref().filter(|_| narrow);
    let steps = pairs.map_or(&kernels.singles, |pairs| &pairs.steps);
    let (h, width) = (problem.keys.head_dim, kernels.width);
    let depth = if pairs.is_some() { h.div_ceil(2) } else { h };
    let tiles = piece.rows.len().div_ceil(width);
    let sizes = [
        tiles * depth * width,
        tiles * h * width,
        tiles * 2 * width,
        KEYS * width,
        width,
        2 * width,
        KEYS * depth,
        KEYS * h,
    ];
    let seen: Vec<Range<usize>> = piece
        .rows
        .clone()
        .map(|row| problem.visible(row / problem.group()))
        .collect();
    scratch::with(sizes.iter().sum(), |mut numbers| {
        let mut next = |size| {
            let (part, rest) = std::mem::take(&mut numbers).split_at_mut(size);
            numbers = rest;
            part
        };
        let mut space = Space {
            q: next(sizes[0]),
            sums: next(sizes[1]),
            state: next(sizes[2]),
            scores: next(sizes[3]),
            fade: next(sizes[4]),
            seen: next(sizes[5]),
            keys: next(sizes[6]),
            values: next(sizes[7]),
        };
        queries(problem, piece, width, pairs.is_some(), space.q);
        space.sums.fill(0.0);
        for state in space.state.chunks_exact_mut(2 * width) {
            state[..width].fill(f32::MIN);
            state[width..].fill(0.0);
        }
        for first in piece.keys.clone().step_by(KEYS) {
            let block = first..piece.keys.end.min(first + KEYS);
            // SAFETY: the caller's promise.
            unsafe {
                against(
                    problem,
                    kernels,
                    steps,
                    (piece.head, &block),
                    &seen,
                    &mut space,
                )
            };
        }
        for (index, row) in piece.rows.clone().enumerate() {
            let (tile, column) = (index / width, index % width);
            let state = &space.state[tile * 2 * width..];
            let sums = &space.sums[tile * h * width..];
            // SAFETY: once for each row of this piece.
            unsafe {
                sink.put(
                    problem,
                    piece,
                    row,
                    [state[column], state[width + column]],
                    |lane| sums[lane * width + column],
                );
            }
        }
    });
}

/// Lays out the queries of a piece as columns of elements; columns without a query are 0.
fn queries(problem: &Problem<'_>, piece: &Piece, width: usize, pairs: bool, q: &mut [f32]) {
    let h = problem.keys.head_dim;
    let depth = if pairs { h.div_ceil(2) } else { h };
    q.fill(0.0);
    for (index, row) in piece.rows.clone().enumerate() {
        let column = index / width * depth * width + index % width;
        let from = &problem.q[problem.place(piece.head, row)];
        for element in 0..depth {
            q[column + element * width] = if pairs {
                let number = |lane| bf16::from_f32(from.get(lane).copied().unwrap_or_default());
                pack::pair(number(2 * element), number(2 * element + 1))
            } else {
                from[element]
            };
        }
    }
}

/// Takes a block of keys of a head for all tiles.
///
/// # Safety
/// The processor has the instructions of `kernels`; `space` is as its fields say for `steps`.
unsafe fn against(
    problem: &Problem<'_>,
    kernels: &Kernels,
    steps: &Steps,
    (head, block): (usize, &Range<usize>),
    seen: &[Range<usize>],
    space: &mut Space<'_>,
) {
    let (h, width) = (problem.keys.head_dim, kernels.width);
    let mut operands: Option<[Operand; 2]> = None;
    for (tile, seen) in seen.chunks(width).enumerate() {
        let sight = Sight::of(seen, block);
        if sight == Sight::Nothing {
            continue;
        }
        let [keys, values] = operands.get_or_insert_with(|| {
            // SAFETY: the caller's promise.
            unsafe {
                [
                    Operand::keys(problem, kernels, head, block, space.keys),
                    Operand::values(problem, kernels, head, block, space.values),
                ]
            }
        });
        let parts = sight == Sight::Parts;
        if parts {
            intervals(seen, block, space.seen);
        }
        let scores = space.scores.as_mut_ptr();
        let sums = space.sums[tile * h * width..][..h * width].as_mut_ptr();
        let state = space.state[tile * 2 * width..][..2 * width].as_mut_ptr();
        let q = space.q[tile * keys.depth * width..][..keys.depth * width].as_ptr();
        let fade = space.fade.as_mut_ptr();
        // SAFETY: all are as long as the steps' operands say, by the slices taken here and the
        // caller's promise; `Operand` gives places that can be read.
        unsafe {
            (steps.product)(&keys.times(q, scores, std::ptr::null()));
            (steps.online)(&Online {
                scores,
                keys: block.len(),
                factor: problem.scale * LOG2_E,
                seen: if parts {
                    space.seen.as_ptr()
                } else {
                    std::ptr::null()
                },
                state,
                fade,
            });
            (steps.product)(&values.times(scores, sums, fade));
        }
    }
}

/// Writes the intervals as [`Online::seen`] wants them; columns without a query see everything.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a block's keys are exact in f32"
)]
fn intervals(seen: &[Range<usize>], block: &Range<usize>, to: &mut [f32]) {
    let (low, high) = to.split_at_mut(to.len() / 2);
    low.fill(0.0);
    high.fill(f32::MAX);
    for ((low, high), keys) in low.iter_mut().zip(high).zip(seen) {
        let within = |key: usize| (key.clamp(block.start, block.end) - block.start) as f32;
        (*low, *high) = (within(keys.start), within(keys.end));
    }
}
