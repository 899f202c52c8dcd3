//! Floats to blocks: what a model is shrunk with when it is loaded.

use std::sync::atomic::{AtomicBool, Ordering};

use half::f16;

use crate::cpu::{Cpu, Path};

use crate::matrix::{Format, Matrix};

use super::unpack::dequantize;
use super::{quantize_q4, quantize_q6k, quantize_q8};
use crate::cells::Cells;

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

    /// Some blocks. Numbers that are not finite count as zero.
    fn blocks(self, path: Path, x: &[f32], out: &mut [u8]) {
        #[cfg(target_arch = "x86_64")]
        if path >= Path::Avx2 {
            // SAFETY: the processor has the path, and all from AVX2 on have AVX2.
            return unsafe { self.blocks_avx2(x, out) };
        }
        let _ = path;
        self.blocks_any(x, out);
    }

    /// The same code, and so the same result, with wider vectors.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn blocks_avx2(self, x: &[f32], out: &mut [u8]) {
        self.blocks_any(x, out);
    }

    #[inline(always)]
    fn blocks_any(self, x: &[f32], out: &mut [u8]) {
        let format = self.format();
        let (len, bytes) = (format.block_len(), format.block_bytes());
        for (x, out) in x.chunks_exact(len).zip(out.chunks_exact_mut(bytes)) {
            self.block(x, out);
        }
    }

    #[inline(always)]
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
        to.blocks(cpu.path(), x, out);
    });
}

/// Quantises a matrix of any format, row by row: `[rows, cols]` of `to.format()`. `None` where some of its
/// numbers are not finite: blocks have zeros for them, which would hide that the matrix is damaged.
///
/// # Panics
/// When the columns are not a whole number of blocks.
#[must_use]
pub fn quantize_matrix(cpu: &Cpu, source: Matrix<'_>, to: Quantizer) -> Option<Vec<u8>> {
    let (rows, cols) = (source.rows(), source.cols());
    let format = to.format();
    let row_bytes = format.row_bytes(cols);
    let row_bytes = row_bytes
        .unwrap_or_else(|| panic!("{cols} columns are not a whole number of {format} blocks"));
    let mut out = vec![0; rows * row_bytes];
    if out.is_empty() {
        // Any number of rows is in no bytes.
        return Some(out);
    }
    let cells = Cells::new(&mut out);
    let damaged = AtomicBool::new(false);
    cpu.pool().run(rows, &|row| {
        let mut x = vec![0.0; cols];
        dequantize(source.format(), source.row(row), &mut x);
        if !all_finite(&x) {
            // What else the pool's threads do is seen when they end: nothing hangs on the order.
            damaged.store(true, Ordering::Relaxed);
        }
        // SAFETY: the pool runs each piece once, and a piece is a row.
        let out = unsafe { cells.part(row * row_bytes, row_bytes) };
        to.blocks(cpu.path(), &x, out);
    });
    (!damaged.into_inner()).then_some(out)
}

/// Whether all of `x` are finite. It looks at all of them, many at once.
fn all_finite(x: &[f32]) -> bool {
    !x.iter().fold(false, |found, x| found | !x.is_finite())
}

/// `x` without what is not finite.
#[inline(always)]
pub(super) fn finite<const N: usize>(x: &[f32]) -> [f32; N] {
    std::array::from_fn(|index| if x[index].is_finite() { x[index] } else { 0.0 })
}

/// The nearest integer, ties to even, of a number within ±2²²: adding 1.5 · 2²³ leaves no places
/// for a fraction. Unlike `round_ties_even` this is two instructions on every processor.
#[inline(always)]
pub(super) fn nearest(x: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    (x + SHIFT) - SHIFT
}

/// `scale` as an f16, finite.
#[inline(always)]
pub(super) fn stored(scale: f32) -> f16 {
    let most = f16::MAX.to_f32();
    f16::from_f32(scale.clamp(-most, most))
}

/// `1 / scale`, or 0 where that is not finite.
#[inline(always)]
pub(super) fn inverse(scale: f32) -> f32 {
    let inverse = 1.0 / scale;
    if inverse.is_finite() { inverse } else { 0.0 }
}

/// Fitting a scale to numbers that become the integers `least..=most`.
pub(super) struct Fit {
    pub(super) least: f32,
    pub(super) most: f32,
}

impl Fit {
    #[inline(always)]
    fn round(&self, x: f32) -> f32 {
        nearest(x.max(self.least).min(self.most))
    }

    /// The stored integer: 0 for `least`.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "small integers, not negative"
    )]
    pub(super) fn integer(&self, x: f32) -> u8 {
        (self.round(x) - self.least) as u8
    }

    /// With the integers that `scale` gives and the scale that fits these best: by how much the
    /// squared error is less than that of zeros, and that scale.
    #[inline(always)]
    pub(super) fn gain<const N: usize>(&self, x: &[f32; N], scale: f32) -> (f32, f32) {
        let inverse = inverse(scale);
        let (mut products, mut squares) = ([0.0; 8], [0.0; 8]);
        for x in x.as_chunks::<8>().0 {
            for lane in 0..8 {
                let integer = self.round(x[lane] * inverse);
                products[lane] += x[lane] * integer;
                squares[lane] += integer * integer;
            }
        }
        let (product, square) = (total(products), total(squares));
        if square > 0.0 {
            (product * (product / square), product / square)
        } else {
            (0.0, 0.0)
        }
    }

    /// The squared error of `scale`.
    #[inline(always)]
    pub(super) fn error<const N: usize>(&self, x: &[f32; N], scale: f32) -> f32 {
        let inverse = inverse(scale);
        let mut errors = [0.0; 8];
        for x in x.as_chunks::<8>().0 {
            for lane in 0..8 {
                let error = x[lane] - scale * self.round(x[lane] * inverse);
                errors[lane] += error * error;
            }
        }
        total(errors)
    }
}

/// In one order on every path.
#[inline(always)]
fn total(lanes: [f32; 8]) -> f32 {
    lanes.iter().sum()
}
