//! Products of a few rows of activations with blocks of weights: a decoder's step, which is as
//! fast as the weights come from memory if nothing else is done to them.
//!
//! The arithmetic, the same on every path: a row of activations is cut into groups of 32, each
//! rounded to integers `−127..=127` with the f32 scale `a = max|x| / 127`. A group of weights then
//! contributes `s·a·Σ(q − z)·x − o·a·Σx`, whose sums are exact integers. Paths differ in the
//! order in which these f32 terms are multiplied and added: where `s·a` or `a·Σx` is beyond f32, only the
//! scalar path may have a number.

use std::ops::Range;

use crate::cpu::{Cpu, Path};
use crate::matrix::Matrix;

use super::activations::{GROUP, Rounded};
use super::decode::{Block, decode, group_len, zero};
#[cfg(target_arch = "aarch64")]
use super::few_neon;
#[cfg(target_arch = "x86_64")]
use super::packed::{LONGEST, Packed};
#[cfg(target_arch = "x86_64")]
use super::stretches::{TwoRows, piece};
#[cfg(target_arch = "x86_64")]
use super::{few_avx2, few_avx512};
use crate::cells::Cells;

/// Rows of activations that go through the weights together; also those from which on another
/// kernel may be the faster one.
pub(crate) const MOST: usize = 8;

/// Bytes of weights of a piece of work at most: some ten microseconds. Each piece begins by waiting
/// for memory, which smaller ones do more often.
const PIECE: usize = 256 << 10;

/// Pieces for each thread at least, so that one that is held up leaves little to wait for.
const SHARES: usize = 8;

/// As [`super::linear_many`], whose checks have been made; there are rows and `m > 0`.
pub(super) fn linear(
    cpu: &Cpu,
    x: &[f32],
    weight: Matrix<'_>,
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    let (rows, cols) = (weight.rows(), weight.cols());
    let m = out.len() / rows;
    let cells = Cells::new(out);
    let put = |token: usize, row: usize, sum: f32| {
        // SAFETY: the piece of work that the row belongs to alone writes its outputs.
        let out = unsafe { cells.part(token * rows + row, 1) };
        out[0] = sum + bias.map_or(0.0, |bias| bias[row]);
    };
    match cpu.path() {
        #[cfg(target_arch = "aarch64")]
        Path::Neon => {
            let slices = slices(m, |tokens| rounded(x, tokens, cols));
            for_rows(cpu, weight, &slices, |first, count, tokens, x| {
                for row in first..first + count {
                    let mut sums = [0.0; MOST];
                    let bytes = weight.row(row);
                    // SAFETY: the processor has the instructions of `cpu.path()`.
                    unsafe { few_neon::row(weight.format(), bytes, x, &mut sums) };
                    tokens
                        .clone()
                        .zip(sums)
                        .for_each(|(token, sum)| put(token, row, sum));
                }
            });
        }
        #[cfg(target_arch = "x86_64")]
        path @ (Path::Avx2 | Path::Avx512 | Path::Amx) => {
            let slices = slices(m, |tokens| packed(cpu, weight, &tokens, x));
            for_rows(cpu, weight, &slices, |first, count, tokens, packed| {
                let put = |row: usize, sums: &[f32; MOST]| {
                    let sums = tokens.clone().zip(sums);
                    sums.for_each(|(token, &sum)| put(token, row, sum));
                };
                let (rows, lines, m) = (first..first + count, &packed.lines, tokens.len());
                let (two_rows, ahead): (TwoRows, isize) = match path {
                    Path::Avx2 => (few_avx2::two_rows, few_avx2::AHEAD),
                    _ => (few_avx512::two_rows, few_avx512::ahead(m)),
                };
                // SAFETY: the processor has the instructions of `path`.
                unsafe { piece(two_rows, ahead, weight, rows, lines, m, put) };
            });
        }
        _ => {
            let slices = slices(m, |tokens| rounded(x, tokens, cols));
            for_rows(cpu, weight, &slices, |first, count, tokens, x| {
                for row in first..first + count {
                    for (token, x) in tokens.clone().zip(x) {
                        put(token, row, dot(x, weight, row));
                    }
                }
            });
        }
    }
}

/// A row of weights for the SIMD paths, which read whole chunks.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    /// From the row's first byte to the matrix's last: a chunk that the row ends within may be read
    /// on into the next row, instead of being copied.
    pub(super) bytes: &'a [u8],
    /// Bytes of the row itself.
    pub(super) len: usize,
}

#[cfg(target_arch = "x86_64")]
impl<'a> Row<'a> {
    /// `len` is that of all rows, which is looked up once for many of them.
    pub(super) fn new(weight: Matrix<'a>, row: usize, len: usize) -> Self {
        Self {
            bytes: &weight.bytes()[row * len..],
            len,
        }
    }

    /// Reads the chunk that the row ends within, of `size` bytes, beginning at `at`: where it lies,
    /// or a copy in `copied`, zero after the row, where the matrix ends before the chunk does.
    pub(super) fn last<'b>(self, at: usize, size: usize, copied: &'b mut [u8; LONGEST]) -> &'b [u8]
    where
        'a: 'b,
    {
        match self.bytes.get(at..at + size) {
            Some(chunk) => chunk,
            None => {
                copied[..self.len - at].copy_from_slice(&self.bytes[at..self.len]);
                copied
            }
        }
    }
}

/// Rows of activations that go through the weights together, with what `prepare` makes of them.
fn slices<T>(m: usize, prepare: impl Fn(Range<usize>) -> T) -> Vec<(Range<usize>, T)> {
    let slice = m.div_ceil(m.div_ceil(MOST));
    let starts = (0..m).step_by(slice);
    starts
        .map(|start| start..m.min(start + slice))
        .map(|tokens| (tokens.clone(), prepare(tokens)))
        .collect()
}

fn rounded(x: &[f32], tokens: Range<usize>, cols: usize) -> Vec<Rounded> {
    tokens
        .map(|token| Rounded::new(&x[token * cols..][..cols]))
        .collect()
}

#[cfg(target_arch = "x86_64")]
fn packed(cpu: &Cpu, weight: Matrix<'_>, tokens: &Range<usize>, x: &[f32]) -> Packed {
    let cols = weight.cols();
    let x = &x[tokens.start * cols..tokens.end * cols];
    Packed::new(cpu, weight.format(), x, tokens.len(), cols)
}

/// Calls `task` for all rows of the weights and all slices of the activations, on several threads:
/// with the first and the number of some rows, all numbers but the last being even, and a slice.
/// The rows of a piece stay in the second-level cache while all slices go by.
fn for_rows<T: Sync>(
    cpu: &Cpu,
    weight: Matrix<'_>,
    slices: &[(Range<usize>, T)],
    task: impl Fn(usize, usize, &Range<usize>, &T) + Sync,
) {
    let rows = weight.rows();
    let bytes = weight.bytes().len();
    let most = (bytes / (cpu.pool().threads() * SHARES)).min(PIECE);
    let piece = (most * rows / bytes.max(1)).max(1).next_multiple_of(2);
    cpu.pool().run(rows.div_ceil(piece), &|index| {
        let count = piece.min(rows - index * piece);
        for (tokens, slice) in slices {
            task(index * piece, count, tokens, slice);
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
            let scale = f64::from(x.scales[at / GROUP]);
            sum += f64::from(block.scale[part]) * scale * f64::from(product)
                - f64::from(block.offset[part]) * scale * f64::from(x.totals[at / GROUP]);
        }
    }
    sum as f32
}
