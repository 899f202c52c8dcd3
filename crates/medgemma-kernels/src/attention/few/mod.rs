//! Attention of few queries, decoding: bound by reading keys and values, each once for all queries
//! of its group, in the order in which they lie. Queries and numerators stay f32, but for keys in bf16
//! where the processor multiplies such pairs: see [`Order::Pairs`].

pub(super) mod reading;
pub(super) mod steps;

use super::plan::{Piece, Sink};
use super::tile::Kernels;
use super::{Numbers, Problem};
use crate::scratch;

/// The most rows of queries that share a reading.
pub(super) const ROWS: usize = 8;

/// How queries are laid out for the steps, and what they leave, along a row.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Order {
    /// f32 in the order of the lanes.
    Lanes,
    /// f32, of each pair of vectors the first for the even lanes, the second for the odd ones: the
    /// halves of the same bits.
    Halves,
    /// Queries as pairs of bf16 in the order of the lanes. Sums as pairing two rows of values
    /// leaves them: of each eight lanes the first four in the first vector, the others in the
    /// second.
    Pairs,
}

impl Order {
    /// Where a lane's sum stands; `pair` numbers make two vectors.
    fn place(self, lane: usize, pair: usize) -> usize {
        let (start, within) = (lane / pair * pair, lane % pair);
        match self {
            Self::Lanes => lane,
            Self::Halves => start + within % 2 * (pair / 2) + within / 2,
            Self::Pairs => start + within % 8 / 4 * (pair / 2) + within / 8 * 4 + within % 4,
        }
    }
}

/// The steps for a storage.
pub(super) struct Steps<T> {
    pub(super) run: unsafe fn(&mut Few<'_, T>),
    pub(super) order: Order,
}

/// Operands of the steps. Powers are of 2: `factor` contains log₂ e.
pub(super) struct Few<'a, T> {
    /// `[rows][width]`, in the order of the steps, 0 past the last lane; width is h rounded up to a
    /// whole number of vector pairs.
    pub(super) q: &'a [f32],
    pub(super) rows: usize,
    pub(super) width: usize,
    pub(super) h: usize,
    /// The first key, and numbers to the next.
    pub(super) keys: (*const T, usize),
    /// The first value, and numbers to the next.
    pub(super) values: (*const T, usize),
    pub(super) count: usize,
    /// Of each row the first key that it sees and the one after the last.
    pub(super) seen: &'a [[usize; 2]],
    /// Scales of the keys and of the values; empty where numbers have none.
    pub(super) scales: [&'a [f32]; 2],
    /// What the products are to be multiplied by.
    pub(super) factor: f32,
    /// Out, `[rows][width]`, in the order of the steps: weighted sums of values.
    pub(super) out: &'a mut [f32],
    /// Out, of each row the largest score and the sum of numerators.
    pub(super) state: &'a mut [[f32; 2]],
}

/// Runs a piece of few rows.
///
/// # Safety
/// The processor has the instructions of `kernels`; no other thread runs this piece.
pub(super) unsafe fn run(problem: &Problem<'_>, kernels: &Kernels, piece: &Piece, sink: &Sink<'_>) {
    let (keys, values) = (&problem.keys, &problem.values);
    let first =
        |rows: &super::Rows<'_>| piece.head * rows.head_stride + piece.keys.start * rows.row_stride;
    match (keys.numbers, values.numbers) {
        _ if piece.keys.is_empty() => {
            for row in piece.rows.clone() {
                // SAFETY: once for each row of this piece.
                unsafe { sink.put(problem, piece, row, [f32::MIN, 0.0], |_| 0.0) };
            }
        }
        (Numbers::F32(k), Numbers::F32(v)) => {
            let (k, v) = (&k[first(keys)..], &v[first(values)..]);
            // SAFETY: the caller's promise.
            unsafe { stream(problem, kernels, &kernels.few_f32, (k, v), piece, sink) }
        }
        (Numbers::Bf16(k), Numbers::Bf16(v)) => {
            let (k, v) = (&k[first(keys)..], &v[first(values)..]);
            // SAFETY: the caller's promise.
            unsafe { stream(problem, kernels, &kernels.few_bf16, (k, v), piece, sink) }
        }
        (Numbers::Int8 { numbers: k, .. }, Numbers::Int8 { numbers: v, .. }) => {
            let (k, v) = (&k[first(keys)..], &v[first(values)..]);
            // SAFETY: the caller's promise.
            unsafe { stream(problem, kernels, &kernels.few_int8, (k, v), piece, sink) }
        }
        _ => unreachable!("keys and values are stored alike"),
    }
}

/// # Safety
/// As for [`run`]; `keys` and `values` begin with the piece's first, which there is.
unsafe fn stream<T>(
    problem: &Problem<'_>,
    kernels: &Kernels,
    steps: &Steps<T>,
    (keys, values): (&[T], &[T]),
    piece: &Piece,
    sink: &Sink<'_>,
) {
    let h = problem.keys.head_dim;
    let pair = kernels.width;
    let width = h.next_multiple_of(pair);
    let rows = piece.rows.len();
    let mut state = [[0.0; 2]; ROWS];
    let mut seen = [[0; 2]; ROWS];
    for (seen, row) in seen.iter_mut().zip(piece.rows.clone()) {
        let keys = problem.visible(row / problem.group());
        *seen = [keys.start, keys.end].map(|key| key.saturating_sub(piece.keys.start));
    }
    scratch::with(2 * rows * width, |numbers| {
        let (q, out) = numbers.split_at_mut(rows * width);
        q.fill(0.0);
        for (q, row) in q.chunks_exact_mut(width).zip(piece.rows.clone()) {
            let from = &problem.q[problem.place(piece.head, row)];
            match &kernels.pairs {
                // SAFETY: the caller's promise.
                Some(pairs) if steps.order == Order::Pairs => unsafe { (pairs.narrow)(from, q) },
                _ => {
                    for (lane, number) in from.iter().enumerate() {
                        q[steps.order.place(lane, pair)] = *number;
                    }
                }
            }
        }
        let mut task = Few {
            q,
            rows,
            width,
            h,
            keys: (keys.as_ptr(), problem.keys.row_stride),
            values: (values.as_ptr(), problem.values.row_stride),
            count: piece.keys.len(),
            seen: &seen[..rows],
            scales: [&problem.keys, &problem.values]
                .map(|rows| rows.scales(piece.head, piece.keys.start)),
            factor: problem.factor(),
            out,
            state: &mut state[..rows],
        };
        // SAFETY: the processor has the instructions, by the caller's promise; `attention` checked
        // that the views are within their storage.
        unsafe { (steps.run)(&mut task) };
        for (index, row) in piece.rows.clone().enumerate() {
            let out = &task.out[index * width..][..width];
            // SAFETY: once for each row of this piece.
            unsafe {
                sink.put(problem, piece, row, task.state[index], |lane| {
                    out[steps.order.place(lane, pair)]
                });
            }
        }
    });
}
