//! Floats to blocks: what a model is shrunk with when it is loaded.

use crate::blocks::cells::Cells;
use crate::cpu::Cpu;
use crate::matrix::{Format, Matrix};

use super::unpack::dequantize;
use super::{quantize_q4, quantize_q6k, quantize_q8};

/// Blocks of a piece of work when a slice is quantised.
const PIECE: usize = 64;

/// The block formats that floats can be turned into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Quantizer {
    /// [`Format::Q8_0`]: 8.5 bits a number.
    Q8_0,
    /// [`Format::Q4_0`]: 4.5 bits a number, each block's scale searched for the least squared error.
    Q4_0,
    /// [`Format::Q6K`]: 6.56 bits a number, scales searched likewise.
    Q6K,
}

impl Quantizer {
    /// The format of the result.
    #[must_use]
    pub const fn format(self) -> Format {
        match self {
            Self::Q8_0 => Format::Q8_0,
            Self::Q4_0 => Format::Q4_0,
            Self::Q6K => Format::Q6K,
        }
    }

    /// One block. Numbers that are not finite count as zero.
    fn block(self, x: &[f32], out: &mut [u8]) {
        match self {
            Self::Q8_0 => quantize_q8::block(x, out),
            Self::Q4_0 => quantize_q4::block(x, out),
            Self::Q6K => quantize_q6k::block(x, out),
        }
    }
}

/// Quantises rows of `cols` numbers each. The result is the same for any number of threads and on
/// every path. Numbers that are not finite count as zero.
///
/// # Panics
/// When `cols` is not a whole number of blocks, `x` not a whole number of rows, or `out` has not
/// the length that they take.
pub fn quantize(cpu: &Cpu, to: Quantizer, cols: usize, x: &[f32], out: &mut [u8]) {
    let format = to.format();
    let (len, bytes) = (format.block_len(), format.block_bytes());
    assert!(
        cols.is_multiple_of(len),
        "{cols} columns are not a whole number of {format} blocks"
    );
    assert!(
        if cols == 0 {
            x.is_empty()
        } else {
            x.len().is_multiple_of(cols)
        },
        "{} numbers are not a whole number of rows of {cols}",
        x.len()
    );
    assert_eq!(
        format.row_bytes(x.len()),
        Some(out.len()),
        "bytes of {} numbers in {format}",
        x.len()
    );
    let cells = Cells::new(out);
    let pieces = x.len().div_ceil(PIECE * len);
    cpu.pool().run(pieces, &|piece| {
        let first = piece * PIECE;
        let x = &x[first * len..x.len().min((first + PIECE) * len)];
        // SAFETY: the pool runs each piece once, and pieces have no block in common.
        let out = unsafe { cells.part(first * bytes, x.len() / len * bytes) };
        for (x, out) in x.chunks_exact(len).zip(out.chunks_exact_mut(bytes)) {
            to.block(x, out);
        }
    });
}

/// Quantises a matrix of any format, row by row: `[rows, cols]` of `to.format()`.
///
/// # Panics
/// When the columns are not a whole number of blocks.
#[must_use]
pub fn quantize_matrix(cpu: &Cpu, source: Matrix<'_>, to: Quantizer) -> Vec<u8> {
    let (rows, cols) = (source.rows(), source.cols());
    let format = to.format();
    let row_bytes = format.row_bytes(cols);
    let row_bytes = row_bytes
        .unwrap_or_else(|| panic!("{cols} columns are not a whole number of {format} blocks"));
    let mut out = vec![0; rows * row_bytes];
    let cells = Cells::new(&mut out);
    cpu.pool().run(rows, &|row| {
        let mut x = vec![0.0; cols];
        dequantize(source.format(), source.row(row), &mut x);
        // SAFETY: the pool runs each piece once, and a piece is a row.
        let out = unsafe { cells.part(row * row_bytes, row_bytes) };
        for (x, out) in x
            .chunks_exact(format.block_len())
            .zip(out.chunks_exact_mut(format.block_bytes()))
        {
            to.block(x, out);
        }
    });
    out
}

/// `x` without what is not finite.
pub(super) fn finite<const N: usize>(x: &[f32]) -> [f32; N] {
    std::array::from_fn(|index| if x[index].is_finite() { x[index] } else { 0.0 })
}
