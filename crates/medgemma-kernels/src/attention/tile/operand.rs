//! The left operands of a tile's products: a block of keys, a block of values.

use std::ops::Range;

use half::bf16;

use super::product::{ELEMENT, Product};
use super::{KEYS, Kernels, Pairs, pack};
use crate::attention::{Numbers, Problem, Rows};

/// A matrix of elements at its place, see [`Product`].
pub(super) struct Operand {
    start: *const u8,
    row_step: usize,
    depth_step: usize,
    rows: usize,
    pub(super) depth: usize,
    /// Keys along the depth that an element holds, for values.
    keys_of_element: usize,
}

impl Operand {
    /// A row for each key, summed along the head's lanes.
    ///
    /// # Safety
    /// The processor has the instructions of `kernels`. The operand reads the problem's keys and
    /// `buffer`, which has room for all elements.
    pub(super) unsafe fn keys(
        problem: &Problem<'_>,
        kernels: &Kernels,
        head: usize,
        block: &Range<usize>,
        buffer: &mut [f32],
    ) -> Self {
        let (keys, h) = (&problem.keys, problem.keys.head_dim);
        let start = head * keys.head_stride + block.start * keys.row_stride;
        let (start, row_step, depth) = match (keys.numbers, &kernels.pairs) {
            (Numbers::F32(numbers), _) => (
                numbers[start..].as_ptr().cast(),
                keys.row_stride.wrapping_mul(size_of::<f32>()),
                h,
            ),
            (Numbers::Bf16(numbers), Some(_)) if h.is_multiple_of(2) => (
                numbers[start..].as_ptr().cast(),
                keys.row_stride.wrapping_mul(size_of::<bf16>()),
                h / 2,
            ),
            (_, pairs) => {
                let depth = if pairs.is_some() { h.div_ceil(2) } else { h };
                let mut room = vec![bf16::ZERO; h];
                for (to, key) in buffer.chunks_exact_mut(depth).zip(block.clone()) {
                    // SAFETY: the caller's promise.
                    unsafe {
                        match pairs {
                            Some(pairs) => {
                                pack::neighbours(narrow(keys, pairs, head, key, &mut room), to);
                            }
                            None => wide(keys, kernels, head, key, to),
                        }
                    }
                }
                (buffer.as_ptr().cast(), depth * ELEMENT, depth)
            }
        };
        Self {
            start,
            row_step,
            depth_step: ELEMENT,
            rows: block.len(),
            depth,
            keys_of_element: 0,
        }
    }

    /// A row for each lane of the head, summed along the keys.
    ///
    /// # Safety
    /// As for [`Self::keys`], with the problem's values.
    pub(super) unsafe fn values(
        problem: &Problem<'_>,
        kernels: &Kernels,
        head: usize,
        block: &Range<usize>,
        buffer: &mut [f32],
    ) -> Self {
        let (values, h) = (&problem.values, problem.values.head_dim);
        let start = head * values.head_stride + block.start * values.row_stride;
        let (start, row_step, depth_step, depth) = match (values.numbers, &kernels.pairs) {
            (Numbers::F32(numbers), _) => (
                numbers[start..].as_ptr().cast(),
                ELEMENT,
                values.row_stride.wrapping_mul(ELEMENT),
                block.len(),
            ),
            (_, Some(pairs)) => {
                let mut room = [vec![bf16::ZERO; h], vec![bf16::ZERO; h]];
                let depth = block.len().div_ceil(2);
                // Pairs take half of the elements' room.
                let (rows, turned) = buffer.split_at_mut(KEYS / 2 * h);
                let rows = &mut rows[..depth * h];
                for (to, key) in rows.chunks_exact_mut(h).zip(block.clone().step_by(2)) {
                    let [first, second] = &mut room;
                    // SAFETY: the caller's promise.
                    unsafe {
                        let first = narrow(values, pairs, head, key, first);
                        if key + 1 < block.end {
                            let second = narrow(values, pairs, head, key + 1, second);
                            (pairs.interleave)(first, second, to);
                        } else {
                            pack::alone(first, to);
                        }
                    }
                }
                if let Some(turn) = pairs.turn {
                    // SAFETY: the caller's promise.
                    unsafe { turn(rows, h, turned) };
                    (turned.as_ptr().cast(), KEYS / 2 * ELEMENT, ELEMENT, depth)
                } else {
                    (rows.as_ptr().cast(), ELEMENT, h * ELEMENT, depth)
                }
            }
            (_, None) => {
                for (to, key) in buffer.chunks_exact_mut(h).zip(block.clone()) {
                    // SAFETY: the caller's promise.
                    unsafe { wide(values, kernels, head, key, to) }
                }
                (buffer.as_ptr().cast(), ELEMENT, h * ELEMENT, block.len())
            }
        };
        Self {
            start,
            row_step,
            depth_step,
            rows: h,
            depth,
            keys_of_element: block.len().div_ceil(depth),
        }
    }

    /// Some of a block's keys.
    pub(super) fn of_keys(&self, keys: &Range<usize>) -> Self {
        Self {
            start: self.start.wrapping_add(keys.start * self.row_step),
            rows: keys.len(),
            ..*self
        }
    }

    /// Some of a block's values; the first is even.
    pub(super) fn of_values(&self, keys: &Range<usize>) -> Self {
        let first = keys.start / self.keys_of_element;
        Self {
            start: self.start.wrapping_add(first * self.depth_step),
            depth: keys.len().div_ceil(self.keys_of_element),
            ..*self
        }
    }

    /// The product with the `width` columns `b`.
    pub(super) fn times(
        &self,
        b: *const f32,
        width: usize,
        out: *mut f32,
        fade: *const f32,
    ) -> Product {
        Product {
            width,
            a: self.start,
            row_step: self.row_step,
            depth_step: self.depth_step,
            rows: self.rows,
            depth: self.depth,
            b,
            out,
            fade,
        }
    }
}

/// The numbers of a key or value as bf16, in `room` if they are not stored as such.
///
/// # Safety
/// The processor has the instructions of `pairs`.
pub(in crate::attention) unsafe fn narrow<'a>(
    rows: &Rows<'a>,
    pairs: &Pairs,
    head: usize,
    key: usize,
    room: &'a mut [bf16],
) -> &'a [bf16] {
    let start = head * rows.head_stride + key * rows.row_stride;
    match rows.numbers {
        Numbers::F32(_) => unreachable!("f32 is used as it lies"),
        Numbers::Bf16(numbers) => &numbers[start..start + rows.head_dim],
        Numbers::Int8 { numbers, .. } => {
            let from = &numbers[start..start + rows.head_dim];
            // SAFETY: the caller's promise.
            unsafe { (pairs.round_bytes)(from, rows.scales(head, key)[0], room) };
            room
        }
    }
}

/// The numbers of a key or value as f32.
///
/// # Safety
/// The processor has the instructions of `kernels`.
unsafe fn wide(rows: &Rows<'_>, kernels: &Kernels, head: usize, key: usize, to: &mut [f32]) {
    let start = head * rows.head_stride + key * rows.row_stride;
    match rows.numbers {
        Numbers::F32(_) => unreachable!("f32 is used as it lies"),
        Numbers::Bf16(numbers) => {
            // SAFETY: the caller's promise.
            unsafe { (kernels.widen)(&numbers[start..start + rows.head_dim], to) }
        }
        Numbers::Int8 { numbers, .. } => {
            let from = &numbers[start..start + rows.head_dim];
            // SAFETY: the caller's promise.
            unsafe { (kernels.widen_bytes)(from, rows.scales(head, key)[0], to) }
        }
    }
}
