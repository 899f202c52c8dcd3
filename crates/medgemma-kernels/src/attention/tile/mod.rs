//! Attention of many queries, bound by arithmetic: tiles of queries, a lane each, against blocks
//! of keys.
//!
//! For each block of keys, scores = K · qᵀ with a query's scores in a column; the online softmax
//! of each column; and sums = fade · sums + Vᵀ · numerators. K is read where it lies; what the
//! instructions cannot read is widened or paired a block at a time, once for all tiles of a piece.

pub(super) mod online;
pub(super) mod operand;
pub(super) mod pack;
pub(super) mod product;

use std::ops::Range;

use half::bf16;

use super::few;
use super::plan::{Piece, Sink};
use super::shared::Shared;
use super::{Numbers, Problem};
use crate::scratch;
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
    /// For elements that are f32, and how rows of other numbers are made of such.
    pub(super) singles: Steps,
    pub(super) widen: unsafe fn(&[bf16], &mut [f32]),
    pub(super) widen_bytes: unsafe fn(&[i8], f32, &mut [f32]),
    /// For elements that are pairs of bf16, and how two rows are made of such.
    pub(super) pairs: Option<Pairs>,
    /// For many rows against numbers that are not f32, where a path has steps of its own.
    pub(super) many: Option<Many>,
    pub(super) few_f32: few::Steps<f32>,
    pub(super) few_int8: few::Steps<i8>,
    pub(super) few_bf16: few::Steps<bf16>,
}

/// See [`Kernels::many`]; to be called as [`run`] is.
pub(super) struct Many {
    /// Rows that are taken together.
    pub(super) rows: usize,
    /// Fewer rows of a head of keys than these do not pay for the tiles that are made of it.
    pub(super) least: usize,
    /// Numbers that are made of keys and values once for all pieces, and the parts that they are made
    /// in; none where they would be too many.
    pub(super) shared: fn(&Problem<'_>) -> (usize, usize),
    /// Makes a part of them.
    pub(super) share: unsafe fn(&Problem<'_>, usize, &Shared<'_>),
    /// Runs a piece.
    pub(super) run: unsafe fn(&Problem<'_>, &Piece, &Sink<'_>, &[f32]),
}

/// How rows of pairs, of so many lanes each, become the lanes' rows, [`KEYS`] / 2 apart.
type Turn = unsafe fn(&[f32], usize, &mut [f32]);

/// See [`Kernels::pairs`].
pub(super) struct Pairs {
    pub(super) steps: Steps,
    pub(super) interleave: unsafe fn(&[bf16], &[bf16], &mut [f32]),
    /// Where the product wants elements that follow each other along the depth.
    pub(super) turn: Option<Turn>,
    /// How a row of queries is made of such.
    pub(super) narrow: unsafe fn(&[f32], &mut [f32]),
    /// How a row of whole numbers is made a row of bf16.
    pub(super) round_bytes: unsafe fn(&[i8], f32, &mut [bf16]),
}

/// What of a block of keys the queries of a tile see.
struct Sight {
    /// Keys that a query sees, counted from the block's first. The first is even: pairs of values
    /// are not parted.
    keys: Range<usize>,
    /// Whether all queries see all of these.
    all: bool,
}

impl Sight {
    /// `None` if they see nothing of it.
    fn of(seen: &[Range<usize>], block: &Range<usize>) -> Option<Self> {
        let within = |keys: &Range<usize>| keys.start.max(block.start)..keys.end.min(block.end);
        let parts = seen.iter().map(within).filter(|keys| !keys.is_empty());
        let keys = parts.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))?;
        let keys = (keys.start - block.start) & !1..keys.end - block.start;
        let (low, high) = (block.start + keys.start, block.start + keys.end);
        let all = seen
            .iter()
            .all(|seen| seen.start <= low && high <= seen.end);
        Some(Self { keys, all })
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

/// The extents of a piece.
#[derive(Clone, Copy)]
struct Extents {
    tiles: usize,
    width: usize,
    h: usize,
    /// Elements of a query.
    depth: usize,
}

impl<'a> Space<'a> {
    /// The size of each field.
    fn sizes(extents: Extents) -> [usize; 8] {
        let Extents {
            tiles,
            width,
            h,
            depth,
        } = extents;
        [
            tiles * depth * width,
            tiles * h * width,
            tiles * 2 * width,
            KEYS * width,
            width,
            2 * width,
            KEYS * depth,
            KEYS * h,
        ]
    }

