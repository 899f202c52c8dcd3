//! Products of a few rows of activations with blocks of weights: a decoder's step, which is as
//! fast as the weights come from memory if nothing else is done to them.
//!
//! The arithmetic, the same on every path: a row of activations is cut into groups of 32, each
//! rounded to integers `−127..=127` with the f32 scale `a = max|x| / 127`. A group of weights then
//! contributes `s·a·Σ(q − z)·x − o·a·Σx`, whose sums are exact integers. Paths differ only in the
//! order in which these f32 terms are added.

use crate::cpu::{Cpu, Path};
use crate::matrix::Matrix;

use super::activations::{GROUP, Rounded};
use super::cells::Cells;
use super::decode::{Block, decode, group_len, zero};

/// Rows of activations that [`linear_few`] takes at most.
pub(crate) const MOST: usize = 8;

/// Weight rows of a piece of work.
const PIECE: usize = 16;

/// `out = x · weightᵀ + bias`: `x` is `[m, cols]` with `m` of `0..=8`, `weight` `[rows, cols]` in
/// blocks, `bias` `[rows]`, `out` `[m, rows]`, all row-major.
///
/// A group of 32 activations in which one is infinite or no number makes all outputs NaN.
///
/// # Panics
/// When the lengths do not fit each other, there are more rows of `x`, or the weights are no
/// blocks.
pub(crate) fn linear_few(
    cpu: &Cpu,
    x: &[f32],
    weight: Matrix<'_>,
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    let (rows, cols) = (weight.rows(), weight.cols());
    assert!(weight.format().is_blocks(), "weights in blocks");
    assert!(
        bias.is_none_or(|bias| bias.len() == rows),
        "one bias for each of {rows} rows"
    );
    if rows == 0 || out.is_empty() {
        assert!(out.is_empty(), "outputs of no rows");
        return;
    }
    let m = out.len() / rows;
    assert!(m <= MOST, "at most {MOST} rows of activations");
    assert!(
        m * rows == out.len() && m * cols == x.len(),
        "{} inputs of {cols} columns give no {} outputs of {rows} rows",
        x.len(),
        out.len()
    );
    let cells = Cells::new(out);
    let rounded: Vec<Rounded> = (0..m)
        .map(|token| Rounded::new(&x[token * cols..][..cols]))
        .collect();
    let _ = Path::Scalar;
    cpu.pool().run(rows.div_ceil(PIECE), &|piece| {
        for row in piece * PIECE..rows.min((piece + 1) * PIECE) {
            for (token, x) in rounded.iter().enumerate() {
                let sum = dot(x, weight, row);
                // SAFETY: this piece alone writes the outputs of its rows.
                let out = unsafe { cells.part(token * rows + row, 1) };
                out[0] = sum + bias.map_or(0.0, |bias| bias[row]);
            }
        }
    });
}

/// The specification: one output, its terms added in f64.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the rounding that is wanted"
)]
fn dot(x: &Rounded, weight: Matrix<'_>, row: usize) -> f32 {
    let format = weight.format();
    let (len, group) = (format.block_len(), group_len(format));
    let mut block = Block::new();
    let mut sum = 0.0;
    for (index, bytes) in weight
        .row(row)
        .chunks_exact(format.block_bytes())
        .enumerate()
    {
        decode(format, bytes, &mut block);
        for (part, q) in block.q[..len].chunks_exact(group).enumerate() {
            let at = index * len + part * group;
            let integers = &x.integers[at..][..group];
            let pairs = q.iter().zip(integers);
            let product: i32 = pairs
                .map(|(&q, &x)| (i32::from(q) - i32::from(zero(format))) * i32::from(x))
                .sum();
            let total: i32 = integers.iter().map(|&x| i32::from(x)).sum();
            let scale = f64::from(x.scales[at / GROUP]);
            sum += f64::from(block.scale[part]) * scale * f64::from(product)
                - f64::from(block.offset[part]) * scale * f64::from(total);
        }
    }
    sum as f32
}
