//! Linear layers over a few tokens: bound by reading the weights, which is done once for all tokens.
//!
//! Lanes are columns: a kernel multiplies a vector of a weight row with the same columns of each
//! token, and adds up the lanes at the row's end.

use half::bf16;

use crate::cpu::{Cpu, Path};
use crate::matrix::{Format, Matrix};

use super::output::Output;

/// Tokens that this is for; with more, arithmetic is what takes the time.
pub(super) const MOST: usize = 8;

/// Bytes of weights of a piece of work, roughly: some microseconds of reading.
const PIECE_BYTES: usize = 256 << 10;
/// Weight rows of a piece of work.
const PIECE_ROWS: std::ops::RangeInclusive<usize> = 4..=64;

/// The formats of the kernels' weights, as constants that they are compiled for.
pub(super) const F32: u8 = 0;
pub(super) const F16: u8 = 1;
pub(super) const BF16: u8 = 2;

/// Columns are padded with zeros to a multiple of this, the longest vector.
const PAD: usize = 32;

/// A few tokens, `[tokens, stride]`; what is beyond the last column or the last token is zero.
pub(super) struct Tokens {
    /// 1, 2, 4 or 8.
    pub(super) count: usize,
    pub(super) stride: usize,
    /// As f32, for all kernels but those for bf16 pairs; for bf16 weights on AVX2, of each 16 columns the
    /// even ones come first.
    pub(super) floats: Vec<f32>,
    /// As bf16, for the others.
    pub(super) halves: Vec<u16>,
}

impl Tokens {
    fn pack(path: Path, format: Format, x: &[f32], cols: usize, m: usize) -> Self {
        let (count, stride) = (m.next_power_of_two(), cols.next_multiple_of(PAD));
        let mut tokens = Self {
            count,
            stride,
            floats: Vec::new(),
            halves: Vec::new(),
        };
        let rows = x.chunks_exact(cols);
        if format == Format::Bf16 && path >= Path::Avx512 {
            tokens.halves.resize(count * stride, 0);
            for (place, x) in tokens.halves.chunks_exact_mut(stride).zip(rows) {
                for (place, &x) in place.iter_mut().zip(x) {
                    *place = bf16::from_f32(x).to_bits();
                }
            }
            return tokens;
        }
        tokens.floats.resize(count * stride, 0.0);
        for (place, x) in tokens.floats.chunks_exact_mut(stride).zip(rows) {
            for (place, &x) in place.iter_mut().zip(x) {
                *place = if format == Format::Bf16 {
                    bf16::from_f32(x).to_f32()
                } else {
                    x
                };
            }
        }
        if format == Format::Bf16 && path == Path::Avx2 {
            evens_first(&mut tokens.floats);
        }
        tokens
    }
}

/// Of each 16 columns, which `avx2_few` loads together, the even ones first.
fn evens_first(columns: &mut [f32]) {
    for columns in columns.as_chunks_mut::<16>().0 {
        let before = *columns;
        let (evens, odds) = columns.split_at_mut(8);
        for ((even, odd), pair) in evens.iter_mut().zip(odds).zip(before.as_chunks::<2>().0) {
            [*even, *odd] = *pair;
        }
    }
}

/// Whether `path` has kernels here for `format`.
pub(super) fn has(path: Path, format: Format) -> bool {
    !format.is_blocks() && path > Path::Scalar
}

/// `out = x · weightᵀ + bias` for at most [`MOST`] tokens.
///
/// # Panics
/// When [`has`] says no.
pub(super) fn linear(cpu: &Cpu, x: &[f32], weight: Matrix<'_>, out: &Output<'_>) {
    let (rows, cols, m) = (weight.rows(), weight.cols(), out.m());
    assert!(m <= MOST && has(cpu.path(), weight.format()), "few tokens");
    let tokens = Tokens::pack(cpu.path(), weight.format(), x, cols, m);
    let piece = (PIECE_BYTES / weight.row(0).len()).clamp(*PIECE_ROWS.start(), *PIECE_ROWS.end());
    cpu.pool().run(rows.div_ceil(piece), &|index| {
        let first = index * piece;
        let count = piece.min(rows - first);
        let mut sums = [0.0; MOST * *PIECE_ROWS.end()];
        let sums = &mut sums[..tokens.count * count];
        sum_rows(cpu.path(), weight, first, &tokens, sums);
        for (token, sums) in sums.chunks_exact(count).take(m).enumerate() {
            // SAFETY: this piece alone writes its rows.
            unsafe { out.put(token, first, sums) };
        }
    });
}

/// `sums[token][row] = weight[first + row] · tokens[token]`.
fn sum_rows(path: Path, weight: Matrix<'_>, first: usize, tokens: &Tokens, sums: &mut [f32]) {
    match path {
        // SAFETY: the processor has the path (`Cpu`'s promise).
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 | Path::Amx => unsafe {
            super::avx512_few::sum_rows(weight, first, tokens, sums);
        },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => unsafe { super::avx2_few::sum_rows(weight, first, tokens, sums) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Path::Neon => unsafe { super::neon::sum_rows(weight, first, tokens, sums) },
        path => unreachable!("no kernel on {path}"),
    }
}