    /// Divides `numbers`, which are as many as the sizes together.
    fn new(extents: Extents, mut numbers: &'a mut [f32]) -> Self {
        let [q, sums, state, scores, fade, seen, keys, values] = Self::sizes(extents).map(|size| {
            let (part, rest) = std::mem::take(&mut numbers).split_at_mut(size);
            numbers = rest;
            part
        });
        sums.fill(0.0);
        for state in state.chunks_exact_mut(2 * extents.width) {
            let (largest, sum) = state.split_at_mut(extents.width);
            largest.fill(f32::MIN);
            sum.fill(0.0);
        }
        Self {
            q,
            sums,
            state,
            scores,
            fade,
            seen,
            keys,
            values,
        }
    }
}

/// Runs a piece.
///
/// # Safety
/// The processor has the instructions of `kernels`; no other thread runs this piece.
pub(super) unsafe fn run(problem: &Problem<'_>, kernels: &Kernels, piece: &Piece, sink: &Sink<'_>) {
    let narrow = !matches!(problem.keys.numbers, Numbers::F32(_));
    let pairs = kernels.pairs.as_ref().filter(|_| narrow);
    let steps = pairs.map_or(&kernels.singles, |pairs| &pairs.steps);
    let h = problem.keys.head_dim;
    // A vector's lanes that no query needs are not multiplied.
    let width = if piece.rows.len() <= kernels.width / 2 {
        kernels.width / 2
    } else {
        kernels.width
    };
    let extents = Extents {
        tiles: piece.rows.len().div_ceil(width),
        width,
        h,
        depth: if pairs.is_some() { h.div_ceil(2) } else { h },
    };
    let rows = piece.rows.clone();
    let seen: Vec<Range<usize>> = rows
        .map(|row| problem.visible(row / problem.group()))
        .collect();
    scratch::with(Space::sizes(extents).iter().sum(), |numbers| {
        let mut space = Space::new(extents, numbers);
        // SAFETY: the caller's promise.
        unsafe {
            let row = &mut space.keys[..extents.depth];
            queries(problem, piece, width, pairs, (space.q, row));
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
                );
            }
        }
        for (index, row) in piece.rows.clone().enumerate() {
            let (tile, column) = (index / width, index % width);
            let state = &space.state[tile * 2 * width..];
            let state = [state[column], state[width + column]];
            let sums = &space.sums[tile * h * width..];
            // SAFETY: once for each row of this piece.
            unsafe {
                sink.put(problem, piece, row, state, |lane| {
                    sums[lane * width + column]
                })
            };
        }
    });
}

/// Lays out the queries of a piece as columns of elements; columns without a query are 0.
///
/// # Safety
/// The processor has the instructions of `pairs`.
unsafe fn queries(
    problem: &Problem<'_>,
    piece: &Piece,
    width: usize,
    pairs: Option<&Pairs>,
    (q, row): (&mut [f32], &mut [f32]),
) {
    let depth = row.len();
    q.fill(0.0);
    for (index, from) in piece.rows.clone().enumerate() {
        let from = &problem.q[problem.place(piece.head, from)];
        match pairs {
            // SAFETY: the caller's promise.
            Some(pairs) => unsafe { (pairs.narrow)(from, row) },
            None => row.copy_from_slice(from),
        }
        let column = index / width * depth * width + index % width;
        let places = q[column..].iter_mut().step_by(width);
        for (place, element) in places.zip(&*row) {
            *place = *element;
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
    let h = problem.keys.head_dim;
    let width = space.fade.len();
    let mut operands: Option<[Operand; 2]> = None;
    for (tile, seen) in seen.chunks(width).enumerate() {
        let Some(sight) = Sight::of(seen, block) else {
            continue;
        };
        let [keys, values] = operands.get_or_insert_with(|| {
            // SAFETY: the caller's promise.
            unsafe {
                [
                    Operand::keys(problem, kernels, head, block, space.keys),
                    Operand::values(problem, kernels, head, block, space.values),
                ]
            }
        });
        if !sight.all {
            intervals(seen, block.start + sight.keys.start, space.seen);
        }
        let scores = space.scores.as_mut_ptr();
        let sums = space.sums[tile * h * width..][..h * width].as_mut_ptr();
        let state = space.state[tile * 2 * width..][..2 * width].as_mut_ptr();
        let q = space.q[tile * keys.depth * width..][..keys.depth * width].as_ptr();
        let fade = space.fade.as_mut_ptr();
        // SAFETY: all are as long as the steps' operands say, by the slices taken here and the
        // caller's promise; `Operand` gives places that can be read.
        unsafe {
            (steps.product)(
                &keys
                    .of_keys(&sight.keys)
                    .times(q, width, scores, std::ptr::null()),
            );
            (steps.online)(&Online {
                scores,
                keys: sight.keys.len(),
                width,
                factor: problem.factor(),
                seen: if sight.all {
                    std::ptr::null()
                } else {
                    space.seen.as_ptr()
                },
                state,
                fade,
            });
            (steps.product)(
                &values
                    .of_values(&sight.keys)
                    .times(scores, width, sums, fade),
            );
        }
    }
}

/// Writes the intervals as [`Online::seen`] wants them, counted from key `first`; columns without a
/// query see everything. Counts are exact in f32 up to a block's keys, and what is beyond stays beyond.
fn intervals(seen: &[Range<usize>], first: usize, to: &mut [f32]) {
    let (low, high) = to.split_at_mut(to.len() / 2);
    low.fill(0.0);
    high.fill(f32::MAX);
    for ((low, high), keys) in low.iter_mut().zip(high).zip(seen) {
        let from_first = |key: usize| key.saturating_sub(first) as f32;
        (*low, *high) = (from_first(keys.start), from_first(keys.end));
    }
}
